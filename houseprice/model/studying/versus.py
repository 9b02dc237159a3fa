"""Two versions of the model held against each other on the same sales."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from houseprice.model.measuring.report import fifths

__all__ = ["ALL", "Versus", "hindrance", "in_common", "versus"]

ALL = "All sales"
_RESAMPLES = 2000
_ENDS = (0.025, 0.975)


@dataclass(frozen=True)
class Versus:
    """The absolute errors of one version less those of another, sale by sale.

    Attributes
    ----------
    sales : DataFrame, a row per sale
        id, price, first_error, second_error (absolute, shares of the price), difference (first
        less second; below 0 the first is closer).
    groups : DataFrame, a row per group, all sales first and then fifths of the price
        group, sales, difference (mean), low, high (95 % bootstrap interval of the mean), closer
        (share of sales where the first is closer).
    """

    sales: pd.DataFrame
    groups: pd.DataFrame


def hindrance(first: pd.DataFrame, second: pd.DataFrame) -> str:
    """Say why two tables of held-out values can't be compared; "" where they can.

    A pair of errors is only fair where both models had learned from the same other sales.
    """
    if first.empty or second.empty:
        return "One of them has no held-out values: it was trained without its study."
    both = first.merge(second, on="id", suffixes=("", "_second"))
    if len(both) != len(first) or len(both) != len(second):
        return "They were not measured on the same sales."
    if not np.allclose(both["price"], both["price_second"]):
        return "The prices of the sales have changed between them."
    # Folds are the same if they part the sales alike, whatever their numbers are.
    pairs = both[["fold", "fold_second"]].drop_duplicates()
    if pairs["fold"].duplicated().any() or pairs["fold_second"].duplicated().any():
        return "The sales were held out in other folds."
    return ""


def in_common(first: pd.DataFrame, second: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the rows of two tables of held-out values for the sales that both know as they are.

    That is by id and price. Where sales have come or gone between two versions, they were held out
    in other folds; both were still valued unseen, and what that adds is chance, not a lean.
    """
    known = first.merge(second, on="id", suffixes=("", "_second"))
    same = known.loc[np.isclose(known["price"], known["price_second"]), "id"]
    return first[first["id"].isin(same)], second[second["id"].isin(same)]


def versus(first: pd.DataFrame, second: pd.DataFrame, symbol: str) -> Versus:
    """Compare two versions that nothing hinders (:func:`hindrance`).

    Parameters
    ----------
    first, second : DataFrame
        As ``Study.held_out``.
    symbol : str
        Of the currency, to name the fifths of the price.
    """
    both = first.merge(second, on="id", suffixes=("", "_second"))
    price = both["price"]
    errors = [
        (both[name] - price).abs() / price for name in ("predicted_price", "predicted_price_second")
    ]
    sales = pd.DataFrame(
        {
            "id": both["id"],
            "price": price,
            "first_error": errors[0],
            "second_error": errors[1],
            "difference": errors[0] - errors[1],
        }
    )
    random = np.random.default_rng(0)
    parts = [(ALL, sales["difference"])]
    parts += [
        (str(label), part)
        for label, part in sales["difference"].groupby(fifths(price, symbol), observed=True)
    ]
    rows = [
        (label, len(part), part.mean(), *_interval(part.to_numpy(), random), (part < 0).mean())
        for label, part in parts
    ]
    columns = ["group", "sales", "difference", "low", "high", "closer"]
    return Versus(sales, pd.DataFrame(rows, columns=columns))


def _interval(values: NDArray[np.float64], random: np.random.Generator) -> tuple[float, float]:
    """The percentile bootstrap interval of the mean (Efron and Tibshirani 1993, section 13.3)."""
    counts = random.multinomial(len(values), np.full(len(values), 1 / len(values)), _RESAMPLES)
    low, high = np.quantile(counts @ values / len(values), _ENDS)
    return float(low), float(high)
