"""Where a market's files can be had anew, as far as the contract says so."""

from __future__ import annotations

from pydantic import Field as Setting

from houseprice.market.fields import Facts

__all__ = ["KaggleFile", "KaggleSource"]


class KaggleFile(Facts):
    """A file of a competition, and how many rows of data it has."""

    file: str = Setting(pattern=r"^\w[\w.-]*\.csv$")
    rows: int = Setting(ge=1)


class KaggleSource(Facts):
    """The competition on kaggle.com whose files are the market's.

    ``competition`` is the last part of the competition's address; ``most_mb`` is the size beyond
    which a download is given up.
    """

    competition: str = Setting(pattern=r"^[a-z0-9][a-z0-9-]*$")
    sales: KaggleFile
    sample: KaggleFile
    most_mb: int = Setting(100, ge=1)

    @property
    def page(self) -> str:
        """The address of the competition, for a browser."""
        return f"https://www.kaggle.com/competitions/{self.competition}"
