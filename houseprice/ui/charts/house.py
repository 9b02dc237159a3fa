"""Charts of one house: how its value comes about, what would change it, and its tries.

The chart of a house among sales.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from houseprice.market.contract import Contract
from houseprice.market.fields import Field
from houseprice.ui.charts.style import (
    BAND,
    FAINT,
    axis_title,
    figure,
    money_axis,
    money_hover,
    number_axis,
    price_title,
    wrap_label,
)

__all__ = ["comparables", "house_effect", "tries", "waterfall"]


def waterfall(
    base_price: float, price: float, steps: pd.DataFrame, contract: Contract
) -> go.Figure:
    """From the typical house to this one, a bar a fact.

    Parameters
    ----------
    base_price, price : float
        Where the steps start and end, in money.
    steps : DataFrame
        label, contribution, sentence and price_after, as ``Explanation.waterfall`` gives them.
    """
    # The one chart with colours of its own: up and down mean something here, in both themes.
    drawn = figure(rows=len(steps) + 2)
    amounts = [contract.money(amount, 100) for amount in steps["contribution"]]
    texts = [f"+{text}" if text[0] != "−" else text for text in amounts]
    labels = ["Typical house", *steps["label"].map(wrap_label), "This house"]
    so_far = [
        f"{sentence}<br>So far: {contract.money(total, 100)}"
        for sentence, total in zip(steps["sentence"], steps["price_after"], strict=True)
    ]
    drawn.add_waterfall(
        orientation="h",
        y=labels,
        x=[base_price, *steps["contribution"], price],
        measure=["absolute", *["relative"] * len(steps), "total"],
        text=[contract.money(base_price, 100), *texts, contract.money(price, 100)],
        textposition="outside",
        cliponaxis=False,
        customdata=["Typical house", *so_far, "This house"],
        hovertemplate="%{customdata}<extra></extra>",
        connector={"line": {"width": 1, "color": BAND}},
        increasing={"marker": {"color": "#2f8568"}},
        decreasing={"marker": {"color": "#c25e2e"}},
        totals={"marker": {"color": "#6b746f"}},
    )
    ends = [base_price, price, *(base_price + steps["contribution"].cumsum())]
    margin = 0.35 * (max(ends) - min(ends)) + 1_000  # room for the amounts, on a phone too
    drawn.update_xaxes(range=[min(ends) - margin, max(ends) + margin], **money_axis(contract))
    drawn.update_xaxes(nticks=5)  # a phone has room for no more
    drawn.update_yaxes(autorange="reversed")
    return drawn


def house_effect(curve: pd.DataFrame, field: Field, contract: Contract) -> go.Figure:
    """The value of this house along the values of one fact, its own value marked.

    Parameters
    ----------
    curve : DataFrame
        value, label, price, low, high and is_own, as ``Backend.effect`` gives it for a house.
    """
    drawn = figure(height=340)
    own = curve[curve["is_own"]]
    x = curve["label"] if field.levels else curve["value"]
    hover = f"%{{customdata}}<br>{money_hover(contract, 'y')}<extra></extra>"
    if field.levels:
        up, down = curve["high"] - curve["price"], curve["price"] - curve["low"]
        drawn.add_scatter(
            x=x.map(wrap_label),
            y=curve["price"],
            mode="markers",
            marker={"size": 9},
            error_y={"array": up, "arrayminus": down, "thickness": 1, "width": 4},
            customdata=curve["label"],
            hovertemplate=hover,
        )
    else:
        line = {"mode": "lines", "customdata": curve["label"], "hovertemplate": hover}
        drawn.add_scatter(x=x, y=curve["price"], line={"width": 3}, **line)
        edge = {"mode": "lines", "line": {"width": 0}, "hoverinfo": "skip"}
        drawn.add_scatter(x=x, y=curve["low"], **edge)
        drawn.add_scatter(x=x, y=curve["high"], fill="tonexty", fillcolor=BAND, **edge)
        drawn.update_xaxes(title={"text": axis_title(field)}, **number_axis(field))
    drawn.add_scatter(
        x=own["label"].map(wrap_label) if field.levels else own["value"],
        y=own["price"],
        mode="markers",
        marker={"size": 14, "symbol": "diamond"},
        customdata=own["label"],
        hovertemplate="This house: " + hover,
    )
    drawn.update_yaxes(title={"text": f"Value ({contract.market.price.currency})"})
    drawn.update_yaxes(**money_axis(contract))
    return drawn


def tries(frame: pd.DataFrame, contract: Contract, steps: Sequence[float]) -> go.Figure:
    """Values with their ranges on one scale, a line a try.

    Parameters
    ----------
    frame : DataFrame
        name, value, low, high (NaN without a range), as ``house_compare.compared`` gives them.
    contract : Contract
    steps : sequence of float
        What each value is rounded to.
    """
    drawn = figure(rows=2 * len(frame))
    known = frame.dropna(subset=["low"])
    drawn.add_scatter(
        x=frame["value"],
        y=frame["name"],
        mode="markers+text",
        marker={"size": 13, "symbol": "diamond"},
        text=[
            contract.money(value, step) for value, step in zip(frame["value"], steps, strict=True)
        ],
        textposition="top center",
        cliponaxis=False,
        hovertemplate=f"%{{y}}: {money_hover(contract, 'x')}<extra></extra>",
    )
    drawn.add_scatter(
        x=[
            end
            for low, high in zip(known["low"], known["high"], strict=True)
            for end in (low, high, None)
        ],
        y=[name for name in known["name"] for _ in range(3)],
        mode="lines",
        line={"width": 10, "color": BAND},
        hoverinfo="skip",
    )
    drawn.update_xaxes(**money_axis(contract))
    ends = frame[["value", "low", "high"]].to_numpy()
    least, most = float(np.nanmin(ends)), float(np.nanmax(ends))
    margin = 0.08 * (most - least) + 1_000
    drawn.update_xaxes(range=[least - margin, most + margin], nticks=5)  # as a phone has room for
    drawn.update_yaxes(autorange="reversed")
    return drawn


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
