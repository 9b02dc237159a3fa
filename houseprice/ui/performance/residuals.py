"""The tabs of held-out predictions: each sale, and the errors by feature, location and price."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import pandas as pd
import streamlit as st
from streamlit.elements.lib.column_types import ColumnConfig

from houseprice.backend.base import BackendInfo
from houseprice.formatting import list_some
from houseprice.market.fields import Field
from houseprice.market.profile import summaries
from houseprice.market.profile.selection import Sales
from houseprice.market.sales import Market
from houseprice.model.diagnostics import error_trend, errors_by_group, prediction_errors, quintiles
from houseprice.model.ratio_study import MIN_GROUP_SIZE
from houseprice.model.report import price_quintiles
from houseprice.model.study import Study
from houseprice.ui.charts import residuals as charts
from houseprice.ui.charts.panel import Chart, panel, selected_marks
from houseprice.ui.charts.style import axis_title, axis_values, money_cells
from houseprice.ui.explore.selected_sales import field_column, panel_beside, show_table_to_open
from houseprice.ui.layout import choose, escape, is_supported
from houseprice.ui.session import backend, by_version, market, ranked_columns, study_of

_LARGEST_ERRORS = 12
_MAX_DISTINCT = 8  # a number with more values is grouped by quintile
_DESCRIBING_ROLES = ("area", "built", "sale_date", "sale_year", "sale_month")
_HEADERS = {
    "id": "Sale",
    "place": "Location",
    "price": "Sale price",
    "predicted_price": "Value",
    "error": "Error",
    "low_90": "From (90 % range)",
    "high_90": "To (90 % range)",
}


@dataclass(frozen=True)
class HeldOut:
    """Held-out predictions joined with the sales of the market, in one order.

    ``errors`` is ``prediction_errors`` with ``place`` (label) and ``fifth`` (of the price). In
    ``sales`` the error in percent replaces the price, so that the profile of prices applies to it.
    """

    errors: pd.DataFrame
    sales: Sales


def held_out(info: BackendInfo) -> HeldOut | None:
    """Return the held-out predictions, or show why there are none."""
    if not is_supported(info, "study"):
        return None
    joined = _held_out()
    if joined.errors.empty:
        st.info(
            "This version was saved without held-out values, or with those of another market.",
            icon=":material/model_training:",
        )
        return None
    return joined


@by_version
def _held_out() -> HeldOut:
    return join_study(study_of(backend().info().model_version), market())


def join_study(study: Study, market: Market) -> HeldOut:
    """Join held-out predictions with the market's sales by id; unknown ids are left out."""
    contract = market.contract
    position_of = pd.Series(range(len(market.ids)), index=market.ids.astype("str").to_numpy())
    errors = prediction_errors(study.held_out)
    errors = errors[errors["id"].isin(position_of.index)].reset_index(drop=True)
    houses = market.houses.iloc[position_of.reindex(errors["id"]).to_numpy()]
    houses = houses.reset_index(drop=True)
    errors["place"] = Sales(contract, houses, errors["price"], errors["id"]).locations
    errors["fifth"] = (
        price_quintiles(errors["price"], contract.market.price.symbol).astype(str)
        if len(errors)
        else ""
    )
    return HeldOut(errors, Sales(contract, houses, 100 * errors["error"], errors["id"]))


def show_predictions(info: BackendInfo) -> None:
    """Show the predicted and the actual price of each sale, and the largest errors."""
    joined = held_out(info)
    if joined is None:
        return
    errors = joined.errors
    chart = charts.predicted_vs_actual_chart(errors, joined.sales.contract)
    _panel_with_predictions(chart, joined, key="model_sales")
    st.subheader("Largest errors", anchor=False)
    st.markdown(
        "A large error often has a cause that no feature describes: a sale within a family, or an "
        "unfinished home. Select a row to open the sale."
    )
    largest = errors["error"].abs().nlargest(_LARGEST_ERRORS).index
    table = selection_table(list(errors.loc[largest, "id"]), joined)
    show_table_to_open(table, "model_worst", "The largest errors", _column_config(joined))


def _panel_with_predictions(chart: Chart, joined: HeldOut, key: str) -> None:
    """Show a chart of sales, and beside it the predictions of those that are selected in it."""
    table, columns = selection_table(selected_marks(key), joined), _column_config(joined)
    note = "Click a point, or select several with the box, to list the sales beside it."
    show = partial(show_table_to_open, table, f"{key}_picked", "The selected sales", columns)
    panel_beside(chart, key, note, show if len(table) else None)


