"""What is wrong with a row as such, before anybody looks at its cells."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator

from houseprice.batch.records import SEPARATORS, Record
from houseprice.market.cells import shown
from houseprice.market.problems import Problem

__all__ = ["row_faults"]


def row_faults(houses: Iterable[Record], width: int, separator: str) -> Iterator[Problem]:
    """Yield an error for each record that does not fit under a header of ``width`` cells."""
    sign = SEPARATORS[separator]
    right = f"{width:,} cells, with quotation marks around a text that holds a {sign}"
    for row, record in enumerate(houses, start=1):
        n_cells, expected = len(record.cells), right
        if not record.sound:
            code = "broken_quotes"
            message = "A quotation mark makes no sense, so the row's cells can't be told apart."
            expected += ", in which a quotation mark is written twice"
        elif record.blank and n_cells != width:
            code, message, expected = "empty_row", "The row is empty.", "a house, or no row"
        elif n_cells != width:
            code = "wrong_cell_count"
            count = "1 cell" if n_cells == 1 else f"{n_cells:,} cells"
            message = (
                f"The row has {count} and the header {width:,}, so it is unclear which belongs to "
                "which column."
            )
        else:
            continue
        beyond = _line(record.cells[width:], separator)
        if beyond:
            message += f" Beyond the header stands: {beyond}"
        read = shown(_line(record.cells, separator))
        yield Problem(row, None, code, "error", message, read, expected)


def _line(cells: list[str], separator: str) -> str:
    """Cells as a line of the file again; "" for no cells."""
    if not cells:
        return ""
    line = io.StringIO(newline="")
    csv.writer(line, delimiter=separator, lineterminator="\r\n").writerow(cells)
    return line.getvalue().removesuffix("\r\n")
