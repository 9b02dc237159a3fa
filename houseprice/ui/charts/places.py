"""Charts of locations: prices side by side, and a map that needs no network."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import NamedTuple

import pandas as pd
import plotly.graph_objects as go

from houseprice.formatting import plural, round_down
from houseprice.market.contract import Contract
from houseprice.market.fields import Field
from houseprice.ui.charts.panel import Chart
from houseprice.ui.charts.prices import MIN_CHANGE
from houseprice.ui.charts.style import (
    FAINT,
    MIN_SALES,
    axis_title,
    colour_scale,
    error_bars,
    extremes,
    figure,
    labels_with_counts,
    largest_levels,
    money_axis,
    money_hover,
    price_axis,
    price_text,
)
from houseprice.ui.charts.two_fields import point_colours, points_figure

PIXELS_PER_SPAN = 275
"""Distance of the outermost locations on a phone: labels that fit there fit everywhere."""
EDGE = 44
"""Pixels beyond the outermost locations that a label may use."""
CHARACTER, LINE = 6.3, 14.0
"""Pixels of a character and of a line of a label."""


class _Box(NamedTuple):
    left: float
    right: float
    low: float
    high: float

    def overlaps(self, other: _Box) -> bool:
        return (
            self.left < other.right
            and other.left < self.right
            and self.low < other.high
            and other.low < self.high
        )


def label_positions(
    frame: pd.DataFrame, diameter: pd.Series, span: float | None = None
) -> pd.DataFrame:
    """Find a side of each bubble for its label, without overlap; the first rows choose first.

    ``frame`` has level, east and north, ``diameter`` is in pixels, and ``span`` is the width of the
    map on a phone, by default that of the frame. Returns text ("" where there is no room) and
    position, as Plotly names it.
    """
    span = span or max(float(frame["east"].max() - frame["east"].min()), 1e-9)
    scale = PIXELS_PER_SPAN / span
    x, y = scale * (frame["east"] - frame["east"].min()), scale * frame["north"]
    taken = [
        _Box(*(at - r, at + r), *(up - r, up + r))
        for at, up, r in zip(x, y, diameter / 2, strict=True)
    ]
    rows = []
    for name, at, up, radius in zip(frame["level"], x, y, diameter / 2, strict=True):
        free = next(
            (
                (side, box)
                for side, box in _sides(str(name), at, up, radius)
                if box.left >= -EDGE
                and box.right <= PIXELS_PER_SPAN + EDGE
                and not any(box.overlaps(other) for other in taken)
            ),
            None,
        )
        if free is None:
            rows.append(("", "middle right"))
        else:
            rows.append((str(name), free[0]))
            taken.append(free[1])
    return pd.DataFrame(rows, columns=["text", "position"], index=frame.index)


def _sides(name: str, x: float, y: float, radius: float) -> list[tuple[str, _Box]]:
    width, half = CHARACTER * len(name), LINE / 2
    gap, above = radius + 3, radius + 1
    return [
        ("middle right", _Box(x + gap, x + gap + width, y - half, y + half)),
        ("middle left", _Box(x - gap - width, x - gap, y - half, y + half)),
        ("top center", _Box(x - width / 2, x + width / 2, y + above, y + above + LINE)),
        ("bottom center", _Box(x - width / 2, x + width / 2, y - above - LINE, y - above)),
    ]


_MAX_BUBBLES = 300
"""More locations than this have no room on a map."""
LARGEST = 46
"""Diameter in pixels of the bubble with the most sales."""
KM_PER_MILE = 1.609344
MAP_HEIGHT = 640
PICK_HEIGHT = 460
WIDEST = 1.7
"""How many times wider than the smallest screen the widest is."""
GROUND = "rgba(128, 134, 131, 0.08)"
HOUSE_COLOUR = "#c25e2e"


def location_prices_chart(frame: pd.DataFrame, contract: Contract) -> Chart:
    """The median price and the middle half of prices by location (``price_by_location``)."""
    shown, note = largest_levels(frame, "locations")
    drawn = figure(rows=len(shown) + 1)
    drawn.add_scatter(
        x=shown["median"],
        y=labels_with_counts(shown["level"], shown["sales"]),
        customdata=shown[["level", "lower_quarter", "upper_quarter"]],
        error_x=error_bars(shown["median"], shown["lower_quarter"], shown["upper_quarter"]),
        mode="markers",
        marker={"size": 11},
        hovertemplate=f"<b>%{{customdata[0]}}</b><br>Median price {money_hover(contract, 'x')}"
        f"<br>Middle half from {money_hover(contract, 'customdata[1]')}"
        f" to {money_hover(contract, 'customdata[2]')}<extra></extra>",
    )
    # The chart takes half of the page: fewer ticks than elsewhere.
    drawn.update_xaxes(**price_axis(contract) | {"nticks": 5})
    drawn.update_yaxes(type="category", showgrid=True)
    # The median price per area is that of the whole homes, which the map shows.
    data = frame.drop(columns="median_per_area")
    caption = _prices_caption(frame, contract) + note
    return Chart(drawn, data, caption, _headers(contract))


def _headers(contract: Contract) -> dict[str, str]:
    location = contract.field_of("location")
    return {"level": location.label} if location else {}


def _prices_caption(frame: pd.DataFrame, contract: Contract) -> str:
    if len(frame) < 2:
        only = frame.iloc[0]
        price = price_text(only["median"], contract)
        return f"All of these sales are in {only['level']}; the median price is {price}."
    large = frame[frame["sales"] >= MIN_SALES]
    if len(large) < 2:
        return f"Too few locations have {MIN_SALES} sales or more to compare their prices."
    low, high = extremes(large, "median")
    n_small = len(frame) - len(large)
    note = (
        f" {plural(n_small, 'location')} with fewer than {MIN_SALES} sales "
        f"{'is' if n_small == 1 else 'are'} not compared."
    )
    return (
        f"Median prices range from {price_text(low['median'], contract)} in {low['level']} to "
        f"{price_text(high['median'], contract)} in {high['level']}, "
        f"{high['median'] / low['median']:.1f} times as much.{note if n_small else ''}"
    )


def location_map_chart(frame: pd.DataFrame, contract: Contract) -> Chart:
    """A bubble per location, larger for more sales (``location_map``); both axes have one scale.

    The colour is the median price per area, or the median price without areas.
    """
    drawn = figure(MAP_HEIGHT)
    per_area = contract.field_of("area") is not None
    column = "median_per_area" if per_area else "median"
    title = f"Median price{_per_area(contract)}"
    data = frame if per_area else frame.drop(columns="median_per_area")
    frame = frame.sort_values("sales", ascending=False, ignore_index=True).head(_MAX_BUBBLES)
    diameter = LARGEST * (frame["sales"] / frame["sales"].max()) ** 0.5
    labels = label_positions(frame, diameter)
    drawn.add_scatter(
        x=frame["east"],
        y=frame["north"],
        customdata=frame[["level", "sales", "median", column]],
        mode="markers+text",
        text=labels["text"],
        textposition=labels["position"],
        textfont={"size": 12},
        cliponaxis=False,
        marker={
            "size": diameter,
            "sizemin": 5,
            "opacity": 1,
            "color": frame[column],
            "line": {"width": 1.5, "color": FAINT},
            "colorbar": colour_scale(
                title,
                x=0.5,
                xanchor="center",
                y=-0.02,
                yanchor="top",
                thickness=12,
                len=0.7,
                tickprefix=contract.market.price.symbol,
            ),
        },
        hovertemplate=f"<b>%{{customdata[0]}}</b><br>{title} "
        f"{money_hover(contract, 'customdata[3]')}<br>Median price "
        f"{money_hover(contract, 'customdata[2]')}<br>%{{customdata[1]:,}} sales<extra></extra>",
    )
    bare = {"visible": False, "showgrid": False}
    east, north = _limits(frame["east"]), _limits(frame["north"])
    drawn.update_xaxes(range=east, constrain="domain", **bare)
    drawn.update_yaxes(range=north, scaleanchor="x", scaleratio=1, constrain="domain", **bare)
    _add_scale(drawn, east, north[0])
    drawn.add_annotation(
        x=1, y=1, xref="paper", yref="paper", text="<b>N</b><br>↑", showarrow=False, align="center"
    )
    data = data.drop(columns=["east", "north"])
    return Chart(drawn, data, _map_caption(frame, column, contract), _headers(contract))


def sales_map_chart(
    points: pd.DataFrame,
    sample: pd.DataFrame,
    fields: tuple[Field, Field],
    price: Field,
    centres: pd.DataFrame,
    contract: Contract,
) -> Chart:
    """A sample of the sales at their coordinates, coloured by price (``pair_points``).

    ``centres`` are ``location_centres`` in the coordinates.
    """
    drawn = points_figure(sample, fields, price, contract)
    in_degrees = fields[1].column == contract.market.roles.latitude
    middle = math.radians(float(points["other"].median())) if in_degrees else 0.0
    drawn.update_layout(height=MAP_HEIGHT)
    drawn.update_xaxes(visible=False, constrain="domain")
    drawn.update_yaxes(
        visible=False, scaleanchor="x", scaleratio=1 / math.cos(middle), constrain="domain"
    )
    _add_names(drawn, centres, float(points["one"].max() - points["one"].min()))
    east, north = (points[name] - points[name].median() for name in ("one", "other"))
    sides = _split(points.assign(east=east, north=north))
    medians = {side: float(part["third"].median()) for side, part in sides.items() if len(part)}
    headers = {"one": axis_title(fields[0]), "other": axis_title(fields[1]), "third": price.label}
    return Chart(drawn, points, _side_caption(medians, "", contract), headers)


class View(NamedTuple):
    """The part of a map that any screen shows: its centre and its size, in km."""

    east: float
    north: float
    width: float
    height: float

    def contains(self, points: pd.DataFrame) -> pd.Series:
        """Whether each point (``east``, ``north``) is shown on some screen."""
        reach = 0.5 * WIDEST * max(self.width, self.height)
        is_inside = (points["east"] - self.east).abs() <= reach
        return is_inside & ((points["north"] - self.north).abs() <= reach)


def pick_map(
    points: pd.DataFrame,
    centres: pd.DataFrame,
    house: tuple[float, float] | None,
    view: View,
    per: str,
    contract: Contract,
) -> go.Figure:
    """A map to pick a place on: sales by price, the names of locations, and the house.

    ``points`` are ``sale_positions`` with prices ``per`` unit of area, ``centres`` are
    ``location_centres``, both inside the view. The axes are km.
    """
    drawn = figure(PICK_HEIGHT)
    axis = money_axis(contract)
    ticks = {name: axis[name] for name in ("tickprefix", "exponentformat", "separatethousands")}
    drawn.add_scatter(
        x=points["east"],
        y=points["north"],
        customdata=[price_text(price, contract) for price in points["price"]],
        mode="markers",
        marker={
            "size": 7,
            "opacity": 0.7,
            **point_colours(points["price"]),
            "colorbar": colour_scale(f"{contract.market.price.label}{per}", **ticks),
        },
        hovertemplate="A sale: %{customdata}<extra></extra>",
    )
    _add_names(drawn, centres, view.width)
    if house is not None:
        marker = {"size": 16, "symbol": "circle", "color": HOUSE_COLOUR}
        drawn.add_scatter(
            x=[house[0]],
            y=[house[1]],
            mode="markers",
            marker={**marker, "line": {"width": 3, "color": "white"}},
            hovertemplate="This house<extra></extra>",
        )
    limits = [view.east - 0.5 * view.width, view.east + 0.5 * view.width]
    bare = {"visible": False, "showgrid": False, "fixedrange": True}
    drawn.update_xaxes(range=limits, **bare)
    low, high = view.north - 0.5 * view.height, view.north + 0.5 * view.height
    drawn.update_yaxes(range=[low, high], scaleanchor="x", scaleratio=1, **bare)
    drawn.update_layout(plot_bgcolor=GROUND)
    _add_scale(drawn, limits, low + 0.02 * view.height)
    return drawn


def _add_names(drawn: go.Figure, centres: pd.DataFrame, span: float) -> None:
    """Write the names of locations at their centres (``location_centres``), where there is room."""
    labels = label_positions(centres, pd.Series(0.0, index=centres.index), span)
    drawn.add_scatter(
        x=centres["east"],
        y=centres["north"],
        text=labels["text"],
        textposition=labels["position"],
        mode="text",
        textfont={"size": 13, "weight": 600, "shadow": "auto"},
        hoverinfo="skip",
        showlegend=False,
    )


def _per_area(contract: Contract) -> str:
    area = contract.field_of("area")
    return f" per {area.unit or 'unit of area'}" if area else ""


def _map_caption(frame: pd.DataFrame, column: str, contract: Contract) -> str:
    large = frame[frame["sales"] >= MIN_SALES]
    if len(large) < 4:
        return "Each circle is a location: larger for more sales, coloured by its price."
    prices = {}
    for side, part in _split(large).items():
        if len(part) > 1:  # the median of all sales, each at the median of its location
            ordered = part.sort_values(column)
            is_above = ordered["sales"].cumsum() >= ordered["sales"].sum() / 2
            prices[side] = float(ordered.loc[is_above, column].iloc[0])
    return _side_caption(prices, _per_area(contract), contract)


def _split(frame: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """Return the rows on each side of the market, whose centre is 0."""
    east, north = frame["east"], frame["north"]
    sides = {"north": north > 0, "south": north < 0, "east": east > 0, "west": east < 0}
    return {side: frame[is_there] for side, is_there in sides.items()}


def _side_caption(prices: Mapping[str, float], unit: str, contract: Contract) -> str:
    """Compare the median price of the most expensive side of the market with the other side."""
    if not prices:
        return "All of these sales are at the same place."
    side = max(prices, key=lambda name: prices[name])
    other = {"north": "south", "south": "north", "east": "west", "west": "east"}[side]
    if other not in prices or prices[side] / prices[other] - 1 < MIN_CHANGE:
        return f"No side of the market is much more expensive{unit and ' per area'} than the other."
    high, low = (price_text(prices[name], contract) for name in (side, other))
    return (
        f"The {side} is the most expensive side: the median price is about {high}{unit}, and "
        f"{low} in the {other}."
    )


def _limits(values: pd.Series) -> list[float]:
    """The limits of an axis, with room for bubbles and labels."""
    low, high = float(values.min()), float(values.max())
    margin = 0.12 * max(high - low, 1.0)
    return [low - margin, high + margin]


def _add_scale(drawn: go.Figure, east: list[float], y: float) -> None:
    """Draw a scale bar in kilometres and one in miles."""
    start, height = east[0], (east[1] - east[0]) / 90
    for number, (name, unit) in enumerate((("km", 1.0), ("mi", KM_PER_MILE))):
        length = round_down((east[1] - east[0]) / 4 / unit)
        level = y + height * (1 + 4 * number)
        end = start + length * unit
        tick = f"{level - height / 2} V {level + height / 2}"
        drawn.add_shape(
            type="path",
            path=f"M {start},{tick} M {start},{level} H {end} M {end},{tick}",
            line={"color": FAINT, "width": 2},
        )
        drawn.add_annotation(
            x=end,
            y=level,
            text=f"{length:g} {name}",
            showarrow=False,
            xanchor="left",
            xshift=4,
            font={"size": 11},
        )
