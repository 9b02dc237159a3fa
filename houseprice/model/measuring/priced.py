"""Houses with prices that somebody brought: which of them a model can be judged by."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from houseprice.errors import InputError
from houseprice.market.checks import check, check_prices
from houseprice.market.domain import Domain
from houseprice.market.problems import Problem
from houseprice.market.sales import Market

__all__ = ["PricedHouses", "priced_houses"]


@dataclass(frozen=True)
class PricedHouses:
    """The rows of a table that have a house without errors and a price.

    Attributes
    ----------
    houses : DataFrame of shape (n_scored, n_fields)
        Clean houses, index from 0.
    prices : Series of shape (n_scored,)
    n_rows : int
        Rows of the table.
    n_errors : int
        Rows left out because the house has an error.
    n_without_price : int
        Other rows left out because there is no price, or none that can be.
    n_learned : int
        Scored rows that the model has learned from: same key and same facts as one of the market's
        sales. They flatter the score.
    codes : dict of str to int
        Why rows were left out: reason codes, and in how many of the rows each occurs.
    places : ndarray of int, shape (n_scored,)
        Where the scored rows stand in the table, from 0.
    """

    houses: pd.DataFrame
    prices: pd.Series
    n_rows: int
    n_errors: int
    n_without_price: int
    n_learned: int
    codes: dict[str, int]
    places: NDArray[np.intp]


def priced_houses(
    rows: pd.DataFrame, market: Market, domain: Domain, faults: Iterable[Problem] = ()
) -> PricedHouses:
    """Check a table of sales as any table of houses is checked, and its prices.

    Parameters
    ----------
    rows : DataFrame, all text
        Columns of the contract, and that of the price.
    market : Market
        Whose sales the model learned from.
    domain : Domain
        What these sales covered.
    faults : iterable of Problem
        What was wrong with rows when they were read.

    Raises
    ------
    InputError
        If there is no column of prices, or no row that can be scored.
    """
    contract = market.contract
    price = contract.market.price
    if price.column not in rows.columns:
        raise InputError(
            f"There is no column {price.column} ({price.label}), so that values can't be held "
            "against prices."
        )
    rows = rows.reset_index(drop=True)
    checked = check(rows, contract, domain)
    prices, price_problems = check_prices(rows[price.column], contract)
    faults = tuple(faults)
    sound = checked.valid.copy()
    sound[[fault.row - 1 for fault in faults if fault.row is not None]] = False
    scored = sound & prices.notna().to_numpy()
    codes = Counter(
        code for _, code in _reasons((*faults, *checked.problems, *price_problems), scored)
    )
    if not scored.any():
        why = ", ".join(f"{code} ({count:,})" for code, count in codes.most_common(3))
        raise InputError(f"No row can be scored. The most frequent reasons: {why}.")
    learned = _learned(rows, checked.houses, market)
    return PricedHouses(
        houses=checked.houses[scored].reset_index(drop=True),
        prices=prices[scored].reset_index(drop=True),
        n_rows=len(rows),
        n_errors=int((~sound).sum()),
        n_without_price=int((sound & ~scored).sum()),
        n_learned=int((learned & scored).sum()),
        codes=dict(codes.most_common()),
        places=np.flatnonzero(scored),
    )


def _reasons(problems: Iterable[Problem], scored: NDArray[np.bool_]) -> set[tuple[int, str]]:
    """Each row that is left out with each code of an error there; a whole table's under row 0."""
    return {
        (problem.row or 0, problem.reason_code)
        for problem in problems
        if problem.severity == "error" and not (problem.row and scored[problem.row - 1])
    }


def _learned(rows: pd.DataFrame, houses: pd.DataFrame, market: Market) -> NDArray[np.bool_]:
    key = market.contract.market.id
    learned = np.zeros(len(rows), dtype=bool)
    if key not in rows.columns:
        return learned
    places = pd.Index(market.ids).get_indexer(pd.Index(rows[key].astype(str).str.strip()))
    known = np.flatnonzero(places >= 0)
    own = houses.to_numpy(np.float64)[known]
    theirs = market.houses.to_numpy(np.float64)[places[known]]
    learned[known] = ((own == theirs) | (np.isnan(own) & np.isnan(theirs))).all(axis=1)
    return learned
