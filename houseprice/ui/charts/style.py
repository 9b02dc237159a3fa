"""What all charts share: layout, axes of money and numbers, colour scales, common traces.

Charts name no colours: traces get the colours of the theme, light or dark, in their order. What is
the same in both themes (bands, reference lines) is a translucent grey.
"""

from __future__ import annotations

import math
import textwrap
from collections.abc import Iterable, Mapping

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from numpy.typing import ArrayLike

from houseprice.formatting import display_step, rounding_step
from houseprice.market.contract import Contract
from houseprice.market.dates import date_of
from houseprice.market.fields import Field

BAND = "rgba(128, 134, 131, 0.20)"
FAINT = "rgba(128, 134, 131, 0.55)"
REFERENCE_LINE = {"dash": "dot", "width": 2, "color": FAINT}
ROW_HEIGHT = 26
MIN_SALES = 10
"""Groups of fewer sales are not reported as the highest or lowest."""
MAX_LEVELS = 40
"""Levels that a chart has room for."""


def figure(height: int = 420, rows: int = 0, *, legend: bool = False) -> go.Figure:
    """Return an empty figure, ``height`` pixels high or as high as a list of ``rows``."""
    drawn = go.Figure()
    drawn.update_layout(
        height=max(220, 90 + ROW_HEIGHT * rows) if rows else height,
        margin={"l": 8, "r": 12, "t": 28, "b": 8},
        showlegend=legend,
        # A swipe on a phone scrolls the page; the toolbar zooms the chart.
        dragmode=False,
        hoverlabel={"align": "left"},
        legend={
            "orientation": "h",
            "x": 0,
            "y": 1.02,
            "yanchor": "bottom",
            "title": {"text": ""},
            "traceorder": "normal",
        },
    )
    font = {"size": 13}
    axis = {"automargin": True, "zeroline": False, "tickfont": font}
    drawn.update_xaxes(title={"standoff": 12, "font": font}, showgrid=bool(rows), **axis)
    drawn.update_yaxes(title={"standoff": 16, "font": font}, **axis)
    return drawn


def money_axis(contract: Contract) -> dict[str, object]:
    """The settings of an axis of money: "$100k"."""
    price = contract.market.price
    return {
        "tickprefix": price.symbol,
        "exponentformat": "B",  # k, M and B, and no exponent of small amounts
        "separatethousands": True,
        "hoverformat": f",.{price.decimals}f",
        "nticks": 9,
        "tickangle": 0,
    }


def money_hover(contract: Contract, variable: str) -> str:
    """The template of an amount in a hover text, of a variable as "y" or "customdata[1]"."""
    price = contract.market.price
    return f"{price.symbol}%{{{variable}:,.{price.decimals}f}}"


def money_cells(contract: Contract) -> str:
    """The format of a column of amounts in a table."""
    price = contract.market.price
    return f"{price.symbol}%,.{price.decimals}f" if price.decimals else f"{price.symbol}%,d"


def rounded_amounts(valuations: pd.DataFrame) -> dict[str, pd.Series]:
    """Return value and range of each row, rounded to the precision that their spread warrants."""
    prices = valuations["predicted_price"].fillna(0.0)
    steps = np.array([display_step(*pair) for pair in zip(prices, valuations["fsd"], strict=True)])
    return {
        column: (valuations[column] / steps).round() * steps
        for column in ("predicted_price", "price_low", "price_high")
    }


def price_text(amount: float, contract: Contract) -> str:
    """Format a price to about three digits, whether of a house or of a square foot."""
    finest = 10.0**-contract.market.price.decimals
    return contract.money(amount, max(rounding_step(0.05 * amount), finest))


def price_axis(contract: Contract) -> dict[str, object]:
    """The settings of an axis of prices from zero, with its title."""
    return {"title_text": price_title(contract), "rangemode": "tozero", **money_axis(contract)}


def number_axis(field: Field) -> dict[str, object]:
    """The settings of an axis of a numeric field (:func:`axis_values`), with its title."""
    if field.kind == "date":
        return {"title_text": axis_title(field), "type": "date"}
    whole = field.kind in ("count", "year")
    return {"title_text": axis_title(field), "tickformat": "d" if whole else ",~f"}


def axis_values(values: pd.Series, field: Field) -> pd.Series:
    """Return clean values as an axis shows them: dates as days, other numbers as they are."""
    if field.kind != "date":
        return values
    days = [pd.NaT if np.isnan(value) else pd.Timestamp(date_of(value)) for value in values]
    return pd.Series(days, index=values.index, name=values.name, dtype="datetime64[s]")


