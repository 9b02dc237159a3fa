"""Charts of partial dependence: the value along one feature, and interactions of two."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from numpy.typing import NDArray

from houseprice.formatting import difference_step, percent, rounding_step
from houseprice.market.contract import Contract
from houseprice.market.fields import Field
from houseprice.ui.charts.feature_importance import ROW_HEIGHT
from houseprice.ui.charts.panel import Chart
from houseprice.ui.charts.prices import format_value
from houseprice.ui.charts.style import (
    FAINT,
    add_band,
    add_sales_below,
    axis_title,
    axis_values,
    category_axis,
    error_bars,
    extremes,
    figure,
    labels_with_counts,
    largest_levels,
    money_axis,
    money_hover,
    money_title,
    number_axis,
    price_text,
    wrap_label,
)


class Names(NamedTuple):
    """The names in the legend: of the curve, its band and the marked house."""

    curve: str
    band: str
    mark: str


_OF_MARKET = Names("Mean value", "Middle 80 % of homes", "Last valued house")
_OF_HOUSE = Names("Value of the house", "90 % range of the difference", "This house")


class Mark(NamedTuple):
    """A house on the chart: its value of the feature, the same as text, and its price."""

    value: float
    label: str
    price: float


def count_sales(curve: pd.DataFrame, field: Field, known: NDArray[np.float64]) -> pd.DataFrame:
    """Add to a curve the number of sales nearest to each value; order nominal levels by price.

    ``known`` are the values of all sales. Sales farther than half a step outside do not count.
    """
    values = curve["value"].to_numpy(np.float64)
    known = known[np.isfinite(known)]
    if field.levels or len(values) < 2:
        counts = np.array([(known == value).sum() for value in values])
    else:
        middles = (values[1:] + values[:-1]) / 2
        first, last = 2 * values[0] - middles[0], 2 * values[-1] - middles[-1]
        counts = np.histogram(known, np.array([first, *middles, last]))[0]
    counted = curve.assign(sales=counts.astype(np.int64))
    return counted.sort_values("price", ignore_index=True) if field.kind == "nominal" else counted


def effect_chart(
    frame: pd.DataFrame, field: Field, contract: Contract, n_known: int, mark: Mark | None = None
) -> Chart:
    """The mean value along a feature, with the middle 80 % of homes and the number of sales.

    ``frame`` is that of ``Backend.effect`` with the sales (:func:`count_sales`), of the ``n_known``
    sales with this feature. ``mark`` is a house to show on the curve.
    """
    drawn, note = _effect_figure(frame, field, contract, mark, _OF_MARKET)
    n_beyond = n_known - int(frame["sales"].sum())
    captions = [
        _effect_caption(frame, field, contract),
        f"{n_beyond:,} of {n_known:,} sales are beyond the ends of the curve." if n_beyond else "",
        _mark_caption(mark, frame, field, contract) if mark else "",
        note,
    ]
    if not field.levels:
        drawn.update_yaxes(rangemode="tozero")
    return _effect_data(drawn, frame, field, " ".join(filter(None, captions)), contract)


def house_effect_chart(frame: pd.DataFrame, field: Field, contract: Contract) -> Chart:
    """The value of one house along a field, as :func:`effect_chart` does for the market."""
    own = frame[frame["is_own"]]
    mark = Mark(*own[["value", "label", "price"]].iloc[0]) if len(own) else None
    drawn, note = _effect_figure(frame, field, contract, mark, _OF_HOUSE)
    lowest, highest = (
        f"{contract.money(row['price'], difference_step(row['price']))} ({row['label']})"
        for row in extremes(frame, "price")
    )
    caption = (
        f"With all other fields unchanged, the value of this house is between {lowest} and "
        f"{highest}. {note}"
    )
    return _effect_data(drawn, frame, field, caption.strip(), contract)


def _effect_data(
    drawn: go.Figure, frame: pd.DataFrame, field: Field, caption: str, contract: Contract
) -> Chart:
    hidden = ["each", "is_own", *(["value"] if field.levels else [])]
    headers = {
        "value": axis_title(field),
        "label": field.label if field.levels else "Label",
        "price": money_title("Value", contract),
        "low": money_title("From", contract),
        "high": money_title("To", contract),
        "sales": "Nearest sales",
    }
    return Chart(drawn, frame.drop(columns=hidden, errors="ignore"), caption, headers)


def _effect_figure(
    frame: pd.DataFrame, field: Field, contract: Contract, mark: Mark | None, names: Names
) -> tuple[go.Figure, str]:
    """The curve with its band, and a note on levels that are not shown."""
    title, note = money_title(names.curve, contract), ""
    if field.levels:
        shown, note = largest_levels(frame)
        own = frame["value"] == (mark.value if mark else np.nan)
        frame = frame[frame.index.isin(shown.index) | own]
        drawn = figure(rows=len(frame) + 3, legend=True)
        x, y = frame["price"], pd.Series(labels_with_counts(frame["label"], frame["sales"]))
        drawn.update_xaxes(title_text=title, **money_axis(contract))
        drawn.update_yaxes(title_text=f"{field.label} (sales)", **category_axis(y))
        line: dict[str, object] = {
            "mode": "markers",
            "marker": {"size": 11},
            "error_x": error_bars(x, frame["low"], frame["high"]),
            "name": f"{names.curve}; line: {names.band[0].lower()}{names.band[1:]}",
        }
    else:
        drawn = figure(480, legend=True)
        x, y = axis_values(frame["value"], field), frame["price"]
        drawn.update_xaxes(**number_axis(field))
        drawn.update_yaxes(title_text=title, **money_axis(contract))
        mode = "lines+markers" if len(frame) <= 12 else "lines"
        line = {"mode": mode, "line": {"width": 4}, "name": names.curve}
    money = money_hover(contract, "x" if field.levels else "y")
    low, high = (money_hover(contract, f"customdata[{i}]") for i in (1, 2))
    drawn.add_scatter(
        x=x,
        y=y,
        customdata=frame[["label", "low", "high"]],
        hovertemplate=f"%{{customdata[0]}}<br>{names.curve}: {money}<br>{names.band}: {low} to "
        f"{high}<extra></extra>",
        zorder=2,
        **line,
    )
    if mark is not None:  # the second trace, in the second colour
        own_value = axis_values(pd.Series([mark.value]), field)
        own_level = y[(frame["value"] == mark.value).to_numpy()]
        drawn.add_scatter(
            x=[mark.price] * len(own_level) if field.levels else own_value,
            y=own_level if field.levels else [mark.price],
            mode="markers",
            marker={"size": 15, "symbol": "diamond"},
            name=names.mark,
            customdata=[mark.label],
            hovertemplate=f"{names.mark}: %{{customdata}}<br>{money}<extra></extra>",
            zorder=3,
        )
    if not field.levels:
        add_band(drawn, x, frame["low"], frame["high"], names.band)
    if "each" in frame:
        along, prices = _concatenated(frame, y if field.levels else x)
        ends = {"x": prices, "y": along} if field.levels else {"x": along, "y": prices}
        mode = "markers" if field.kind == "nominal" else "lines"
        drawn.add_scatter(**ends, mode=mode, zorder=1, **_SINGLE)
    if not field.levels and "is_own" not in frame:  # the curve of a house has an uneven step
        add_sales_below(drawn, x, frame["sales"], frame["label"])
    return drawn, note.strip()


_SINGLE = {
    "name": "Single homes",
    "line": {"width": 1, "color": FAINT},
    "marker": {"size": 4, "color": FAINT},
    "hoverinfo": "skip",
}


def _concatenated(frame: pd.DataFrame, along: pd.Series) -> tuple[list[object], list[float | None]]:
    """The lines of single homes as one trace, separated by gaps."""
    prices = frame["each"].tolist()
    positions: list[object] = []
    amounts: list[float | None] = []
    for house in range(len(prices[0])):
        positions += [*along, None]
        amounts += [*(at[house] for at in prices), None]
    return positions, amounts


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
    drawn.update_layout(showlegend=True, legend_orientation="v")
    title = money_title("Value of the typical house", contract)
    if levels:
        drawn.update_xaxes(title_text=title, **{**money_axis(contract), "nticks": 6})
        drawn.update_yaxes(title_text=first.label, type="category", title_standoff=8)
    else:
        drawn.update_xaxes(**number_axis(first))
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
