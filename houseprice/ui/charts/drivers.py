"""Charts of what drives price: how much facts matter by several readings, and how few will do."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd
import plotly.graph_objects as go

from houseprice.market.contract import Contract
from houseprice.ui.charts.grammar import FAINT, figure, money_axis, money_hover, wrapped

__all__ = ["MEASURES", "ROW_HEIGHT", "Reading", "fewer", "reading"]

ROW_HEIGHT = 36
"""Of a bar whose name may take two lines, in pixels."""
MEASURES = {
    "median_ape": "Half of the values are off by less than",
    "mean_ape": "Values are off on average by",
    "within_10": "Share of values within 10 %",
}
"""How accurate a model is, in shares of the price or of the values; the axis titles in words."""


@dataclass(frozen=True)
class Reading:
    """What the bars of a chart of importance mean.

    Attributes
    ----------
    column : str
        Of the frame: the lengths of the bars, in money or in percent of the price.
    spread : str
        Of the frame: how much that varies; "" if it was not measured.
    title : str
        Of the axis, without its unit.
    hover : str
        What follows the amount: "further off without it".
    names : str
        Of the frame: what the bars stand for.
    key : str
        Of the frame: what a picked bar gives.
    """

    column: str
    spread: str
    title: str
    hover: str
    names: str = "label"
    key: str = "column"


def reading(
    frame: pd.DataFrame, told: Reading, contract: Contract, money: bool, rows: int = 0
) -> go.Figure:
    """A bar a fact, or a group of facts, with its spread; the frame's first row on top.

    A bar that is no longer than its own spread is grey: it may be nothing.

    Parameters
    ----------
    frame : DataFrame
    told : Reading
    contract : Contract
    money : bool
        In money or, if not, in percent of the price.
    rows : int
        Room for so many bars, for charts that stand side by side.
    """
    drawn = figure(90 + ROW_HEIGHT * max(rows, len(frame)))
    clear = frame[told.column] > (frame[told.spread] if told.spread else 0)
    amount = money_hover(contract, "x") if money else "%{x:.2f} % of the price"
    for part, colour in ((frame[clear], None), (frame[~clear], FAINT)):
        drawn.add_bar(
            x=part[told.column],
            y=part[told.names].map(_short),
            orientation="h",
            marker={"color": colour},
            customdata=part[[told.key, told.names]],
            hovertemplate=f"%{{customdata[1]}}<br>{amount} {told.hover}<extra></extra>",
        )
        if told.spread:
            drawn.data[-1].error_x = {
                "type": "data",
                "array": part[told.spread],
                "color": FAINT,
                "thickness": 2,
                "width": 4,
            }
    drawn.update_layout(bargap=0.3, barmode="overlay")
    axis = money_axis(contract) if money else {"tickangle": 0}
    unit = contract.market.price.currency if money else "% of the price"
    # Three of these stand side by side: few ticks, and a title of two lines.
    drawn.update_xaxes(title_text=f"{told.title}<br>({unit})", showgrid=True, **axis)
    drawn.update_xaxes(rangemode="tozero", nticks=4)
    order = [_short(name) for name in frame[told.names]]
    drawn.update_yaxes(categoryorder="array", categoryarray=order[::-1])
    return drawn


def fewer(frame: pd.DataFrame, measure: str) -> go.Figure:
    """How accurate models are that know only some of the facts (``Study.fewer``)."""
    drawn = figure(340)
    drawn.add_scatter(
        x=frame["n_fields"],
        y=100 * frame[measure],
        mode="lines+markers+text",
        line={"width": 3},
        marker={"size": 10},
        text=[f"{100 * share:.1f} %" for share in frame[measure]],
        # Beside the line, which falls for an error and rises for a share.
        textposition=f"{'bottom' if measure == 'within_10' else 'top'} right",
        cliponaxis=False,
        customdata=frame[["n_fields"]],
        hovertemplate=f"%{{x}} facts<br>{MEASURES[measure]} %{{y:.1f}} %<extra></extra>",
    )
    most = float(frame["n_fields"].max())
    drawn.update_xaxes(title_text="Facts that the model knows", tickvals=frame["n_fields"])
    drawn.update_xaxes(range=[0, 1.1 * most])
    # The ends of the scale keep room for the words at the dots.
    top = 100.0 if measure == "within_10" else 115 * float(frame[measure].max())
    drawn.update_yaxes(title_text=MEASURES[measure], ticksuffix=" %", range=[0, top])
    return drawn


def _short(name: str) -> str:
    return wrapped(name, 18)
