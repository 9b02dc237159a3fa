"""Charts of places: prices side by side, and a map that needs no network."""

from __future__ import annotations

import math
from collections.abc import Iterator

import pandas as pd
import plotly.graph_objects as go

from houseprice.market.contract import Contract
from houseprice.ui.charts.grammar import (
    FAINT,
    counted,
    figure,
    money_axis,
    money_hover,
    price_title,
    span,
)
from houseprice.ui.charts.labels import label_places

__all__ = ["place_dots", "place_map"]

LARGEST = 46
"""Pixels across the bubble of the place with the most sales."""
KM_PER_MILE = 1.609344
MAP_HEIGHT = 640


def place_dots(frame: pd.DataFrame, contract: Contract) -> go.Figure:
    """A dot a place at its middle price, and a bar over the middle half (``by_location``).

    Each dot carries its place.
    """
    drawn = figure(rows=len(frame) + 1)
    drawn.add_scatter(
        x=frame["median"],
        y=counted(frame["level"], frame["sales"]),
        customdata=frame[["level", "lower_quarter", "upper_quarter"]],
        error_x=span(frame["median"], frame["lower_quarter"], frame["upper_quarter"]),
        mode="markers",
        marker={"size": 11},
        hovertemplate=f"<b>%{{customdata[0]}}</b><br>Middle price {money_hover(contract, 'x')}"
        f"<br>Half between {money_hover(contract, 'customdata[1]')}"
        f" and {money_hover(contract, 'customdata[2]')}<extra></extra>",
    )
    # It stands in half of the page: fewer marks than elsewhere.
    money = money_axis(contract) | {"nticks": 5}
    drawn.update_xaxes(title_text=price_title(contract), rangemode="tozero", **money)
    # The dearest stands on top, where a reader starts.
    drawn.update_yaxes(type="category", showgrid=True)
    return drawn


def place_map(frame: pd.DataFrame, contract: Contract) -> go.Figure:
    """A bubble a place where it lies (``lie_of_places``): larger with more sales.

    East and north are to one scale. Each bubble carries its place; a label stands where it hides
    nothing.
    """
    drawn = figure(MAP_HEIGHT)
    unit = contract.fields[contract.market.roles.area].unit
    frame = frame.sort_values("sales", ascending=False, ignore_index=True)
    across = LARGEST * (frame["sales"] / frame["sales"].max()) ** 0.5
    labels = label_places(frame, across)
    drawn.add_scatter(
        x=frame["east"],
        y=frame["north"],
        customdata=frame[["level", "sales", "median", "median_per_area"]],
        mode="markers+text",
        text=labels["text"],
        textposition=labels["position"],
        textfont={"size": 12},
        cliponaxis=False,
        marker={
            "size": across,
            "sizemin": 5,
            "opacity": 1,
            "color": frame["median_per_area"],
            "line": {"width": 1.5, "color": FAINT},
            "colorbar": {
                "title": {"text": f"Middle price of one {unit}", "side": "top"},
                "orientation": "h",
                "y": -0.02,
                "yanchor": "top",
                "thickness": 12,
                "len": 0.7,
                "outlinewidth": 0,
                "tickprefix": contract.market.price.symbol,
            },
        },
        hovertemplate=f"<b>%{{customdata[0]}}</b><br>{money_hover(contract, 'customdata[3]')} for "
        f"one {unit}<br>Middle price {money_hover(contract, 'customdata[2]')}"
        "<br>%{customdata[1]:,} sales<extra></extra>",
    )
    bare = {"visible": False, "showgrid": False}
    east, north = _room(frame["east"]), _room(frame["north"])
    drawn.update_xaxes(range=east, constrain="domain", **bare)
    drawn.update_yaxes(range=north, scaleanchor="x", scaleratio=1, constrain="domain", **bare)
    _scale(drawn, east, north[0])
    drawn.add_annotation(
        x=1, y=1, xref="paper", yref="paper", text="<b>N</b><br>↑", showarrow=False, align="center"
    )
    return drawn


def _room(values: pd.Series) -> list[float]:
    """The span of an axis: that of the places, with room for bubbles and labels."""
    low, high = float(values.min()), float(values.max())
    room = 0.12 * max(high - low, 1.0)
    return [low - room, high + room]


def _scale(drawn: go.Figure, east: list[float], y: float) -> None:
    """Draw a length of a round number of km, and one of miles."""
    at = east[0]
    height = (east[1] - east[0]) / 90
    for number, (name, unit) in enumerate((("km", 1.0), ("mi", KM_PER_MILE))):
        length = _round_down((east[1] - east[0]) / 4 / unit)
        level = y + height * (1 + 4 * number)
        for x0, y0, x1, y1 in _ruler(at, level, length * unit, height):
            drawn.add_shape(
                type="line", x0=x0, y0=y0, x1=x1, y1=y1, line={"color": FAINT, "width": 2}
            )
        drawn.add_annotation(
            x=at + length * unit,
            y=level,
            text=f"{length:g} {name}",
            showarrow=False,
            xanchor="left",
            xshift=4,
            font={"size": 11},
        )


def _ruler(
    x: float, y: float, length: float, height: float
) -> Iterator[tuple[float, float, float, float]]:
    yield x, y, x + length, y
    for end in (x, x + length):
        yield end, y - height / 2, end, y + height / 2


def _round_down(length: float) -> float:
    """The largest of 1, 2, 5 times a power of ten that is not above `length`."""
    power = 10.0 ** math.floor(math.log10(length))
    return float(max(step * power for step in (1, 2, 5) if step * power <= length * (1 + 1e-9)))
