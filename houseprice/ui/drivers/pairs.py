"""Facts that work together: the strongest pairs, and what one does at several values of another."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
import streamlit as st

from houseprice.errors import InputError
from houseprice.market.contract import Contract
from houseprice.market.fields import Field
from houseprice.ui.charts import pairs as charts_pairs
from houseprice.ui.charts.grammar import axis_title
from houseprice.ui.drivers.asked import effect_with, market_effect, study
from houseprice.ui.drivers.frames import low_middle_high, named_pairs
from houseprice.ui.findings import pairs as findings_pairs
from houseprice.ui.offers import offered
from houseprice.ui.panel import panel
from houseprice.ui.session import backend, market, typical_row

__all__ = ["newly_picked", "show_pairs"]

MOST = 10


def show_pairs(contract: Contract) -> None:
    """Show the pairs of facts that work together most, and one of them, chosen here."""
    about = backend().about()
    if not offered(about, "study"):
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
    if offered(about, "effect"):
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
        parts.append(curve[["value", "label", "price"]].assign(setting=second.words(value)))
    columns = ["setting", "value", "label", "price"]
    return pd.concat(parts, ignore_index=True)[columns] if parts else pd.DataFrame(columns=columns)
