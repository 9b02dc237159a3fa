"""Charts of fields: how they tie together, what is not known of them, what they do to price."""

from __future__ import annotations

import pandas as pd
import plotly.graph_objects as go

from houseprice.market.contract import Contract
from houseprice.market.fields import Field
from houseprice.ui.charts import (
    BAND,
    FAINT,
    axis_title,
    figure,
    money_axis,
    money_hover,
    number_axis,
    wrapped,
)

__all__ = ["blank_shares", "effect", "importance", "price_ties", "ties"]

DIRECTIONS = {
    "rises": "Dearer with more of it",
    "falls": "Cheaper with more of it",
    "differs": "Differs by kind",
}


def price_ties(frame: pd.DataFrame) -> go.Figure:
    """A bar a field for its tie with price, coloured by its direction (``with_price``)."""
    drawn = figure(rows=len(frame) + 2)
    for direction, words in DIRECTIONS.items():
        part = frame[frame["direction"] == direction]
        drawn.add_bar(
            x=part["strength"],
            y=part["field"],
            orientation="h",
            name=words,
            text=part["strength"].map("{:.2f}".format),
            textposition="outside",
            cliponaxis=False,
            hovertemplate="%{y}<br>%{x:.2f} of 1<extra>" + words + "</extra>",
        )
    drawn.update_layout(showlegend=True, barmode="overlay", bargap=0.3)
    drawn.update_xaxes(title_text="Tie with price (0 none, 1 perfect)", range=[0, 1])
    drawn.update_yaxes(categoryorder="array", categoryarray=list(frame["field"])[::-1])
    return drawn


def ties(frame: pd.DataFrame) -> go.Figure:
    """A square for each pair of fields, deeper with a closer tie (``association.between``)."""
    drawn = figure(rows=len(frame) + 5)
    drawn.add_heatmap(
        z=frame.to_numpy(),
        x=list(frame.columns),
        y=list(frame.index),
        zmin=0,
        zmax=1,
        xgap=2,
        ygap=2,
        texttemplate="%{z:.1f}" if len(frame) <= 12 else None,
        hovertemplate="%{y} and %{x}<br>%{z:.2f} of 1<extra></extra>",
        colorbar={"title": {"text": "Tie"}, "thickness": 12, "outlinewidth": 0},
    )
    drawn.update_xaxes(tickangle=-45, showgrid=False)
    drawn.update_yaxes(autorange="reversed", showgrid=False)
    return drawn


def blank_shares(frame: pd.DataFrame) -> go.Figure:
    """Bars of how often a field is not known, and how often a home has none (``blanks``)."""
    drawn = figure(rows=len(frame) + 2)
    kinds = {"not_known": ("Not known", None), "has_none": ("The home has none", FAINT)}
    for name, (words, colour) in kinds.items():
        drawn.add_bar(
            x=frame[f"share_{name}"],
            y=frame["field"],
            customdata=frame[name],
            orientation="h",
            name=words,
            marker={"color": colour},
            hovertemplate="%{y}<br>%{customdata:,} sales (%{x:.1%})<extra>" + words + "</extra>",
        )
    drawn.update_layout(showlegend=True, barmode="stack", bargap=0.3)
    drawn.update_xaxes(title_text="Share of sales", tickformat=".0%", range=[0, 1])
    drawn.update_yaxes(autorange="reversed")
    return drawn


def importance(frame: pd.DataFrame, contract: Contract, money: bool) -> go.Figure:
    """A bar a field with its spread over folds (``Backend.importance``), most important on top.

    In money or, if not, in percent of the price.
    """
    unit = "money" if money else "pct"
    drawn = figure(rows=len(frame) + 1)
    drawn.add_bar(
        x=frame[f"importance_{unit}"],
        y=frame["label"],
        orientation="h",
        error_x={
            "type": "data",
            "array": frame[f"spread_{unit}"],
            "color": FAINT,
            "thickness": 2,
            "width": 4,
        },
        hovertemplate="%{y}<br>"
        + (money_hover(contract, "x") if money else "%{x:.1f} % of the price")
        + " further off<extra></extra>",
    )
    drawn.update_layout(bargap=0.3)
    title = "Further off without it"
    if money:
        title += f" ({contract.market.price.currency})"
        drawn.update_xaxes(title_text=title, rangemode="tozero", **money_axis(contract))
    else:
        title += " (% of the price)"
        drawn.update_xaxes(title_text=title, rangemode="tozero", ticksuffix=" %")
    drawn.update_yaxes(autorange="reversed")
    return drawn


def effect(frame: pd.DataFrame, field: Field, contract: Contract) -> go.Figure:
    """The average value along a field, with the middle 80 % of homes (``Backend.effect``)."""
    title = f"Average value ({contract.market.price.currency})"
    if field.levels:
        drawn = figure(rows=len(frame) + 1)
        drawn.add_scatter(
            x=frame["price"],
            y=frame["label"].map(wrapped),
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
            hovertemplate=f"%{{y}}<br>{money_hover(contract, 'x')}<extra></extra>",
        )
        drawn.update_xaxes(title_text=title, **money_axis(contract))
        drawn.update_yaxes(title_text=field.label, type="category")
        return drawn
    drawn = figure()
    edge = {"mode": "lines", "line": {"width": 0}, "hoverinfo": "skip", "showlegend": False}
    drawn.add_scatter(
        x=frame["value"],
        y=frame["price"],
        mode="lines+markers" if len(frame) <= 12 else "lines",
        line={"width": 3},
        name="Average value",
        customdata=frame["label"],
        hovertemplate=f"%{{customdata}}<br>{money_hover(contract, 'y')}<extra></extra>",
    )
    drawn.add_scatter(x=frame["value"], y=frame["low"], **edge)
    edge |= {"fill": "tonexty", "fillcolor": BAND, "showlegend": True}
    drawn.add_scatter(x=frame["value"], y=frame["high"], name="Middle 80 % of homes", **edge)
    drawn.update_layout(showlegend=True)
    drawn.update_xaxes(title_text=axis_title(field), **number_axis(field))
    drawn.update_yaxes(title_text=title, rangemode="tozero", **money_axis(contract))
    return drawn
