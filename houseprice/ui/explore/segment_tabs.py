"""The tabs Compare and Group by: two segments side by side, and prices by two features."""

from __future__ import annotations

import numpy as np
import pandas as pd
import streamlit as st

from houseprice.formatting import percent, signed_percent
from houseprice.market.fields import Field
from houseprice.market.profile import associations, summaries
from houseprice.market.profile.like_for_like import like_for_like
from houseprice.market.profile.selection import Sales
from houseprice.ui.charts import two_fields
from houseprice.ui.charts.panel import panel
from houseprice.ui.charts.prices import index_chart
from houseprice.ui.charts.style import price_text, typical_text
from houseprice.ui.explore.filters import (
    choose_price_measure,
    index_of,
    price_associations,
)
from houseprice.ui.layout import choose, escape

_MAX_GROUPS = 30
_YEAR = 12


def show_compare(sales: Sales) -> None:
    """Show two segments of the sales side by side: figures, prices, and the price index."""
    groups = _groups(sales)
    if not groups:
        st.info("No feature of these sales has levels or few values to compare by.")
        return
    location = sales.contract.field_of("location")
    with st.columns(3)[0]:
        default = location.label if location else None
        field = groups[choose("Compare by", list(groups), "compare_by", default)]
    values = sales.values(field.column)
    found, counts = np.unique(values[~np.isnan(values)], return_counts=True)
    segments = {field.format(value): value for value in found[np.argsort(-counts, kind="stable")]}
    if len(segments) < 2:
        st.info(f"All of these sales have the same “{escape(field.label)}”. Remove a filter.")
        return
    names = list(segments)
    for_one, for_other = st.columns(2)
    with for_one:
        one = choose("First segment", names, "compare_one")
    with for_other:
        other = choose("Second segment", names, "compare_other", names[1])
    if one == other:
        st.info("Select two different segments.")
        return
    parts = {name: sales.where(values == segments[name]) for name in (one, other)}
    st.markdown(escape(_comparison_sentence(sales, field, segments[one], segments[other])))
    st.dataframe(
        segment_summary(parts),
        key="compare_table",
        alt=f"{one} and {other} side by side",
    )
    both = sales.where(np.isin(values, [segments[one], segments[other]]))
    pair = (field, sales.field(sales.contract.market.price.column))
    frame = associations.distribution_by_level(both, field.column, pair[1].column)
    chart = two_fields.boxes_chart(frame, None, *pair, None, sales.contract)
    panel(chart, key="compare_prices")
    indices = {name: index_of(part, _YEAR) for name, part in parts.items()}
    if any(len(index.compared) > 1 for index in indices.values()):
        panel(index_chart(indices), key="compare_index")


def segment_summary(segments: dict[str, Sales]) -> pd.DataFrame:
    """Return the figures of each segment in a column: sales, prices, and typical size and age."""
    columns = {}
    for name, sales in segments.items():
        contract, known = sales.contract, summaries.overview(sales)
        price = contract.market.price.label.lower()
        figures = {
            "Sales": f"{known.sales:,}",
            f"Median {price}": price_text(known.median_price, contract),
        }
        area, built = contract.field_of("area"), contract.field_of("built")
        if area is not None and not np.isnan(known.median_price_per_area):
            per_area = price_text(known.median_price_per_area, contract)
            figures[f"Median price per {area.unit or 'unit of area'}"] = per_area
        for field in filter(None, (area, built)):
            median = float(pd.Series(sales.values(field.column)).median())
            figures[f"Median {field.label.lower()}"] = typical_text(field, median)
        columns[name] = figures
    return pd.DataFrame(columns)


def _comparison_sentence(sales: Sales, field: Field, one: float, other: float) -> str:
    """Return how much dearer the second segment is for the same house."""
    values = sales.values(field.column)
    groups = np.where(values == one, 0.0, np.where(values == other, 1.0, np.nan))
    found = like_for_like(sales, groups, (field.column,))
    names = field.format(one), field.format(other)
    if len(found.compared) < 2:
        return "One of the segments has too few sales to compare them like for like."
    row = found.frame.iloc[1]
    low, high = (signed_percent(row[end] - 1) for end in ("low", "high"))
    if row["low"] <= 1 <= row["high"]:
        found_text = f"“{names[1]}” and “{names[0]}” do not differ measurably in price"
    else:
        more = "more" if row["index"] > 1 else "less"
        share = percent(abs(row["index"] - 1))
        found_text = f"the same house costs {share} {more} in “{names[1]}” than in “{names[0]}”"
    return (
        f"Like for like, {found_text} (95 % confidence: {low} to {high}). The other "
        f"features explain {percent(found.explained, 0)} of the differences in price."
    )


def show_group_by(sales: Sales) -> None:
    """Show the median price by two features as a table of colours."""
    measured, groups = choose_price_measure(sales), _groups(sales)
    if len(groups) < 2:
        st.info("Fewer than two features of these sales have levels or few values to group by.")
        return
    ranked = [sales.contract.fields[column] for column in price_associations(sales)["column"]]
    counts = [field.label for field in ranked if field.kind == "count" and field.label in groups]
    first, second, *_ = [*counts, *(label for label in groups if label not in counts)]
    for_row, for_column = st.columns(2)
    with for_row:
        row = groups[choose("Rows", list(groups), "group_rows", first)]
    with for_column:
        column = groups[choose("Columns", list(groups), "group_columns", second)]
    if row == column:
        st.info("Select two different features.")
        return
    price = measured.field(sales.contract.market.price.column)
    frame = associations.level_shares(measured, row.column, column.column, price.column)
    chart = two_fields.heatmap_chart(frame, (row, column), price, measured.contract)
    panel(chart, key="group_by")
    st.caption(
        "Each cell is the median price of its sales, with their number in brackets. Groups "
        "differ in other features too: Compare shows differences like for like."
    )


def _groups(sales: Sales) -> dict[str, Field]:
    """Return the features that have levels or few different values, by label."""
    return {
        field.label: field
        for name, field in sales.contract.fields.items()
        if field.levels or (field.kind != "number" and _n_values(sales, name) <= _MAX_GROUPS)
    }


def _n_values(sales: Sales, column: str) -> int:
    return len(np.unique(sales.values(column)))
