"""Measure how far explanations are from exact Shapley values, and how long they take.

``python benchmarks/explanations.py [--houses 40] [--orders 600]`` fits the model on the embedded
market and compares the contributions of houses, evenly spaced among the sales, with the mean gain
over many orders in which the house's fields replace those of the typical house. Each order is also
evaluated in reverse, which halves the noise of this reference; the noise is printed too. The second
table compares the interval of a what-if with models that each lack one fifth of the sales.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from houseprice.market.sales import load_market, typical_house
from houseprice.model.explanation import Explainer
from houseprice.model.shapley import ShapleyExplainer, money_contributions
from houseprice.model.valuation import ValuationModel
from houseprice.model.what_if import EffectUncertainty

Floats = NDArray[np.float64]
Predict = Callable[[Floats], Floats]


def main() -> None:
    """Fit, measure, print."""
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--houses", type=int, default=40)
    options.add_argument("--orders", type=int, default=600)
    arguments = options.parse_args()
    market = load_market()
    model = ValuationModel(market.contract).fit(market.houses, market.prices)
    base = typical_house(market)
    attribution = ShapleyExplainer(model, base)
    places = np.linspace(0, len(market.houses) - 1, arguments.houses).astype(np.intp)
    houses = attribution.impute(market.houses.iloc[places])
    random = np.random.default_rng(0)
    halves = [
        np.array(
            [
                shapley(
                    model.regressor_.predict, house, attribution.base, arguments.orders // 4, random
                )
                for house in houses
            ]
        )
        for _ in range(2)
    ]
    prices = model.predict(houses).round(2)
    base_price = float(model.predict(attribution.base[np.newaxis]).round(2)[0])
    first, second = (money_contributions(half, prices, base_price) for half in halves)
    exact = money_contributions((halves[0] + halves[1]) / 2.0, prices, base_price)
    ours = money_contributions(attribution.shapley_values(houses), prices, base_price)
    differs = houses != attribution.base
    console = Console()
    console.print(agreement(ours, exact, np.abs(first - second) / 2.0, prices, differs))
    console.print(speed(Explainer(model, base), market.houses))
    noise = EffectUncertainty.from_sales(model, market.houses, market.prices)
    console.print(what_if_ranges(model, attribution.impute(market.houses), noise))


def shapley(
    predict: Predict, house: Floats, base: Floats, n_pairs: int, random: np.random.Generator
) -> Floats:
    """Average the gain of each field over random orders and their reverses."""
    fields = np.flatnonzero(house != base)
    gains = np.zeros(len(house))
    for _ in range(n_pairs):
        forth = random.permutation(fields)
        for order in (forth, forth[::-1]):
            walk = np.tile(base, (len(order) + 1, 1))
            for step, field in enumerate(order, start=1):
                walk[step:, field] = house[field]
            gains[order] += np.diff(predict(walk))
    return gains / (2 * n_pairs)


def agreement(
    ours: Floats, exact: Floats, noise: Floats, prices: Floats, differs: NDArray[np.bool_]
) -> Table:
    """Compare contributions in money and in percent of the price."""
    table = Table("Contribution of a field", "median", "95 %", "largest", title="Distance to exact")
    off, share = np.abs(ours - exact), np.abs(ours - exact) / prices[:, np.newaxis]
    for name, values, form in (
        ("difference in money", off, "{:,.0f}"),
        ("difference, % of the price", 100 * share, "{:.3f}"),
        ("noise of the reference, money", noise, "{:,.0f}"),
        ("the contribution itself, money", np.abs(exact), "{:,.0f}"),
    ):
        figures = *np.quantile(values[differs], [0.5, 0.95]), values[differs].max()
        table.add_row(name, *(form.format(figure) for figure in figures))
    leading = np.argsort(-np.abs(exact), axis=1)[:, :5]
    signs = np.sign(np.take_along_axis(ours, leading, 1)) != np.sign(
        np.take_along_axis(exact, leading, 1)
    )
    mine = np.argsort(-np.abs(ours), axis=1)[:, :5]
    shared = np.mean([len(set(a) & set(b)) for a, b in zip(mine, leading, strict=True)])
    table.caption = (
        f"{len(ours)} houses, {differs.sum():,} fields that differ. Among the five largest: "
        f"{signs.sum()} of {signs.size} signs differ, {shared:.2f} of 5 fields are the same."
    )
    return table


def speed(explainer: Explainer, houses: pd.DataFrame) -> Table:
    """Time one house and all sales, in CPU seconds."""
    table = Table("Task", "CPU time", title="Speed")
    one = houses.iloc[[5]]
    explainer.explain(one)
    start = time.process_time()
    for _ in range(50):
        explainer.explain(one)
    table.add_row("explain one house", f"{1000 * (time.process_time() - start) / 50:.1f} ms")
    start = time.process_time()
    explainer.top_drivers(houses)
    table.add_row(f"three reasons, {len(houses):,} houses", f"{time.process_time() - start:.2f} s")
    return table


def what_if_ranges(model: ValuationModel, houses: Floats, noise: EffectUncertainty) -> Table:
    """Change one field at a time to that of another house, and value it with the fold models."""
    random = np.random.default_rng(0)
    one, other = random.integers(0, len(houses), (2, 4000))
    field = random.integers(0, houses.shape[1], 4000)
    before = houses[one]
    after = before.copy()
    after[np.arange(len(after)), field] = houses[other, field]

    def change(predict: Predict) -> Floats:
        return predict(after) - predict(before)

    delta = change(model.regressor_.predict)
    folds = np.array([change(fold.regressor.predict) for fold in model.folds_])
    # Jackknife with one fifth left out at a time (Efron and Tibshirani 1993, section 11.5)
    spread = np.sqrt((len(folds) - 1) / len(folds) * ((folds - folds.mean(0)) ** 2).sum(0))
    design = model.regressor_.design
    half = noise.half_width(model.regressor_, design(before), design(after))
    kept = np.abs(delta) > 0.001
    clear = kept & (np.abs(delta) > half)
    table = Table("What-if", "share", title=f"Ranges of {kept.sum():,} changes of one field")
    wrong = np.mean(np.sign(folds[:, clear]) != np.sign(delta[clear]))
    for name, figure in (
        (
            "a fold's model answers inside the range",
            np.mean(np.abs(folds - delta)[:, kept] <= half[kept]),
        ),
        ("the jackknife's 90 % range is inside", np.mean(1.645 * spread[kept] <= half[kept])),
        ("called clear", clear.sum() / kept.sum()),
        ("called clear, but a fold's model has the other sign", wrong),
    ):
        table.add_row(name, f"{100 * figure:.1f} %")
    ratio = half[kept].mean() / (1.645 * spread[kept].mean())
    table.caption = f"Ranges are {ratio:.2f} times as wide as the jackknife's on average."
    return table


if __name__ == "__main__":
    main()
