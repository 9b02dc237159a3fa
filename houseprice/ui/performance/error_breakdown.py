"""Where values are off: along any fact, by place and by price."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from houseprice.market.fields import Field
from houseprice.market.profile import summaries
from houseprice.model.diagnostics import error_trend, errors_by_group, quintiles
from houseprice.model.ratio_study import MIN_GROUP_SIZE
from houseprice.ui.charts.panel import Chart, panel
from houseprice.ui.charts.residuals import (
    error_by_level_chart,
    error_by_location_chart,
    error_by_number_chart,
    error_by_price_chart,
)
from houseprice.ui.performance.held_out import Measured, show_picked

__all__ = ["drifting", "error_against", "groups_of", "show_by_fact", "show_by_place_and_price"]

_FEW_VALUES = 8


def show_by_fact(found: Measured, ranked: tuple[str, ...], version: str) -> None:
    """Draw errors against a fact that is chosen here, and say if they drift with it."""
    fields = found.sales.contract.fields
    st.markdown(
        "A good model leaves nothing for a fact to explain: along each of them, values should be "
        "too high as often as too low."
    )
    drifts = _drifting(version, found)
    st.markdown(_trend_summary(drifts, len(fields)))
    columns = {fields[column].label: column for column in ranked}
    chosen = st.selectbox(
        "The fact to hold errors against",
        list(columns),
        key="error_by",
        bind="query-params",
        persist_state="session",
    )
    field = fields[columns[chosen]]
    st.caption(field.help)
    chart = error_against(found, field)
    has_sales = "id" in chart.frame
    picked = panel(chart, key="model_error_by", picks=has_sales)
    if has_sales:
        show_picked(picked, found, key="model_error_by")


def _trend_summary(trends: pd.Series, n_features: int) -> str:
    if trends.empty:
        return (
            f"Of {n_features} features, the error depends on none more than chance allows in so "
            "many tests: the model uses them fully."
        )
    named = ", ".join(list(trends.index)[:5])
    more = f" and {len(trends) - 5} more" if len(trends) > 5 else ""
    return f"Of {n_features} features, the error depends on {len(trends)}: {named}{more}."


def show_by_place_and_price(found: Measured) -> None:
    """Draw errors by market area and by fifth of the price."""
    contract = found.sales.contract
    label = contract.fields[contract.market.roles.location].label
    prices = by_price(found)
    st.subheader("Cheap and dear homes", anchor=False)
    panel(error_by_price_chart(prices), key="model_by_price")
    st.subheader(f"By {label.lower()}", anchor=False)
    places = errors_by_group(found.missed, found.missed["place"])
    places = places.sort_values("median_ape", ascending=False, ignore_index=True)
    panel(error_by_location_chart(places, MIN_GROUP_SIZE, label), key="model_by_place")


def by_price(found: Measured) -> pd.DataFrame:
    """Errors by fifth of the price, the cheapest first."""
    ordered = found.missed.sort_values("price", kind="stable")
    return errors_by_group(ordered, ordered["fifth"])


def error_against(found: Measured, field: Field) -> Chart:
    """Pick the chart for a field: dots with their trend for numbers and years, else boxes."""
    errors = error_trend(found.sales.prices, groups_of(found, field))
    if field.kind in ("number", "year"):
        points = summaries.price_points(found.sales, field.column)
        trend = summaries.price_trend(found.sales, field.column)
        return error_by_number_chart(points, trend, field, errors)
    frame = summaries.price_by_level(found.sales, field.column)
    return error_by_level_chart(frame, field, errors)


def groups_of(found: Measured, field: Field) -> pd.Series:
    """The group of each sale in words: its level, or its fifth of a number with many values."""
    values = found.sales.values(field.column)
    known = pd.Series(values)
    if not field.is_numeric or known.nunique() <= _FEW_VALUES:
        return known.map(field.format)
    fifth = quintiles(values)
    spans = known.groupby(fifth).agg(["min", "max"])
    words = {
        number: f"{field.format(low).split(' ')[0]} to {field.format(high)}"
        for number, low, high in spans.itertuples()
    }
    return pd.Series(fifth).map(words)


def drifting(found: Measured) -> pd.Series:
    """How strongly the error drifts, by label of the facts where it is more than chance."""
    fields = found.sales.contract.fields
    drifts = {
        field: error_trend(found.sales.prices, groups_of(found, field)) for field in fields.values()
    }
    strengths = {
        field.label: each.strength
        for field, each in drifts.items()
        if each.is_significant(len(fields))
    }
    return pd.Series(strengths, dtype="float64").sort_values(ascending=False)


@st.cache_resource(show_spinner=False, max_entries=4)
def _drifting(version: str, _found: Measured) -> pd.Series:
    del version  # another version, other errors
    return drifting(_found)
