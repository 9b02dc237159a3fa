"""Where values are off: along any fact, by place and by price."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd
import streamlit as st

from houseprice.market.fields import Field
from houseprice.market.profile import summaries
from houseprice.model.diagnostics import error_trend, errors_by_group, quintiles
from houseprice.model.ratio_study import MIN_GROUP_SIZE
from houseprice.model.standards import column_labels
from houseprice.ui.charts import residuals as charts_model
from houseprice.ui.charts.panel import panel
from houseprice.ui.charts.performance import (
    drift_finding,
    drifting_facts,
    place_finding,
    price_finding,
)
from houseprice.ui.charts.style import axis_title
from houseprice.ui.performance.held_out import Measured, show_picked

if TYPE_CHECKING:
    import plotly.graph_objects as go

__all__ = ["drifting", "error_against", "groups_of", "show_by_fact", "show_by_place_and_price"]

_FEW_VALUES = 8
_GROUPS = {
    "group": "Group",
    **column_labels(("median_ape", "within_10", "coverage_90"), "share"),
    "lower_quarter": "A quarter is off by less than (share)",
    "median": "Middle error (share)",
    "upper_quarter": "A quarter is off by more than (share)",
}
_ERRORS = {
    "id": "Sale",
    "location": "Place",
    "price": "Off (%)",
    "level": "Level",
    "lowest_tenth": "One in ten is off by less than (%)",
    "lower_quarter": "A quarter is off by less than (%)",
    "median": "Middle error (%)",
    "upper_quarter": "A quarter is off by more than (%)",
    "highest_tenth": "One in ten is off by more than (%)",
}


def show_by_fact(found: Measured, ranked: tuple[str, ...], version: str) -> None:
    """Draw errors against a fact that is chosen here, and say if they drift with it."""
    fields = found.sales.contract.fields
    st.markdown(
        "A good model leaves nothing for a fact to explain: along each of them, values should be "
        "too high as often as too low."
    )
    drifts = _drifting(version, found)
    st.markdown(drifting_facts(drifts, len(fields)))
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
    drawn, frame = error_against(found, field)
    finding = drift_finding(error_trend(found.sales.prices, groups_of(found, field)), field)
    is_dots = "id" in frame
    picked = panel(
        finding,
        drawn,
        frame,
        key="model_error_by",
        headers=_ERRORS | {"value": axis_title(field)},
        picks=is_dots,
    )
    if is_dots:
        show_picked(picked, found, key="model_error_by")


def show_by_place_and_price(found: Measured) -> None:
    """Draw errors by market area and by fifth of the price."""
    contract = found.sales.contract
    label = contract.fields[contract.market.roles.location].label
    prices = by_price(found)
    st.subheader("Cheap and dear homes", anchor=False)
    panel(
        price_finding(prices),
        charts_model.error_by_group(prices),
        prices,
        key="model_by_price",
        headers=_GROUPS | {"group": "Fifth of the prices"},
    )
    st.subheader(f"By {label.lower()}", anchor=False)
    places = errors_by_group(found.missed, found.missed["place"])
    places = places.sort_values("median_ape", ascending=False, ignore_index=True)
    panel(
        place_finding(places, MIN_GROUP_SIZE),
        charts_model.typical_error_by_group(places, MIN_GROUP_SIZE),
        places,
        key="model_by_place",
        headers=_GROUPS | {"group": label},
    )


def by_price(found: Measured) -> pd.DataFrame:
    """Errors by fifth of the price, the cheapest first."""
    ordered = found.missed.sort_values("price", kind="stable")
    return errors_by_group(ordered, ordered["fifth"])


def error_against(found: Measured, field: Field) -> tuple[go.Figure, pd.DataFrame]:
    """Pick the chart for a field: dots with their trend for numbers and years, else boxes."""
    if field.kind in ("number", "year"):
        points = summaries.points(found.sales, field.column)
        trend = summaries.trend(found.sales, field.column)
        return charts_model.error_by_number(points, trend, field), points
    frame = summaries.by_level(found.sales, field.column)
    return charts_model.error_by_level(frame, field), frame


def groups_of(found: Measured, field: Field) -> pd.Series:
    """The group of each sale in words: its level, or its fifth of a number with many values."""
    values = found.sales.values(field.column)
    known = pd.Series(values)
    if not field.is_numeric or known.nunique() <= _FEW_VALUES:
        return known.map(field.words)
    fifth = quintiles(values)
    spans = known.groupby(fifth).agg(["min", "max"])
    words = {
        number: f"{field.words(low).split(' ')[0]} to {field.words(high)}"
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
