"""Why a house has its value: from the typical house to this one, field by field, in money."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from houseprice.formatting import difference_step, money, plural
from houseprice.market.metadata import Price
from houseprice.model.features import to_matrix
from houseprice.model.nearby import NearbyPrices
from houseprice.model.shapley import ShapleyExplainer, money_contributions
from houseprice.model.valuation import ValuationModel

Floats = NDArray[np.float64]


def format_difference(price: Price, amount: float, step: float) -> str:
    """Format a difference with its sign: "+$4,300", "−$800", "$0"."""
    return f"{'+' if round(amount / step) > 0 else ''}{money(amount, price.symbol, step)}"


@dataclass(frozen=True)
class Explanation:
    """The contributions of the fields to one price.

    ``contributions`` has a row per field, the largest first: column, label, told and base (the
    values of this house and of the base house, formatted), contribution (money, 0 where the two are
    alike) and sentence. Both coordinates are one row, in words. All money is in whole cents; base
    price plus contributions is the price. ``nearby`` compares the sales around the house with the
    market, where coordinates are known.
    """

    base_price: float
    price: float
    contributions: pd.DataFrame
    nearby: NearbyPrices | None = None

    def top_drivers(self, top: int = 3) -> tuple[str, ...]:
        """Return the sentences of the largest contributions, without those that round to 0."""
        rows = self.contributions.head(top)
        step = difference_step(self.base_price)
        return tuple(rows["sentence"][rows["contribution"].abs() >= step / 2])

    def waterfall(self, top: int = 8) -> pd.DataFrame:
        """Return the steps from the base price to the price: the `top` largest, then the others.

        Columns: label, contribution, sentence and price_after (the running total, which ends at
        the price).
        """
        moving = self.contributions[self.contributions["contribution"] != 0]
        steps = moving.head(top)[["label", "contribution", "sentence"]]
        if rest := len(moving) - len(steps):
            amount = round(moving["contribution"].iloc[top:].sum(), 2)
            label = plural(rest, "other field")
            other = {"label": label, "contribution": amount, "sentence": f"{label} together"}
            steps = pd.concat([steps, pd.DataFrame([other])], ignore_index=True)
        running = (self.base_price + steps["contribution"].cumsum()).round(2)
        return steps.assign(price_after=running)


class Explainer:
    """Explain predicted prices by the difference from one base house.

    The base is a clean house, as :func:`houseprice.market.sales.typical_house` returns it.
    """

    def __init__(self, model: ValuationModel, base: pd.Series) -> None:
        self._model = model
        self._fields = tuple(model.contract.fields.values())
        self._currency = model.contract.market.price
        self._place = [self._fields.index(each) for each in model.contract.coordinates or ()]
        self._attribution = ShapleyExplainer(model, base)
        self.base_price = float(model.predict(self._attribution.base[np.newaxis]).round(2)[0])

    def contributions(self, houses: pd.DataFrame | Floats) -> Floats:
        """Return the contributions in money, in whole cents, shape (n_houses, n_fields)."""
        return self._attribute(houses)[2]

    def explain(
        self, houses: pd.DataFrame | Floats, nearby: Sequence[NearbyPrices | None] = ()
    ) -> list[Explanation]:
        """Explain each clean house, with the sales around it; missing fields are imputed."""
        matrix = to_matrix(houses, self._model.contract)
        imputed, prices, amounts = self._attribute(matrix)
        rows = zip(matrix, imputed, prices, self._with_one_place(amounts), strict=True)
        return [
            self._explanation(*row, around)
            for row, around in zip(rows, nearby or [None] * len(matrix), strict=True)
        ]

    def top_drivers(self, houses: pd.DataFrame | Floats, top: int = 3) -> list[tuple[str, ...]]:
        """Return the sentences of the largest contributions, one tuple per house."""
        matrix = to_matrix(houses, self._model.contract)
        imputed, _, amounts = self._attribute(matrix)
        amounts = self._with_one_place(amounts)
        order = _largest_first(amounts)[:, :top]
        minimum = difference_step(self.base_price) / 2
        return [
            tuple(
                self._sentence(int(k), matrix[i], imputed[i], amounts[i, k])
                for k in order[i]
                if abs(amounts[i, k]) >= minimum
            )
            for i in range(len(matrix))
        ]

    def _attribute(self, houses: pd.DataFrame | Floats) -> tuple[Floats, Floats, Floats]:
        """Return the imputed houses, their prices, and the contributions in money."""
        matrix = to_matrix(houses, self._model.contract)
        blank = np.isnan(matrix)
        imputed = self._attribution.impute(matrix)
        prices = self._model.predict(imputed, blank).round(2)
        shapley_values = self._attribution.shapley_values(imputed, blank)
        return imputed, prices, money_contributions(shapley_values, prices, self.base_price)

    def _with_one_place(self, amounts: Floats) -> Floats:
        """Return contributions with those of the coordinates added up at the first of them."""
        if not self._place:
            return amounts
        amounts = amounts.copy()
        amounts[:, self._place[0]] = amounts[:, self._place].sum(axis=1).round(2)
        amounts[:, self._place[1:]] = 0.0
        return amounts

    def _explanation(
        self,
        house: Floats,
        imputed: Floats,
        price: float,
        amounts: Floats,
        nearby: NearbyPrices | None,
    ) -> Explanation:
        order = [
            k for k in _largest_first(amounts[np.newaxis])[0].tolist() if k not in self._place[1:]
        ]
        place = amounts[self._place[0]] if self._place else 0.0
        # The model knows more of a place than the prices around it, and may see it the other way.
        reason = nearby if nearby and nearby.difference * place > 0 else None
        words = [self._words(k, house, reason) for k in order]
        frame = pd.DataFrame(
            {
                "column": [self._fields[k].column for k in order],
                "label": [self._label(k) for k in order],
                "told": [value for value, _ in words],
                "base": [base for _, base in words],
                "contribution": amounts[order],
                "sentence": [self._sentence(k, house, imputed, amounts[k], reason) for k in order],
            }
        )
        return Explanation(self.base_price, float(price), frame, nearby)

    def _label(self, k: int) -> str:
        return "Place" if k in self._place else self._fields[k].label

    def _words(self, k: int, house: Floats, nearby: NearbyPrices | None) -> tuple[str, str]:
        """Return the values of a field in this house and in the base house."""
        if k not in self._place:
            field = self._fields[k]
            return field.format(house[k]), field.format(self._attribution.base[k])
        value = "not known" if np.isnan(house[self._place]).any() else "this place"
        if nearby:
            value = nearby.summary[0].lower() + nearby.summary[1:].rstrip(".")
        return value, "the middle of the market"

    def _sentence(
        self,
        k: int,
        house: Floats,
        imputed: Floats,
        amount: float,
        nearby: NearbyPrices | None = None,
    ) -> str:
        field, own = self._fields[k], self._place if k in self._place else [k]
        text, base = self._words(k, house, nearby)
        if k not in self._place:
            text = field.format(imputed[k])
            if np.isnan(house[k]):
                is_number = field.kind == "number"
                estimate = float(f"{imputed[k]:.3g}") if is_number else round(imputed[k])
                text = f"not known, taken as {field.format(estimate)}"
        if (imputed[own] == self._attribution.base[own]).all():
            return f"{self._label(k)}: {text}, as in the typical house"
        difference = format_difference(self._currency, amount, difference_step(self.base_price))
        if k in self._place:
            return f"{self._label(k)}: {text}, {difference} against {base}"
        return f"{self._label(k)}: {text} instead of {base}, {difference}"


def _largest_first(amounts: Floats) -> NDArray[np.intp]:
    """Order the fields of each house by the size of their contribution; the sort is stable."""
    return np.argsort(-np.abs(amounts), axis=1, kind="stable")
