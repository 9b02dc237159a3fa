"""The chart of what changing one fact does over the market, and where the sales lie.

Charts of facts that work together: how strongly, and one at several values of another.

What changing a fact does over the market, said in sentences.

What two facts do together, said in sentences.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from houseprice.formatting import percent, rounding_step
from houseprice.market.contract import Contract
from houseprice.market.fields import Field
from houseprice.ui.charts.captions import ends, in_words
from houseprice.ui.charts.feature_importance import ROW_HEIGHT
from houseprice.ui.charts.style import (
    BAND,
    FAINT,
    axis_title,
    figure,
    money_axis,
    money_hover,
    number_axis,
    wrap_label,
)

__all__ = [
    "Mark",
    "beyond_finding",
    "effect",
    "effect_finding",
    "mark_finding",
    "pair",
    "pair_finding",
    "pair_strengths",
    "pairs_finding",
]

_EDGE = {"mode": "lines", "line": {"width": 0}, "hoverinfo": "skip", "showlegend": False}
_BAND_NAME = "Middle 80 % of homes"
_SINGLE_NAME = "Single homes"


class Mark(NamedTuple):
    """A house on an effect curve: its clean value of the fact, that in words, and its price."""

    value: float
    label: str
    price: float


def effect(
    frame: pd.DataFrame, field: Field, contract: Contract, mark: Mark | None = None
) -> go.Figure:
    """The average value along a field, with the middle 80 % of homes and where the sales lie.

    Parameters
    ----------
    frame : DataFrame
        value, label, price, low and high, and each where the backend gives it
        (``Backend.effect``), with sales: how many are nearest to the value.
    field : Field
    contract : Contract
    mark : Mark, optional
        A house to be found on it.
    """
    if field.levels:
        return _over_levels(frame, field, contract, mark)
    drawn = figure(480)
    hover = f"%{{customdata}}<br>{money_hover(contract, 'y')}<extra></extra>"
    eighty = _middle_eighty(contract)
    drawn.add_scatter(
        x=frame["value"],
        y=frame["price"],
        mode="lines+markers" if len(frame) <= 12 else "lines",
        line={"width": 4},
        name="Average value",
        customdata=frame[["label", "low", "high"]],
        hovertemplate=f"%{{customdata[0]}}<br>{money_hover(contract, 'y')} on average<br>{eighty}"
        "<extra></extra>",
        zorder=2,
    )
    if mark is not None:
        _mark(drawn, [mark.value], [mark.price], mark.label, hover)
    drawn.add_scatter(x=frame["value"], y=frame["low"], **_EDGE)
    filled = {**_EDGE, "showlegend": True, "fill": "tonexty", "fillcolor": BAND}
    drawn.add_scatter(x=frame["value"], y=frame["high"], name=_BAND_NAME, **filled)
    if "each" in frame:
        x, y = _one_after_another(frame, frame["value"])
        drawn.add_scatter(x=x, y=y, mode="lines", zorder=1, **_SINGLE)
    drawn.add_bar(
        x=frame["value"],
        y=frame["sales"],
        yaxis="y2",
        marker={"color": FAINT},
        showlegend=False,
        customdata=frame["label"],
        hovertemplate="%{y:,} sales near %{customdata}<extra></extra>",
    )
    drawn.update_layout(showlegend=True, bargap=0.05)
    drawn.update_xaxes(title_text=axis_title(field), anchor="y2", **number_axis(field))
    drawn.update_yaxes(title_text=_title(contract), rangemode="tozero", **money_axis(contract))
    drawn.update_yaxes(domain=[0.24, 1])
    below = {"domain": [0, 0.16], "nticks": 3, "zeroline": False, "automargin": True}
    drawn.update_layout(yaxis2={**below, "title": {"text": "Sales"}, "rangemode": "tozero"})
    return drawn


_SINGLE = {
    "name": _SINGLE_NAME,
    "line": {"width": 1, "color": FAINT},
    "marker": {"size": 4, "color": FAINT},
    "hoverinfo": "skip",
}


def _over_levels(
    frame: pd.DataFrame, field: Field, contract: Contract, mark: Mark | None
) -> go.Figure:
    drawn = figure(rows=len(frame) + 3)
    names = pd.Series(
        [wrap_label(f"{row.label} ({row.sales:,})") for row in frame.itertuples()], dtype="str"
    )
    hover = f"%{{customdata}}<br>{money_hover(contract, 'x')}<extra></extra>"
    drawn.add_scatter(
        x=frame["price"],
        y=names,
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
        name=f"Average value; line: {_BAND_NAME.lower()}",
        customdata=frame[["label", "low", "high"]],
        hovertemplate=f"%{{customdata[0]}}<br>{money_hover(contract, 'x')} on average<br>"
        f"{_middle_eighty(contract)}<extra></extra>",
        zorder=2,
    )
    if mark is not None:  # the second trace, in the second colour
        own = names[(frame["value"] == mark.value).to_numpy()]
        _mark(drawn, [mark.price] * len(own), own, mark.label, hover)
    if "each" in frame:
        y, x = _one_after_another(frame, names)
        mode = "markers" if field.kind == "nominal" else "lines"
        drawn.add_scatter(x=x, y=y, mode=mode, zorder=1, **_SINGLE)
    drawn.update_layout(showlegend=True)
    drawn.update_xaxes(title_text=_title(contract), **money_axis(contract))
    drawn.update_yaxes(
        title_text=f"{field.label} (sales)",
        type="category",
        categoryorder="array",
        categoryarray=names,
    )
    return drawn


def _mark(drawn: go.Figure, x: object, y: object, label: str, hover: str) -> None:
    drawn.add_scatter(
        x=x,
        y=y,
        mode="markers",
        marker={"size": 15, "symbol": "diamond"},
        name="The house last valued",
        customdata=[label],
        hovertemplate=f"The house last valued: {hover}",
        zorder=3,
    )


def _one_after_another(
    frame: pd.DataFrame, along: pd.Series
) -> tuple[list[object], list[float | None]]:
    """The lines of single homes as one trace: a gap where one ends and the next begins."""
    prices = frame["each"].tolist()
    places: list[object] = []
    amounts: list[float | None] = []
    for house in range(len(prices[0])):
        places += [*along, None]
        amounts += [*(at[house] for at in prices), None]
    return places, amounts


def _middle_eighty(contract: Contract) -> str:
    low, high = (money_hover(contract, f"customdata[{place}]") for place in (1, 2))
    return f"Middle 80 %: {low} to {high}"


def _title(contract: Contract) -> str:
    return f"Average value ({contract.market.price.currency})"


def pair_strengths(frame: pd.DataFrame, contract: Contract) -> go.Figure:
    """A bar a pair of facts for how far they move a value together (``Study.interactions``).

    A picked bar gives the names of the pair, as in ``pair``.
    """
    drawn = figure(90 + ROW_HEIGHT * len(frame))
    drawn.add_bar(
        x=frame["strength"],
        y=frame["pair"].map(lambda pair: wrap_label(pair, 30)),
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
        along = part["label"].map(wrap_label) if levels else part["value"]
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


def effect_finding(frame: pd.DataFrame, field: Field, contract: Contract) -> str:
    """What moving a field from its low to its high end does to the average value."""
    if len(frame) < 2:
        return f"Every home in the market is alike in this: {frame['label'].iloc[0]}."
    first, last = frame.iloc[0], frame.iloc[-1]
    if field.kind == "nominal":
        first, last = ends(frame, "price")
    change = last["price"] - first["price"]
    if abs(change) < 0.005 * first["price"]:
        return f"The average value hardly depends on this: {contract.money(first['price'], 500)}."
    step = rounding_step(abs(change))
    low, high = (in_words(field, row["value"]) for row in (first, last))
    return (
        f"From {low} to {high} the average value {'rises' if change > 0 else 'falls'} by "
        f"{contract.money(abs(change), step)}, with everything else left as it is."
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
    value = contract.money(mark.price, 500)
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
    return f"{told}, {contract.money(abs(off), 500)} {where} the average there."


_SAME = 0.1
"""Two gains that differ by a smaller share are called much the same."""


def pairs_finding(frame: pd.DataFrame, contract: Contract) -> str:
    """The strongest pair (``Study.interactions``), and how strong that is."""
    first = frame.iloc[0]
    return (
        f"“{first['first_label']}” and “{first['second_label']}” work together most: changing both "
        f"moves a value by {contract.money(first['strength'], 100)} more or less, on average, "
        "than the two changes one by one add up to."
    )


def pair_finding(
    frame: pd.DataFrame, first: Field, second: Field, span: tuple[float, float], contract: Contract
) -> str:
    """Whether a step of one field is worth more or less where another is higher.

    Parameters
    ----------
    frame : DataFrame
        setting (a value of the second field in words, from low to high), value, label, price: a
        curve of the first field for each.
    first, second : Field
    span : tuple of float
        The step of the first field, from where to where.
    contract : Contract
    """
    curves = [(str(setting), part) for setting, part in frame.groupby("setting", sort=False)]
    (low, least), (high, most) = curves[0], curves[-1]
    gains = _gain(least, span), _gain(most, span)
    start, end = (in_words(first, value) for value in span)
    told = f"“{first.label}” from {start} to {end} {_worth(contract, *gains, (low, high), second)}"
    return f"{told} {_verdict(*gains, second)}"


class _Gain(NamedTuple):
    """What going from one value of a fact to another does: in money, and as a share."""

    money: float
    share: float


def _gain(curve: pd.DataFrame, span: tuple[float, float]) -> _Gain:
    before, after = np.interp(span, curve["value"], curve["price"]).tolist()
    return _Gain(after - before, after / before - 1)


def _worth(
    contract: Contract, low: _Gain, high: _Gain, settings: tuple[str, str], second: Field
) -> str:
    step = rounding_step(max(abs(low.money), abs(high.money), 1_000))
    at_low, at_high = (
        f"{contract.money(abs(gain.money), step)} ({percent(abs(gain.share), 0)})"
        for gain in (low, high)
    )
    does, does_then = ("adds" if gain.money >= 0 else "takes off" for gain in (low, high))
    and_then = "and" if does_then == does else f"and {does_then}"
    named = f"where “{second.label}” is {_quoted(settings[0], second)}"
    return (
        f"{does} {at_low} {named}, {and_then} {at_high} where it is {_quoted(settings[1], second)}."
    )


def _verdict(low: _Gain, high: _Gain, second: Field) -> str:
    """The direction in words: in money first, and then whether it is one in percent too."""
    in_money, in_percent = _direction(low.money, high.money), _direction(low.share, high.share)
    if second.kind == "nominal":
        if in_money == "same":
            return "So the change is worth much the same in both."
        told = f"So the change is worth {in_money} there"
    else:
        more = _more_of(second)
        if in_money == "same":
            return f"So the change is worth much the same whatever “{second.label}” is."
        told = f"So {more} “{second.label}”, the {in_money} the change is worth"
    if in_percent == "same":
        return f"{told}, though much the same in percent of the value."
    if in_percent != in_money:
        return f"{told} in money, and the {in_percent} in percent of the value."
    return f"{told}, in money and in percent of the value."


def _direction(low: float, high: float) -> str:
    scale = max(abs(low), abs(high))
    if scale == 0 or abs(high - low) < _SAME * scale:
        return "same"
    return "more" if high > low else "less"


def _more_of(field: Field) -> str:
    if field.kind == "year":
        return "the later"
    if field.kind == "ordinal" and field.sign == "+":
        return "the better"
    return "the greater" if field.is_numeric else "the higher"


def _quoted(words: str, field: Field) -> str:
    return f"“{words}”" if field.levels else words
