"""Which version of a store answers, and which ones did before it."""

from __future__ import annotations

from pathlib import Path

from houseprice.durable import exclusive, replace_file
from houseprice.errors import StoreError
from houseprice.model.storing.names import is_name, market_of

__all__ = ["Activation"]

_REMEMBERED = 100


class Activation:
    """The file ``active`` of a store: names of versions, one a line, the one activated last below.

    A store may hold versions of several markets; each has its own active version, the lowest line
    that names one of it.

    Parameters
    ----------
    folder : Path
        Of the store.
    """

    def __init__(self, folder: Path) -> None:
        self._file = folder / "active"
        self._lock = folder / "active.lock"

    def newest(self, market: str | None = None) -> str | None:
        """Return the version activated last, of one market or of any."""
        names = [name for name in self.history() if market in {None, market_of(name)}]
        return names[-1] if names else None

    def answering(self) -> frozenset[str]:
        """Return the active version of each market."""
        return frozenset({market_of(name): name for name in self.history()}.values())

    def before(self, market: str | None = None) -> str:
        """Return the version that was active before the active one of the same market.

        Raises
        ------
        StoreError
            If there is none.
        """
        newest = self.newest(market)
        same = [name for name in self.history() if newest and market_of(name) == market_of(newest)]
        if len(same) < 2:
            raise StoreError(
                "No version was active before this one, so there is none to go back to. "
                "Choose another one: houseprice models activate."
            )
        return same[-2]

    def add(self, version: str) -> None:
        """Write a version below all others, if it does not answer for its market already."""
        with exclusive(self._lock):
            if version != self.newest(market_of(version)):
                self._write([*self.history(), version])

    def back_to(self, version: str) -> None:
        """Forget what was activated of this market since a version was."""
        with exclusive(self._lock):
            names = self.history()
            place = max(i for i, name in enumerate(names) if name == version)
            later = [name for name in names[place + 1 :] if market_of(name) != market_of(version)]
            self._write([*names[: place + 1], *later])

    def history(self) -> list[str]:
        """Return the versions in the order in which they were activated."""
        try:
            lines = self._file.read_text(encoding="utf-8", errors="replace").split("\n")
        except FileNotFoundError:
            return []
        except OSError as error:
            raise StoreError(f"{self._file} can't be read ({error.strerror}).") from None
        return [line for line in lines if is_name(line)]

    def _write(self, names: list[str]) -> None:
        text = "".join(f"{name}\n" for name in names[-_REMEMBERED:])
        replace_file(self._file, text.encode())
