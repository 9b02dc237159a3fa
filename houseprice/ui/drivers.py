"""What drives price: how much each fact matters to the values, and what changing one does."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from houseprice.backend.base import Backend
from houseprice.market.contract import Contract
from houseprice.ui import charts_fields, findings_fields
from houseprice.ui.charts import axis_title
from houseprice.ui.offers import offered
from houseprice.ui.panel import panel

__all__ = ["show_importance", "show_market_effect"]

MOST = 15
UNITS = ("Percent", "Money")


def show_importance(backend: Backend, contract: Contract) -> None:
    """Show how much each fact matters, in percent of the price or in money."""
    if not offered(backend.about(), "importance"):
        st.markdown("What goes together with price in the sales themselves can be seen here:")
        st.page_link(
            "pages/market/explore.py", label="Explore the sales", icon=":material/query_stats:"
        )
        return
    table = backend.importance()
    currency = contract.market.price.currency
    unit = st.segmented_control(
        "Show in", UNITS, default=UNITS[0], required=True, key="unit", bind="query-params"
    )
    in_money = unit == "Money"
    ordered = table.sort_values(
        "importance_money" if in_money else "importance_pct", ascending=False, ignore_index=True
    )
    panel(
        findings_fields.importance_finding(ordered, contract, in_money),
        charts_fields.importance(ordered.head(MOST), contract, in_money),
        ordered,
        key="importance",
        headers={
            "label": "Fact",
            "importance_pct": "Further off without it (% of the price)",
            "spread_pct": "Spread (% of the price)",
            "importance_money": f"Further off without it ({currency})",
            "spread_money": f"Spread ({currency})",
        },
    )
    with st.expander(f"All {len(table)} facts in a table"):
        _show_table(ordered, contract)
    st.caption(
        "**How it is measured.** Sales are valued by a model that had not seen them. Then one fact "
        "is dealt out anew among these homes, so that it says nothing, and they are valued again. "
        "How much further the values are from the sale prices is what the fact is worth knowing. "
        "The thin line is how much that varies between five sets of sales. Facts that say the same "
        "share what they are worth, so each looks smaller than the two together."
    )


def show_market_effect(backend: Backend, contract: Contract, ranked: tuple[str, ...]) -> None:
    """Show what changing one fact, chosen here, does over the whole market.

    Parameters
    ----------
    backend : Backend
    contract : Contract
    ranked : tuple of str
        The columns to choose from, the first one to begin with.
    """
    if not offered(backend.about(), "effect"):
        return
    columns = {contract.fields[column].label: column for column in ranked}
    chosen = st.selectbox(
        "The fact to change",
        list(columns),
        key="effect_of",
        bind="query-params",
        persist_state="session",
    )
    fact = contract.fields[columns[chosen]]
    st.caption(fact.help)
    curve = backend.effect(fact.column)
    currency = contract.market.price.currency
    panel(
        findings_fields.effect_finding(curve, fact, contract),
        charts_fields.effect(curve, fact, contract),
        curve.drop(columns=["value", "each"] if fact.levels else "each"),
        key="effect",
        headers={
            "value": axis_title(fact),
            "label": fact.label if fact.levels else "In words",
            "price": f"Average value ({currency})",
            "low": f"One home in ten is below ({currency})",
            "high": f"One home in ten is above ({currency})",
        },
    )
    st.caption(
        "**How it is measured.** Homes of the market are valued again and again, each time with "
        "this one fact changed and all else as it is. The line is the average value; the band "
        "holds the middle 80 % of the homes. Some of the homes made so could hardly exist: read "
        "the shape, not the last digits."
    )


def _show_table(ordered: pd.DataFrame, contract: Contract) -> None:
    money = f"{contract.market.price.symbol}%,d"
    number = st.column_config.NumberColumn
    st.dataframe(
        ordered.drop(columns="column"),
        hide_index=True,
        key="importance_table",
        alt="Importance of every fact",
        column_config={
            "label": st.column_config.TextColumn("Fact"),
            "importance_pct": number("Further off", format="%.2f %%"),
            "spread_pct": number("Spread", format="%.2f %%"),
            "importance_money": number("Further off", format=money),
            "spread_money": number("Spread ", format=money),
        },
    )
