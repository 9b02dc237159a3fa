"""The tabs Price by feature, Compare, Group by and Correlations: features, segments, and prices."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import streamlit as st

from houseprice.formatting import percent, signed_percent
from houseprice.market.fields import Field
from houseprice.market.profile import associations, summaries
from houseprice.market.profile.like_for_like import like_for_like
from houseprice.market.profile.selection import Sales
from houseprice.ui.charts import data_quality, two_fields
from houseprice.ui.charts import prices as price_charts
from houseprice.ui.charts.panel import Chart, panel
from houseprice.ui.charts.style import axis_title, price_text, typical_text
from houseprice.ui.explore.filters import choose_price_measure, index_of, price_associations
from houseprice.ui.explore.selected_sales import panel_with_sales, points_note, thin_out
from houseprice.ui.layout import choose, choose_option, escape, show_table

MATRIX, LIST = "Matrix", "List"
NO_COLOR = "No colour"
_MAX_BARS = 15
_MAX_GROUPS = 30
_YEAR = 12
_DEFAULT_FEATURES, _MAX_FEATURES = 8, 20


def show_price_by_feature(sales: Sales) -> None:
    """Show one feature and the price, then any two features; selected points list their sales."""
    ranked = [*price_associations(sales)["column"], *sales.contract.columns]
    columns = {sales.contract.fields[column].label: column for column in dict.fromkeys(ranked)}
    _show_price_chart(sales, columns)
    st.subheader("Any two features", anchor=False)
    _show_pair_chart(sales, columns)


def _show_price_chart(sales: Sales, columns: dict[str, str]) -> None:
    contract, area = sales.contract, sales.contract.field_of("area")
    label = choose(
        "Feature",
        list(columns),
        "against",
        area.label if area else None,
        "Type to search. The list starts with the features that are most closely associated with "
        "the price.",
    )
    field = contract.fields[columns[label]]
    if field.help:
        st.caption(field.help)
    association = associations.association(sales, field.column, contract.market.price.column)
    profile = summaries.field_profile(sales, field.column)
    st.markdown(price_charts.field_summary(profile, field, association).replace("$", "\\$"))
    chart = price_chart(sales, field)
    if field.kind in ("number", "date"):
        panel_with_sales(chart, sales, key="price_against", note=points_note(len(chart.frame)))
    else:
        panel(chart, key="price_against")


def price_chart(sales: Sales, field: Field) -> Chart:
    """Chart a feature and the price: points, years, or a box per level."""
    contract, column = sales.contract, field.column
    if field.kind in ("number", "date"):
        frame, trend = summaries.price_points(sales, column), summaries.price_trend(sales, column)
        return price_charts.price_by_number_chart(frame, thin_out(frame), trend, field, contract)
    if field.kind == "year":
        frame, trend = summaries.price_by_year(sales, column), summaries.price_trend(sales, column)
        return price_charts.price_by_year_chart(frame, trend, field, contract)
    frame = summaries.price_by_level(sales, column)
    return price_charts.price_by_level_chart(frame, field, contract)


def _show_pair_chart(sales: Sales, columns: dict[str, str]) -> None:
    contract, price = sales.contract, sales.contract.market.price
    options = {price.label: price.column, **columns}
    labels = list(options)
    area, built = contract.field_of("area"), contract.field_of("built")
    for_x, for_y, for_color = st.columns(3)
    with for_x:
        x = options[choose("x axis", labels, "pair_across", area.label if area else labels[1])]
    with for_y:
        y = options[choose("y axis", labels, "pair_upwards", built.label if built else price.label)]
    with for_color:
        color_label = choose(
            "Colour", [NO_COLOR, *labels], "pair_colour", price.label if built else NO_COLOR
        )
    if x == y:
        st.info("Select two different features.")
        return
    chart = pair_chart(sales, x, y, options.get(color_label))
    if chart is None:
        st.info("No sale has both features. Select other features.")
    elif all(sales.field(column).is_numeric for column in (x, y)):  # each point is a sale
        panel_with_sales(chart, sales, key="pair", note=points_note(len(chart.frame)))
    else:
        panel(chart, key="pair")


def pair_chart(sales: Sales, x: str, y: str, color: str | None = None) -> Chart | None:
    """Chart two features (columns, or the price), coloured by a third; None if no sale has both."""
    fields = sales.field(x), sales.field(y)
    caption = two_fields.pair_caption(*fields, associations.association(sales, x, y))
    color_note = ""
    if color:
        strengths = tuple(associations.association(sales, color, column) for column in (x, y))
        color_note = two_fields.colour_caption(
            sales.field(color), fields, (strengths[0], strengths[1])
        )
    if all(field.is_numeric for field in fields):
        chart = _points_chart(sales, fields, color)
    elif any(field.is_numeric for field in fields):
        chart = _box_chart(sales, fields, color)
    else:
        chart = _heatmap(sales, fields, color)
    if chart is None:
        return None
    return replace(chart, caption=" ".join(filter(None, (caption, chart.caption, color_note))))


def _points_chart(sales: Sales, fields: tuple[Field, Field], color: str | None) -> Chart | None:
    contract, color_field = sales.contract, sales.field(color) if color else None
    x, y = fields
    points = associations.pair_points(sales, x.column, y.column, color)
    if points.empty:
        return None
    group_names = None
    if color_field and not _is_ordered(color_field):
        groups, group_names = associations.group_by_field(sales, color_field.column)
        group_of = dict(zip(sales.ids, groups, strict=True))
        points = points.assign(group=points["id"].map(group_of))
    figure = two_fields.points_figure(thin_out(points), fields, color_field, contract, group_names)
    headers = {"one": axis_title(x), "other": axis_title(y)}
    if color_field:
        headers |= {"third": axis_title(color_field), "group": color_field.label}
    return Chart(figure, points, "", headers)


def _box_chart(sales: Sales, fields: tuple[Field, Field], color: str | None) -> Chart | None:
    number, level = sorted(fields, key=lambda field: not field.is_numeric)
    frame = associations.distribution_by_level(sales, level.column, number.column)
    if frame.empty:
        return None
    groups_frame = None
    if color is not None:
        groups_frame = associations.distribution_by_level(sales, level.column, number.column, color)
    color_field = sales.field(color) if color else None
    return two_fields.boxes_chart(frame, groups_frame, level, number, color_field, sales.contract)


def _heatmap(sales: Sales, fields: tuple[Field, Field], color: str | None) -> Chart | None:
    x, y = fields
    frame = associations.level_shares(sales, y.column, x.column, color)
    if frame.empty:
        return None
    color_field, most_frequent = sales.field(color) if color else None, ""
    if color_field and not _is_ordered(color_field):
        profile = summaries.field_profile(sales, color_field.column)
        most_frequent = color_field.format(profile.typical)
    return two_fields.heatmap_chart(frame, (y, x), color_field, sales.contract, most_frequent)


def _is_ordered(field: Field) -> bool:
    return field.kind not in ("nominal", "flag")


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
    st.dataframe(segment_summary(parts), key="compare_table", alt=f"{one} and {other} side by side")
    both = sales.where(np.isin(values, [segments[one], segments[other]]))
    pair = (field, sales.field(sales.contract.market.price.column))
    frame = associations.distribution_by_level(both, field.column, pair[1].column)
    chart = two_fields.boxes_chart(frame, None, *pair, None, sales.contract)
    panel(chart, key="compare_prices")
    indices = {name: index_of(part, _YEAR) for name, part in parts.items()}
    if any(len(index.compared) > 1 for index in indices.values()):
        panel(price_charts.index_chart(indices), key="compare_index")


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
        if field.levels
        or (field.kind != "number" and len(np.unique(sales.values(name))) <= _MAX_GROUPS)
    }


def show_correlations(sales: Sales) -> None:
    """Show the association of each feature with the price, then of chosen features in pairs."""
    frame = price_associations(sales)
    chart = data_quality.price_associations_chart(frame, _MAX_BARS)
    panel(chart, key="ties_with_price")
    if len(frame) > _MAX_BARS:
        st.caption(
            f"The first {_MAX_BARS} of {len(frame)} features; the downloaded data has all of them."
        )
    st.subheader("Between features", anchor=False)
    _show_matrix(sales, list(frame["column"]))
    st.caption(
        "An association does not show that one feature causes another. Numbers and ordered levels "
        "are compared by rank correlation (Spearman), levels without an order by the correlation "
        "ratio, and two such features by Cramér's V; the last two are corrected for chance."
    )


def _show_matrix(sales: Sales, ranked: list[str]) -> None:
    contract = sales.contract
    columns = dict.fromkeys([*ranked, *contract.columns])
    column_of = {contract.fields[column].label: column for column in columns}
    labels = st.multiselect(
        "Features, in addition to the price",
        list(column_of),
        default=list(column_of)[:_DEFAULT_FEATURES],
        max_selections=_MAX_FEATURES,
        placeholder="Select features",
        key="tied",
        bind="query-params",
        persist_state="session",
    )
    if not labels:
        st.info("Select at least one feature.")
        return
    selected = [contract.market.price.column, *(column_of[label] for label in labels)]
    matrix = associations.association_matrix(sales, selected)
    chart = data_quality.association_matrix_chart(matrix)
    if choose_option("Show as", (MATRIX, LIST), MATRIX, "ties_as") == MATRIX:
        panel(chart, key="ties_between_facts")
        return
    st.markdown(chart.caption)
    pairs = associations.associated_pairs(sales, 0.0, selected)
    strength = st.column_config.ProgressColumn(
        "Association", min_value=0.0, max_value=1.0, format="%.2f", width="small"
    )
    show_table(
        pairs[["strength", "field", "other_field"]],
        key="ties_list",
        alt="The association of each pair of features, strongest first",
        columns={"strength": strength, "field": "Feature", "other_field": "Other feature"},
    )
