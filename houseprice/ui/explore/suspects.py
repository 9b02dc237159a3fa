"""Sales that look wrong, each with the reason, and a way to open it in the form."""

from __future__ import annotations

from typing import Any

import pandas as pd
import streamlit as st

from houseprice.market.contract import Contract
from houseprice.market.exploring.selection import Sales
from houseprice.market.exploring.suspects import contradictions, far_off, unusual_terms
from houseprice.ui.charts.suspects import prices_far_off
from houseprice.ui.explore.rows import row_height
from houseprice.ui.findings.sales import contradiction_finding, far_off_finding
from houseprice.ui.frame import told_in_words
from houseprice.ui.house.known import open_sale
from houseprice.ui.messages import money, percent, rounding_step
from houseprice.ui.offers import offered
from houseprice.ui.panel import download, panel
from houseprice.ui.plain_text import plain
from houseprice.ui.session import backend, market, study_of

__all__ = ["show_suspects", "why_far_off"]

MOST_DRAWN = 15


def show_suspects(sales: Sales) -> None:
    """Show prices far from what the facts say, and facts that contradict each other."""
    st.subheader("Prices far from what the facts say", anchor=False)
    with told_in_words("far_off"):
        about = backend().about()
        if offered(about, "study"):
            _show_far_off(sales, about.model_version)
    st.subheader("Facts that contradict each other", anchor=False)
    _show_contradictions(sales)


def why_far_off(frame: pd.DataFrame, contract: Contract) -> list[str]:
    """Say of each sale of ``far_off`` why it looks wrong."""
    return [_why(row, contract) for _, row in frame.iterrows()]


def _why(row: pd.Series, contract: Contract) -> str:
    step = rounding_step(0.1 * row["value"])
    low, high = (money(contract, row[name], step) for name in ("low", "high"))
    side = "less" if row["off"] < 0 else "more"
    return f"{percent(abs(row['off']), 0)} {side} than its facts lead to ({low} to {high})"


def _show_far_off(sales: Sales, version: str) -> None:
    frame = far_off(sales, study_of(version).held_out)
    told = far_off_finding(frame, len(sales))
    if frame.empty:
        st.markdown(told)
        return
    contract = sales.contract
    frame.insert(1, "why", why_far_off(frame, contract))
    frame.insert(2, "terms", unusual_terms(sales).reindex(frame["id"]).to_numpy())
    first = frame.head(MOST_DRAWN)
    picked = panel(
        told, prices_far_off(first, contract), frame, key="far_off", headers=_HEADERS, picks=True
    )
    st.caption(
        f"The {len(first)} least believable, by how many times their range they lie away. Click "
        "on one to choose it, or tick a row of the table, which lists all. A sale may be right and "
        "still stand here: between relatives, of half a house, or with something no fact tells."
    )
    table = frame[["id", "place", "price", "why", "terms"]].rename(columns=_HEADERS)
    price = st.column_config.NumberColumn(format=f"{contract.market.price.symbol}%,d")
    _table_with_door(table, picked, "far_off_table", {_HEADERS["price"]: price})


def _show_contradictions(sales: Sales) -> None:
    frame = contradictions(market(), sales)
    st.markdown(contradiction_finding(frame, len(sales)))
    if frame.empty:
        return
    table = frame.rename(columns=_HEADERS)
    _table_with_door(table, (), "contradictions_table", {})
    download("These contradictions", table, key="contradictions")


def _table_with_door(
    table: pd.DataFrame, picked: tuple[str, ...], key: str, config: dict[str, Any]
) -> None:
    """Show sales with a reason; the ticked one may be opened, else the one picked on a chart."""
    config = {_HEADERS["message"]: st.column_config.TextColumn(width="large"), **config}
    state = st.dataframe(
        table,
        hide_index=True,
        column_config=config,
        height=row_height(len(table)),
        on_select="rerun",
        selection_mode="single-row",
        key=key,
        alt="Sales that look wrong, with the reason",
    )
    ticked = [str(table["Sale"].iloc[row]) for row in state.selection.rows if row < len(table)]
    chosen = [*ticked, *picked][:1]
    label = f"Open sale {plain(chosen[0])} in the form" if chosen else "Open a sale in the form"
    if st.button(
        label,
        key=f"{key}_open",
        icon=":material/real_estate_agent:",
        disabled=not chosen,
        help="Tick a row of the table first.",
    ):
        open_sale(chosen[0])


_HEADERS = {
    "id": "Sale",
    "place": "Where",
    "price": "Price paid",
    "value": "Value from the facts",
    "why": "Why it looks wrong",
    "terms": "What may explain it",
    "low": "Range from",
    "high": "Range to",
    "off": "Price over value, less 1",
    "reach": "Times its range",
    "message": "What is the matter",
    "read": "What it says",
    "expected": "What would do",
}
