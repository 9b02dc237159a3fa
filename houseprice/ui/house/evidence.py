"""What a value rests on: where it comes from, in money, and what other facts would make of it."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from houseprice.backend.base import Backend
from houseprice.market.contract import Contract
from houseprice.ui.charts import house as charts_house
from houseprice.ui.charts.grammar import axis_title
from houseprice.ui.messages import money
from houseprice.ui.offers import offered
from houseprice.ui.panel import panel

__all__ = ["show_effect", "show_explanation"]


def show_explanation(backend: Backend, rows: pd.DataFrame, contract: Contract) -> None:
    """Show how the value comes about, from the typical house to this one."""
    if not offered(backend.about(), "explain"):
        return
    explanation = backend.explain(rows)
    steps = explanation.waterfall(10)
    if steps.empty:
        st.markdown("This is the typical house itself. Change a fact to see what it does.")
        return
    base, value = (money(contract, x, 100) for x in (explanation.base_price, explanation.price))
    reasons = "; ".join(explanation.reasons(3))
    panel(
        f"The typical house is worth {base}, this one {value}. Most of it comes from: {reasons}.",
        charts_house.waterfall(explanation.base_price, explanation.price, steps, contract),
        explanation.contributions.drop(columns="column"),
        key="explanation",
        headers={
            "label": "Fact",
            "told": "This house",
            "base": "Typical house",
            "contribution": f"Contribution ({contract.market.price.currency})",
            "sentence": "In words",
        },
    )
    st.caption(
        "The contributions add up to the value to the cent. They say how the model values this "
        "house, not what an alteration would earn. The bars of the two houses begin where the "
        "chart does, not at zero."
    )


def show_effect(backend: Backend, rows: pd.DataFrame, contract: Contract, first: str) -> None:
    """Show what one fact, chosen here, does to the value of this house; `first` to begin with."""
    if not offered(backend.about(), "effect"):
        return
    columns = list(contract.columns)
    chosen = st.selectbox(
        "What would another value of this fact do?",
        columns,
        index=columns.index(first),
        format_func=lambda column: contract.fields[column].label,
        key="what_if",
        persist_state="session",
    )
    field = contract.fields[chosen]
    curve = backend.effect(chosen, rows)
    ordered = curve.sort_values("price")
    (least, low), (most, high) = (
        (ordered["label"].iloc[end], money(contract, ordered["price"].iloc[end], 100))
        for end in (0, -1)
    )
    panel(
        f"All else as it is, this house is worth from {low} ({least}) to {high} ({most}).",
        charts_house.house_effect(curve, field, contract),
        curve.drop(columns=["is_own", "value"] if field.levels else "is_own"),
        key="house_effect",
        headers={"value": axis_title(field), "label": field.label, "price": "Value"},
    )
    st.caption(
        "The mark is this house as it is. The band is the 90 % range of the difference that the "
        "change makes, not of the value. Other facts do not move along: more living area leaves "
        "each floor as it was told."
    )
