"""Charts of prices along time: years that a field holds, and the time of sale."""

from __future__ import annotations

import pandas as pd
import plotly.graph_objects as go

from houseprice.market.contract import Contract
from houseprice.market.fields import Field
from houseprice.ui.charts import figure, middle_half, money_axis, money_hover, price_title

__all__ = ["FEW_YEARS", "price_by_period", "price_by_year", "sales_by_period"]

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


def sales_by_period(frame: pd.DataFrame) -> go.Figure:
    """A bar a period for its number of sales (frame: ``by_period``)."""
    drawn = figure(220)
    drawn.add_bar(
        x=frame["start"],
        y=frame["sales"],
        customdata=frame["period"],
        hovertemplate="<b>%{customdata}</b><br>%{y:,} sales<extra></extra>",
    )
    drawn.update_xaxes(title_text="Time of sale")
    drawn.update_yaxes(title_text="Number of sales", tickformat=",d")
    return drawn
