"""A valued table as an Excel workbook: what a person opens, filters and hands on.

Three sheets: the table with its valuations, the problems, and what the values stand for. Text that
a spreadsheet might run is made harmless (:mod:`houseprice.tables.writer`), numbers are
numbers. Read back, the table is the one that was written.
"""

from __future__ import annotations

import io
import re
import tempfile
from collections.abc import Sequence
from typing import TYPE_CHECKING

import pandas as pd

from houseprice.backend.base import VALUATION_COLUMNS
from houseprice.errors import InputError
from houseprice.market.contract import Contract
from houseprice.tables.scoring import ScoredTable
from houseprice.tables.workbook import as_seen
from houseprice.tables.writer import escape_formula

if TYPE_CHECKING:
    from xlsxwriter import Workbook
    from xlsxwriter.format import Format
    from xlsxwriter.worksheet import Worksheet

__all__ = ["to_excel"]

_MOST_ROWS, _MOST_COLUMNS, _MOST_CHARS = 2**20, 2**14, 32_767
_CUT = "… (cut here: the CSV download has all of it)"
_SAMPLE = 200
_NARROWEST, _WIDEST = 8, 50
_NUMBER = re.compile(r"-?(0|[1-9]\d{0,14})(\.\d{1,14})?", re.ASCII)
_MONEY = ("predicted_price", "price_low", "price_high")
_COLOURS = {"error": "#F8D7DA", "warning": "#FFF3CD"}
_PROBLEMS = (
    "House",
    "Column",
    "Kind",
    "Severity",
    "What is wrong",
    "What was read",
    "What would do",
)

_APOSTROPHES = (
    "A text that a spreadsheet might run as a formula has an apostrophe before it. It is taken "
    "away again when this file is valued again."
)

Cell = str | int | float | None


def to_excel(scored: ScoredTable, contract: Contract) -> bytes:
    """Write a valued table as a workbook.

    Parameters
    ----------
    scored : Scored
    contract : Contract
        How money is written, what the fields are called, and the day that values stand for.

    Raises
    ------
    InputError
        If it has more rows or columns than a sheet can.
    """
    import xlsxwriter

    n_rows, n_columns = len(scored.inputs), len(scored.headers) + len(VALUATION_COLUMNS)
    if n_rows + 1 > _MOST_ROWS or n_columns > _MOST_COLUMNS:
        raise InputError(
            f"An Excel sheet holds {_MOST_ROWS - 1:,} rows under its header and {_MOST_COLUMNS:,} "
            f"columns; this table has {n_rows:,} and {n_columns:,}. Take the CSV file."
        )
    data = io.BytesIO()
    # Row after row goes to a file that nobody else can open; all in memory would be gigabytes.
    with tempfile.TemporaryDirectory(prefix="houseprice-") as folder:
        options = {"constant_memory": True, "tmpdir": folder, "strings_to_urls": False}
        with xlsxwriter.Workbook(data, options) as book:
            _valuations(book, scored, contract)
            _problems(book, scored, contract)
            _about(book, scored, contract)
    return data.getvalue()


def _valuations(book: Workbook, scored: ScoredTable, contract: Contract) -> None:
    n_given = len(scored.headers)
    columns = [_given_cells(scored.inputs.iloc[:, place]) for place in range(n_given)]
    columns += [_own_cells(scored.valuations[name]) for name in VALUATION_COLUMNS]
    formats = [None] * n_given + _formats(book, contract)
    sheet = book.add_worksheet("Valuations")
    headers = [*map(escape_formula, scored.headers), *VALUATION_COLUMNS]
    _write(book, sheet, headers, columns, formats)
    status = n_given + VALUATION_COLUMNS.index("status")
    for word, colour in _COLOURS.items():
        sheet.conditional_format(
            1, status, max(len(scored.inputs), 1), status,
            {"type": "cell", "criteria": "==", "value": f'"{word}"',
             "format": book.add_format({"bg_color": colour})},
        )  # fmt: skip


def _formats(book: Workbook, contract: Contract) -> list[Format | None]:
    symbol = contract.market.price.symbol.replace('"', "")
    shapes = dict.fromkeys(_MONEY, f'"{symbol}"#,##0') | {
        "interval": "0%", "fsd": "0.0%", "confidence": "0.0"
    }  # fmt: skip
    return [
        book.add_format({"num_format": shapes[name]}) if name in shapes else None
        for name in VALUATION_COLUMNS
    ]


