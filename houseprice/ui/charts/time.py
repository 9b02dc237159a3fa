"""Charts of prices along time: years that a field holds, and the time of sale."""

from __future__ import annotations

import pandas as pd
import plotly.graph_objects as go

from houseprice.market.contract import Contract
from houseprice.market.fields import Field
from houseprice.ui.charts.grammar import (
    FAINT,
    figure,
    middle_half,
    money_axis,
    money_hover,
    price_title,
    span,
)

__all__ = ["FEW_YEARS", "price_by_period", "price_by_year", "seasons"]

FEW_YEARS = 12
"""So many years are joined by a line; more are dots around a trend."""


def price_by_year(
    frame: pd.DataFrame, trend: pd.DataFrame, field: Field, contract: Contract
) -> go.Figure:
    """A dot a year, larger with more sales, over the middle half (``by_year``, ``trend``)."""
    drawn = figure(460)
    few = len(frame) <= FEW_YEARS
    drawn.add_scatter(
        x=frame["year"],
        y=frame["median"],
        customdata=frame["sales"],
        mode="lines+markers" if few else "markers",
        marker={
            "size": frame["sales"],
            "sizemode": "area",
            "sizeref": 2.0 * max(frame["sales"].max(), 1) / 20**2,
            "sizemin": 3,
            "opacity": 1 if few else 0.55,
        },
        name="Middle price of a year (larger: more sales)",
        hovertemplate=f"%{{x}}: {money_hover(contract, 'y')}"
        "<br>%{customdata:,} sales<extra></extra>",
    )
    if few:
        middle_half(drawn, frame["year"], frame)
    elif len(trend) > 1:
        hover = f"About %{{x}}: {money_hover(contract, 'y')}<extra></extra>"
        line = {"name": "Middle price of homes of about that year", "hovertemplate": hover}
        middle_half(drawn, trend["value"], trend, line)
    drawn.update_layout(showlegend=True)
    drawn.update_xaxes(title_text=field.label, dtick=1 if few else None, tickformat="d")
    drawn.update_yaxes(title_text=price_title(contract), rangemode="tozero", **money_axis(contract))
    return drawn


def price_by_period(frame: pd.DataFrame, contract: Contract) -> go.Figure:
    """A line of the middle price through time over the middle half of prices (``by_period``)."""
    drawn = figure(400)
    line = {
        "name": "Middle price",
        "mode": "lines+markers",
        "customdata": frame[["period", "sales"]],
        "hovertemplate": f"<b>%{{customdata[0]}}</b><br>{money_hover(contract, 'y')}"
        "<br>%{customdata[1]:,} sales<extra></extra>",
    }
    middle_half(drawn, frame["start"], frame, line)
    drawn.update_layout(showlegend=True)
    drawn.update_xaxes(title_text="Time of sale")
    drawn.update_yaxes(title_text=price_title(contract), rangemode="tozero", **money_axis(contract))
    return drawn


def seasons(frame: pd.DataFrame, contract: Contract) -> go.Figure:
    """By part of the year: the middle price over its middle half, and the sales under it.

    `frame` is ``by_level`` of the month of sale.
    """
    drawn = figure(400)
    field = contract.fields[contract.market.roles.sale_month]
    drawn.add_scatter(
        x=frame["level"],
        y=frame["median"],
        error_y=span(frame["median"], frame["lower_quarter"], frame["upper_quarter"]),
        mode="markers",
        marker={"size": 11},
        name="Middle price and middle half",
        hovertemplate=f"<b>%{{x}}</b><br>Middle price {money_hover(contract, 'y')}<extra></extra>",
    )
    drawn.add_bar(
        x=frame["level"],
        y=frame["sales"],
        yaxis="y2",
        marker={"color": FAINT, "line": {"width": 0}},
        name="Sales",
        hovertemplate="<b>%{x}</b><br>%{y:,} sales<extra></extra>",
    )
    drawn.update_layout(
        bargap=0.3,
        yaxis={"domain": [0.42, 1], "title": {"text": price_title(contract)}},
        yaxis2={"domain": [0, 0.32], "title": {"text": "Sales"}, "tickformat": ",d", "anchor": "x"},
    )
    drawn.layout.yaxis.update(rangemode="tozero", **money_axis(contract))
    drawn.update_yaxes(automargin=True, zeroline=False, tickfont={"size": 13})
    drawn.update_xaxes(title_text=field.label, type="category", anchor="y2")
    return drawn