def value_hover(field: Field, variable: str = "x") -> str:
    """The template of a value on the axis of a numeric field in a hover text."""
    if field.kind == "date":
        return f"%{{{variable}|%-d %B %Y}}"
    return f"%{{{variable}{'' if field.kind == 'year' else ':,'}}} {field.unit}".rstrip()


def typical_text(field: Field, value: float) -> str:
    """Format a computed value, such as a median, to three digits or the whole number."""
    if field.kind == "date" or math.isnan(value) or not value:
        return field.format(value)
    digits = max(0, 2 - math.floor(math.log10(abs(value)))) if field.kind == "number" else 0
    return field.format(round(value, digits))


def axis_title(field: Field) -> str:
    """The name of a field with its unit: "Living area above ground (sq ft)"."""
    return f"{field.label} ({field.unit})" if field.unit else field.label


def price_title(contract: Contract) -> str:
    """The name of the price with its currency: "Sale price (USD)"."""
    return money_title(contract.market.price.label, contract)


def money_title(text: str, contract: Contract) -> str:
    """A text with the currency of the market, if it has one: "Mean value (USD)"."""
    currency = contract.market.price.currency
    return f"{text} ({currency})" if currency else text


def interquartile_band(
    drawn: go.Figure,
    x: pd.Series,
    frame: pd.DataFrame,
    line: Mapping[str, object] | None = None,
    name: str = "Middle half of prices",
) -> None:
    """Draw the interquartile range as a grey band, and with ``line`` the median on it."""
    if line is not None:
        drawn.add_scatter(x=x, y=frame["median"], **{"mode": "lines", "line": {"width": 3}, **line})
    add_band(drawn, x, frame["lower_quarter"], frame["upper_quarter"], name)


def add_band(
    drawn: go.Figure, x: ArrayLike, low: ArrayLike, high: ArrayLike, name: str = ""
) -> None:
    """Fill the space between two lines with grey; without a name it is not in the legend."""
    edge = {"x": x, "mode": "lines", "line": {"width": 0}, "hoverinfo": "skip"}
    drawn.add_scatter(y=low, showlegend=False, **edge)
    drawn.add_scatter(
        y=high, fill="tonexty", fillcolor=BAND, name=name, showlegend=bool(name), **edge
    )


def error_bars(middle: pd.Series | float, low: pd.Series, high: pd.Series) -> dict[str, object]:
    """The settings of error bars from `low` to `high` around points at `middle`."""
    return {
        "type": "data",
        "symmetric": False,
        "array": high - middle,
        "arrayminus": middle - low,
        "thickness": 4,
        "width": 0,
        "color": FAINT,
    }


def points_with_trend(
    points: pd.DataFrame, trend: pd.DataFrame, field: Field, noun: str, amount: str
) -> go.Figure:
    """A point per sale along a numeric field, and the median of similar homes.

    The frames are ``price_points`` and ``price_trend``, of the price or another ``noun``, whose
    template in hover texts is ``amount``.
    """
    drawn = figure(460, legend=len(trend) > 1)
    at = value_hover(field)
    drawn.add_scatter(
        x=axis_values(points["value"], field),
        y=points["price"],
        customdata=points[["id"]].assign(name=sale_names(points)),
        mode="markers",
        marker={"size": 5, "opacity": 0.4},
        name="A sale",
        hovertemplate=f"%{{customdata[1]}}<br>{noun.capitalize()} {amount}<br>{at}<extra></extra>",
    )
    if len(trend) > 1:
        hover = f"Median {noun} {amount}<br>at {at}<extra></extra>"
        line = {"name": f"Median {noun} of similar homes", "hovertemplate": hover}
        along = axis_values(trend["value"], field)
        interquartile_band(drawn, along, trend, line, f"Middle half of {noun}s")
    drawn.update_xaxes(**number_axis(field))
    return drawn


def sale_names(frame: pd.DataFrame, place: str = "location", noun: str = "Sale") -> pd.Series:
    """Name each sale by its id and, if the market has locations, its location."""
    names = f"{noun} " + frame["id"].astype(str)
    return names + (", " + frame[place].astype(str)).where(frame[place] != "", "")


def largest_levels(frame: pd.DataFrame, noun: str = "levels") -> tuple[pd.DataFrame, str]:
    """Return the rows with the most sales, as many as a chart has room for, and a note on that."""
    if len(frame) <= MAX_LEVELS:
        return frame, ""
    note = (
        f" The chart shows the {MAX_LEVELS} {noun} with the most sales, of {len(frame):,}; the "
        "downloaded data has all."
    )
    return frame.loc[frame["sales"].nlargest(MAX_LEVELS).index.sort_values()], note


