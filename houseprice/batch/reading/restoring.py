"""A table that we gave out for a spreadsheet, given back: its texts as they were before."""

from __future__ import annotations

from dataclasses import replace

import pandas as pd

from houseprice.batch.text.formulas import is_dangerous, is_neutral_form, restored
from houseprice.batch.text.own_columns import was_valued
from houseprice.batch.text.tables import Table

__all__ = ["restored_table"]

_NOTE = (
    "The apostrophes that an earlier download put before texts such as =1+1 were taken away again."
)


def restored_table(table: Table) -> Table:
    """Take away the apostrophes of :func:`houseprice.batch.text.formulas.neutral`, with a note.

    Only of a table that was valued before, and if none of its texts would be run as a formula: such
    a table was not made harmless when it was written, so an apostrophe in it is the user's own.
    """
    if not was_valued(table.cells.columns):
        return table
    texts = {*table.headers}
    for place in range(table.cells.shape[1]):
        texts.update(table.cells.iloc[:, place].unique().tolist())
    changed = {text: restored(text) for text in texts if is_neutral_form(text)}
    if not changed or any(map(is_dangerous, texts)):
        return table
    names = {name: changed.get(name, name) for name in table.cells.columns}
    return replace(
        table,
        headers=tuple(changed.get(header, header) for header in table.headers),
        cells=_replaced(table.cells, changed).rename(columns=names),
        rows=_replaced(table.rows, changed).rename(columns=names),
        notes=(*table.notes, _NOTE),
    )


def _replaced(cells: pd.DataFrame, changed: dict[str, str]) -> pd.DataFrame:
    columns = {
        name: cells[name].map(lambda text: changed.get(text, text)).astype(cells[name].dtype)
        for name in cells.columns
        if cells[name].isin(changed).any()
    }
    return cells.assign(**columns) if columns else cells
