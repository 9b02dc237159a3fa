"""The tabs Price by feature and Correlations: one feature and the price, two, or many features."""

from __future__ import annotations

from dataclasses import dataclass, replace

import streamlit as st

from houseprice.market.fields import Field
from houseprice.market.profile import associations, summaries
from houseprice.market.profile.selection import Sales
from houseprice.ui.charts import data_quality, two_fields
from houseprice.ui.charts import prices as price_charts
from houseprice.ui.charts.panel import Chart, panel
from houseprice.ui.charts.style import axis_title
from houseprice.ui.explore.filters import price_associations
from houseprice.ui.explore.selected_sales import panel_with_sales, points_note, thin_out
from houseprice.ui.layout import choose, choose_option, show_table

MATRIX, LIST = "Matrix", "List"
NO_COLOR = "No colour"
_MAX_BARS = 15
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
    pair = pair_chart(sales, x, y, options.get(color_label))
    if pair is None:
        st.info("No sale has both features. Select other features.")
    elif pair.has_points:
        panel_with_sales(pair.chart, sales, key="pair", note=points_note(len(pair.chart.frame)))
    else:
        panel(pair.chart, key="pair")


@dataclass(frozen=True)
class PairChart:
    """A chart of two features; with ``has_points``, its points are sales that can be selected."""

    chart: Chart
    has_points: bool = False


def pair_chart(sales: Sales, x: str, y: str, color: str | None = None) -> PairChart | None:
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
        pair = _points_chart(sales, fields, color)
    elif any(field.is_numeric for field in fields):
        pair = _box_chart(sales, fields, color)
    else:
        pair = _heatmap(sales, fields, color)
    if pair is None:
        return None
    caption = " ".join(part for part in (caption, pair.chart.caption, color_note) if part)
    return replace(pair, chart=replace(pair.chart, caption=caption))


def _points_chart(sales: Sales, fields: tuple[Field, Field], color: str | None) -> PairChart | None:
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
    headers = {"one": axis_title(x), "other": axis_title(y), **_color_headers(color_field)}
    return PairChart(Chart(figure, points, "", headers), has_points=True)


def _box_chart(sales: Sales, fields: tuple[Field, Field], color: str | None) -> PairChart | None:
    number, level = sorted(fields, key=lambda field: not field.is_numeric)
    frame = associations.distribution_by_level(sales, level.column, number.column)
    if frame.empty:
        return None
    groups_frame = None
    if color is not None:
        groups_frame = associations.distribution_by_level(sales, level.column, number.column, color)
    color_field = sales.field(color) if color else None
    return PairChart(
        two_fields.boxes_chart(frame, groups_frame, level, number, color_field, sales.contract)
    )


def _heatmap(sales: Sales, fields: tuple[Field, Field], color: str | None) -> PairChart | None:
    x, y = fields
    frame = associations.level_shares(sales, y.column, x.column, color)
    if frame.empty:
        return None
    color_field, most_frequent = sales.field(color) if color else None, ""
    if color_field and not _is_ordered(color_field):
        profile = summaries.field_profile(sales, color_field.column)
        most_frequent = color_field.format(profile.typical)
    chart = two_fields.heatmap_chart(frame, (y, x), color_field, sales.contract, most_frequent)
    headers = {"row": y.label, "column": x.label, **_color_headers(color_field, most_frequent)}
    return PairChart(replace(chart, headers=headers))


def _is_ordered(field: Field) -> bool:
    return field.kind not in ("nominal", "flag")


def _color_headers(field: Field | None, most_frequent: str = "") -> dict[str, str]:
    if field is None:
        return {}
    share = f"{field.label}: share of “{most_frequent}”"
    return {"third": share if most_frequent else axis_title(field), "group": field.label}


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
