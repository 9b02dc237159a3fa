"""What two facts do together, said in sentences."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pandas as pd

from houseprice.market.contract import Contract
from houseprice.market.fields import Field
from houseprice.ui.findings.fields import in_words
from houseprice.ui.messages import money, percent, rounding_step

__all__ = ["pair_finding", "pairs_finding"]

_SAME = 0.1
"""Two gains that differ by a smaller share are called much the same."""


def pairs_finding(frame: pd.DataFrame, contract: Contract) -> str:
    """The strongest pair (``Study.interactions``), and how strong that is."""
    first = frame.iloc[0]
    return (
        f"“{first['first_label']}” and “{first['second_label']}” work together most: changing both "
        f"moves a value by {money(contract, first['strength'], 100)} more or less, on average, "
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
        f"{money(contract, abs(gain.money), step)} ({percent(abs(gain.share), 0)})"
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
