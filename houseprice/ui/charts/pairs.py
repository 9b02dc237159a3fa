"""Charts of facts that work together: how strongly, and one at several values of another."""

from __future__ import annotations

import pandas as pd
import plotly.graph_objects as go

from houseprice.market.contract import Contract
from houseprice.market.fields import Field
from houseprice.ui.charts.drivers import ROW_HEIGHT
from houseprice.ui.charts.grammar import (
    axis_title,
    figure,
    money_axis,
    money_hover,
    number_axis,
    wrapped,
)

__all__ = ["pair", "pair_strengths"]


def pair_strengths(frame: pd.DataFrame, contract: Contract) -> go.Figure:
    """A bar a pair of facts for how far they move a value together (``Study.interactions``).

    A picked bar gives the names of the pair, as in ``pair``.
    """
    drawn = figure(90 + ROW_HEIGHT * len(frame))
    drawn.add_bar(
        x=frame["strength"],
        y=frame["pair"].map(lambda pair: wrapped(pair, 30)),
        orientation="h",
        customdata=frame[["pair"]],
        hovertemplate=f"%{{customdata[0]}}<br>{money_hover(contract, 'x')} beyond what each does "
        "alone<extra></extra>",
    )
    drawn.update_layout(bargap=0.3)
    currency = contract.market.price.currency
    drawn.update_xaxes(title_text=f"Beyond what each does alone<br>({currency})", showgrid=True)
    drawn.update_xaxes(rangemode="tozero", **{**money_axis(contract), "nticks": 5})
    drawn.update_yaxes(autorange="reversed")
    return drawn


def pair(frame: pd.DataFrame, first: Field, second: Field, contract: Contract) -> go.Figure:
    """The value of the typical house along one field, a line for each of some values of another.

    Parameters
    ----------
    frame : DataFrame
        setting (a value of the second field in words), value, label, price.
    first, second : Field
    contract : Contract
    """
    levels = bool(first.levels)
    drawn = figure(rows=frame["value"].nunique() + 3) if levels else figure()
    for setting, part in frame.groupby("setting", sort=False):
        name = f"{second.label}: {setting}"
        hover = f"%{{customdata}}<br>{money_hover(contract, 'y' if not levels else 'x')}"
        along = part["label"].map(wrapped) if levels else part["value"]
        drawn.add_scatter(
            x=part["price"] if levels else along,
            y=along if levels else part["price"],
            mode="markers" if levels else "lines",
            marker={"size": 11},
            line={"width": 3},
            name=name,
            customdata=part["label"],
            hovertemplate=f"{hover}<extra>{name}</extra>",
        )
    drawn.update_layout(showlegend=True, legend={"orientation": "v", "yanchor": "bottom"})
    title = f"Value of the typical house ({contract.market.price.currency})"
    if levels:
        drawn.update_xaxes(title_text=title, **{**money_axis(contract), "nticks": 6})
        drawn.update_yaxes(title_text=first.label, type="category", title_standoff=8)
    else:
        drawn.update_xaxes(title_text=axis_title(first), **number_axis(first))
        # Not from zero: what is to be seen is whether the lines run apart.
        drawn.update_yaxes(title_text=title, **money_axis(contract))
    return drawn
