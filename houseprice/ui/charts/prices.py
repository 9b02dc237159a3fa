"""Charts of what homes were sold for: frames of ``market.profile`` as figures."""

from __future__ import annotations

import pandas as pd
import plotly.graph_objects as go

from houseprice.market.contract import Contract
from houseprice.market.fields import Field
from houseprice.ui.charts.dots import filled
from houseprice.ui.charts.grammar import (
    FAINT,
    axis_title,
    figure,
    level_boxes,
    middle_half,
    money_axis,
    money_hover,
    number_axis,
    price_title,
    sale_dots,
)

__all__ = [
    "price_by_level",
    "price_by_number",
    "price_distribution",
]


def price_distribution(frame: pd.DataFrame, middle: float, contract: Contract) -> go.Figure:
    """Bars of sales by price, with the middle price marked (frame: ``distribution``)."""
    drawn = figure()
    symbol = contract.market.price.symbol
    drawn.add_bar(
        x=(frame["from"] + frame["to"]) / 2,
        y=frame["sales"],
        width=0.94 * (frame["to"] - frame["from"]),
        customdata=frame[["from", "to"]],
        marker={"line": {"width": 0}},
        hovertemplate=f"{symbol}%{{customdata[0]:,.0f}} to {symbol}%{{customdata[1]:,.0f}}"
        "<br>%{y:,} sales<extra></extra>",
    )
    text = f"Middle price {symbol}{middle:,.0f}"
    drawn.add_vline(
        x=middle, line={"dash": "dot", "width": 2, "color": FAINT}, annotation_text=text
    )
    drawn.update_xaxes(title_text=price_title(contract), **money_axis(contract))
    drawn.update_yaxes(title_text="Number of sales", tickformat=",d")
    return drawn


def price_by_number(
    points: pd.DataFrame,
    trend: pd.DataFrame,
    field: Field,
    contract: Contract,
    cells: pd.DataFrame | None = None,
) -> go.Figure:
    """A dot a sale, and the middle half of prices along the field (``points``, ``trend``).

    With `cells` (``two_fields.cells``) squares by their number of sales stand in for the dots.
    """
    drawn = figure(460)
    if cells is not None:
        drawn.add_heatmap(**filled(cells, None, contract))
    else:
        sale_dots(
            drawn,
            points,
            "Sale %{customdata[0]}, %{customdata[1]}<br>"
            f"{money_hover(contract, 'y')}<br>%{{x:,}} {field.unit}",
        )
    if len(trend) > 1:
        hover = f"Middle price {money_hover(contract, 'y')}<br>at %{{x:,}} {field.unit}"
        line = {"name": "Middle price of similar homes", "hovertemplate": f"{hover}<extra></extra>"}
        middle_half(drawn, trend["value"], trend, line)
        drawn.update_layout(showlegend=cells is None)
    drawn.update_xaxes(title_text=axis_title(field), **number_axis(field))
    drawn.update_yaxes(title_text=price_title(contract), rangemode="tozero", **money_axis(contract))
    return drawn


def price_by_level(frame: pd.DataFrame, field: Field, contract: Contract) -> go.Figure:
    """A box a level with its number of sales (``by_level``): its middle half, its middle 80 %."""
    drawn = figure(rows=len(frame) + 1)
    names = level_boxes(drawn, frame)
    drawn.update_xaxes(title_text=price_title(contract), rangemode="tozero", **money_axis(contract))
    # The best level stands on top; the calendar starts there instead.
    calendar = field.column == contract.market.roles.sale_month
    drawn.update_yaxes(
        title_text=axis_title(field),
        type="category",
        categoryorder="array",
        categoryarray=names[::-1] if calendar else names,
    )
    return drawn
