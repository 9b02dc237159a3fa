"""The tabs Partial dependence and Interactions: how the value changes with one or two features."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
import streamlit as st
from numpy.typing import NDArray

from houseprice.errors import InputError
from houseprice.market.contract import Contract
from houseprice.market.fields import Field
from houseprice.market.validation import validate
from houseprice.ui.charts import partial_dependence as charts
from houseprice.ui.charts.panel import panel
from houseprice.ui.house.state import house_frame, last_valued_row
from houseprice.ui.layout import choose, is_supported, show_missing_study
from houseprice.ui.session import backend, by_version, market, ranked_columns, study_of, typical

_MAX_PAIRS = 10


def show_partial_dependence(contract: Contract) -> None:
    """Show how the values of the market's homes change with one feature."""
    if not is_supported(backend().info(), "effect"):
        return
    columns = {contract.fields[column].label: column for column in ranked_columns()}
    label = choose("Feature", list(columns), "effect_of")
    field = contract.fields[columns[label]]
    st.caption(field.help)
    known = market().houses[field.column].to_numpy(np.float64)
    curve = charts.count_sales(market_effect(field.column), field, known)
    mark = _last_house(field, contract)
    n_known = int(np.isfinite(known).sum())
    chart = charts.effect_chart(curve, field, contract, n_known, mark)
    panel(chart, key="effect")
    if mark is None:
        st.page_link(
            "pages/value/house.py",
            label="Value a house to see it in this chart",
            icon=":material/real_estate_agent:",
        )
    legend = (
        "Dot: mean value. Grey line: middle 80 % of the homes. Faint marks: single homes."
        if field.levels
        else "Strong line: mean value. Band: middle 80 % of the homes. Faint lines: single homes."
    )
    st.caption(
        "**Method.** Homes of the market are valued repeatedly with only this feature changed "
        f"(partial dependence). {legend} Where few sales are, or where such homes could hardly "
        "exist, rely on the shape and not on the exact values."
    )


def _last_house(field: Field, contract: Contract) -> charts.Mark | None:
    """Return the house that this visitor valued last, if it still has a value."""
    row = last_valued_row()
    if row is None:
        return None
    rows = house_frame(row)
    price = float(backend().value(rows).valuations["predicted_price"].iloc[0])
    if np.isnan(price):
        return None
    value = float(validate(rows, contract).houses[field.column].iloc[0])
    return charts.Mark(value, field.format(value), price)


def show_interactions(contract: Contract) -> None:
    """Show the pairs of features that interact most, and one of them in detail."""
    info = backend().info()
    if not is_supported(info, "study"):
        return
    study = study_of(info.model_version)
    interactions = study.interactions
    if not study.is_complete:
        show_missing_study(info.model_version)
        return
    pairs = name_pairs(interactions.head(_MAX_PAIRS))
    chart = charts.interactions_chart(pairs, contract)
    selected = new_selection(panel(chart, key="pairs", picks=True), "pair_picked")
    if selected is not None:
        st.session_state["pair"] = selected
    if is_supported(info, "effect"):
        _show_pair(pairs, contract)
    st.caption(
        "**Method.** A home takes the value of one feature from another home, chosen at random; "
        "then that of a second feature; then both. The interaction is the part of the joint "
        "change, in percent of the value, that exceeds both single changes; the bars show it in "
        "money. Only the most important features are compared, among "
        f"{study.n_sales('interactions'):,} sales."
    )


def name_pairs(interactions: pd.DataFrame) -> pd.DataFrame:
    """Add the name of each pair: "Living area and Quality"."""
    return interactions.assign(
        pair=interactions["first_label"] + " and " + interactions["second_label"]
    )


def new_selection(selected: Sequence[str], key: str) -> str | None:
    """Return what was just selected in a chart, once: later runs leave it to other widgets."""
    previous = st.session_state.get(key)
    st.session_state[key] = tuple(selected)
    return selected[0] if selected and tuple(selected) != previous else None


def _show_pair(pairs: pd.DataFrame, contract: Contract) -> None:
    names = list(pairs["pair"])
    if st.session_state.get("pair") not in names:
        st.session_state.pop("pair", None)
    name = st.selectbox("Pair (or select its bar)", names, key="pair", persist_state="session")
    row = pairs.iloc[names.index(name)]
    first, second = contract.fields[row["first"]], contract.fields[row["second"]]
    if second.is_numeric and not first.is_numeric:
        # A number on the x axis gives lines, which are easier to compare than rows of dots.
        first, second = second, first
    curves = _pair_curves(first, second)
    if curves["setting"].nunique() < 2:
        st.info("The typical house cannot take enough values of these two features.")
        return
    values = _representative_values(first)
    span = (values[0], values[-1])
    chart = charts.pair_chart(curves, first, second, span, contract)
    panel(chart, key="pair_effect")


def _pair_curves(first: Field, second: Field) -> pd.DataFrame:
    """Return the curve of the first feature for the typical house with values of the second."""
    fields = market().contract.fields
    house = {name: field.code(float(typical()[name])) for name, field in fields.items()}
    curves = []
    for value in _representative_values(second):
        try:
            curve = house_effect(first.column, {**house, second.column: second.code(value)})
        except InputError:
            continue  # such a house would violate a rule of the market
        curves.append(curve[["value", "label", "price"]].assign(setting=second.format(value)))
    columns = ["setting", "value", "label", "price"]
    return (
        pd.concat(curves, ignore_index=True)[columns] if curves else pd.DataFrame(columns=columns)
    )


def _representative_values(field: Field) -> tuple[float, ...]:
    known = market().houses[field.column].to_numpy(np.float64)
    return representative_values(field, known, market_effect(field.column))


def representative_values(
    field: Field, known: NDArray[np.float64], curve: pd.DataFrame
) -> tuple[float, ...]:
    """Return two or three values that occur in the sales, from low to high.

    These are the percentiles 5, 50 and 95; for nominal levels, those of the curve by price.
    """
    if field.kind == "nominal":
        ordered = curve.sort_values("price")["value"].to_list()
        values = [ordered[0], ordered[len(ordered) // 2], ordered[-1]]
    else:
        known = known[np.isfinite(known)]
        values = np.quantile(known, [0.05, 0.5, 0.95], method="nearest").tolist()
        if values[0] == values[-1]:
            values = [float(known.min()), float(known.max())]
    return tuple(dict.fromkeys(values))


def market_effect(column: str) -> pd.DataFrame:
    """Return the mean value along a feature; read-only."""
    return _effect(column, None)


def house_effect(column: str, row: Mapping[str, object]) -> pd.DataFrame:
    """Return the value of a house along a feature; read-only."""
    return _effect(column, tuple(row.items()))


@by_version
def _effect(column: str, row: tuple[tuple[str, object], ...] | None) -> pd.DataFrame:
    return backend().effect(column, None if row is None else house_frame(dict(row)))
