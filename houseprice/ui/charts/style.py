"""The grammar that all charts share: what they look like, and how money stands on an axis.

Every chart of this wing is a function from the frame that the page also offers for download to a
figure. No colour is named: the theme's palettes, light and dark, come in the order of the traces.
What must look the same in both (bands, reference lines) is a translucent grey.

Scales that charts of any fields share: an axis of numbers or money, a bar of colours.
"""

from __future__ import annotations

import textwrap
from collections.abc import Mapping

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from houseprice.market.contract import Contract
from houseprice.market.fields import Field

__all__ = [
    "BAND",
    "FAINT",
    "MIN_SALES",
    "REFERENCE_LINE",
    "add_level_boxes",
    "add_sale_dots",
    "axis_title",
    "colour_limits",
    "colour_scale",
    "error_bars",
    "extremes",
    "field_colour_scale",
    "figure",
    "interquartile_band",
    "labels_with_counts",
    "money_axis",
    "money_hover",
    "number_axis",
    "price_title",
    "value_axis",
    "wrap_label",
]

BAND = "rgba(128, 134, 131, 0.20)"
FAINT = "rgba(128, 134, 131, 0.55)"
REFERENCE_LINE = {"dash": "dot", "width": 2, "color": FAINT}
ROW_HEIGHT = 26
MIN_SALES = 10
"""Groups of fewer sales are not reported as the highest or lowest."""


def figure(height: int = 420, rows: int = 0) -> go.Figure:
    """An empty figure in the app's manner.

    Parameters
    ----------
    height : int
        In pixels.
    rows : int
        For charts that list things one under another: their number, which then sets the height.
    """
    drawn = go.Figure()
    drawn.update_layout(
        height=max(220, 90 + ROW_HEIGHT * rows) if rows else height,
        margin={"l": 8, "r": 12, "t": 28, "b": 8},
        showlegend=False,
        # A finger that scrolls the page must not zoom the chart; the chart's own buttons do.
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
    told = {"size": 13}
    axis = {"automargin": True, "zeroline": False, "tickfont": told}
    drawn.update_xaxes(title={"standoff": 12, "font": told}, showgrid=bool(rows), **axis)
    drawn.update_yaxes(title={"standoff": 16, "font": told}, **axis)
    return drawn


def money_axis(contract: Contract) -> dict[str, object]:
    """The settings of an axis that holds money: "$100k"."""
    symbol = contract.market.price.symbol
    return {"tickprefix": symbol, "tickformat": "~s", "nticks": 9, "tickangle": 0}


def money_hover(contract: Contract, what: str) -> str:
    """A piece of a hover text: an amount, where `what` names it ("y", "customdata[1]")."""
    return f"{contract.market.price.symbol}%{{{what}:,.0f}}"


def number_axis(field: Field) -> dict[str, object]:
    """The settings of an axis that holds the numbers of a field."""
    if field.kind == "year":
        return {"tickformat": "d"}
    return {"tickformat": "d" if field.kind == "count" else ",~f"}


def axis_title(field: Field) -> str:
    """The name of a field with its unit: "Living area above ground (sq ft)"."""
    return f"{field.label} ({field.unit})" if field.unit else field.label


def price_title(contract: Contract) -> str:
    """The name of the price with its currency: "Sale price (USD)"."""
    price = contract.market.price
    return f"{price.label} ({price.currency})"


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
    edge = {"mode": "lines", "line": {"width": 0}, "hoverinfo": "skip"}
    drawn.add_scatter(x=x, y=frame["lower_quarter"], showlegend=False, **edge)
    drawn.add_scatter(
        x=x,
        y=frame["upper_quarter"],
        fill="tonexty",
        fillcolor=BAND,
        name=name,
        **edge,
    )


def error_bars(middle: pd.Series | float, low: pd.Series, high: pd.Series) -> dict[str, object]:
    """The settings of the bars from `low` to `high` over dots at `middle`."""
    return {
        "type": "data",
        "symmetric": False,
        "array": high - middle,
        "arrayminus": middle - low,
        "thickness": 4,
        "width": 0,
        "color": FAINT,
    }


def add_sale_dots(drawn: go.Figure, points: pd.DataFrame, hover: str) -> None:
    """Draw a dot a sale, many enough to overlap.

    ``points`` are those of the market's profile; each dot carries the id and place of its sale.
    """
    drawn.add_scatter(
        x=points["value"],
        y=points["price"],
        customdata=points[["id", "location"]],
        mode="markers",
        marker={"size": 5, "opacity": 0.4},
        name="A sale",
        hovertemplate=f"{hover}<extra></extra>",
    )


def add_level_boxes(drawn: go.Figure, frame: pd.DataFrame) -> list[str]:
    """Draw a box a level, over its middle half and its middle 80 %; give the names on the axis.

    ``frame`` is ``by_level`` of the market's profile.
    """
    names = labels_with_counts(frame["level"], frame["sales"])
    drawn.add_box(
        y=names,
        q1=frame["lower_quarter"],
        median=frame["median"],
        q3=frame["upper_quarter"],
        lowerfence=frame["lowest_tenth"],
        upperfence=frame["highest_tenth"],
        orientation="h",
        hoverinfo="x",
    )
    return names


def labels_with_counts(names: pd.Series, sales: pd.Series) -> list[str]:
    """Names for an axis, each with its number of sales."""
    return [wrap_label(f"{name} ({number:,})") for name, number in zip(names, sales, strict=True)]


def wrap_label(label: str, width: int = 26) -> str:
    """Break a long label into lines, so that it leaves room for the chart on a phone."""
    return "<br>".join(textwrap.wrap(label, width))


def value_axis(field: Field, contract: Contract) -> dict[str, object]:
    """The settings of an axis that holds a number, or the price."""
    if field.column == contract.market.price.column:
        return {"title_text": axis_title(field), "rangemode": "tozero", **money_axis(contract)}
    return {"title_text": axis_title(field), **number_axis(field)}


def colour_scale(title: str, **more: object) -> dict[str, object]:
    """The settings of a scale of colours: above the chart, where a phone has room for it."""
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
    """The scale of colours of a field: money as money, ordered levels by their names."""
    title = title or axis_title(third)
    if third.levels:
        places = list(range(len(third.levels)))
        names = [wrap_label(label, 12) for label in third.labels]
        return colour_scale(title, tickvals=places, ticktext=names, tickangle=0)
    axis = value_axis(third, contract)
    told = {name: axis[name] for name in ("tickprefix", "tickformat") if name in axis}
    return colour_scale(title, **told)


def colour_limits(values: pd.Series) -> tuple[float, float]:
    """Where the colours end: a few giants must not leave all others pale."""
    known = values.dropna()
    if known.empty:
        return 0.0, 1.0
    low, high = (float(known.quantile(share)) for share in (0.02, 0.98))
    return low, high if high > low else low + 1


def extremes(frame: pd.DataFrame, column: str) -> tuple[pd.Series, pd.Series]:
    """Return the rows with the lowest and the highest value of a column."""
    values = frame[column].to_numpy(np.float64)
    return frame.iloc[int(np.argmin(values))], frame.iloc[int(np.argmax(values))]
