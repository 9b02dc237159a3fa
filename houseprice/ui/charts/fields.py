"""Charts of fields: how they tie together, what is not known of them, what they do to price."""

from __future__ import annotations

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from houseprice.ui.charts.grammar import (
    FAINT,
    figure,
    wrapped,
)

__all__ = ["blank_shares", "price_ties", "ties"]

MOST_TOLD = 12
"""In a square of more fields the figures would not fit into the squares of a phone."""

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
    """A square for each pair of fields, deeper with a closer tie (``association.between``).

    Each pair once. The rows name the fields and number them; the columns bear the numbers alone,
    so that a phone has room for the squares.
    """
    drawn = figure(rows=len(frame) + 3)
    numbers = [str(place) for place in range(1, len(frame) + 1)]
    below = np.tril(np.ones(frame.shape, dtype=bool), -1)
    table = frame.where(below)
    others = [list(frame.columns)] * len(frame)
    drawn.add_heatmap(
        z=table.to_numpy(),
        x=numbers,
        y=[
            wrapped(f"{place} {name}", 22) for place, name in zip(numbers, frame.index, strict=True)
        ],
        customdata=others,
        zmin=0,
        zmax=1,
        xgap=2,
        ygap=2,
        hoverongaps=False,
        text=table.map(lambda tie: "" if np.isnan(tie) else f"{tie:.2f}".removeprefix("0")),
        texttemplate="%{text}" if len(frame) <= MOST_TOLD else None,
        hovertemplate="%{y}<br>and %{customdata}<br>%{z:.2f} of 1<extra></extra>",
        showscale=False,
    )
    drawn.update_xaxes(type="category", side="bottom", showgrid=False, tickangle=0)
    drawn.update_yaxes(type="category", autorange="reversed", showgrid=False)
    return drawn


def blank_shares(frame: pd.DataFrame) -> go.Figure:
    """Bars of how often a field is not known, and how often a home has none (``blanks``)."""
    drawn = figure(rows=len(frame) + 2)
    kinds = {"not_known": ("Not known", None), "has_none": ("The home has none", FAINT)}
    for name, (words, colour) in kinds.items():
        if not frame[name].any():
            continue
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
