"""Charts of one number against another, a third field as the colour (``market.two_fields``).

Charts of a number by level, and of levels by levels, a third field as the colour.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from numpy.typing import NDArray

from houseprice.market.contract import Contract
from houseprice.market.fields import Field
from houseprice.ui.charts.style import (
    FAINT,
    axis_title,
    colour_limits,
    colour_scale,
    field_colour_scale,
    figure,
    value_axis,
    wrap_label,
)

__all__ = ["boxes", "density", "dots", "filled", "squares"]

JITTER = 0.25
"""Dots of whole numbers are spread by so much, so that they do not lie on one another."""

PALEST = 0.2
"""This share of the scale of colours is left to no dot."""


def dots(
    points: pd.DataFrame,
    fields: tuple[Field, Field],
    third: Field | None,
    contract: Contract,
    groups: Sequence[str] | None = None,
) -> go.Figure:
    """A dot a sale (``pair_points``), the third field as its colour.

    `groups` holds the names of the groups of a third field without an order, in their order; the
    column ``group`` then says which one each sale is in.
    """
    drawn = figure(500)
    if third is None:
        _add_dots(drawn, points, fields, None)
    elif groups is not None:
        for name in groups:
            part = points[points["group"] == name]
            grey = {"color": FAINT} if name in ("others", "not known") else {}
            _add_dots(drawn, part, fields, third, name=wrap_label(name), marker=grey)
        drawn.update_layout(showlegend=True, legend_title_text=third.label)
    else:
        _add_coloured(drawn, points, fields, third, contract)
    drawn.update_xaxes(**value_axis(fields[0], contract), **_whole(points["one"], fields[0]))
    drawn.update_yaxes(**value_axis(fields[1], contract), **_whole(points["other"], fields[1]))
    return drawn


def density(
    cells: pd.DataFrame, fields: tuple[Field, Field], third: Field | None, contract: Contract
) -> go.Figure:
    """Squares by their number of sales, or by the middle of the third field (``cells``)."""
    drawn = figure(500)
    drawn.add_heatmap(**filled(cells, third, contract))
    drawn.update_xaxes(**value_axis(fields[0], contract))
    drawn.update_yaxes(**value_axis(fields[1], contract))
    return drawn


def filled(cells: pd.DataFrame, third: Field | None, contract: Contract) -> dict[str, object]:
    """The settings of a heat map that draws ``cells``."""
    told = "third" if third else "sales"
    lowest, highest = colour_limits(cells["third"]) if third else (0.0, float(cells["sales"].max()))
    colour = f"<br>{third.label}: %{{z:,.0f}}" if third else ""
    grid = cells.assign(x=_place(cells["x"]), y=_place(cells["y"]))
    table, counts = (
        grid.pivot_table(index="y", columns="x", values=name, dropna=False, observed=False)
        for name in (told, "sales")
    )
    return {
        "x": table.columns.to_numpy(np.float64),
        "y": table.index.to_numpy(np.float64),
        "z": table.to_numpy(),
        "customdata": counts.to_numpy(),
        "hoverongaps": False,
        "hovertemplate": f"about %{{x:,.0f}} and %{{y:,.0f}}<br>%{{customdata:,}} sales{colour}"
        "<extra></extra>",
        "zmin": lowest,
        "zmax": highest,
        "colorbar": field_colour_scale(third, contract) if third else colour_scale("Sales"),
    }


def _add_coloured(
    drawn: go.Figure,
    points: pd.DataFrame,
    fields: tuple[Field, Field],
    third: Field,
    contract: Contract,
) -> None:
    unknown = points["third"].isna()
    if unknown.any():
        grey = {"color": FAINT}
        _add_dots(drawn, points[unknown], fields, third, name="not known", marker=grey)
    told = points[~unknown]
    lowest, highest = colour_limits(told["third"])
    marker = {
        "color": told["third"],
        # The palest colours are too close to the page for a dot: none gets them.
        "cmin": lowest - PALEST * (highest - lowest),
        "cmax": highest,
        "colorbar": field_colour_scale(third, contract),
        "showscale": True,
        "line": {"color": FAINT, "width": 1},
    }
    _add_dots(drawn, told, fields, third, marker=marker)


def _add_dots(
    drawn: go.Figure,
    points: pd.DataFrame,
    fields: tuple[Field, Field],
    third: Field | None,
    name: str = "A sale",
    marker: Mapping[str, object] | None = None,
) -> None:
    words = pd.DataFrame({"id": points["id"], "location": points["location"]})
    told = [*zip(("one", "other"), fields, strict=True)] + ([("third", third)] if third else [])
    for column, field in told:
        words[column] = [field.format(value) for value in points[column]]
    lines = [
        f"{field.label}: %{{customdata[{place}]}}" for place, (_, field) in enumerate(told, start=2)
    ]
    drawn.add_scatter(
        x=_spread(points["one"], fields[0], seed=1),
        y=_spread(points["other"], fields[1], seed=2),
        customdata=words,
        mode="markers",
        marker={"size": 7, "opacity": 0.75, **(marker or {})},
        name=name,
        hovertemplate="<br>".join(["Sale %{customdata[0]}, %{customdata[1]}", *lines])
        + "<extra></extra>",
    )


def _spread(values: pd.Series, field: Field, seed: int) -> NDArray[np.float64]:
    """The places of dots; those of whole numbers beside each other, the same on every run."""
    places = values.to_numpy(np.float64)
    if field.kind != "count":
        return places
    return places + np.random.default_rng(seed).uniform(-JITTER, JITTER, places.size)


def _whole(values: pd.Series, field: Field) -> dict[str, object]:
    """Few whole numbers get a mark each, and none between."""
    few = field.kind == "count" and values.max() - values.min() <= 12
    return {"dtick": 1} if few else {}


def _place(middles: pd.Series) -> pd.Categorical:
    """The middles of squares among those of all squares between them, so that all are as wide."""
    found = np.unique(middles.to_numpy(np.float64))
    step = float(np.diff(found).min()) if found.size > 1 else 1.0
    count = round((found[-1] - found[0]) / step) + 1
    place = ((middles - found[0]) / step).round().astype(int)
    return pd.Categorical.from_codes(place, found[0] + step * np.arange(count))


def boxes(
    frame: pd.DataFrame, level: Field, number: Field, third: Field | None, contract: Contract
) -> go.Figure:
    """Boxes of a number by level, one of each colour for each group (``spread_by``)."""
    groups = list(dict.fromkeys(frame["group"]))
    counts = frame.groupby("level", sort=False)["sales"].sum()
    names = {name: wrap_label(f"{name} ({sales:,})") for name, sales in counts.items()}
    drawn = figure(rows=round(len(names) * max(1.0, 0.6 * len(groups))) + 2)
    for group in groups:
        part = frame[frame["group"] == group]
        drawn.add_box(
            y=part["level"].map(names),
            q1=part["lower_quarter"],
            median=part["median"],
            q3=part["upper_quarter"],
            lowerfence=part["lowest_tenth"],
            upperfence=part["highest_tenth"],
            orientation="h",
            name=wrap_label(group),
            offsetgroup=group,
            hoverinfo="x+name" if third else "x",
        )
    if third:
        drawn.update_layout(boxmode="group", showlegend=True, legend_title_text=third.label)
    drawn.update_xaxes(**value_axis(number, contract))
    drawn.update_yaxes(
        title_text=axis_title(level),
        type="category",
        categoryorder="array",
        categoryarray=list(names.values()),
    )
    return drawn


def squares(
    frame: pd.DataFrame,
    fields: tuple[Field, Field],
    third: Field | None,
    contract: Contract,
    commonest: str = "",
) -> go.Figure:
    """A square for each two levels: their share of the row, or the third field (``shares``).

    `commonest` names the level whose share the third field tells, where it has no order.
    """
    in_shares, limits = third is None or bool(commonest), (0.0, 1.0)
    table = frame.pivot_table(index="row", columns="column", values="third" if third else "share")
    rows, columns = _in_order(frame, "row", fields[0]), _in_order(frame, "column", fields[1])
    table = table.reindex(index=rows, columns=columns)
    counts = frame.pivot_table(index="row", columns="column", values="sales").reindex_like(table)
    if third is None or in_shares:
        title = f"{third.label}: share of “{commonest}”" if third else "Share of the row"
        bar, words = colour_scale(title, tickformat=".0%"), table.map("{:.0%}".format)
    else:
        title = f"{axis_title(third)}, the middle one"
        limits = colour_limits(frame["third"])
        bar, words = (
            field_colour_scale(third, contract, title),
            table.map(lambda value: _words(third, value)),
        )
    drawn = figure(rows=len(table) + 8)
    drawn.add_heatmap(
        z=table.to_numpy(),
        x=[wrap_label(name, 16) for name in table.columns],
        y=[wrap_label(name) for name in table.index],
        customdata=counts.to_numpy(),
        text=words.to_numpy(),
        zmin=limits[0],
        zmax=limits[1],
        xgap=2,
        ygap=2,
        hoverongaps=False,
        texttemplate="%{text}" if in_shares and len(table.columns) <= 6 else None,
        hovertemplate=f"%{{y}}, %{{x}}<br>%{{customdata:,}} sales<br>{title}: %{{text}}"
        "<extra></extra>",
        colorbar=bar,
    )
    drawn.update_xaxes(title_text=fields[1].label, type="category", showgrid=False)
    drawn.update_yaxes(
        title_text=fields[0].label, type="category", autorange="reversed", showgrid=False
    )
    return drawn


def _in_order(frame: pd.DataFrame, name: str, field: Field) -> list[str]:
    """The levels that occur: in their own order, or, where they have none, the commonest first."""
    sales = frame.groupby(name)["sales"].sum().sort_values(ascending=False, kind="stable")
    if field.kind == "nominal":
        return list(sales.index)
    return [label for label in field.labels if label in sales.index]


def _words(field: Field, value: float) -> str:
    return field.format(value if math.isnan(value) else round(value))