def selection_table(selected: Sequence[str], joined: HeldOut) -> pd.DataFrame:
    """Return the predictions of the selected sales with what describes a house; labelled."""
    errors, sales = joined.errors, joined.sales
    position_of = pd.Series(range(len(errors)), index=errors["id"])
    positions = position_of.reindex(list(selected)).dropna().astype(int)
    contract = sales.contract
    table = errors.iloc[positions][list(_HEADERS)].assign(error=lambda rows: 100 * rows["error"])
    location = contract.field_of("location")
    if location is None:
        table = table.drop(columns="place")
    labels = contract.with_labels(sales.houses.iloc[positions])
    for field in filter(None, map(contract.field_of, _DESCRIBING_ROLES)):
        table[axis_title(field)] = axis_values(labels[field.column], field)
    place = {"place": location.label} if location else {}
    return table.rename(columns=_HEADERS | place).reset_index(drop=True)


def _column_config(joined: HeldOut) -> dict[str, ColumnConfig]:
    contract = joined.sales.contract
    number = st.column_config.NumberColumn
    money = number(format=money_cells(contract))
    described = filter(None, map(contract.field_of, _DESCRIBING_ROLES))
    return {
        **{_HEADERS[name]: money for name in ("price", "predicted_price", "low_90", "high_90")},
        "Error": number(format="%+.1f %%"),
        **{axis_title(field): field_column(field) for field in described},
    }


def show_residuals(info: BackendInfo) -> None:
    """Show the errors by a feature that is selected here, and test whether they depend on it."""
    joined = held_out(info)
    if joined is None:
        return
    fields = joined.sales.contract.fields
    st.markdown(
        "The errors of a good model do not depend on any feature: along each of them, values are "
        "too high as often as too low."
    )
    biased = _biased_features()
    st.markdown(_bias_summary(biased, len(fields)))
    columns = {fields[column].label: column for column in ranked_columns()}
    label = choose("Feature", list(columns), "error_by")
    field = fields[columns[label]]
    if field.help:
        st.caption(field.help)
    chart = error_chart(joined, field)
    if "id" in chart.frame:
        _panel_with_predictions(chart, joined, key="model_error_by")
    else:
        panel(chart, key="model_error_by")


def _bias_summary(biased: pd.Series, n_features: int) -> str:
    if biased.empty:
        return (
            f"Of {n_features} features, the error depends on none more than chance allows in so "
            "many tests: the model uses them fully."
        )
    named = list_some(list(biased.index))
    return f"Of {n_features} features, the error depends on {len(biased)}: {named}."


def error_chart(joined: HeldOut, field: Field) -> Chart:
    """Chart the errors by a feature: points with their trend, or a box per level."""
    errors = error_trend(joined.sales.prices, feature_groups(joined, field))
    if field.kind in ("number", "year", "date"):
        frame = summaries.price_points(joined.sales, field.column)
        line = summaries.price_trend(joined.sales, field.column)
        return charts.error_by_number_chart(frame, line, field, errors)
    frame = summaries.price_by_level(joined.sales, field.column)
    return charts.error_by_level_chart(frame, field, errors)


def feature_groups(joined: HeldOut, field: Field) -> pd.Series:
    """Return the group of each sale: its level, or its quintile of a number with many values."""
    values = joined.sales.values(field.column)
    known = pd.Series(values)
    if not field.is_numeric or known.nunique() <= _MAX_DISTINCT:
        return known.map(field.format)
    quintile = quintiles(values)
    ends = known.groupby(quintile).agg(["min", "max"])
    labels = {
        number: f"{field.format(low).split(' ')[0]} to {field.format(high)}"
        for number, low, high in ends.itertuples()
    }
    return pd.Series(quintile).map(labels)


def biased_features(joined: HeldOut) -> pd.Series:
    """Return the strength of the error trend of the features where it is significant, by label."""
    fields = joined.sales.contract.fields
    trends = {
        field.label: error_trend(joined.sales.prices, feature_groups(joined, field))
        for field in fields.values()
    }
    strengths = {
        label: trend.strength
        for label, trend in trends.items()
        if trend.is_significant(len(fields))
    }
    return pd.Series(strengths, dtype="float64").sort_values(ascending=False)


@by_version
def _biased_features() -> pd.Series:
    return biased_features(_held_out())


def show_errors_by_location_and_price(info: BackendInfo) -> None:
    """Show the errors by price quintile and, if the market has locations, by location."""
    joined = held_out(info)
    if joined is None:
        return
    contract = joined.sales.contract
    by_price = errors_by_price(joined)
    st.subheader("By price", anchor=False)
    panel(charts.error_by_price_chart(by_price), key="model_by_price")
    location = contract.field_of("location")
    if location is None:
        return
    st.subheader(f"By {escape(location.label.lower())}", anchor=False)
    by_location = errors_by_group(joined.errors, joined.errors["place"])
    by_location = by_location.sort_values("median_ape", ascending=False, ignore_index=True)
    chart = charts.error_by_location_chart(by_location, MIN_GROUP_SIZE, location.label)
    panel(chart, key="model_by_place")


def errors_by_price(joined: HeldOut) -> pd.DataFrame:
    """Return the errors by price quintile, the lowest prices first."""
    ordered = joined.errors.sort_values("price", kind="stable")
    return errors_by_group(ordered, ordered["fifth"])
