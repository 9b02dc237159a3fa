"""What is wrong with a row as such, before anybody looks at its cells."""

from __future__ import annotations

from collections.abc import Mapping

from houseprice.batch.text.records import SEPARATORS, Record
from houseprice.batch.text.writing import csv_line
from houseprice.market.cells import shown
from houseprice.market.problems import Problem

__all__ = ["fitted", "row_faults"]


def row_faults(
    odd: Mapping[int, Record], width: int, named: int, separator: str
) -> dict[int, Problem]:
    """Tell what is wrong with the records that do not fit under a header.

    Parameters
    ----------
    odd : mapping of int to Record
        Records by their row, counted from 1.
    width, named : int
        Cells of the header, and those up to the last that has a name: no cell is missed beyond, and
        an empty one more does no harm.
    separator : str

    Returns
    -------
    dict of int to Problem
        An error by row; none for a record that can be read all the same.
    """
    sign = SEPARATORS[separator]
    right = f"{width:,} cells, with quotation marks around a text that holds a {sign}"
    problems = {}
    for row, record in odd.items():
        n_cells, expected = len(record.cells), right
        surplus = record.cells[width:]
        if not record.sound:
            code = "broken_quotes"
            message = "A quotation mark makes no sense, so the row's cells can't be told apart."
            expected += ", in which a quotation mark is written twice"
        elif record.blank and n_cells != width:
            code, message, expected = "empty_row", "The row is empty.", "a house, or no row"
        elif n_cells < named or any(cell.strip() for cell in surplus):
            code = "wrong_cell_count"
            count = "1 cell" if n_cells == 1 else f"{n_cells:,} cells"
            message = (
                f"The row has {count} and the header {width:,}, so it is unclear which belongs to "
                "which column."
            )
        else:
            continue
        if surplus:
            message += f" Beyond the header stands: {csv_line(surplus, separator)}"
        read = shown(csv_line(record.cells, separator))
        problems[row] = Problem(row, None, code, "error", message, read, expected)
    return problems


def fitted(record: Record, width: int, separator: str) -> tuple[str, list[str]]:
    """Make a record that does not fit under its header fit: as a line of the file, and as cells.

    A line with too few cells gets more separators. Any other is written anew: a broken quotation
    mark would take the rows after it along, and cells beyond the header those that are added.
    """
    body = record.text.rstrip("\r\n")
    n_missing = max(width - len(record.cells), 0)
    cells = [*record.cells[:width], *[""] * n_missing]
    if record.sound and n_missing:
        # Nothing at all is one empty cell.
        fit = body + separator * (width - max(len(record.cells), 1))
    else:
        fit = csv_line(cells, separator)
    return fit + record.text[len(body) :], cells
