"""What protocols of other makers have in common: a table goes out, a reply comes back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

from houseprice.errors import BackendGarbled

__all__ = [
    "Cell",
    "JsonTransport",
    "Kind",
    "Reply",
    "Speech",
    "Table",
    "numbers_of",
    "objects_of",
    "words_of",
]

Cell = int | float | str | None
Kind = Literal["number", "whole", "text"]
LONGEST_WORDS = 200


@dataclass(frozen=True)
class Table:
    """Houses as a server of another maker reads them.

    Attributes
    ----------
    columns : tuple of str
        Their names.
    kinds : tuple of {"number", "whole", "text"}
        What each column holds, besides what stands for a fact that is not known.
    rows : list of list
        A list a house, in the order of the columns.
    """

    columns: tuple[str, ...]
    kinds: tuple[Kind, ...]
    rows: list[list[Cell]]

    def __len__(self) -> int:
        return len(self.rows)

    def part(self, start: int, stop: int) -> Table:
        """Some of the houses."""
        return Table(self.columns, self.kinds, self.rows[start:stop])

    def records(self) -> list[dict[str, Cell]]:
        """Write one object a house."""
        return [dict(zip(self.columns, row, strict=True)) for row in self.rows]


@dataclass(frozen=True)
class Reply:
    """What a server said to a table, before anybody knows which house each number belongs to.

    Attributes
    ----------
    numbers : list of float or None
        As they came: prices, or their logarithms.
    refusals : dict of int to str
        By row, counted from 0: why there is no number, in the server's words.
    version : str
        Of its model, where it said so.
    """

    numbers: list[float | None]
    refusals: dict[int, str] = field(default_factory=dict)
    version: str = ""


class JsonTransport(Protocol):
    """What carries JSON there and back; it raises errors of the kind BackendError only."""

    @property
    def place(self) -> str:
        """Host and port of the server, for sentences."""
        ...

    def get_json(self, path: str) -> Any:  # noqa: ANN401 - JSON may hold anything
        """Ask for something."""
        ...

    def post_json(self, path: str, body: object) -> Any:  # noqa: ANN401 - JSON may hold anything
        """Send something and read the answer."""
        ...


class Speech(Protocol):
    """One protocol, from the client's side."""

    path: str
    """Where tables are sent to."""

    def encode(self, table: Table) -> object:
        """Write a table as the body of a request."""
        ...

    def decode(self, body: object) -> Reply:
        """Read the answer.

        Raises
        ------
        BackendGarbled
            If it has another form than the protocol's.
        """
        ...

    def version(self, transport: JsonTransport) -> str:
        """Ask which model answers; "" where the protocol has no word for it."""
        ...


def objects_of(body: object, key: str) -> Mapping[str, Any]:
    """The answer as an object that holds a key."""
    if not isinstance(body, Mapping) or key not in body:
        raise BackendGarbled(
            f"The server's answer has no «{key}»: it may speak another protocol "
            "(HOUSEPRICE_API_PROTOCOL).",
            reason="wrong_shape",
        )
    return body


def numbers_of(values: object) -> list[float | None]:
    """A list of predictions, each bare, alone in a list, or the only number of an object."""
    if not isinstance(values, Sequence) or isinstance(values, str):
        values = [values]
    return [_number(value) for value in values]


def words_of(said: object) -> str:
    """What a server said, on one line and not too long to show."""
    if isinstance(said, Mapping):
        said = "; ".join(f"{name}: {words_of(value)}" for name, value in said.items())
    elif isinstance(said, Sequence) and not isinstance(said, str):
        said = ", ".join(words_of(value) for value in said)
    return " ".join(str(said).split())[:LONGEST_WORDS]


def _number(value: object) -> float | None:
    if isinstance(value, Mapping):
        value = list(value.values())
    if isinstance(value, list) and len(value) == 1:
        value = value[0]
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise BackendGarbled(
            f"The server answered «{words_of(value)[:40]}» where a price should stand.",
            reason="wrong_shape",
        )
    try:
        return float(value)
    except OverflowError:
        raise BackendGarbled(
            "The server answered a number that is too large to be a price.", reason="wrong_shape"
        ) from None
