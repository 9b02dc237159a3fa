"""What changing one fact does over the market, where the sales lie, and where one house stands.

Facts that work together: the strongest pairs, and what one does at several values of another.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
import streamlit as st

from houseprice.errors import InputError
from houseprice.market.contract import Contract
from houseprice.market.fields import Field
from houseprice.market.validation import validate
from houseprice.ui.charts import partial_dependence as charts_effects
from houseprice.ui.charts import partial_dependence as charts_pairs
from houseprice.ui.charts import partial_dependence as findings_effects
from houseprice.ui.charts import partial_dependence as findings_pairs
from houseprice.ui.charts.panel import panel
from houseprice.ui.charts.partial_dependence import Mark
from houseprice.ui.charts.style import axis_title
from houseprice.ui.drivers.inputs import (
    effect_with,
    low_middle_high,
    market_effect,
    named_pairs,
    study,
    with_sales,
)
from houseprice.ui.house.form import house_frame
from houseprice.ui.house.scenarios import last_valued_row
from houseprice.ui.layout import is_supported
from houseprice.ui.session import backend, market, ranked_columns, typical_row

__all__ = ["house_mark", "newly_picked", "show_market_effect", "show_pairs"]


def show_market_effect(contract: Contract) -> None:
    """Show what changing one fact, chosen here, does over the whole market."""
    if not is_supported(backend().info(), "effect"):
        return
    columns = {contract.fields[column].label: column for column in ranked_columns()}
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
    row = last_valued_row()
    if row is None:
        return None
    rows = house_frame(row)
    price = float(backend().value(rows).valuations["predicted_price"].iloc[0])
    if np.isnan(price):
        return None
    value = float(validate(rows, contract).houses[field.column].iloc[0])
    return Mark(value, field.format(value), price)


MOST = 10


def show_pairs(contract: Contract) -> None:
    """Show the pairs of facts that work together most, and one of them, chosen here."""
    info = backend().info()
    if not is_supported(info, "study"):
        return
    found = study().interactions
    if found.empty:
        st.info("No pairs of facts were looked at when this model was trained.")
        return
    pairs = named_pairs(found.head(MOST))
    picked = panel(
        findings_pairs.pairs_finding(pairs, contract),
        charts_pairs.pair_strengths(pairs, contract),
        pairs[["pair", "strength"]],
        key="pairs",
        headers={
            "pair": "Pair of facts",
            "strength": f"Beyond what each does alone ({contract.market.price.currency})",
        },
        picks=True,
    )
    if (taken := newly_picked(picked, "pair_picked")) is not None:
        st.session_state["pair"] = taken
    if is_supported(info, "effect"):
        _show_one(pairs, contract)
    st.caption(
        "**How it is measured.** One home takes over a fact of another, chosen by chance; then a "
        "second fact; then both. What both do to the value beyond what each does, in percent, is "
        "what they do together; the bars give it in money. The most important facts are looked at."
    )


def newly_picked(picked: Sequence[str], key: str) -> str | None:
    """What was just picked on a chart, once: later runs leave the choice to other controls."""
    before = st.session_state.get(key)
    st.session_state[key] = tuple(picked)
    return picked[0] if picked and tuple(picked) != before else None


def _show_one(pairs: pd.DataFrame, contract: Contract) -> None:
    names = list(pairs["pair"])
    if st.session_state.get("pair") not in names:
        st.session_state.pop("pair", None)
    chosen = st.selectbox(
        "The pair to look at (or pick its bar)", names, key="pair", persist_state="session"
    )
    row = pairs.iloc[names.index(chosen)]
    first, second = contract.fields[row["first"]], contract.fields[row["second"]]
    if second.is_numeric and not first.is_numeric:
        # Numbers make lines, which are easier to compare than rows of dots.
        first, second = second, first
    curves = _curves(first, second)
    if curves["setting"].nunique() < 2:
        st.info("The typical house of the market can't be changed so far in these two facts.")
        return
    span = _ends(first)
    currency = contract.market.price.currency
    panel(
        findings_pairs.pair_finding(curves, first, second, (span[0], span[-1]), contract),
        charts_pairs.pair(curves, first, second, contract),
        curves.drop(columns="value") if first.levels else curves,
        key="pair_effect",
        headers={
            "setting": second.label,
            "value": axis_title(first),
            "label": first.label if first.levels else "In words",
            "price": f"Value of the typical house ({currency})",
        },
    )


def _ends(field: Field) -> tuple[float, ...]:
    known = market().houses[field.column].to_numpy(np.float64)
    return low_middle_high(field, known, market_effect(field.column))


def _curves(first: Field, second: Field) -> pd.DataFrame:
    """The typical house along the first field, for each of some values of the second."""
    parts = []
    for value in _ends(second):
        try:
            code = second.code(value)
            curve = effect_with(first.column, typical_row(), second.column, code)
        except InputError:
            # A typical house with this fact would break a rule of the market.
            continue
        parts.append(curve[["value", "label", "price"]].assign(setting=second.format(value)))
    columns = ["setting", "value", "label", "price"]
    return pd.concat(parts, ignore_index=True)[columns] if parts else pd.DataFrame(columns=columns)
