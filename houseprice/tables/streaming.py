"""A CSV file of any size valued in flat memory: each row is written back as it stood, and valued.

The user's part of each line is not touched, so it comes out byte for byte; the cells of the
valuation are added to it with the file's own separator, decimal sign, encoding and line ending.
Only where an old valuation has to go, or a row does not fit under the header, is the line written
anew.

What came of the parts of a file, put together as what came of the file.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

import numpy as np

from houseprice.backend.base import DEFAULT_INTERVAL, VALUATION_COLUMNS, Backend, Progress
from houseprice.market.problems import Problem
from houseprice.progress import ProgressEstimate
from houseprice.tables.columns import OutputColumns, output_columns
from houseprice.tables.layout import Layout
from houseprice.tables.reader import CHUNK_ROWS, CsvFile
from houseprice.tables.scoring import RowCounts, count_rows, value_rows
from houseprice.tables.table import Table
from houseprice.tables.writer import csv_line, csv_lines

__all__ = [
    "StreamResult",
    "ValuedChunk",
    "merge_results",
    "result_notes",
    "value_chunk",
    "value_chunks",
    "value_stream",
]


class Sink(Protocol):
    """Something that bytes are written to."""

    def write(self, data: bytes, /) -> object:
        """Take all of the bytes."""
        ...


@dataclass(frozen=True)
class ValuedChunk:
    """The next rows of the result.

    Attributes
    ----------
    data : bytes
        To be written after those before; the header is in the first part.
    counts : RowCounts
        Of these rows.
    problems : tuple of Problem
        Those of the whole table. What is wrong with a row stands in the row.
    """

    data: bytes
    counts: RowCounts
    problems: tuple[Problem, ...]


@dataclass(frozen=True)
class StreamResult:
    """What came of a file.

    Attributes
    ----------
    counts : RowCounts
    problems : tuple of Problem
        Those of the whole table, each once.
    notes : tuple of str
        What was assumed, replaced or left out, a sentence each.
    """

    counts: RowCounts = field(default_factory=RowCounts)
    problems: tuple[Problem, ...] = ()
    notes: tuple[str, ...] = ()


def value_stream(
    source: CsvFile,
    backend: Backend,
    out: Sink,
    *,
    interval: float = DEFAULT_INTERVAL,
    evidence: bool = False,
    progress: Progress | None = None,
    rows: int = CHUNK_ROWS,
    valued_at: datetime | None = None,
) -> StreamResult:
    """Value each row of a file, and write it as soon as it is valued.

    Parameters
    ----------
    source : CsvFile
    backend : Backend
    out : binary file, or anything else to write to
    interval : float
        Share of sales that a range should hold.
    evidence : bool
        Fill ``comparables`` and ``top_drivers`` too.
    progress : callable, optional
        Called with the share done, and with rows, rows per second and time left in words.
    rows : int
        Rows at a time.
    valued_at : datetime, optional
        The one time that every value is given; by default, when it was made.

    Raises
    ------
    InputError
        If the file can't be read to its end.
    BackendError
        If the backend can't answer.
    """
    totals, problems = RowCounts(), dict[Problem, None]()
    pace = ProgressEstimate(source.layout.most_rows)

    def tell(share: float, _: str = "") -> None:
        now = min(rows, source.layout.most_rows - totals.rows)
        if progress is not None:
            progress(*pace.update(totals.rows + int(share * now)))

    parts = value_chunks(
        source,
        backend,
        interval=interval,
        evidence=evidence,
        progress=tell,
        rows=rows,
        valued_at=valued_at,
    )
    for part in parts:
        out.write(part.data)
        totals += part.counts
        problems.update(dict.fromkeys(part.problems))
        tell(0.0)
    own = output_columns(source.layout.header.columns, source.layout.header.cells)
    return StreamResult(totals, tuple(problems), (*source.layout.notes, *own.notes))


def value_chunks(
    source: CsvFile,
    backend: Backend,
    *,
    interval: float = DEFAULT_INTERVAL,
    evidence: bool = False,
    progress: Progress | None = None,
    rows: int | Callable[[], int] = CHUNK_ROWS,
    valued_at: datetime | None = None,
) -> Iterator[ValuedChunk]:
    """Value a file part by part: :func:`value_stream` for whoever pulls instead of being pushed.

    ``progress`` hears how far the work on the current part is.
    """
    for piece in source.pieces(rows):
        yield value_chunk(
            piece,
            source.layout,
            backend,
            interval=interval,
            evidence=evidence,
            progress=progress,
            valued_at=valued_at,
        )


def value_chunk(
    piece: Table,
    layout: Layout,
    backend: Backend,
    *,
    interval: float = DEFAULT_INTERVAL,
    evidence: bool = False,
    progress: Progress | None = None,
    valued_at: datetime | None = None,
) -> ValuedChunk:
    """Value one piece of a file of this layout; the first brings the header."""
    own = output_columns(layout.header.columns, layout.header.cells)
    valuations, problems = value_rows(
        piece, own, backend, interval=interval, evidence=evidence, progress=progress
    )
    if valued_at is not None:
        stamp = valued_at.isoformat(timespec="seconds")
        has_value = valuations["valued_at"].astype("str") != ""
        valuations["valued_at"] = np.where(has_value, stamp, "")
    ours = valuations[list(VALUATION_COLUMNS)]
    added = csv_lines(ours, layout.separator, decimal=layout.decimal)
    data = _encoded("".join(_lines(piece, added, own, layout)), layout)
    if not piece.start:
        data = layout.text.mark + _encoded(_header_line(layout, own), layout) + data
    general = tuple(problem for problem in problems if problem.row is None)
    return ValuedChunk(data, count_rows(valuations, problems), general)


def _header_line(layout: Layout, own: OutputColumns) -> str:
    if own.renamed or len(own.positions) < len(layout.header.cells):
        given = csv_line(own.headers, layout.separator)
    else:
        given = layout.header_text.rstrip("\r\n")
    added = csv_line(VALUATION_COLUMNS, layout.separator)
    return f"{given}{layout.separator}{added}{layout.line_ending}"


def _lines(piece: Table, added: list[str], own: OutputColumns, layout: Layout) -> Iterator[str]:
    """The user's lines with the cells of the valuation, and their own line endings."""
    separator, last_ending = layout.separator, layout.line_ending
    bodies = [line.rstrip("\r\n") for line in piece.lines]
    endings = [
        line[len(body) :] or last_ending for line, body in zip(piece.lines, bodies, strict=True)
    ]
    if len(own.positions) < piece.cells.shape[1]:
        bodies = csv_lines(piece.cells.iloc[:, own.positions], separator)
    for body, cells, ending in zip(bodies, added, endings, strict=True):
        yield f"{body}{separator}{cells}{ending}"


def _encoded(text: str, layout: Layout) -> bytes:
    """The text in the file's encoding; a sign that it lacks can only be in a message of ours."""
    return text.encode(layout.text.codec, "replace")


class Told(Protocol):
    """A part of a file that was valued."""

    @property
    def counts(self) -> RowCounts:
        """Counts of its rows."""
        ...

    @property
    def problems(self) -> tuple[Problem, ...]:
        """Those of the whole table that it showed."""
        ...


def merge_results(parts: Iterable[Told], notes: Iterable[str] = ()) -> StreamResult:
    """Add up the counts of parts, given in the order of the file, and tell each problem once."""
    totals, problems = RowCounts(), dict[Problem, None]()
    for part in parts:
        totals += part.counts
        problems |= dict.fromkeys(part.problems)
    return StreamResult(totals, tuple(problems), tuple(notes))


def result_notes(layout: Layout) -> tuple[str, ...]:
    """What was assumed of a file, and what becomes of its own columns, a sentence each."""
    own = output_columns(layout.header.columns, layout.header.cells)
    return (*layout.notes, *own.notes)
