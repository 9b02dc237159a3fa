"""What can be wrong with a row, as data: typed, coded, and in the user's words."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass, fields
from typing import Literal

import pandas as pd

__all__ = ["PROBLEM_COLUMNS", "Problem", "Severity", "problem_frame"]

Severity = Literal["note", "warning", "error"]


@dataclass(frozen=True, slots=True)
class Problem:
    """One finding about one cell, row or file.

    Attributes
    ----------
    row : int or None
        The house it is about, counted from 1 (a header is not counted); None for the whole table.
    field : str or None
        The column it is about.
    code : str
        Stable name of the kind of problem, for programs.
    severity : {"note", "warning", "error"}
        An error leaves its row without a value; a warning is valued with a caution; a note tells
        what was done and needs no action.
    message : str
        What is wrong, in words.
    read : str or None
        What was read, shortened to a length that can be shown.
    expected : str or None
        What would do.
    """

    row: int | None
    field: str | None
    code: str
    severity: Severity
    message: str
    read: str | None = None
    expected: str | None = None

    @property
    def reason_code(self) -> str:
        """The code with its field, as it stands in a table of valuations."""
        return f"{self.code}:{self.field}" if self.field else self.code

    @property
    def sentence(self) -> str:
        """The message and what would do, as one text."""
        return (
            f"{self.message} Expected: {self.expected.rstrip('.')}."
            if self.expected
            else self.message
        )


PROBLEM_COLUMNS = tuple(field.name for field in fields(Problem))


def problem_frame(problems: Iterable[Problem]) -> pd.DataFrame:
    """Problems as a table, a row each, columns as :class:`Problem`'s attributes."""
    frame = pd.DataFrame([asdict(problem) for problem in problems], columns=list(PROBLEM_COLUMNS))
    return frame.astype({"row": "Int64"})
