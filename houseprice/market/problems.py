"""Problems of rows as data: typed, coded, and with a message for the user."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Severity = Literal["note", "warning", "error"]


@dataclass(frozen=True, slots=True)
class Problem:
    """One problem of a cell, a row (from 1, without the header) or a whole table (no row).

    A row with an error has no value; a warning asks for caution; a note reports what was done. The
    ``code`` is a stable name for programs, ``read`` what was read, shortened, ``expected`` what
    would be accepted. ``fields`` are all columns that a contradiction or a missing column concerns.
    """

    row: int | None
    field: str | None
    code: str
    severity: Severity
    message: str
    read: str | None = None
    expected: str | None = None
    fields: tuple[str, ...] = ()

    @property
    def reason_code(self) -> str:
        """The code with its field, as in the column ``reason_codes`` of valuations."""
        return f"{self.code}:{self.field}" if self.field else self.code

    @property
    def sentence(self) -> str:
        """The message and what would be accepted, as one text."""
        return (
            f"{self.message} Expected: {self.expected.rstrip('.')}."
            if self.expected
            else self.message
        )


def shifted(problems: Iterable[Problem], offset: int) -> list[Problem]:
    """Renumber problems for a table in which their rows start after ``offset`` other rows."""
    if not offset:
        return list(problems)
    return [
        problem if problem.row is None else replace(problem, row=problem.row + offset)
        for problem in problems
    ]


def renumbered(problems: Iterable[Problem], positions: Sequence[int]) -> list[Problem]:
    """Renumber problems of selected rows, at ``positions`` (from 0), for the whole table."""
    return [
        problem if problem.row is None else replace(problem, row=positions[problem.row - 1] + 1)
        for problem in problems
    ]


def concat_problems(chunks: Iterable[tuple[int, Iterable[Problem]]]) -> list[Problem]:
    """Concatenate the problems of consecutive chunks of one table.

    Each chunk comes with its number of rows. All chunks have the same columns and so the same
    problems of the whole table: those of the first chunk are returned, at their place.
    """
    result: list[Problem] = []
    offset = 0
    for number, (n_rows, problems) in enumerate(chunks):
        result += [
            problem
            for problem in shifted(problems, offset)
            if problem.row is not None or number == 0
        ]
        offset += n_rows
    return result


def rows_with_problems(problems: Iterable[Problem], n_rows: int) -> NDArray[np.bool_]:
    """Return a mask of shape (n_rows,) of the rows that the problems are about."""
    mask = np.zeros(n_rows, dtype=bool)
    mask[[problem.row - 1 for problem in problems if problem.row is not None]] = True
    return mask
