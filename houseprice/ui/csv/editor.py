"""The wrong cells of a table, to be mended here and valued again."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from typing import Any

import pandas as pd
import streamlit as st

from houseprice.batch.findings.mending import beyond_mending, choices, edits, mend, wrong_cells
from houseprice.batch.text.tables import Table
from houseprice.batch.valuing.scoring import Scored
from houseprice.market.contract import Contract
from houseprice.ui.csv.kept import kept
from houseprice.ui.csv.outcome import answer_mended
from houseprice.ui.plain_text import plain

__all__ = ["groups_of_cells", "show_editor"]

MOST = 200
"""Cells to mend at a time: more than anybody does by hand."""

Edits = dict[tuple[int, str], str]


@dataclass(frozen=True)
class Group:
    """Wrong cells that are mended in one table, because the same may be written into them."""

    key: str
    title: str
    cells: pd.DataFrame
    levels: dict[str, str]


def groups_of_cells(cells: pd.DataFrame, contract: Contract) -> list[Group]:
    """Lay wrong cells out for mending: numbers together, and each fact with levels by itself.

    Parameters
    ----------
    cells : DataFrame
        From :func:`houseprice.batch.findings.mending.wrong_cells`.
    contract : Contract
    """
    levels = {column: choices(contract, column) for column in cells["column"].unique()}
    is_number = ~cells["column"].map(lambda column: bool(levels[column])).astype(bool)
    groups = []
    if is_number.any():
        groups.append(Group("numbers", "Numbers", cells[is_number], {}))
    for column, part in cells[~is_number].groupby("column", sort=False):
        groups.append(Group(f"{column}", part["field"].iloc[0], part, levels[str(column)]))
    return groups


def show_editor(table: Table, scored: Scored, contract: Contract) -> None:
    """Show the wrong cells, take what is written into them, and value the table again."""
    cells = kept("wrong_cells", lambda: wrong_cells(table, scored, contract))
    beyond = kept("beyond_mending", lambda: beyond_mending(scored))
    if cells.empty and not beyond:
        return
    st.subheader("Mend them here", anchor=False)
    if beyond:
        rows = "1 row" if len(beyond) == 1 else f"{len(beyond):,} rows"
        st.markdown(
            f"{rows} can only be mended in your own table: their columns can't be told apart, or "
            "one is missing. Save it and upload it again."
        )
    if cells.empty:
        return
    st.markdown(
        "Write into the column **Mended**. All other cells of your table stay as they are, and the "
        "downloads hold what you wrote."
    )
    if len(cells) > MOST:
        st.caption(f"The first {MOST} of {len(cells):,} wrong cells; the next ones come after.")
    pending: Edits = kept("edits", dict)
    for group in groups_of_cells(cells.head(MOST), contract):
        with st.container(key=f"csv_cells_{group.key}"):
            st.markdown(f"**{plain(group.title)}**")
            after = _edited(group, pending)
        for row, column in zip(group.cells["row"], group.cells["column"], strict=True):
            pending.pop((row, column), None)
        pending.update(edits(group.cells, after))
    mended = "1 cell" if len(pending) == 1 else f"{len(pending):,} cells"
    if st.button(
        f"Value again with {mended} mended" if pending else "Value again",
        key="csv_value_again",
        disabled=not pending,
        icon=":material/refresh:",
    ):
        failure = answer_mended(mend(table, pending, contract), len(pending))
        if failure is None:
            st.rerun()
        st.error(plain(failure), icon=":material/error:")


def _edited(group: Group, pending: Edits) -> pd.DataFrame:
    """Draw the table of a group; what was written before a visit elsewhere stands in it."""
    # Its own key for each result: what was written must never fall upon another table.
    key = f"csv_mend_{group.key}_{kept('serial', lambda: secrets.token_hex(4))}"
    bases: dict[str, pd.DataFrame] = kept("bases", dict)
    if key not in st.session_state or key not in bases:
        bases[key] = _with(group.cells, pending)
    after: pd.DataFrame = st.data_editor(
        bases[key],
        key=key,
        hide_index=True,
        num_rows="fixed",
        column_order=_order(group),
        # Else a blank among levels says "None".
        placeholder="blank" if group.levels else "",
        disabled=["row", "field", "read", "message", "expected"],
        column_config=_columns(group),
        alt=f"Wrong cells to mend: {group.title}",
    )
    return after.assign(mended=after["mended"].fillna(""))


def _with(cells: pd.DataFrame, pending: Edits) -> pd.DataFrame:
    places = zip(cells["row"], cells["column"], cells["read"], strict=True)
    mended = [pending.get((row, column), read) for row, column, read in places]
    # The fact stands beside it, or above.
    short = [
        message.removeprefix(f"{field}: ")
        for message, field in zip(cells["message"], cells["field"], strict=True)
    ]
    return cells.assign(mended=pd.Series(mended, index=cells.index, dtype="str"), message=short)


def _order(group: Group) -> list[str]:
    """What stands beside a cell: the levels are told by its choices, their fact by the title."""
    if group.levels:
        return ["row", "mended", "read", "message"]
    return ["row", "field", "mended", "read", "expected", "message"]


def _columns(group: Group) -> dict[str, Any]:
    column = st.column_config
    told = {
        "row": column.NumberColumn("Row", width="small"),
        "field": column.TextColumn("Fact"),
        "read": column.TextColumn("In your table"),
        "message": column.TextColumn("What is the matter", width="large"),
        "expected": column.TextColumn("What would do"),
    }
    if not group.levels:
        return told | {"mended": column.TextColumn("Mended")}
    # What stands there now is a choice too, or the cell would look empty.
    wrong = [read for read in group.cells["read"].unique() if read not in group.levels]

    def words(code: object) -> str:
        label = group.levels.get(str(code))
        if label is None:
            return f"«{code}», not one of its values" if code else "blank"
        return label if code == label else f"{code} ({label})"

    options = [*group.levels, *wrong]
    return told | {
        "mended": column.SelectboxColumn(
            "Mended", options=options, format_func=words, width="medium"
        )
    }
