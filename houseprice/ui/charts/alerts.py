"""Charts of what stands out in the sales: frames of ``market.alerts`` as figures."""

from __future__ import annotations

import pandas as pd
import plotly.graph_objects as go

from houseprice.market.exploring.selection import Sales
from houseprice.ui.charts.grammar import FAINT, figure, money_hover, wrapped

__all__ = ["alike_shares", "far_values", "long_tails", "same_pairs"]

TIMES = "Times the middle one"
LOG_STEPS = {
    "type": "log",
    "tickvals": [step * 10**power for power in range(-3, 5) for step in (1, 3)],
    "tickformat": "~g",
    "ticksuffix": "×",
}


def alike_shares(frame: pd.DataFrame) -> go.Figure:
    """A bar a field for the share of sales that have not its commonest value."""
    drawn = figure(rows=2 * len(frame) + 1)
    others = frame["known"] - frame["sales"]
    drawn.add_bar(
        x=1 - frame["share"],
        y=frame["field"].map(wrapped) + "<br>not “" + frame["level"] + "”",
        customdata=others,
        orientation="h",
        text=others.map("{:,}".format),
        texttemplate="%{text}",
        textposition="outside",
        cliponaxis=False,
        hovertemplate="%{y}: %{customdata:,} sales (%{x:.1%})<extra></extra>",
    )
    drawn.update_layout(bargap=0.3)
    drawn.update_xaxes(title_text="Share of sales that differ", tickformat=".0%")
    drawn.update_yaxes(autorange="reversed")
    return drawn


def same_pairs(frame: pd.DataFrame) -> go.Figure:
    """A bar a pair of fields for its tie (``association.pairs``)."""
    drawn = figure(rows=2 * len(frame) + 1)
    drawn.add_bar(
        x=frame["strength"],
        y=frame["field"].map(wrapped) + "<br>and " + frame["other_field"].map(wrapped),
        orientation="h",
        text=frame["strength"].map("{:.2f}".format),
        textposition="inside",
        insidetextanchor="end",
        hovertemplate="%{y}<br>%{x:.2f} of 1<extra></extra>",
    )
    drawn.update_layout(bargap=0.3)
    drawn.update_xaxes(title_text="Tie (0 none, 1 perfect)", range=[0, 1])
    drawn.update_yaxes(autorange="reversed")
    return drawn


def long_tails(frame: pd.DataFrame, sales: Sales) -> go.Figure:
    """By field: the middle 80 % as a bar and the largest as a dot, in times the middle one."""
    drawn = figure(rows=len(frame) + 2)
    names = frame["field"].map(wrapped)
    low, high = frame["lowest_tenth"] / frame["median"], frame["highest_tenth"] / frame["median"]
    drawn.add_scatter(
        x=[1.0] * len(frame),
        y=names,
        customdata=_words(frame, sales, ["lowest_tenth", "median", "highest_tenth"]),
        error_x={
            "type": "data",
            "symmetric": False,
            "array": high - 1,
            "arrayminus": 1 - low,
            "thickness": 8,
            "width": 0,
            "color": FAINT,
        },
        mode="markers",
        marker={"size": 10},
        name="The middle one, and the middle 80 %",
        hovertemplate="%{y}<br>The middle one: %{customdata[1]}<br>80 % lie between "
        "%{customdata[0]} and %{customdata[2]}<extra></extra>",
    )
    drawn.add_scatter(
        x=frame["largest"] / frame["median"],
        y=names,
        customdata=_words(frame, sales, ["largest"]),
        mode="markers",
        marker={"size": 10, "symbol": "diamond"},
        name="The largest",
        hovertemplate="%{y}<br>The largest: %{customdata[0]} (%{x:.1f}×)<extra></extra>",
    )
    drawn.update_layout(showlegend=True)
    drawn.update_xaxes(title_text=TIMES, **LOG_STEPS)
    drawn.update_yaxes(autorange="reversed", type="category", showgrid=True)
    return drawn


def far_values(frame: pd.DataFrame, sales: Sales) -> go.Figure:
    """A dot for each value far from the rest, in times the middle one (``alerts.far_out``)."""
    drawn = figure(rows=frame["field"].nunique() + 1)
    told = zip(frame["column"], frame["value"], strict=True)
    words = [sales.field(column).words(value) for column, value in told]
    drawn.add_scatter(
        x=frame["times"],
        y=frame["field"].map(wrapped),
        customdata=frame.assign(words=words)[["id", "location", "words", "price"]],
        mode="markers",
        marker={"size": 8, "opacity": 0.6},
        hovertemplate="%{y}: %{customdata[2]} (%{x:.1f}×)<br>Sale %{customdata[0]}, "
        f"%{{customdata[1]}}<br>{money_hover(sales.contract, 'customdata[3]')}<extra></extra>",
    )
    drawn.add_vline(x=1, line={"dash": "dot", "width": 2, "color": FAINT})
    drawn.update_xaxes(title_text=TIMES, **LOG_STEPS)
    drawn.update_yaxes(autorange="reversed", type="category", showgrid=True)
    return drawn


def _words(frame: pd.DataFrame, sales: Sales, names: list[str]) -> list[list[str]]:
    return [
        [sales.field(row["column"]).words(round(row[name])) for name in names]
        for _, row in frame.iterrows()
    ]
