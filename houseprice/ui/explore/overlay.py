"""The table that this visitor valued on the CSV page, laid over the market's sales."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
import streamlit as st

from houseprice.batch.text.tables import Table
from houseprice.batch.valuing.scoring import Scored
from houseprice.market.checks import check
from houseprice.market.contract import Contract
from houseprice.market.exploring.selection import Sales
from houseprice.ui.csv.outcome import outcome
from houseprice.ui.plain_text import plain

__all__ = ["Overlay", "laid_over", "valued_houses"]

MOST = 2_000
"""So many houses are drawn at the most: enough to see a cloud, few enough to move it."""
_KEPT = "overlay_houses"


@dataclass(frozen=True)
class Overlay:
    """The valued houses of a table.

    Attributes
    ----------
    name : str
        What its file is called.
    houses : Sales
        As if they had been sold for their values; their ids are their rows.
    of : int
        How many houses of the table have a value, drawn or not.
    """

    name: str
    houses: Sales
    of: int


def laid_over(contract: Contract) -> Overlay | None:
    """Offer to lay the visitor's own table over the sales; None if there is none, or not wanted."""
    kept = outcome()
    if kept is None or kept.scored is None or kept.table is None:
        st.caption("Houses of your own that you value on the CSV page can be laid over these.")
        st.page_link("pages/value/csv.py", label="Value a CSV", icon=":material/table:")
        return None
    wanted = st.toggle(
        f"Lay my file over the sales: {plain(kept.name)}",
        key="lay_over",
        persist_state="session",
    )
    if not wanted:
        return None
    overlay = _kept(kept.name, kept.scored, kept.table, contract)
    if overlay is None:
        st.info("No house of your file has a value that could be drawn.")
    elif overlay.of > len(overlay.houses):
        st.caption(
            f"{len(overlay.houses):,} of the {overlay.of:,} houses of your file are drawn, evenly "
            "spread over it. The filters act on the sales alone."
        )
    else:
        st.caption(
            f"All {overlay.of:,} valued houses of your file are drawn. The filters act on the "
            "sales alone."
        )
    return overlay


def valued_houses(
    name: str, values: pd.Series, rows: pd.DataFrame, contract: Contract, most: int = MOST
) -> Overlay | None:
    """Take the valued houses of a table, at most so many, evenly spread; None if there are none.

    Parameters
    ----------
    name : str
        What its file is called.
    values : Series, shape (n_rows,)
        Missing where a row has no value.
    rows : DataFrame, shape (n_rows, any columns)
        The houses as they were given.
    contract : Contract
    most : int
    """
    told = pd.to_numeric(values, errors="coerce").to_numpy(np.float64, na_value=np.nan)
    valued = np.flatnonzero(np.isfinite(told) & (told > 0))
    if not valued.size:
        return None
    spread = np.linspace(0, valued.size - 1, min(valued.size, most)).round().astype(int)
    drawn = valued[spread]
    houses = check(rows.iloc[drawn], contract).houses
    ids = pd.Series([str(row + 1) for row in drawn], index=houses.index)
    prices = pd.Series(told[drawn], index=houses.index, name=contract.market.price.column)
    return Overlay(name, Sales(contract, houses, prices, ids), int(valued.size))


def _kept(name: str, scored: Scored, table: Table, contract: Contract) -> Overlay | None:
    """The same, once for one result."""
    before = st.session_state.get(_KEPT)
    if before is None or before[0] is not scored:
        values = scored.valuations["predicted_price"]
        before = (scored, valued_houses(name, values, table.rows, contract))
        st.session_state[_KEPT] = before
    overlay: Overlay | None = before[1]
    return overlay
