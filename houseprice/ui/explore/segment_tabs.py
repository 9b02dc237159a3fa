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
from houseprice.ui.charts.prices import index_chart, price_text
from houseprice.ui.explore.filters import choose_price_measure, index_of, price_associations
from houseprice.ui.layout import choose, escape

__all__ = ["segment_summary", "show_compare", "show_group_by"]

_MAX_GROUPS = 30
_YEAR = 12


def show_compare(sales: Sales) -> None:
    """Show two segments of the sales side by side: figures, prices, and the price index."""
    location = sales.contract.fields[sales.contract.market.roles.location]
    with st.columns(3)[0]:
        field = _choose_field(sales, "Compare by", "compare_by", location)
    values = sales.values(field.column)
    found, counts = np.unique(values[~np.isnan(values)], return_counts=True)
    segments = {field.format(value): value for value in found[np.argsort(-counts, kind="stable")]}
    if len(segments) < 2:
        st.info(f"All of these sales have the same “{field.label}”. Remove a filter.")
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
    panel(index_chart(indices), key="compare_index")


def segment_summary(segments: dict[str, Sales]) -> pd.DataFrame:
    """Return the figures of each segment in a column: sales, prices, and typical size and age."""
    columns = {}
    for name, sales in segments.items():
        contract, roles = sales.contract, sales.contract.market.roles
        area, built = contract.fields[roles.area], contract.fields[roles.built]
        known = summaries.overview(sales)
        columns[name] = {
            "Sales": f"{known.sales:,}",
            f"Median {contract.market.price.label.lower()}": price_text(
                known.median_price, contract
            ),
            f"Median price per {area.unit or 'unit of area'}": price_text(
                known.median_price_per_area, contract
            ),
            f"Median {area.label.lower()}": area.format(
                float(np.nanmedian(sales.values(area.column)).round())
            ),
            f"Median {built.label.lower()}": built.format(
                float(np.nanmedian(sales.values(built.column)).round())
            ),
        }
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
    measured = choose_price_measure(sales)
    ranked = [sales.contract.fields[column] for column in price_associations(sales)["column"]]
    counts = [field for field in ranked if field.kind == "count"]
    first, second, *_ = [*counts, *ranked, *sales.contract.fields.values()]
    for_row, for_column = st.columns(2)
    with for_row:
        row = _choose_field(sales, "Rows", "group_rows", first)
    with for_column:
        column = _choose_field(sales, "Columns", "group_columns", second)
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


def _choose_field(sales: Sales, label: str, key: str, default: Field) -> Field:
    """Let the visitor choose a feature that has few different values."""
    groups = {
        field.label: field
        for name, field in sales.contract.fields.items()
        if field.levels or (field.kind != "number" and _n_values(sales, name) <= _MAX_GROUPS)
    }
    return groups[choose(label, list(groups), key, default.label)]


def _n_values(sales: Sales, column: str) -> int:
    return len(np.unique(sales.values(column)))
