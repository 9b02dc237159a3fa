"""The chart of a house among sales."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from houseprice.market.contract import Contract
from houseprice.ui.charts.grammar import (
    FAINT,
    axis_title,
    figure,
    money_axis,
    money_hover,
    number_axis,
    price_title,
)

__all__ = ["comparables"]


def comparables(
    house: pd.Series, sales: pd.DataFrame, others: pd.DataFrame, contract: Contract
) -> go.Figure:
    """Price by living area: the house with its range, the sales most like it, all others faint.

    Parameters
    ----------
    house : Series
        area, value, low, high (NaN without a range).
    sales : DataFrame
        area, price, id and told: the comparable sales.
    others : DataFrame
        The same of the market's other sales.
    """
    field = contract.fields[contract.market.roles.area]
    drawn = figure(height=440)
    money_of_y = money_hover(contract, "y")
    hover = f"%{{customdata[1]}}<br>{money_of_y}<extra></extra>"
    # The order of the traces is that of the theme's colours: the house first.
    has_range = not pd.isna(house["low"])
    drawn.add_scatter(
        x=[house["area"]],
        y=[house["value"]],
        error_y={
            "array": [house["high"] - house["value"]],
            "arrayminus": [house["value"] - house["low"]],
            "thickness": 3,
            "width": 8,
        }
        if has_range
        else None,
        mode="markers",
        marker={"size": 15, "symbol": "diamond"},
        name="This house",
        hovertemplate=f"This house<br>{money_of_y}<extra></extra>",
    )
    drawn.add_scatter(
        x=sales["area"],
        y=sales["price"],
        mode="markers",
        marker={"size": 12, "line": {"width": 1, "color": FAINT}},
        customdata=sales[["id", "told"]],
        name="Most like it",
        hovertemplate=hover,
    )
    drawn.add_scatter(
        x=others["area"],
        y=others["price"],
        mode="markers",
        marker={"size": 5, "color": FAINT},
        opacity=0.45,
        customdata=others[["id", "told"]],
        name="Other sales",
        hovertemplate=hover,
        zorder=-1,
    )
    drawn.update_layout(showlegend=True)
    drawn.update_xaxes(title={"text": axis_title(field)}, **number_axis(field))
    drawn.update_xaxes(nticks=6, range=_around([house["area"], *sales["area"]]))
    near = [house["value"], house["low"], house["high"], *sales["price"]]
    drawn.update_yaxes(range=_around(near))
    drawn.update_yaxes(title={"text": price_title(contract)}, **money_axis(contract))
    return drawn


def _around(amounts: Sequence[float]) -> list[float]:
    """Ends of an axis around some amounts, with enough beside them to see where they lie."""
    known = [amount for amount in amounts if not np.isnan(amount)]
    least, most = min(known), max(known)
    margin = max(0.6 * (most - least), 0.3 * most)
    return [max(0.0, least - margin), most + margin]
