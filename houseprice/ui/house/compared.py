"""Tries compared: their values, what differs, and a sentence on it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from houseprice.backend.base import Backend
from houseprice.market.checks import check
from houseprice.market.contract import Contract
from houseprice.ui.house.form import one_house
from houseprice.ui.house.tries import Try
from houseprice.ui.messages import money

__all__ = ["compared", "comparison_finding", "differing_facts", "within_sentence"]


def compared(backend: Backend, chosen: Sequence[Try]) -> pd.DataFrame:
    """Values of tries with their ranges, and the differences from the first.

    Returns
    -------
    DataFrame, a row per try
        name, value, low, high (NaN without a range), difference, difference_low, difference_high
        (NaN for the first, and without what-if) and is_clear; all but the last in money.
    """
    asked = "what_if" in backend.about().capabilities
    first = chosen[0]
    rows = []
    for tried in chosen:
        valuation = tried.answer.valuations.iloc[0]
        change: tuple[float, float, float, bool] = (0.0, float("nan"), float("nan"), True)
        if tried is not first:
            change = (tried.value - first.value, float("nan"), float("nan"), True)
            if asked:
                told = backend.what_if(one_house(first.row), one_house(tried.row))
                change = (told.delta, told.low, told.high, told.is_clear)
        low, high = float(valuation["price_low"]), float(valuation["price_high"])
        rows.append((tried.name, tried.value, low, high, *change))
    names = ["name", "value", "low", "high", "difference", "difference_low", "difference_high"]
    return pd.DataFrame(rows, columns=[*names, "is_clear"])


def differing_facts(
    chosen: Sequence[Try], contract: Contract, order: Sequence[str]
) -> pd.DataFrame:
    """Only the facts in which the tries differ, in words: a row per fact, a column per try.

    Facts that follow from others are told too; `order` is that of the rows, by column.
    """
    rows = pd.concat([one_house(tried.row) for tried in chosen], ignore_index=True)
    houses = check(rows, contract).houses
    told = {
        contract.fields[column].label: [
            contract.fields[column].words(float(value)) for value in houses[column]
        ]
        for column in order
        if len(set(houses[column].fillna(-np.inf))) > 1
    }
    return pd.DataFrame.from_dict(told, orient="index", columns=[t.name for t in chosen])


def comparison_finding(frame: pd.DataFrame, contract: Contract) -> str:
    """Say in a sentence which try is worth most, and by how much."""
    best, first = frame.iloc[int(frame["value"].to_numpy().argmax())], frame.iloc[0]
    if best["name"] == first["name"]:
        return f"None of them is worth more than {within_sentence(first['name'])}."
    more = money(contract, best["difference"], 100)
    doubt = "" if best["is_clear"] else ", which is within what the model can't tell"
    return (
        f"{best['name']} is worth most: {more} more than {within_sentence(first['name'])}{doubt}."
    )


def within_sentence(name: str) -> str:
    """The name of a try inside a sentence: "the start"."""
    return name[0].lower() + name[1:]