def _problems(book: Workbook, scored: ScoredTable, contract: Contract) -> None:
    labels = {name: field.label for name, field in contract.fields.items()}
    rows: list[list[Cell]] = [
        [
            problem.row,
            *(
                escape_formula(text) if text else None
                for text in (
                    labels.get(problem.field or "", problem.field),
                    problem.code,
                    problem.severity,
                    problem.message,
                    problem.read,
                    problem.expected,
                )
            ),
        ]
        for problem in scored.problems[: _MOST_ROWS - 1]
    ]
    columns = [list(column) for column in zip(*rows, strict=True)] or [[] for _ in _PROBLEMS]
    _write(book, book.add_worksheet("Problems"), list(_PROBLEMS), columns, [None] * len(_PROBLEMS))


def _about(book: Workbook, scored: ScoredTable, contract: Contract) -> None:
    summary, market = scored.summary, contract.market
    shares = scored.valuations["interval"].dropna().unique().tolist()
    facts: list[tuple[str, Cell]] = [
        ("Market", market.title),
        ("Values stand for", market.as_of.isoformat()),
        ("Currency", market.price.currency),
        ("Model", ", ".join(_distinct(scored.valuations["model_version"]))),
        ("Valued at", ", ".join(_distinct(scored.valuations["valued_at"])[:1])),
        ("Share of prices that a range should hold", ", ".join(f"{each:.0%}" for each in shares)),
        ("Houses", summary.rows),
        ("With a value", summary.valued),
        ("Of these with a warning", summary.warnings),
        ("Without a value", summary.errors),
        *(("Note", note) for note in scored.notes),
        ("Apostrophes", _APOSTROPHES),
    ]
    names: list[Cell] = [name for name, _ in facts]
    values: list[Cell] = [escape_formula(v) if isinstance(v, str) else v for _, v in facts]
    sheet = book.add_worksheet("About")
    _write(book, sheet, ["What", "Value"], [names, values], [None, None])


def _distinct(texts: pd.Series) -> list[str]:
    return [text for text in texts.dropna().unique().tolist() if text]


def _given_cells(texts: pd.Series) -> list[Cell]:
    """A column of the user's: a number where Excel shows it as it stood in the file, else text."""
    codes, distinct = pd.factorize(texts)
    cells: list[Cell] = [_given_cell(str(text)) for text in distinct]
    return [cells[code] if code >= 0 else None for code in codes]


def _given_cell(text: str) -> Cell:
    if _NUMBER.fullmatch(text) and text != "-0" and as_seen(float(text)) == text:
        return float(text)
    return escape_formula(text) or None


def _own_cells(values: pd.Series) -> list[Cell]:
    """A column of a valuation."""
    return [
        None
        if pd.isna(value) or value == ""
        else escape_formula(value)
        if isinstance(value, str)
        else value
        for value in values.tolist()
    ]


def _write(
    book: Workbook,
    sheet: Worksheet,
    headers: Sequence[str],
    columns: Sequence[Sequence[Cell]],
    formats: Sequence[Format | None],
) -> None:
    """Lay out a table whose header stays in view, and fill it row by row."""
    n_rows = len(columns[0])
    for place, (header, cells, shape) in enumerate(zip(headers, columns, formats, strict=True)):
        longest = max((len(str(cell)) for cell in cells[:_SAMPLE] if cell is not None), default=0)
        width = min(max(longest, len(header) + 3, _NARROWEST) + 1, _WIDEST)
        sheet.set_column(place, place, width, shape)
    sheet.freeze_panes(1, 0)
    sheet.autofilter(0, 0, max(n_rows, 1), len(headers) - 1)
    sheet.ignore_errors({"number_stored_as_text": f"A1:XFD{n_rows + 1}"})
    bold = book.add_format({"bold": True, "bottom": 1})
    for place, header in enumerate(headers):
        sheet.write_string(0, place, _fitting(header), bold)
    for number in range(n_rows):
        for place, cells in enumerate(columns):
            cell = cells[number]
            if isinstance(cell, str):
                sheet.write_string(number + 1, place, _fitting(cell), formats[place])
            elif cell is not None:
                sheet.write_number(number + 1, place, cell, formats[place])


def _fitting(text: str) -> str:
    return text if len(text) <= _MOST_CHARS else text[: _MOST_CHARS - len(_CUT)] + _CUT
