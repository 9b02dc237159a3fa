"""Charts of a valued table: how sure its values are, and how they meet the prices paid."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from houseprice.market.contract import Contract
from houseprice.model.measuring.report import BANDS
from houseprice.ui.charts.grammar import FAINT, figure, money_axis, money_hover, price_title
from houseprice.ui.messages import confidence_band, percent

__all__ = ["confidence_chart", "confidence_finding", "confidence_steps", "prices_chart"]

_STEP = 2
_LOWEST = 60
"""Houses below this confidence are few, and stand together."""


def confidence_steps(confidence: pd.Series) -> pd.DataFrame:
    """Count houses by confidence.

    Parameters
    ----------
    confidence : Series of float
        Known ones, from 0 to 100.

    Returns
    -------
    DataFrame
        "band" (in words), "from", "to", "houses" and "houses_pct". The first step holds everything
        below it too.
    """
    # A step ends where a band ends, so that each has one band.
    ends = {lower for _, lower in BANDS if lower > _LOWEST}
    edges = np.array(sorted({*range(_LOWEST, 101, _STEP)} | ends))
    houses = np.histogram(np.clip(confidence, _LOWEST, 100), edges)[0]
    return pd.DataFrame(
        {
            "band": [confidence_band(low) for low in edges[:-1]],
            "from": [0.0, *edges[1:-1]],
            "to": edges[1:],
            "houses": houses,
            "houses_pct": 100 * houses / max(len(confidence), 1),
        }
    )


def confidence_chart(steps: pd.DataFrame) -> go.Figure:
    """Bars of the houses by confidence, a colour a band."""
    drawn = figure(320)
    ends = [_LOWEST, *steps["to"]]
    steps = steps.assign(left=ends[:-1], width=np.diff(ends))
    for word, part in [(word, steps[steps["band"] == word]) for word, _ in reversed(BANDS)]:
        drawn.add_bar(
            x=part["left"] + part["width"] / 2,
            y=part["houses"],
            width=part["width"],
            customdata=part[["from", "to", "houses_pct"]],
            marker={"line": {"width": 0}},
            name=f"{word.capitalize()} confidence",
            hovertemplate="Confidence %{customdata[0]:.0f} to %{customdata[1]:.0f}"
            "<br>%{y:,} houses (%{customdata[2]:.1f} %)<extra></extra>",
        )
    drawn.update_layout(bargap=0.06, showlegend=True, barmode="overlay")
    drawn.update_xaxes(title_text="Confidence (0 to 100)", range=[_LOWEST - 1, 101])
    drawn.update_yaxes(title_text="Houses", rangemode="tozero")
    return drawn


def confidence_finding(confidence: pd.Series) -> str:
    """How many houses lie in each band, the surest first."""
    ends = [*BANDS, ("", np.inf)]
    shares = {
        word: float(((confidence >= low) & (confidence < high)).mean())
        for (word, low), (_, high) in pairwise(ends)
    }
    (first, _), *others = reversed(BANDS)
    told = [f"{word} for {percent(shares[word], 0)}" for word, _ in others]
    told.insert(0, f"{first} for {percent(shares[first], 0)} of your houses")
    return f"Confidence is {', '.join(told[:-1])} and {told[-1]}."


def prices_chart(houses: pd.DataFrame, contract: Contract) -> go.Figure:
    """Value against price paid, a dot a house; on the line they are the same.

    Parameters
    ----------
    houses : DataFrame
        "row", "price", "predicted_price" and "inside" (whether the range holds the price).
    contract : Contract
    """
    drawn = figure(460)
    both = houses[["price", "predicted_price"]].to_numpy()
    ends = [both.min(), both.max()]
    inside = houses["inside"].astype("boolean").fillna(value=True).to_numpy(bool)
    for name, part in (
        ("Price within the range", houses[inside]),
        ("Price beyond the range", houses[~inside]),
    ):
        if len(part):
            drawn.add_scatter(
                x=part["price"],
                y=part["predicted_price"],
                customdata=part[["row"]],
                mode="markers",
                marker={"size": 6, "opacity": 0.6},
                name=name if houses["inside"].notna().any() else "Your houses",
                hovertemplate="Row %{customdata[0]}<br>Price "
                f"{money_hover(contract, 'x')}<br>Value {money_hover(contract, 'y')}"
                "<extra></extra>",
            )
    drawn.add_scatter(
        x=ends,
        y=ends,
        mode="lines",
        line={"width": 1.5, "color": FAINT},
        hoverinfo="skip",
        name="Value is price",
    )
    drawn.update_layout(showlegend=True)
    # So few that they stand side by side on a phone.
    drawn.update_xaxes(title_text=price_title(contract), **(money_axis(contract) | {"nticks": 5}))
    drawn.update_yaxes(
        title_text=f"Value ({contract.market.price.currency})", **money_axis(contract)
    )
    return drawn
