"""The values of a table beside the sales of the market."""

from __future__ import annotations

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from houseprice.market.contract import Contract
from houseprice.ui.charts.grammar import FAINT, figure, money_axis
from houseprice.ui.messages import money, percent

__all__ = ["FEWEST", "comparison", "comparison_chart", "comparison_finding"]

FEWEST = 10
"""Fewer values than this make no distribution."""
_BARS = 30


def comparison(values: pd.Series, sales: pd.Series) -> pd.DataFrame:
    """Share of values and of sale prices in steps of a round width.

    Parameters
    ----------
    values, sales : Series of float
        Known values of the table's houses, and sale prices of the market.

    Returns
    -------
    DataFrame
        "from", "to" (money), "houses" (a count), "houses_pct" and "sales_pct" (percent). The first
        step holds everything below it too, and the last everything above.
    """
    both = np.concatenate([values.to_numpy(np.float64), sales.to_numpy(np.float64)])
    low, high = np.quantile(both, [0.002, 0.995])
    width = _round_width((high - low) / _BARS)
    edges = width * np.arange(np.floor(low / width), np.floor(high / width) + 2)
    inside = [
        np.histogram(np.clip(each, edges[0], edges[-1]), edges)[0] for each in (values, sales)
    ]
    return pd.DataFrame(
        {
            "from": edges[:-1],
            "to": edges[1:],
            "houses": inside[0],
            "houses_pct": 100 * inside[0] / max(len(values), 1),
            "sales_pct": 100 * inside[1] / max(len(sales), 1),
        }
    )


def comparison_chart(frame: pd.DataFrame, contract: Contract) -> go.Figure:
    """Bars of the table's values, and the outline of the market's sales."""
    drawn = figure()
    symbol = contract.market.price.symbol
    middle = (frame["from"] + frame["to"]) / 2
    span = f"{symbol}%{{customdata[0]:,.0f}} to {symbol}%{{customdata[1]:,.0f}}"
    drawn.add_bar(
        x=middle,
        y=frame["houses_pct"],
        width=frame["to"] - frame["from"],
        customdata=frame[["from", "to", "houses"]],
        marker={"line": {"width": 0}},
        name="Your houses, by value",
        hovertemplate=f"{span}<br>%{{y:.1f}} % of your houses (%{{customdata[2]:,}})"
        "<extra></extra>",
    )
    drawn.add_scatter(
        x=middle,
        y=frame["sales_pct"],
        customdata=frame[["from", "to"]],
        mode="lines",
        line={"shape": "hvh", "width": 2.5, "color": FAINT},
        name="The market's sales, by price",
        hovertemplate=f"{span}<br>%{{y:.1f}} % of the sales<extra></extra>",
    )
    drawn.update_layout(bargap=0.06, showlegend=True)
    title = f"Value or sale price ({contract.market.price.currency})"
    drawn.update_xaxes(title_text=title, **money_axis(contract))
    drawn.update_yaxes(title_text="Share of houses (%)", rangemode="tozero")
    return drawn


def comparison_finding(values: pd.Series, sales: pd.Series, contract: Contract) -> str:
    """Where the middle of the values lies, and how that compares with the market's sales."""
    low, middle, high = values.quantile([0.25, 0.5, 0.75])
    sold = float(sales.median())
    change = middle / sold - 1
    if abs(change) < 0.005:
        beside = "as much as"
    else:
        beside = f"{percent(abs(change), 0)} {'more' if change > 0 else 'less'} than"
    return (
        f"Half of your houses are worth {money(contract, low, 500)} to "
        f"{money(contract, high, 500)}, and the middle one {money(contract, middle, 500)}: "
        f"{beside} the middle sale of the market ({money(contract, sold, 500)})."
    )


def _round_width(width: float) -> float:
    power = 10.0 ** np.floor(np.log10(max(width, 1.0)))
    return float(next(step * power for step in (1, 2, 2.5, 5, 10) if step * power >= width))
