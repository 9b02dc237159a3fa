"""Why a house is valued as it is: from the typical house to this one, field by field, in money.

Differences of money in words, with no more digits than they deserve.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from houseprice.market.contract import Field, Price
from houseprice.model.features import to_matrix
from houseprice.model.shapley import ShapleyExplainer, money_contributions
from houseprice.model.valuation import ValuationModel

__all__ = ["Explainer", "Explanation", "format_difference", "rounding_step"]


def rounding_step(price: float) -> float:
    """Return the step that differences are rounded to beside a price: its fourth digit.

    >>> step_of(166_000.0)
    100.0
    """
    return float(10.0 ** max(math.floor(math.log10(price)) - 3, 0))


def format_difference(price: Price, amount: float, step: float) -> str:
    """Write a difference with its sign: "+$4,300", "−$800", "$0"."""
    rounded = round(amount / step) * step
    sign = "+" if rounded > 0 else "−" if rounded < 0 else ""
    return f"{sign}{price.symbol}{abs(rounded):,.0f}"


Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Explanation:
    """How one price comes about.

    Attributes
    ----------
    base_price : float
        Predicted price of the base house, in whole cents.
    price : float
        Predicted price of this house, in whole cents.
    contributions : DataFrame, a row per field, largest first
        column, label; told and base: what is known of this house and of the base house, in words;
        contribution: money in whole cents, 0 where the two are alike; sentence: the same for
        reading. Base price plus contributions is the price.
    """

    base_price: float
    price: float
    contributions: pd.DataFrame

    def top_drivers(self, top: int = 3) -> tuple[str, ...]:
        """Return the sentences of the fields that matter most, without those that round to 0."""
        rows = self.contributions.head(top)
        step = rounding_step(self.base_price)
        return tuple(rows["sentence"][rows["contribution"].abs() >= step / 2])

    def waterfall(self, top: int = 8) -> pd.DataFrame:
        """Return the steps from the base price to the price: the largest, then all other facts.

        Parameters
        ----------
        top : int
            Fields that get a step of their own.

        Returns
        -------
        DataFrame, at most top + 1 rows
            label, contribution, sentence, price_after (running total, ending at the price).
        """
        moving = self.contributions[self.contributions["contribution"] != 0]
        steps = moving.head(top)[["label", "contribution", "sentence"]]
        if rest := len(moving) - len(steps):
            amount = round(moving["contribution"].iloc[top:].sum(), 2)
            facts = f"{rest} other fact" + ("s" if rest > 1 else "")
            other = {"label": facts, "contribution": amount, "sentence": f"{facts} together"}
            steps = pd.concat([steps, pd.DataFrame([other])], ignore_index=True)
        running = (self.base_price + steps["contribution"].cumsum()).round(2)
        return steps.assign(price_after=running)


class Explainer:
    """Explain predicted prices against one base house.

    Parameters
    ----------
    model : fitted ValuationModel
    base : Series, index the contract's columns
        A clean house, as :func:`houseprice.market.sales.typical_house` gives.

    Attributes
    ----------
    base_price : float
        In whole cents.
    """

    def __init__(self, model: ValuationModel, base: pd.Series) -> None:
        self._model = model
        self._fields = tuple(model.contract.fields.values())
        self._currency = model.contract.market.price
        self._attribution = ShapleyExplainer(model, base)
        self.base_price = float(model.predict(self._attribution.base[np.newaxis]).round(2)[0])

    def contributions(self, houses: pd.DataFrame | Floats) -> Floats:
        """Return money by field, shape (n_houses, n_fields), in whole cents.

        Parameters
        ----------
        houses : DataFrame of shape (n_houses, n_fields)
            Clean houses; what is not known of them is taken as typical.
        """
        return self._measured(houses)[2]

    def explain(self, houses: pd.DataFrame | Floats) -> list[Explanation]:
        """Explain each house."""
        told, filled = to_matrix(houses, self._model.contract), self._attribution.impute(houses)
        _, prices, money = self._measured(houses)
        return [
            self._explanation(told[i], filled[i], prices[i], money[i]) for i in range(len(told))
        ]

    def top_drivers(self, houses: pd.DataFrame | Floats, top: int = 3) -> list[tuple[str, ...]]:
        """Return the sentences of the fields that matter most, one tuple per house."""
        told = to_matrix(houses, self._model.contract)
        filled, _, money = self._measured(houses)
        leading = _largest_first(money)[:, :top]
        least = rounding_step(self.base_price) / 2
        return [
            tuple(
                self._sentence(int(k), told[i, k], filled[i, k], money[i, k])
                for k in leading[i]
                if abs(money[i, k]) >= least
            )
            for i in range(len(told))
        ]

    def _measured(self, houses: pd.DataFrame | Floats) -> tuple[Floats, Floats, Floats]:
        """Return the houses without unknowns, their prices, and the money of each field."""
        filled = self._attribution.impute(houses)
        prices = self._model.predict(filled).round(2)
        money = money_contributions(
            self._attribution.shapley_values(filled), prices, self.base_price
        )
        return filled, prices, money

    def _explanation(
        self, told: Floats, filled: Floats, price: float, money: Floats
    ) -> Explanation:
        order = _largest_first(money[np.newaxis])[0].tolist()
        base = self._attribution.base
        frame = pd.DataFrame(
            {
                "column": [self._fields[k].column for k in order],
                "label": [self._fields[k].label for k in order],
                "told": [self._fields[k].format(told[k]) for k in order],
                "base": [self._fields[k].format(base[k]) for k in order],
                "contribution": money[order],
                "sentence": [self._sentence(k, told[k], filled[k], money[k]) for k in order],
            }
        )
        return Explanation(self.base_price, float(price), frame)

    def _sentence(self, k: int, told: float, filled: float, money: float) -> str:
        field, base = self._fields[k], self._attribution.base[k]
        here = _words_of(field, told, filled)
        if filled == base:
            return f"{field.label}: {here}, as in the typical house"
        amount = format_difference(self._currency, money, rounding_step(self.base_price))
        return f"{field.label}: {here} instead of {field.format(base)}, {amount}"


def _words_of(field: Field, told: float, filled: float) -> str:
    return f"not known, taken as {field.format(filled)}" if np.isnan(told) else field.format(filled)


def _largest_first(money: Floats) -> NDArray[np.intp]:
    """Order the fields of each house by the size of their contribution; ties stay in place."""
    return np.argsort(-np.abs(money), axis=1, kind="stable")
