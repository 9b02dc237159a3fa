"""A chart of prices beside what the facts lead to."""

from __future__ import annotations

import pandas as pd
import plotly.graph_objects as go

from houseprice.market.contract import Contract
from houseprice.ui.charts.grammar import BAND, figure, money_axis, money_hover, price_title

__all__ = ["prices_far_off"]


def prices_far_off(frame: pd.DataFrame, contract: Contract) -> go.Figure:
    """A row a sale: the range and the value that its facts lead to, and what was paid.

    `frame` is ``far_off``, the least believable on top; each point carries its sale.
    """
    drawn = figure(rows=len(frame) + 2)
    rows = [f"{row.place}, sale {row.id}" for row in frame.itertuples()]
    data = frame[["id", "low", "high"]]
    drawn.add_bar(
        x=frame["high"] - frame["low"],
        base=frame["low"],
        y=rows,
        orientation="h",
        marker={"color": BAND, "line": {"width": 0}},
        customdata=data,
        name="90 % range from the facts",
        hovertemplate=f"90 % range {money_hover(contract, 'customdata[1]')} to "
        f"{money_hover(contract, 'customdata[2]')}<extra></extra>",
    )
    for column, name, symbol, line in (
        ("value", "Value from the facts", "line-ns-open", 2),
        ("price", "Price paid", "circle", 0),
    ):
        drawn.add_scatter(
            x=frame[column],
            y=rows,
            mode="markers",
            marker={"size": 12, "symbol": symbol, "line": {"width": line}},
            customdata=data,
            name=name,
            hovertemplate=f"{name} {money_hover(contract, 'x')}<extra></extra>",
        )
    drawn.update_layout(showlegend=True, bargap=0.45)
    drawn.update_xaxes(title_text=price_title(contract), rangemode="tozero", **money_axis(contract))
    # The names of the sales leave a phone little room.
    drawn.update_xaxes(nticks=5)
    drawn.update_yaxes(
        type="category", categoryorder="array", categoryarray=rows[::-1], showgrid=False
    )
    return drawn