def level_boxes(
    frame: pd.DataFrame, field: Field, *, from_top: bool = False
) -> tuple[go.Figure, str]:
    """A box per level over its middle half and middle 80 % (``price_by_level``), and a note.

    The first level is at the bottom, or with ``from_top`` at the top.
    """
    shown, note = largest_levels(frame)
    drawn = figure(rows=len(shown) + 1)
    names = labels_with_counts(shown["level"], shown["sales"])
    add_boxes(drawn, shown, y=names, hoverinfo="x")
    order = category_axis(names[::-1] if from_top else names)
    drawn.update_yaxes(title_text=axis_title(field), **order)
    return drawn, note


def add_boxes(drawn: go.Figure, frame: pd.DataFrame, **trace: object) -> None:
    """Draw a box per row over the middle half and the middle 80 %."""
    ends = {"q1": "lower_quarter", "median": "median", "q3": "upper_quarter"}
    ends |= {"lowerfence": "lowest_tenth", "upperfence": "highest_tenth"}
    drawn.add_box(orientation="h", **{end: frame[name] for end, name in ends.items()}, **trace)


def add_sales_below(drawn: go.Figure, x: pd.Series, sales: pd.Series, names: pd.Series) -> None:
    """Draw the number of sales as bars below a chart, on the same axis."""
    drawn.add_bar(
        x=x,
        y=sales,
        yaxis="y2",
        customdata=names,
        marker={"color": FAINT, "line": {"width": 0}},
        showlegend=False,
        hovertemplate="<b>%{customdata}</b><br>%{y:,} sales<extra></extra>",
    )
    drawn.update_layout(
        yaxis={"domain": [0.32, 1]},
        yaxis2={"domain": [0, 0.22], "tickformat": ",d", "nticks": 4, "rangemode": "tozero"},
    )
    drawn.update_layout(yaxis2={"title": {"text": "Sales"}, "automargin": True, "zeroline": False})
    drawn.update_xaxes(anchor="y2")


def labels_with_counts(names: pd.Series, sales: pd.Series) -> list[str]:
    """Return names for an axis, each with its number of sales."""
    return [wrap_label(f"{name} ({number:,})") for name, number in zip(names, sales, strict=True)]


def wrap_label(label: str, width: int = 26) -> str:
    """Break a long label into lines, to leave room for the chart on a phone."""
    return "<br>".join(textwrap.wrap(label, width))


def category_axis(names: Iterable[str]) -> dict[str, object]:
    """The settings of an axis of names in this order, from the bottom or the left."""
    return {"type": "category", "categoryorder": "array", "categoryarray": list(names)}


def value_axis(field: Field, contract: Contract) -> dict[str, object]:
    """The settings of an axis of a numeric field, or of the price."""
    is_price = field.column == contract.market.price.column
    return price_axis(contract) if is_price else number_axis(field)


def colour_scale(title: str, **more: object) -> dict[str, object]:
    """The settings of a colour scale: above the chart, where a phone has room for it."""
    return {
        "title": {"text": title, "side": "top"},
        "orientation": "h",
        "x": 0,
        "xanchor": "left",
        "y": 1.02,
        "yanchor": "bottom",
        "len": 0.9,
        "thickness": 10,
        "outlinewidth": 0,
        **more,
    }


def field_colour_scale(third: Field, contract: Contract, title: str = "") -> dict[str, object]:
    """The settings of the colour scale of a field: money as money, levels by their labels."""
    title = title or axis_title(third)
    if third.levels:
        positions = list(range(len(third.levels)))
        names = [wrap_label(label, 12) for label in third.labels]
        return colour_scale(title, tickvals=positions, ticktext=names, tickangle=0)
    if third.kind == "date":
        days = np.linspace(*(third.range or (0.0, 1.0)), 5)
        return colour_scale(
            title, tickvals=days, ticktext=[f"{date_of(day):%b %Y}" for day in days]
        )
    axis = value_axis(third, contract)
    kept = ("tickprefix", "tickformat", "exponentformat", "separatethousands")
    return colour_scale(title, **{name: axis[name] for name in kept if name in axis})


def colour_limits(values: pd.Series) -> tuple[float, float]:
    """Return the ends of a colour scale, so that a few extremes do not leave all others pale."""
    known = values.dropna()
    if known.empty:
        return 0.0, 1.0
    low, high = (float(known.quantile(share)) for share in (0.02, 0.98))
    return low, high if high > low else low + 1


def extremes(frame: pd.DataFrame, column: str) -> tuple[pd.Series, pd.Series]:
    """Return the rows with the lowest and the highest value of a column."""
    values = frame[column].to_numpy(np.float64)
    return frame.iloc[int(np.argmin(values))], frame.iloc[int(np.argmax(values))]
