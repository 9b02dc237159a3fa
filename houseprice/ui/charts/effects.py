"""The chart of what changing one fact does over the market, and where the sales lie."""

from __future__ import annotations

from typing import NamedTuple

import pandas as pd
import plotly.graph_objects as go

from houseprice.market.contract import Contract
from houseprice.market.fields import Field
from houseprice.ui.charts.grammar import (
    BAND,
    FAINT,
    axis_title,
    figure,
    money_axis,
    money_hover,
    number_axis,
    wrapped,
)

__all__ = ["Mark", "effect"]

_EDGE = {"mode": "lines", "line": {"width": 0}, "hoverinfo": "skip", "showlegend": False}
_BAND_NAME = "Middle 80 % of homes"
_SINGLE_NAME = "Single homes"


class Mark(NamedTuple):
    """A house on an effect curve: its clean value of the fact, that in words, and its price."""

    value: float
    label: str
    price: float


def effect(
    frame: pd.DataFrame, field: Field, contract: Contract, mark: Mark | None = None
) -> go.Figure:
    """The average value along a field, with the middle 80 % of homes and where the sales lie.

    Parameters
    ----------
    frame : DataFrame
        value, label, price, low and high, and each where the backend gives it
        (``Backend.effect``), with sales: how many are nearest to the value.
    field : Field
    contract : Contract
    mark : Mark, optional
        A house to be found on it.
    """
    if field.levels:
        return _over_levels(frame, field, contract, mark)
    drawn = figure(480)
    hover = f"%{{customdata}}<br>{money_hover(contract, 'y')}<extra></extra>"
    eighty = _middle_eighty(contract)
    drawn.add_scatter(
        x=frame["value"],
        y=frame["price"],
        mode="lines+markers" if len(frame) <= 12 else "lines",
        line={"width": 4},
        name="Average value",
        customdata=frame[["label", "low", "high"]],
        hovertemplate=f"%{{customdata[0]}}<br>{money_hover(contract, 'y')} on average<br>{eighty}"
        "<extra></extra>",
        zorder=2,
    )
    if mark is not None:
        _mark(drawn, [mark.value], [mark.price], mark.label, hover)
    drawn.add_scatter(x=frame["value"], y=frame["low"], **_EDGE)
    filled = {**_EDGE, "showlegend": True, "fill": "tonexty", "fillcolor": BAND}
    drawn.add_scatter(x=frame["value"], y=frame["high"], name=_BAND_NAME, **filled)
    if "each" in frame:
        x, y = _one_after_another(frame, frame["value"])
        drawn.add_scatter(x=x, y=y, mode="lines", zorder=1, **_SINGLE)
    drawn.add_bar(
        x=frame["value"],
        y=frame["sales"],
        yaxis="y2",
        marker={"color": FAINT},
        showlegend=False,
        customdata=frame["label"],
        hovertemplate="%{y:,} sales near %{customdata}<extra></extra>",
    )
    drawn.update_layout(showlegend=True, bargap=0.05)
    drawn.update_xaxes(title_text=axis_title(field), anchor="y2", **number_axis(field))
    drawn.update_yaxes(title_text=_title(contract), rangemode="tozero", **money_axis(contract))
    drawn.update_yaxes(domain=[0.24, 1])
    below = {"domain": [0, 0.16], "nticks": 3, "zeroline": False, "automargin": True}
    drawn.update_layout(yaxis2={**below, "title": {"text": "Sales"}, "rangemode": "tozero"})
    return drawn


_SINGLE = {
    "name": _SINGLE_NAME,
    "line": {"width": 1, "color": FAINT},
    "marker": {"size": 4, "color": FAINT},
    "hoverinfo": "skip",
}


def _over_levels(
    frame: pd.DataFrame, field: Field, contract: Contract, mark: Mark | None
) -> go.Figure:
    drawn = figure(rows=len(frame) + 3)
    names = pd.Series(
        [wrapped(f"{row.label} ({row.sales:,})") for row in frame.itertuples()], dtype="str"
    )
    hover = f"%{{customdata}}<br>{money_hover(contract, 'x')}<extra></extra>"
    drawn.add_scatter(
        x=frame["price"],
        y=names,
        error_x={
            "type": "data",
            "symmetric": False,
            "array": frame["high"] - frame["price"],
            "arrayminus": frame["price"] - frame["low"],
            "thickness": 4,
            "width": 0,
            "color": FAINT,
        },
        mode="markers",
        marker={"size": 11},
        name=f"Average value; line: {_BAND_NAME.lower()}",
        customdata=frame[["label", "low", "high"]],
        hovertemplate=f"%{{customdata[0]}}<br>{money_hover(contract, 'x')} on average<br>"
        f"{_middle_eighty(contract)}<extra></extra>",
        zorder=2,
    )
    if mark is not None:  # the second trace, in the second colour
        own = names[(frame["value"] == mark.value).to_numpy()]
        _mark(drawn, [mark.price] * len(own), own, mark.label, hover)
    if "each" in frame:
        y, x = _one_after_another(frame, names)
        mode = "markers" if field.kind == "nominal" else "lines"
        drawn.add_scatter(x=x, y=y, mode=mode, zorder=1, **_SINGLE)
    drawn.update_layout(showlegend=True)
    drawn.update_xaxes(title_text=_title(contract), **money_axis(contract))
    drawn.update_yaxes(
        title_text=f"{field.label} (sales)",
        type="category",
        categoryorder="array",
        categoryarray=names,
    )
    return drawn


def _mark(drawn: go.Figure, x: object, y: object, label: str, hover: str) -> None:
    drawn.add_scatter(
        x=x,
        y=y,
        mode="markers",
        marker={"size": 15, "symbol": "diamond"},
        name="The house last valued",
        customdata=[label],
        hovertemplate=f"The house last valued: {hover}",
        zorder=3,
    )


def _one_after_another(
    frame: pd.DataFrame, along: pd.Series
) -> tuple[list[object], list[float | None]]:
    """The lines of single homes as one trace: a gap where one ends and the next begins."""
    prices = frame["each"].tolist()
    places: list[object] = []
    amounts: list[float | None] = []
    for house in range(len(prices[0])):
        places += [*along, None]
        amounts += [*(at[house] for at in prices), None]
    return places, amounts


def _middle_eighty(contract: Contract) -> str:
    low, high = (money_hover(contract, f"customdata[{place}]") for place in (1, 2))
    return f"Middle 80 %: {low} to {high}"


def _title(contract: Contract) -> str:
    return f"Average value ({contract.market.price.currency})"
