"""Measure values and ranges of incomplete and of unusual houses: ``python benchmarks/unknowns.py``.

Two tables. In the first, each third of the sales is valued by a model of the others with only some
fields known: the most important first, after the required ones, or random ones. Unknown fields are
left blank, and the contract fills what it can, as for a house of a user. In the second, the 2 % of
the sales that are largest, oldest or most unlike the others are valued by a model of the others.
Eight models are fitted, with five folds for their ranges; it takes a few minutes.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.model_selection import KFold

from houseprice.market.contract import Contract
from houseprice.market.sales import Market, load_market
from houseprice.market.validation import validate
from houseprice.model.importance import permutation_importance
from houseprice.model.valuation import ValuationModel, confidence_band

KNOWN = (0, 1, 2, 3, 4, 8, 15, 30)
KINDS = ("important", "random")
N_FOLDS = 3
TAIL = 0.02

Places = NDArray[np.intp]


def fit(market: Market, sales: Places) -> ValuationModel:
    """Fit a model on some sales."""
    model = ValuationModel(market.contract, n_folds=5)
    return model.fit(market.houses.iloc[sales], market.prices.iloc[sales])


def field_order(model: ValuationModel, market: Market, sales: Places) -> list[str]:
    """Return the required fields, then the others by their importance for the model."""
    houses, prices = market.houses.iloc[sales], market.prices.iloc[sales]
    importance = permutation_importance(model, houses, prices, n_repeats=1)
    fields = market.contract.fields
    return sorted(importance["column"], key=lambda name: not fields[name].required)


def with_known(
    houses: pd.DataFrame,
    contract: Contract,
    order: list[str],
    n_known: int,
    kind: str,
    random: np.random.Generator,
) -> pd.DataFrame:
    """Return the houses with the other fields blank, as validation returns them."""
    if kind == "random":
        ranks = np.argsort(random.random(houses.shape), axis=1)
    else:
        ranks = np.tile([order.index(name) for name in houses.columns], (len(houses), 1))
    return validate(contract.with_codes(houses.where(ranks < n_known)), contract).houses


def incomplete(market: Market) -> Iterator[pd.DataFrame]:
    """Value held-out sales of which only some fields are known."""
    folds = KFold(N_FOLDS, shuffle=True, random_state=0).split(market.houses)
    for fold, (sales, held_out) in enumerate(folds):
        model, random = fit(market, sales), np.random.default_rng(fold)
        order = field_order(model, market, sales)
        houses = market.houses.iloc[held_out].reset_index(drop=True)
        prices = market.prices.iloc[held_out].to_numpy()
        cases = [(n_known, kind) for n_known in KNOWN for kind in KINDS]
        for n_known, kind in [*cases, (len(order), "all")]:
            known = with_known(houses, market.contract, order, n_known, kind, random)
            values = model.value(known).assign(price=prices, known=n_known, fields=kind)
            yield values


def tails(market: Market) -> dict[str, Places]:
    """Return the sales that are beyond the others in one way."""
    houses, roles = market.houses, market.contract.market.roles
    regressor = fit(market, np.arange(len(houses))).regressor_
    imputed = regressor.features_.imputer_.fill(houses.to_numpy(np.float64, copy=True))
    unlikeness = regressor.extrapolation_.measure(imputed)[1].max(axis=1)
    sizes = [name for name, field in market.contract.fields.items() if field.scale == "log"]
    log_sizes = np.log1p(houses[sizes])
    ranked = {
        "largest area": -houses[roles.area],
        "largest in any size": -((log_sizes - log_sizes.mean()) / log_sizes.std()).max(axis=1),
        "oldest": houses[roles.built],
        "most unlike": pd.Series(-unlikeness),
    }
    count = round(TAIL * len(houses))
    return {name: np.argsort(key.to_numpy(), kind="stable")[:count] for name, key in ranked.items()}


def beyond(market: Market) -> Iterator[pd.DataFrame]:
    """Value sales that are beyond those of the model."""
    for name, held_out in tails(market).items():
        model = fit(market, np.setdiff1d(np.arange(len(market.houses)), held_out))
        values = model.value(market.houses.iloc[held_out])
        yield values.assign(price=market.prices.iloc[held_out], sales=name)


def summary(values: pd.DataFrame, by: list[str]) -> pd.DataFrame:
    """Return coverage, median width and error, and the share of low confidence, by group."""
    measured = values.assign(
        coverage=values["price"].between(values["price_low"], values["price_high"]),
        width=(values["price_high"] - values["price_low"]) / values["predicted_price"],
        error=(values["predicted_price"] / values["price"] - 1.0).abs(),
        low=[confidence_band(each) == "low" for each in values["confidence"]],
    )
    return measured.groupby(by, sort=False).agg(
        coverage=("coverage", "mean"),
        median_width=("width", "median"),
        median_error=("error", "median"),
        low_confidence=("low", "mean"),
        n=("price", "size"),
    )


if __name__ == "__main__":
    embedded = load_market()
    print(f"Fields known, {N_FOLDS} folds, 90 % range")
    print(summary(pd.concat(incomplete(embedded)), ["known", "fields"]).round(3).to_string())
    print(f"\nThe {TAIL:.0%} of the sales beyond the others, 90 % range")
    print(summary(pd.concat(beyond(embedded)), ["sales"]).round(3).to_string())
