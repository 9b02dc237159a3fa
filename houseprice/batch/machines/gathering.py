"""What came of the parts of a file, put together as what came of the file."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

from houseprice.batch.streaming import Streamed
from houseprice.batch.text.layout import Layout
from houseprice.batch.text.own_columns import own_columns
from houseprice.batch.valuing.summary import Totals
from houseprice.market.problems import Problem

__all__ = ["gathered", "notes_of"]


class Told(Protocol):
    """A part of a file that was valued."""

    @property
    def totals(self) -> Totals:
        """Counts of its rows."""
        ...

    @property
    def problems(self) -> tuple[Problem, ...]:
        """Those of the whole table that it showed."""
        ...


def gathered(parts: Iterable[Told], notes: Iterable[str] = ()) -> Streamed:
    """Add up the counts of parts, given in the order of the file, and tell each problem once."""
    totals, problems = Totals(), dict[Problem, None]()
    for part in parts:
        totals += part.totals
        problems |= dict.fromkeys(part.problems)
    return Streamed(totals, tuple(problems), tuple(notes))


def notes_of(layout: Layout) -> tuple[str, ...]:
    """What was assumed of a file, and what becomes of its own columns, a sentence each."""
    own = own_columns(layout.header.columns, layout.header.cells)
    return (*layout.notes, *own.notes)
