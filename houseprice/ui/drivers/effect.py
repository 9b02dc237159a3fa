"""What changing one fact does over the market, where the sales lie, and where one house stands."""

from __future__ import annotations

import numpy as np
import streamlit as st

from houseprice.market.checks import check
from houseprice.market.contract import Contract
from houseprice.market.fields import Field
from houseprice.ui.charts import effects as charts_effects
from houseprice.ui.charts.effects import Mark
from houseprice.ui.charts.grammar import axis_title
from houseprice.ui.drivers.asked import market_effect
from houseprice.ui.drivers.frames import with_sales
from houseprice.ui.findings import effects as findings_effects
from houseprice.ui.house.form import one_house
from houseprice.ui.house.tries import last_valued
from houseprice.ui.offers import offered
from houseprice.ui.panel import panel
from houseprice.ui.session import backend, market, ranked

__all__ = ["house_mark", "show_market_effect"]


def show_market_effect(contract: Contract) -> None:
    """Show what changing one fact, chosen here, does over the whole market."""
    if not offered(backend().about(), "effect"):
        return
    columns = {contract.fields[column].label: column for column in ranked()}
    chosen = st.selectbox(
        "The fact to change",
        list(columns),
        key="effect_of",
        bind="query-params",
        persist_state="session",
    )
    fact = contract.fields[columns[chosen]]
    st.caption(fact.help)
    known = market().houses[fact.column].to_numpy(np.float64)
    curve = with_sales(market_effect(fact.column), fact, known)
    mark = house_mark(fact, contract)
    told = [
        findings_effects.effect_finding(curve, fact, contract),
        findings_effects.beyond_finding(curve, int(np.isfinite(known).sum())),
        findings_effects.mark_finding(mark, curve, fact, contract) if mark else "",
    ]
    currency = contract.market.price.currency
    panel(
        " ".join(filter(None, told)),
        charts_effects.effect(curve, fact, contract, mark),
        curve.drop(columns=["value", "each"] if fact.levels else "each", errors="ignore"),
        key="effect",
        headers={
            "value": axis_title(fact),
            "label": fact.label if fact.levels else "In words",
            "price": f"Average value ({currency})",
            "low": f"One home in ten is below ({currency})",
            "high": f"One home in ten is above ({currency})",
            "sales": "Sales nearest to this",
        },
    )
    if mark is None:
        st.page_link(
            "pages/value/house.py",
            label="Value a house to see it here",
            icon=":material/real_estate_agent:",
        )
    drawn = (
        "The dot is the average value, the grey line holds the middle 80 % of the homes, and the "
        "faint marks are some of them."
        if fact.levels
        else "The strong line is the average value, the band holds the middle 80 % of the homes, "
        "and the faint lines are some of them."
    )
    st.caption(
        "**How it is measured.** Homes of the market are valued again and again, each time with "
        f"this one fact changed and all else as it is. {drawn} Where few sales lie, and where "
        "homes made so could hardly exist, read the shape and not the last digits."
    )


def house_mark(field: Field, contract: Contract) -> Mark | None:
    """The house that this visitor valued last; None if there is none, or it has no value now."""
    row = last_valued()
    if row is None:
        return None
    rows = one_house(row)
    price = float(backend().value(rows).valuations["predicted_price"].iloc[0])
    if np.isnan(price):
        return None
    value = float(check(rows, contract).houses[field.column].iloc[0])
    return Mark(value, field.words(value), price)
