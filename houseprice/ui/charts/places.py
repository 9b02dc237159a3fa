"""Charts of places: prices side by side, and a map that needs no network.

Names on a map, where they hide nothing.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import NamedTuple

import pandas as pd
import plotly.graph_objects as go

from houseprice.market.contract import Contract
from houseprice.ui.charts.style import (
    FAINT,
    error_bars,
    figure,
    labels_with_counts,
    money_axis,
    money_hover,
    price_title,
)

__all__ = ["label_places", "place_dots", "place_map"]

PIXELS_PER_SPAN = 275
"""How far apart the outermost places are drawn on a phone: what fits there fits everywhere."""
EDGE = 44
"""Pixels beyond the outermost places that a name may take up."""
CHARACTER, LINE = 6.3, 14.0
"""Pixels of a character and of a line at the size of a label."""


class _Box(NamedTuple):
    left: float
    right: float
    low: float
    high: float

    def meets(self, other: _Box) -> bool:
        return (
            self.left < other.right
            and other.left < self.right
            and self.low < other.high
            and other.low < self.high
        )


def label_places(frame: pd.DataFrame, across: pd.Series) -> pd.DataFrame:
    """Find a side of each bubble for its name; those first in the frame choose first.

    Parameters
    ----------
    frame : DataFrame
        level, east, north; as drawn on a phone at the least.
    across : Series
        Pixels across each bubble.

    Returns
    -------
    DataFrame
        text (empty where there is no room) and position, as Plotly names it.
    """
    span = max(float(frame["east"].max() - frame["east"].min()), 1e-9)
    scale = PIXELS_PER_SPAN / span
    x, y = scale * (frame["east"] - frame["east"].min()), scale * frame["north"]
    taken = [
        _Box(*(at - r, at + r), *(up - r, up + r))
        for at, up, r in zip(x, y, across / 2, strict=True)
    ]
    rows = []
    for name, at, up, radius in zip(frame["level"], x, y, across / 2, strict=True):
        place = next(
            (
                (side, box)
                for side, box in _sides(str(name), at, up, radius)
                if box.left >= -EDGE
                and box.right <= PIXELS_PER_SPAN + EDGE
                and not any(box.meets(other) for other in taken)
            ),
            None,
        )
        if place is None:
            rows.append(("", "middle right"))
        else:
            rows.append((str(name), place[0]))
            taken.append(place[1])
    return pd.DataFrame(rows, columns=["text", "position"], index=frame.index)


def _sides(name: str, x: float, y: float, radius: float) -> list[tuple[str, _Box]]:
    width, half = CHARACTER * len(name), LINE / 2
    beside, above = radius + 3, radius + 1
    return [
        ("middle right", _Box(x + beside, x + beside + width, y - half, y + half)),
        ("middle left", _Box(x - beside - width, x - beside, y - half, y + half)),
        ("top center", _Box(x - width / 2, x + width / 2, y + above, y + above + LINE)),
        ("bottom center", _Box(x - width / 2, x + width / 2, y - above - LINE, y - above)),
    ]


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
        y=labels_with_counts(frame["level"], frame["sales"]),
        customdata=frame[["level", "lower_quarter", "upper_quarter"]],
        error_x=error_bars(frame["median"], frame["lower_quarter"], frame["upper_quarter"]),
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
