"""A CSV file of any size valued in flat memory.

The user's part of each line is copied byte for byte. The cells of the valuation follow it, with the
separator, decimal sign, encoding and line ending of the file. A line is only rewritten if an old
valuation has to be replaced or the row does not fit under the header.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from houseprice.backend.base import Backend
from houseprice.market.problems import Problem
from houseprice.progress import Progress, ProgressEstimate
from houseprice.tables.layout import Layout
from houseprice.tables.reader import CHUNK_ROWS, CsvFile
from houseprice.tables.saving import RecordRow, TableSaver
from houseprice.tables.scoring import RowCounts, ScoringOptions, count_rows, value_rows
from houseprice.tables.table import OutputColumns, Table, output_columns
from houseprice.tables.writer import (
    csv_line,
    csv_lines,
    escape_formula,
    is_formula,
    rows_with_formulas,
)

if TYPE_CHECKING:
    from _typeshed import SupportsWrite

    from houseprice.tables.resume import FinishedChunk

_FORMULAS = Problem(
    None,
    None,
    "formula_cells",
    "note",
    "Cells that a spreadsheet might run as a formula were kept as they are.",
)


@dataclass(frozen=True)
class ValuedChunk:
    """The next rows of the result as bytes; the first chunk starts with the header.

    ``problems`` are those of the whole table: problems of a row are in the row. ``records`` are to
    be saved before the data are written.
    """

    data: bytes
    counts: RowCounts
    problems: tuple[Problem, ...]
    records: tuple[RecordRow, ...] = ()


@dataclass(frozen=True)
class StreamResult:
    """Counts, problems of the whole table and notes of a valued file."""

    counts: RowCounts = field(default_factory=RowCounts)
    problems: tuple[Problem, ...] = ()
    notes: tuple[str, ...] = ()


def value_stream(
    source: CsvFile,
    backend: Backend,
    out: SupportsWrite[bytes],
    options: ScoringOptions,
    *,
    progress: Progress | None = None,
    rows: int = CHUNK_ROWS,
    saver: TableSaver | None = None,
) -> StreamResult:
    """Value a file, and write each chunk of ``rows`` rows as soon as it is valued, and saved.

    Raises InputError if the file can't be read to its end, BackendError if the backend can't
    answer, and RecordsError if rows can't be saved.
    """
    n_done = 0
    estimate = ProgressEstimate(source.layout.most_rows)

    def report(share: float, _: str = "") -> None:
        n_chunk = min(rows, source.layout.most_rows - n_done)
        if progress is not None:
            progress(*estimate.update(n_done + int(share * n_chunk)))

    def written() -> Iterator[ValuedChunk]:
        nonlocal n_done
        for chunk in value_chunks(source, backend, options, rows=rows, progress=report):
            if saver is not None:
                saver.add(chunk.records)
            out.write(chunk.data)
            n_done += chunk.counts.rows
            report(0.0)
            yield chunk

    return merge_results(written(), result_notes(source.layout))


def value_chunks(
    source: CsvFile,
    backend: Backend,
    options: ScoringOptions,
    *,
    rows: int | Callable[[], int] = CHUNK_ROWS,
    progress: Progress | None = None,
) -> Iterator[ValuedChunk]:
    """Value a file chunk by chunk; ``progress`` reports the share of the current chunk."""
    for chunk in source.chunks(rows):
        yield value_chunk(chunk, source.layout, backend, options, progress)


def value_chunk(
    chunk: Table,
    layout: Layout,
    backend: Backend,
    options: ScoringOptions,
    progress: Progress | None = None,
) -> ValuedChunk:
    """Value one chunk of a file with this layout."""
    columns = _columns(layout)
    valued = value_rows(chunk, columns, backend, options, progress)
    valuations, problems = valued.valuations, valued.problems
    separator = layout.output_separator or layout.separator
    escape = options.escape_formulas
    added = csv_lines(
        valuations[list(columns.added)], separator, escape_formulas=escape, decimal=layout.decimal
    )
    lines = _output_lines(chunk, added, columns, layout, escape_formulas=escape)
    data = _encode("".join(lines), layout)
    if not chunk.start:
        header = _header_line(layout, columns, escape_formulas=escape)
        data = layout.text.mark + _encode(header, layout) + data
    of_table = tuple(problem for problem in problems if problem.row is None)
    if not escape and _has_formulas(chunk, columns, problems):
        of_table += (_FORMULAS,)
    return ValuedChunk(data, count_rows(valuations, problems), of_table, valued.records)


def _has_formulas(chunk: Table, columns: OutputColumns, problems: Iterable[Problem]) -> bool:
    """Whether a spreadsheet might run a cell or header; a known field with such a text is wrong."""
    known = chunk.contract.fields if chunk.contract else {}
    own = [i for i in columns.positions if chunk.cells.columns[i] not in known]
    return (
        any(map(is_formula, columns.headers))
        or any(is_formula(problem.read or "") for problem in problems)
        or bool(rows_with_formulas(chunk.cells.iloc[:, own]).any())
    )


def _header_line(layout: Layout, columns: OutputColumns, *, escape_formulas: bool) -> str:
    separator = layout.output_separator or layout.separator
    if escape_formulas and any(map(is_formula, columns.headers)):
        header = csv_line([escape_formula(cell) for cell in columns.headers], separator)
    elif (
        columns.renamed
        or len(columns.positions) < len(layout.header.cells)
        or separator != layout.separator
    ):
        header = csv_line(columns.headers, separator)
    else:
        header = layout.header_text.rstrip("\r\n")
    added = csv_line(columns.added, separator)
    return f"{header}{separator}{added}{layout.line_ending}"


def _output_lines(
    chunk: Table,
    added: list[str],
    columns: OutputColumns,
    layout: Layout,
    *,
    escape_formulas: bool,
) -> Iterator[str]:
    """Yield the user's lines with the cells of the valuation before the line ending."""
    separator = layout.output_separator or layout.separator
    bodies = [line.rstrip("\r\n") for line in chunk.lines]
    endings = [
        line[len(body) :] or layout.line_ending
        for line, body in zip(chunk.lines, bodies, strict=True)
    ]
    if len(columns.positions) < chunk.cells.shape[1] or separator != layout.separator:
        bodies = csv_lines(
            chunk.cells.iloc[:, columns.positions], separator, escape_formulas=escape_formulas
        )
    elif escape_formulas:
        own = chunk.cells.iloc[:, columns.positions]
        changed = np.flatnonzero(rows_with_formulas(own))
        texts = csv_lines(own.iloc[changed], separator, escape_formulas=True)
        for row, text in zip(changed.tolist(), texts, strict=True):
            bodies[row] = text
    for body, cells, ending in zip(bodies, added, endings, strict=True):
        yield f"{body}{separator}{cells}{ending}"


def _encode(text: str, layout: Layout) -> bytes:
    """Encode text as the file is; only our own messages can have characters that it lacks."""
    return text.encode(layout.text.codec, "replace")


def merge_results(
    chunks: Iterable[ValuedChunk | FinishedChunk | StreamResult], notes: Iterable[str] = ()
) -> StreamResult:
    """Add up the counts of chunks in file order, and list each problem of the table once."""
    total, all_problems = RowCounts(), dict[Problem, None]()
    for chunk in chunks:
        total += chunk.counts
        all_problems |= dict.fromkeys(chunk.problems)
    return StreamResult(total, tuple(all_problems), tuple(notes))


def result_notes(layout: Layout) -> tuple[str, ...]:
    """Return the notes on how a file was read, and on the renamed or replaced columns."""
    return (*layout.notes, *_columns(layout).notes)


def _columns(layout: Layout) -> OutputColumns:
    header = layout.header
    return output_columns(header.columns, header.cells, header.added)
