"""A visitor's own houses drawn over charts of the sales."""

from __future__ import annotations

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from houseprice.market.contract import Contract
from houseprice.market.fields import Field
from houseprice.ui.charts.grammar import money_hover
from houseprice.ui.findings.sales import amount
from houseprice.ui.messages import percent

__all__ = [
    "area_finding",
    "beside_distribution",
    "over_distribution",
    "over_points",
    "overlay_finding",
]

FEW_HOUSES = 100
"""So many are drawn to be seen one by one; more as a cloud."""


def beside_distribution(frame: pd.DataFrame, values: pd.Series) -> pd.DataFrame:
    """Count houses by value in the steps of a distribution of prices, and in more where they reach.

    Parameters
    ----------
    frame : DataFrame
        from, to, sales (``profile.distribution``).
    values : Series of float

    Returns
    -------
    DataFrame
        from, to, sales, houses, and houses_scaled: as if there were as many of them as sales.
    """
    step = float(frame["to"].iloc[0] - frame["from"].iloc[0])
    first = np.floor(min(values.min(), frame["from"].min()) / step)
    last = np.ceil(max(values.max() + step / 1e6, frame["to"].max()) / step)
    edges = step * np.arange(first, last + 1)
    before = round(float(frame["from"].iloc[0]) / step - first)
    sales = np.zeros(len(edges) - 1, dtype=int)
    sales[before : before + len(frame)] = frame["sales"]
    houses, _ = np.histogram(values, edges)
    return pd.DataFrame(
        {
            "from": edges[:-1],
            "to": edges[1:],
            "sales": sales,
            "houses": houses,
            "houses_scaled": houses * sales.sum() / max(houses.sum(), 1),
        }
    )


def over_distribution(
    drawn: go.Figure, frame: pd.DataFrame, name: str, contract: Contract
) -> go.Figure:
    """Add the houses to a distribution of prices as a stepped line (``beside_distribution``)."""
    symbol = contract.market.price.symbol
    drawn.data[0].name = "Sales"
    drawn.add_scatter(
        x=(frame["from"] + frame["to"]) / 2,
        y=frame["houses_scaled"],
        customdata=frame[["from", "to", "houses"]],
        mode="lines",
        line={"shape": "hvh", "width": 2.5},
        name=f"{name}, drawn as if as many",
        hovertemplate=f"{symbol}%{{customdata[0]:,.0f}} to {symbol}%{{customdata[1]:,.0f}}"
        "<br>%{customdata[2]:,} of your houses<extra></extra>",
    )
    drawn.update_layout(showlegend=True)
    return drawn


def over_points(
    drawn: go.Figure, frame: pd.DataFrame, name: str, field: Field, contract: Contract
) -> go.Figure:
    """Add the houses to a chart of prices against a number (id, location, value, price)."""
    many = len(frame) > FEW_HOUSES
    drawn.add_scatter(
        x=frame["value"],
        y=frame["price"],
        text="Row " + frame["id"].astype(str) + ", " + frame["location"],
        mode="markers",
        marker={
            "size": 5 if many else 10,
            "opacity": 0.5 if many else 0.9,
            "symbol": "diamond",
            "line": {"width": 0},
        },
        name=name,
        hovertemplate=f"<b>Your file</b>, %{{text}}<br>Valued at {money_hover(contract, 'y')}"
        f"<br>%{{x:,}} {field.unit}<extra></extra>",
    )
    drawn.update_layout(showlegend=True)
    return drawn


def overlay_finding(values: pd.Series, prices: pd.Series, contract: Contract) -> str:
    """Whether the middle value of the houses lies above or below the middle price."""
    middle, paid = float(values.median()), float(prices.median())
    share = middle / paid - 1
    side = "about the same as" if abs(share) < 0.02 else ""
    if not side:
        side = f"{percent(abs(share), 0)} {'above' if share > 0 else 'below'}"
    return (
        f"The middle value of your houses is {amount(contract, middle)}, {side} the middle "
        f"price of these sales, {amount(contract, paid)}."
    )


def area_finding(own: pd.DataFrame, points: pd.DataFrame, field: Field) -> str:
    """Whether the houses lie where there are sales to learn from (id, location, value, price)."""
    if own.empty or points.empty:
        return f"{field.label} is not known where it would be needed."
    low, high = float(points["value"].min()), float(points["value"].max())
    outside = int(((own["value"] < low) | (own["value"] > high)).sum())
    middle, sold = (field.words(round(float(frame["value"].median()))) for frame in (own, points))
    reach = "All lie" if not outside else f"All but {outside:,} lie"
    return (
        f"{field.label}: {middle} in the middle of your houses, {sold} in the middle of these "
        f"sales. {reach} within what the sales span."
    )
