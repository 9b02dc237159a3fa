"""What is asked of the process that converts a file, and how it refuses one."""

from __future__ import annotations

from dataclasses import dataclass

from houseprice.batch.kinds.formats import Kind
from houseprice.errors import InputError

__all__ = ["MEMORY", "Wish"]

MEMORY = 2**31
"""Bytes that reading a workbook or a Parquet file may take, beyond which it is refused."""


@dataclass(frozen=True)
class Wish:
    """One file to convert.

    Attributes
    ----------
    kind : {"workbook", "parquet"}
    name : str
        What the user calls it.
    known : tuple of str
        Folded column names that tell a header, and so the sheet that is meant; may be empty.
    max_rows : int or None
    max_columns : int
    max_cell_chars : int
    max_unpacked : int
        Bytes that it may hold, unpacked.
    max_text : int
        Bytes that its table may have as CSV.
    """

    kind: Kind
    name: str
    known: tuple[str, ...]
    max_rows: int | None
    max_columns: int
    max_cell_chars: int
    max_unpacked: int
    max_text: int

    def too_large(self, most_bytes: int) -> InputError:
        """It holds too much."""
        return InputError(
            f"{self.name} holds more than {most_bytes // 2**20:,} MB, and no more is read."
        )

    def too_long(self) -> InputError:
        """It has too many rows."""
        return InputError(f"{self.name} has more than {self.max_rows:,} rows. Split it into parts.")

    def too_wide(self, n_columns: int) -> InputError:
        """It has too many columns."""
        return InputError(
            f"{self.name} has {n_columns:,} columns; at most {self.max_columns:,} are read."
        )

    def too_deep(self, place: str, n_chars: int) -> InputError:
        """A cell is too long."""
        return InputError(
            f"{place} of {self.name} has a cell of {n_chars:,} characters; at most "
            f"{self.max_cell_chars:,} are read."
        )

    def too_hungry(self) -> InputError:
        """Reading it would take too much memory."""
        return InputError(
            f"{self.name} needs more than {MEMORY // 2**20:,} MB of memory to be read: perhaps a "
            "cell far away from the table holds something. Save the table as CSV first."
        )

    def damaged(self) -> InputError:
        """It is not what it looks like."""
        what = "an Excel workbook" if self.kind == "workbook" else "a Parquet file"
        return InputError(
            f"{self.name} is {what} that is damaged. Save it again, or save it as CSV."
        )

    def without_houses(self) -> InputError:
        """There is nothing in it."""
        return InputError(f"{self.name} has a header but no houses under it.")
