"""Measure the coverage of the interval of a sum of values: ``python benchmarks/portfolio.py``.

Out of time, each year is valued by a model of the years before, with the shared errors of those
years; in folds, each fifth of the sales by a model of the rest. For comparison: the interval
under independent errors, and the sum of all single intervals. It takes a few minutes.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.model_selection import KFold

from houseprice.market.sales import Market, load_market
from houseprice.model.aggregate import (
    SharedErrors,
    estimate_shared_errors,
    own_error_ratio,
    sum_interval,
)
from houseprice.model.valuation import ValuationModel

LEVEL, Z = 0.9, 1.645
SIZES = (1, 5, 20, 50, 100, 170, 250, 300)
FEWEST_IN_AREA = 5

Places = NDArray[np.intp]


class Valued(NamedTuple):
    """Held-out houses, with the shared errors of their model."""

    frame: pd.DataFrame
    prices: NDArray[np.float64]
    areas: NDArray[np.float64]
    shared: SharedErrors


def valued(market: Market, train: Places, test: Places) -> Valued:
    """Value the test sales with a model of the training sales."""
    part = replace(
        market,
        houses=market.houses.iloc[train].reset_index(drop=True),
        prices=market.prices.iloc[train].reset_index(drop=True),
    )
    model = ValuationModel(market.contract).fit(part.houses, part.prices)
    errors = estimate_shared_errors(model, part)
    errors["own_error_ratio"] = own_error_ratio(model, part)
    return Valued(
        model.value(market.houses.iloc[test], LEVEL),
        market.prices.to_numpy(np.float64)[test],
        market.houses[market.contract.market.roles.location].to_numpy(np.float64)[test],
        SharedErrors.from_metrics(errors),
    )


def judged(houses: Valued, portfolios: Iterator[Places]) -> Iterator[dict[str, float]]:
    """Yield for each portfolio whether each interval covers its prices, and its half width."""
    for places in portfolios:
        part, paid = houses.frame.iloc[places], houses.prices[places].sum()
        worth = part["predicted_price"].sum()
        spread = Z * np.sqrt(np.square(part["fsd"] * part["predicted_price"]).sum())
        ends = {
            "ours": sum_interval(part, houses.areas[places], houses.shared, LEVEL),
            "independent": (worth - spread, worth + spread),
            "added": (part["price_low"].sum(), part["price_high"].sum()),
        }
        row = {f"{name} covers": float(low <= paid <= high) for name, (low, high) in ends.items()}
        yield row | {f"{n} ±": (high - low) / 2 / worth for n, (low, high) in ends.items()}


def drawn(houses: Valued, size: int, times: int, random: np.random.Generator) -> Iterator[Places]:
    """Draw portfolios of one size."""
    for _ in range(times):
        yield random.choice(len(houses.prices), min(size, len(houses.prices)), replace=False)


def by_area(houses: Valued) -> Iterator[Places]:
    """Yield all houses of each area with enough sales."""
    for area in np.unique(houses.areas):
        places = np.flatnonzero(houses.areas == area)
        if len(places) >= FEWEST_IN_AREA:
            yield places


def report(name: str, parts: list[Valued], times: int) -> None:
    """Print the table of one year, or of all folds."""
    random = np.random.default_rng(0)
    rows = {}
    for size in SIZES:
        found = [row for part in parts for row in judged(part, drawn(part, size, times, random))]
        rows[f"{size} houses"] = pd.DataFrame(found).mean()
    rows["by area"] = pd.DataFrame(
        [r for part in parts for r in judged(part, by_area(part))]
    ).mean()
    print(f"\n{name}: {parts[0].shared}")
    print(pd.DataFrame(rows).T.round(3).to_string())


def main() -> None:
    """Measure the years with earlier years to train on, and the folds."""
    market = load_market()
    years = market.houses[market.contract.market.roles.sale_year].to_numpy(np.float64)
    for year in np.unique(years)[2:]:
        train, test = np.flatnonzero(years < year), np.flatnonzero(years == year)
        report(f"{year:.0f}", [valued(market, train, test)], 400)
    splits = KFold(5, shuffle=True, random_state=0).split(years)
    report("Folds", [valued(market, train, test) for train, test in splits], 100)


if __name__ == "__main__":
    main()
