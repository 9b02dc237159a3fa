"""Scales that charts of any fields share: an axis of numbers or money, a bar of colours."""

from __future__ import annotations

import pandas as pd

from houseprice.market.contract import Contract
from houseprice.market.fields import Field
from houseprice.ui.charts.grammar import axis_title, money_axis, number_axis, wrapped

__all__ = ["colour_bar", "colour_limits", "third_bar", "value_axis"]


def value_axis(field: Field, contract: Contract) -> dict[str, object]:
    """The settings of an axis that holds a number, or the price."""
    if field.column == contract.market.price.column:
        return {"title_text": axis_title(field), "rangemode": "tozero", **money_axis(contract)}
    return {"title_text": axis_title(field), **number_axis(field)}


def colour_bar(title: str, **more: object) -> dict[str, object]:
    """The settings of a scale of colours: above the chart, where a phone has room for it."""
    return {
        "title": {"text": title, "side": "top"},
        "orientation": "h",
        "x": 0,
        "xanchor": "left",
        "y": 1.02,
        "yanchor": "bottom",
        "len": 0.9,
        "thickness": 10,
        "outlinewidth": 0,
        **more,
    }


def third_bar(third: Field, contract: Contract, title: str = "") -> dict[str, object]:
    """The scale of colours of a field: money as money, ordered levels by their names."""
    title = title or axis_title(third)
    if third.levels:
        places = list(range(len(third.levels)))
        names = [wrapped(label, 12) for label in third.labels]
        return colour_bar(title, tickvals=places, ticktext=names, tickangle=0)
    axis = value_axis(third, contract)
    told = {name: axis[name] for name in ("tickprefix", "tickformat") if name in axis}
    return colour_bar(title, **told)


def colour_limits(values: pd.Series) -> tuple[float, float]:
    """Where the colours end: a few giants must not leave all others pale."""
    known = values.dropna()
    if known.empty:
        return 0.0, 1.0
    low, high = (float(known.quantile(share)) for share in (0.02, 0.98))
    return low, high if high > low else low + 1
