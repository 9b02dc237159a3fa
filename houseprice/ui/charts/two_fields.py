"""Charts of two fields, a third one as the colour: points, boxes, heat map."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from houseprice.formatting import join_words, percent
from houseprice.market.contract import Contract
from houseprice.market.fields import Field
from houseprice.market.profile.summaries import SPREAD
from houseprice.ui.charts.panel import Chart
from houseprice.ui.charts.style import (
    FAINT,
    MAX_LEVELS,
    MIN_SALES,
    add_boxes,
    axis_title,
    axis_values,
    category_axis,
    colour_limits,
    colour_scale,
    extremes,
    field_colour_scale,
    figure,
    largest_levels,
    price_text,
    sale_names,
    typical_text,
    value_axis,
    wrap_label,
)

STRENGTHS = (
    (0.85, "a very strong"),
    (0.6, "a strong"),
    (0.3, "a moderate"),
    (0.1, "a weak"),
    (0.0, "hardly any"),
)
"""The name of an association, from which strength on."""
_MAX_LABELLED = 8
"""Columns of a heat map whose cells have room for a text."""
JITTER = 0.25
"""Points of whole numbers are spread by so much, so that they do not overlap."""

PALEST = 0.2
"""Share of the colour scale that is too pale for points."""


def points_figure(
    points: pd.DataFrame,
    fields: tuple[Field, Field],
    third: Field | None,
    contract: Contract,
    groups: Sequence[str] | None = None,
) -> go.Figure:
    """A point per sale (``pair_points``), coloured by the third field.

    For a third field without an order, ``groups`` are the names of its groups, and the column
    ``group`` has that of each sale.
    """
    drawn = figure(500)
    if third is None:
        _add_points(drawn, points, fields, None)
    elif groups is not None:
        for name in groups:
            part = points[points["group"] == name]
            grey = {"color": FAINT} if name in ("others", "not known") else {}
            _add_points(drawn, part, fields, third, name=wrap_label(name), marker=grey)
        drawn.update_layout(showlegend=True, legend_title_text=third.label)
    else:
        unknown = points["third"].isna()
        if unknown.any():
            grey = {"color": FAINT}
            _add_points(drawn, points[unknown], fields, third, name="not known", marker=grey)
        known = points[~unknown]
        marker = {**point_colours(known["third"]), "colorbar": field_colour_scale(third, contract)}
        _add_points(drawn, known, fields, third, marker=marker)
    drawn.update_xaxes(**value_axis(fields[0], contract), **_integer_axis(points["one"], fields[0]))
    drawn.update_yaxes(
        **value_axis(fields[1], contract), **_integer_axis(points["other"], fields[1])
    )
    return drawn


def point_colours(values: pd.Series) -> dict[str, object]:
    """The settings of points that are coloured by numbers."""
    lowest, highest = colour_limits(values)
    palest = lowest - PALEST * (highest - lowest)
    return {
        "color": values,
        # The palest colours are too close to the background. Below 0, Plotly takes other colours.
        "cmin": palest if lowest < 0 else max(palest, 0.0),
        "cmax": highest,
        "showscale": True,
        "line": {"color": FAINT, "width": 1},
    }


def _add_points(
    drawn: go.Figure,
    points: pd.DataFrame,
    fields: tuple[Field, Field],
    third: Field | None,
    name: str = "A sale",
    marker: Mapping[str, object] | None = None,
) -> None:
    texts = pd.DataFrame({"id": points["id"], "name": sale_names(points)})
    columns = [*zip(("one", "other"), fields, strict=True)] + ([("third", third)] if third else [])
    for column, field in columns:
        texts[column] = [field.format(value) for value in points[column]]
    lines = [
        f"{field.label}: %{{customdata[{i}]}}" for i, (_, field) in enumerate(columns, start=2)
    ]
    drawn.add_scatter(
        x=_jittered(points["one"], fields[0], seed=1),
        y=_jittered(points["other"], fields[1], seed=2),
        customdata=texts,
        mode="markers",
        marker={"size": 7, "opacity": 0.75, **(marker or {})},
        name=name,
        hovertemplate="<br>".join(["%{customdata[1]}", *lines]) + "<extra></extra>",
    )


def _jittered(values: pd.Series, field: Field, seed: int) -> pd.Series:
    """Positions of points: whole numbers are spread, the same way on every run."""
    if field.kind != "count":
        return axis_values(values, field)
    return values + np.random.default_rng(seed).uniform(-JITTER, JITTER, len(values))


def _integer_axis(values: pd.Series, field: Field) -> dict[str, object]:
    """Few whole numbers get a tick each, and none between."""
    few = field.kind == "count" and values.max() - values.min() <= 12
    return {"dtick": 1} if few else {}


def boxes_chart(
    frame: pd.DataFrame,
    groups_frame: pd.DataFrame | None,
    level: Field,
    number: Field,
    third: Field | None,
    contract: Contract,
) -> Chart:
    """Boxes of a number by level, and by group of a third field (``distribution_by_level``).

    ``groups_frame`` is the same with the third field, None without one.
    """
    caption = _boxes_caption(frame, level, number, contract)
    if groups_frame is not None:
        frame = groups_frame
    groups = list(dict.fromkeys(frame["group"]))
    counts = frame.groupby("level", sort=False)["sales"].sum()
    shown, note = largest_levels(counts.reset_index())
    counts = counts[shown["level"]]
    names = {name: wrap_label(f"{name} ({sales:,})") for name, sales in counts.items()}
    drawn = figure(rows=round(len(names) * max(1.0, 0.6 * len(groups))) + 2)
    drawn_levels = frame[frame["level"].isin(names)]
    for group in groups:
        part = drawn_levels[drawn_levels["group"] == group]
        add_boxes(
            drawn,
            part.assign(**{name: axis_values(part[name], number) for name in SPREAD}),
            y=part["level"].map(names),
            name=wrap_label(group),
            offsetgroup=group,
            hoverinfo="x+name" if third else "x",
        )
    if third:
        drawn.update_layout(boxmode="group", showlegend=True, legend_title_text=third.label)
    drawn.update_xaxes(**value_axis(number, contract))
    drawn.update_yaxes(title_text=axis_title(level), **category_axis(names.values()))
    headers, caption = {"level": level.label}, caption + note
    if third is None:
        return Chart(drawn, frame.drop(columns="group"), caption, headers)
    return Chart(drawn, frame, caption, {**headers, "group": third.label})


def _boxes_caption(frame: pd.DataFrame, level: Field, number: Field, contract: Contract) -> str:
    large = frame[frame["sales"] >= MIN_SALES]
    if len(large) < 2:
        return f"Too few of these sales differ in “{level.label}” to compare them."
    low, high = extremes(large, "median")

    def format_median(row: pd.Series) -> str:
        if number.column == contract.market.price.column:
            return price_text(row["median"], contract)
        return typical_text(number, row["median"])

    if low["median"] == high["median"]:
        return (
            f"The median of “{number.label}”, {format_median(low)}, is the same for every "
            f"“{level.label}” with {MIN_SALES} sales or more."
        )
    return (
        f"The median of “{number.label}” is highest for “{high['level']}”, {format_median(high)} "
        f"({high['sales']:,} sales), and lowest for “{low['level']}”, {format_median(low)} "
        f"({low['sales']:,} sales). Levels with fewer than {MIN_SALES} sales are not compared."
    )


def heatmap_chart(
    frame: pd.DataFrame,
    fields: tuple[Field, Field],
    third: Field | None,
    contract: Contract,
    most_frequent: str = "",
) -> Chart:
    """The share of each pair of levels in its row, or the third field (``level_shares``).

    ``most_frequent`` is the level whose share is shown of a third field without an order.
    """
    in_shares, limits = third is None or bool(most_frequent), (0.0, 1.0)
    rows, columns = (
        _ordered_levels(frame, "row", fields[0]),
        _ordered_levels(frame, "column", fields[1]),
    )
    shown = frame[frame["row"].isin(rows) & frame["column"].isin(columns)]
    shown = shown.astype({"row": str, "column": str})
    table = shown.pivot_table(index="row", columns="column", values="third" if third else "share")
    table = table.reindex(index=rows, columns=columns)
    counts = shown.pivot_table(index="row", columns="column", values="sales").reindex_like(table)
    if third is None or in_shares:
        title = f"{third.label}: share of “{most_frequent}”" if third else "Share of the row"
        bar, texts = colour_scale(title, tickformat=".0%"), table.map("{:.0%}".format)
    else:
        title = f"{axis_title(third)}, median"
        limits = colour_limits(frame["third"])
        bar, texts = (
            field_colour_scale(third, contract, title),
            table.map(lambda value: _cell_text(third, value, contract)),
        )
    texts = (texts + counts.map("<br>({:,.0f})".format)).where(counts.notna(), "")
    drawn = figure(rows=round(1.4 * len(table)) + 8)
    drawn.add_heatmap(
        z=table.to_numpy(),
        x=[wrap_label(name, 16) for name in table.columns],
        y=[wrap_label(name) for name in table.index],
        text=texts.to_numpy(),
        zmin=limits[0],
        zmax=limits[1],
        xgap=2,
        ygap=2,
        hoverongaps=False,
        texttemplate="%{text}" if len(table.columns) <= _MAX_LABELLED else None,
        hovertemplate=f"%{{y}}, %{{x}}<br>{title}: %{{text}} sales<extra></extra>",
        colorbar=bar,
    )
    drawn.update_xaxes(title_text=fields[1].label, type="category", showgrid=False)
    drawn.update_yaxes(
        title_text=fields[0].label, type="category", autorange="reversed", showgrid=False
    )
    most = extremes(frame, "sales")[1]
    n_left_out = frame["row"].nunique() + frame["column"].nunique() - len(rows) - len(columns)
    n_sales = frame["sales"].sum()
    caption = (
        f"The most frequent pair is “{most['row']}” with “{most['column']}”: {most['sales']:,} of "
        f"{n_sales:,} sales ({percent(most['sales'] / n_sales, 0)})."
    )
    if n_left_out:
        caption += f" The {MAX_LEVELS} levels with the most sales of each feature are shown."
    if third and third.column == contract.market.price.column:
        caption = f"{_cell_caption(frame, third, contract)} {caption}"
    headers = {"row": fields[0].label, "column": fields[1].label, "third": title}
    return Chart(drawn, frame if third else frame.drop(columns="third"), caption, headers)


def _cell_caption(frame: pd.DataFrame, third: Field, contract: Contract) -> str:
    large = frame[frame["sales"] >= MIN_SALES]
    if len(large) < 2:
        return f"No two pairs have {MIN_SALES} sales or more."
    low, high = (
        f"{_cell_text(third, row['third'], contract)} for “{row['row']}” with “{row['column']}” "
        f"({row['sales']:,} sales)"
        for row in extremes(large, "third")
    )
    return (
        f"Of the pairs with {MIN_SALES} sales or more, the median of “{third.label}” is lowest, "
        f"{low}, and highest, {high}."
    )


def _ordered_levels(frame: pd.DataFrame, name: str, field: Field) -> list[str]:
    """The most frequent levels, in their order or, without one, by frequency."""
    sales = frame.groupby(name, observed=True)["sales"].sum()
    most = sales.sort_values(ascending=False, kind="stable").index[:MAX_LEVELS]
    ordered = most if field.kind == "nominal" else most.sort_values()
    return [str(label) for label in ordered]


def _cell_text(field: Field, value: float, contract: Contract) -> str:
    if field.column == contract.market.price.column and not math.isnan(value):
        return price_text(value, contract)
    return typical_text(field, value)


def pair_caption(x: Field, y: Field, association: float) -> str:
    """Return how strongly two fields are associated and, if both have an order, in which way."""
    pair = f"“{x.label}” and “{y.label}”"
    if math.isnan(association):
        return f"{pair}: too few of these sales differ in both to measure their association."
    strength = next(text for least, text in STRENGTHS if abs(association) >= least)
    caption = f"{pair} have {strength} association ({abs(association):.2f})"
    unordered = {"nominal", "flag"} & {x.kind, y.kind}
    if abs(association) < STRENGTHS[-2][0] or unordered:
        return f"{caption}."
    return f"{caption}: as one rises, the other tends to {'rise' if association > 0 else 'fall'}."


def colour_caption(
    third: Field, fields: tuple[Field, Field], associations: tuple[float, float]
) -> str:
    """Return how strongly the colour is associated with the two fields."""
    parts = [
        f"“{field.label}” ({abs(association):.2f})"
        for field, association in zip(fields, associations, strict=True)
        if not math.isnan(association) and field != third
    ]
    if not parts:
        return ""
    return f"The association of the colour, “{third.label}”, is with {join_words(parts)}."
