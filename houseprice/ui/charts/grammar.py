"""The grammar that all charts share: what they look like, and how money stands on an axis.

Every chart of this wing is a function from the frame that the page also offers for download to a
figure. No colour is named: the theme's palettes, light and dark, come in the order of the traces.
What must look the same in both (bands, reference lines) is a translucent grey.
"""

from __future__ import annotations

import textwrap
from collections.abc import Mapping

import pandas as pd
import plotly.graph_objects as go

from houseprice.market.contract import Contract
from houseprice.market.fields import Field

__all__ = [
    "BAND",
    "FAINT",
    "axis_title",
    "figure",
    "middle_half",
    "money_axis",
    "money_hover",
    "number_axis",
    "price_title",
    "wrapped",
]

BAND = "rgba(128, 134, 131, 0.20)"
FAINT = "rgba(128, 134, 131, 0.55)"
ROW_HEIGHT = 26


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


def middle_half(
    drawn: go.Figure, x: pd.Series, frame: pd.DataFrame, line: Mapping[str, object] | None = None
) -> None:
    """Draw the middle half of prices as a grey band, and first the middle price as a line.

    `line` holds its name, hover text and so on; without it there is only the band.
    """
    if line is not None:
        drawn.add_scatter(x=x, y=frame["median"], **{"mode": "lines", "line": {"width": 3}, **line})
    edge = {"mode": "lines", "line": {"width": 0}, "hoverinfo": "skip"}
    drawn.add_scatter(x=x, y=frame["lower_quarter"], showlegend=False, **edge)
    drawn.add_scatter(
        x=x,
        y=frame["upper_quarter"],
        fill="tonexty",
        fillcolor=BAND,
        name="Middle half of prices",
        **edge,
    )


def wrapped(label: str, width: int = 26) -> str:
    """Break a long label into lines, so that it leaves room for the chart on a phone."""
    return "<br>".join(textwrap.wrap(label, width))
