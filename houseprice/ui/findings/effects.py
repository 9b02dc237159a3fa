"""What changing a fact does over the market, said in sentences."""

from __future__ import annotations

import numpy as np
import pandas as pd

from houseprice.market.contract import Contract
from houseprice.market.fields import Field
from houseprice.ui.charts.effects import Mark
from houseprice.ui.findings.fields import ends, in_words
from houseprice.ui.messages import money, rounding_step

__all__ = ["beyond_finding", "effect_finding", "mark_finding"]


def effect_finding(frame: pd.DataFrame, field: Field, contract: Contract) -> str:
    """What moving a field from its low to its high end does to the average value."""
    if len(frame) < 2:
        return f"Every home in the market is alike in this: {frame['label'].iloc[0]}."
    first, last = frame.iloc[0], frame.iloc[-1]
    if field.kind == "nominal":
        first, last = ends(frame, "price")
    change = last["price"] - first["price"]
    if abs(change) < 0.005 * first["price"]:
        return f"The average value hardly depends on this: {money(contract, first['price'], 500)}."
    step = rounding_step(abs(change))
    low, high = (in_words(field, row["value"]) for row in (first, last))
    return (
        f"From {low} to {high} the average value {'rises' if change > 0 else 'falls'} by "
        f"{money(contract, abs(change), step)}, with everything else left as it is."
    )


def beyond_finding(frame: pd.DataFrame, n_known: int) -> str:
    """How many sales lie where the curve is not drawn, if any (frame: sales near each value)."""
    beyond = n_known - int(frame["sales"].sum())
    if not beyond:
        return ""
    return f"{beyond:,} of {n_known:,} sales lie beyond the ends of the curve."


def mark_finding(mark: Mark, frame: pd.DataFrame, field: Field, contract: Contract) -> str:
    """Where the house last valued stands on an effect curve.

    Parameters
    ----------
    mark : Mark
        Its value of the field may be NaN: not told.
    frame : DataFrame
        value and price along the curve.
    field : Field
    contract : Contract
    """
    value = money(contract, mark.price, 500)
    if np.isnan(mark.value):
        return f"The house last valued is at {value}; this fact of it is not told."
    told = f"The house last valued ({mark.label}) is at {value}"
    if field.levels:
        at = frame.loc[frame["value"] == mark.value, "price"]
        average = float(at.iloc[0]) if len(at) else np.nan
    else:
        average = float(
            np.interp(mark.value, frame["value"], frame["price"], left=np.nan, right=np.nan)
        )
    if np.isnan(average):
        return f"{told}, where the curve does not reach."
    off = mark.price - average
    if abs(off) < 0.01 * average:
        return f"{told}, as the average is there."
    where = "above" if off > 0 else "below"
    return f"{told}, {money(contract, abs(off), 500)} {where} the average there."
