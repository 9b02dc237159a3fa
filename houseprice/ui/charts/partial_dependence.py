"""Charts of partial dependence: the value along one feature, and interactions of two."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from houseprice.formatting import percent, rounding_step
from houseprice.market.contract import Contract
from houseprice.market.fields import Field
from houseprice.ui.charts.feature_importance import ROW_HEIGHT
from houseprice.ui.charts.panel import Chart
from houseprice.ui.charts.prices import format_value
from houseprice.ui.charts.style import (
    FAINT,
    add_band,
    axis_title,
    axis_values,
    category_axis,
    error_bars,
    extremes,
    figure,
    largest_levels,
    money_axis,
    money_hover,
    money_title,
    number_axis,
    price_text,
    wrap_label,
)

_BAND_NAME = "Middle 80 % of homes"


class Mark(NamedTuple):
    """A house on the chart: its value of the feature, the same as text, and its price."""

    value: float
    label: str
    price: float


def effect_chart(
    frame: pd.DataFrame,
    field: Field,
    contract: Contract,
    n_known: int,
    mark: Mark | None = None,
) -> Chart:
    """The mean value along a feature, with the middle 80 % of homes and the number of sales.

    ``frame`` is that of ``Backend.effect`` with ``sales``: how many are nearest to each value, of
    the ``n_known`` sales with this feature. ``mark`` is a house to show on the curve.
    """
    shown, note = largest_levels(frame) if field.levels else (frame, "")
    n_beyond = n_known - int(frame["sales"].sum())
    captions = [
        _effect_caption(frame, field, contract),
        f"{n_beyond:,} of {n_known:,} sales are beyond the ends of the curve." if n_beyond else "",
        _mark_caption(mark, frame, field, contract) if mark else "",
        note.strip(),
    ]
    headers = {
        "value": axis_title(field),
        "label": field.label if field.levels else "Label",
        "price": _mean_value_title(contract),
        "low": money_title("10th percentile", contract),
        "high": money_title("90th percentile", contract),
        "sales": "Nearest sales",
    }
    return Chart(
        _effect_figure(shown, field, contract, mark),
        frame.drop(columns=["value", "each"] if field.levels else "each", errors="ignore"),
        " ".join(filter(None, captions)),
        headers,
    )


def _effect_figure(
    frame: pd.DataFrame, field: Field, contract: Contract, mark: Mark | None
) -> go.Figure:
    if field.levels:
        return _over_levels(frame, field, contract, mark)
    drawn, x = figure(480), axis_values(frame["value"], field)
    hover = f"%{{customdata}}<br>{money_hover(contract, 'y')}<extra></extra>"
    eighty = _middle_eighty(contract)
    drawn.add_scatter(
        x=x,
        y=frame["price"],
        mode="lines+markers" if len(frame) <= 12 else "lines",
        line={"width": 4},
        name="Mean value",
        customdata=frame[["label", "low", "high"]],
        hovertemplate=f"%{{customdata[0]}}<br>{money_hover(contract, 'y')} on average<br>{eighty}"
        "<extra></extra>",
        zorder=2,
    )
    if mark is not None:
        own = axis_values(pd.Series([mark.value]), field)
        _mark(drawn, own, [mark.price], mark.label, hover)
    add_band(drawn, x, frame["low"], frame["high"], _BAND_NAME)
    if "each" in frame:
        along, prices = _concatenated(frame, x)
        drawn.add_scatter(x=along, y=prices, mode="lines", zorder=1, **_SINGLE)
    drawn.add_bar(
        x=x,
        y=frame["sales"],
        yaxis="y2",
        marker={"color": FAINT},
        showlegend=False,
        customdata=frame["label"],
        hovertemplate="%{y:,} sales near %{customdata}<extra></extra>",
    )
    drawn.update_layout(showlegend=True, bargap=0.05)
    drawn.update_xaxes(title_text=axis_title(field), anchor="y2", **number_axis(field))
    drawn.update_yaxes(
        title_text=_mean_value_title(contract), rangemode="tozero", **money_axis(contract)
    )
    drawn.update_yaxes(domain=[0.24, 1])
    below = {"domain": [0, 0.16], "nticks": 3, "zeroline": False, "automargin": True}
    drawn.update_layout(yaxis2={**below, "title": {"text": "Sales"}, "rangemode": "tozero"})
    return drawn


_SINGLE = {
    "name": "Single homes",
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
        error_x=error_bars(frame["price"], frame["low"], frame["high"]),
        mode="markers",
        marker={"size": 11},
        name=f"Mean value; line: {_BAND_NAME.lower()}",
        customdata=frame[["label", "low", "high"]],
        hovertemplate=f"%{{customdata[0]}}<br>{money_hover(contract, 'x')} on average<br>"
        f"{_middle_eighty(contract)}<extra></extra>",
        zorder=2,
    )
    if mark is not None:  # the second trace, in the second colour
        own = names[(frame["value"] == mark.value).to_numpy()]
        _mark(drawn, [mark.price] * len(own), own, mark.label, hover)
    if "each" in frame:
        y, x = _concatenated(frame, names)
        mode = "markers" if field.kind == "nominal" else "lines"
        drawn.add_scatter(x=x, y=y, mode=mode, zorder=1, **_SINGLE)
    drawn.update_layout(showlegend=True)
    drawn.update_xaxes(title_text=_mean_value_title(contract), **money_axis(contract))
    drawn.update_yaxes(title_text=f"{field.label} (sales)", **category_axis(names))
    return drawn


def _mark(drawn: go.Figure, x: object, y: object, label: str, hover: str) -> None:
    drawn.add_scatter(
        x=x,
        y=y,
        mode="markers",
        marker={"size": 15, "symbol": "diamond"},
        name="Last valued house",
        customdata=[label],
        hovertemplate=f"Last valued house: {hover}",
        zorder=3,
    )


def _concatenated(frame: pd.DataFrame, along: pd.Series) -> tuple[list[object], list[float | None]]:
    """The lines of single homes as one trace, separated by gaps."""
    prices = frame["each"].tolist()
    positions: list[object] = []
    amounts: list[float | None] = []
    for house in range(len(prices[0])):
        positions += [*along, None]
        amounts += [*(at[house] for at in prices), None]
    return positions, amounts


def _middle_eighty(contract: Contract) -> str:
    low, high = (money_hover(contract, f"customdata[{i}]") for i in (1, 2))
    return f"Middle 80 %: {low} to {high}"


def _mean_value_title(contract: Contract) -> str:
    return money_title("Mean value", contract)


def interactions_chart(frame: pd.DataFrame, contract: Contract) -> Chart:
    """The strength of the interaction of pairs of features (``Study.interactions`` with pair)."""
    drawn = figure(90 + ROW_HEIGHT * len(frame))
    drawn.add_bar(
        x=frame["strength"],
        y=frame["pair"].map(lambda pair: wrap_label(pair, 30)),
        orientation="h",
        customdata=frame[["pair"]],
        hovertemplate=f"%{{customdata[0]}}<br>{money_hover(contract, 'x')} beyond the single "
        "effects<extra></extra>",
    )
    drawn.update_layout(bargap=0.3)
    title = money_title("Beyond the single effects<br>", contract)
    money = money_axis(contract) | {"nticks": 5}
    drawn.update_xaxes(title_text=title, showgrid=True, rangemode="tozero", **money)
    drawn.update_yaxes(autorange="reversed")
    first = frame.iloc[0]
    caption = (
        f"“{first['first_label']}” and “{first['second_label']}” interact most: changing both "
        f"moves a value by {price_text(first['strength'], contract)} more or less, on average, "
        "than the sum of the two single changes."
    )
    headers = {"pair": "Pair of features", "strength": money_title("Strength", contract)}
    return Chart(drawn, frame[["pair", "strength"]], caption, headers)


def pair_chart(
    frame: pd.DataFrame, first: Field, second: Field, span: tuple[float, float], contract: Contract
) -> Chart:
    """The value of the typical house along one feature, a line per value of another.

    ``frame`` has setting (a value of the second feature as text, from low to high), value, label
    and price. The caption compares a step of the first feature, from ``span[0]`` to ``span[1]``.
    """
    levels = bool(first.levels)
    drawn = figure(rows=frame["value"].nunique() + 3) if levels else figure()
    for setting, part in frame.groupby("setting", sort=False):
        name = f"{second.label}: {setting}"
        hover = f"%{{customdata}}<br>{money_hover(contract, 'y' if not levels else 'x')}"
        along = part["label"].map(wrap_label) if levels else axis_values(part["value"], first)
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
    title = money_title("Value of the typical house", contract)
    if levels:
        drawn.update_xaxes(title_text=title, **{**money_axis(contract), "nticks": 6})
        drawn.update_yaxes(title_text=first.label, type="category", title_standoff=8)
    else:
        drawn.update_xaxes(title_text=axis_title(first), **number_axis(first))
        # Not from zero: the chart shows whether the lines diverge.
        drawn.update_yaxes(title_text=title, **money_axis(contract))
    headers = {
        "setting": second.label,
        "value": axis_title(first),
        "label": first.label if levels else "Label",
        "price": title,
    }
    data = frame.drop(columns="value") if levels else frame
    return Chart(drawn, data, _pair_caption(frame, first, second, span, contract), headers)


def _effect_caption(frame: pd.DataFrame, field: Field, contract: Contract) -> str:
    if len(frame) < 2:
        return f"All homes have the same value of this feature: {frame['label'].iloc[0]}."
    first, last = frame.iloc[0], frame.iloc[-1]
    if field.kind == "nominal":
        first, last = extremes(frame, "price")
    change = last["price"] - first["price"]
    if abs(change) < 0.005 * first["price"]:
        mean = price_text(first["price"], contract)
        return f"The mean value hardly depends on this feature: {mean}."
    step = rounding_step(abs(change))
    low, high = (format_value(field, row["value"]) for row in (first, last))
    return (
        f"From {low} to {high} the mean value {'rises' if change > 0 else 'falls'} by "
        f"{contract.money(abs(change), step)}, with all other features unchanged."
    )


def _mark_caption(mark: Mark, frame: pd.DataFrame, field: Field, contract: Contract) -> str:
    """Where a house is on the curve; its value of the feature may be NaN."""
    value = price_text(mark.price, contract)
    if np.isnan(mark.value):
        return f"The last valued house is at {value}; this feature of it is unknown."
    caption = f"The last valued house ({mark.label}) is at {value}"
    if field.levels:
        at = frame.loc[frame["value"] == mark.value, "price"]
        average = float(at.iloc[0]) if len(at) else np.nan
    else:
        average = float(
            np.interp(mark.value, frame["value"], frame["price"], left=np.nan, right=np.nan)
        )
    if np.isnan(average):
        return f"{caption}, beyond the ends of the curve."
    off = mark.price - average
    if abs(off) < 0.01 * average:
        return f"{caption}, the same as the mean there."
    where = "above" if off > 0 else "below"
    return f"{caption}, {price_text(abs(off), contract)} {where} the mean there."


_SAME = 0.1
"""Two effects that differ by a smaller share are called the same."""


def _pair_caption(
    frame: pd.DataFrame, first: Field, second: Field, span: tuple[float, float], contract: Contract
) -> str:
    """Whether a step of one feature changes the value more or less where another is higher."""
    curves = [(str(setting), part) for setting, part in frame.groupby("setting", sort=False)]
    (low, least), (high, most) = curves[0], curves[-1]
    gains = _gain(least, span), _gain(most, span)
    start, end = (format_value(first, value) for value in span)
    effect = _gains_text(contract, *gains, (low, high), second)
    return f"“{first.label}” from {start} to {end} {effect} {_verdict(*gains, second)}"


class _Gain(NamedTuple):
    """The effect of a step of a feature: in money, and as a share."""

    money: float
    share: float


def _gain(curve: pd.DataFrame, span: tuple[float, float]) -> _Gain:
    before, after = np.interp(span, curve["value"], curve["price"]).tolist()
    return _Gain(after - before, after / before - 1)


def _gains_text(
    contract: Contract, low: _Gain, high: _Gain, settings: tuple[str, str], second: Field
) -> str:
    step = rounding_step(max(abs(low.money), abs(high.money)))
    at_low, at_high = (
        f"{contract.money(abs(gain.money), step)} ({percent(abs(gain.share), 0)})"
        for gain in (low, high)
    )
    does, does_then = ("adds" if gain.money >= 0 else "takes off" for gain in (low, high))
    and_then = "and" if does_then == does else f"and {does_then}"
    where = f"where “{second.label}” is {_quoted(settings[0], second)}"
    return (
        f"{does} {at_low} {where}, {and_then} {at_high} where it is {_quoted(settings[1], second)}."
    )


def _verdict(low: _Gain, high: _Gain, second: Field) -> str:
    """Whether the effect is larger or smaller, in money and in percent."""
    in_money, in_percent = _direction(low.money, high.money), _direction(low.share, high.share)
    if second.kind == "nominal":
        if in_money == "same":
            return "So the change is worth much the same in both."
        text = f"So the change is worth {in_money} there"
    else:
        more = _more_of(second)
        if in_money == "same":
            return f"So the change is worth much the same whatever “{second.label}” is."
        text = f"So {more} “{second.label}”, the {in_money} the change is worth"
    if in_percent == "same":
        return f"{text}, though much the same in percent of the value."
    if in_percent != in_money:
        return f"{text} in money, and the {in_percent} in percent of the value."
    return f"{text}, in money and in percent of the value."


def _direction(low: float, high: float) -> str:
    scale = max(abs(low), abs(high))
    if scale == 0 or abs(high - low) < _SAME * scale:
        return "same"
    return "more" if high > low else "less"


def _more_of(field: Field) -> str:
    if field.kind in ("year", "date"):
        return "the later"
    if field.kind == "ordinal" and field.sign == "+":
        return "the better"
    return "the greater" if field.is_numeric else "the higher"


def _quoted(words: str, field: Field) -> str:
    return f"“{words}”" if field.levels else words
