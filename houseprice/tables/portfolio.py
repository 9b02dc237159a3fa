"""All houses of a table together: the sum of their values, with an honest range.

The range of the sum is that of :mod:`houseprice.model.aggregate`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from houseprice.market.contract import Contract
from houseprice.market.parsing import parse_column
from houseprice.model.aggregate import SharedErrors, sum_interval, variance_components
from houseprice.tables.scoring import ScoredTable
from houseprice.tables.table import Table

__all__ = ["Portfolio", "sum_portfolio"]

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Portfolio:
    """The houses of a table that have a value, taken together.

    Attributes
    ----------
    houses : int
    total : float
        The sum of their values.
    low, high, level : float or None
        The range of the sum of their prices, and how often it should hold; None where the backend
        gives no ranges.
    sentence : str
        The sum and its range.
    why : str
        Why the range is as wide as it is.
    parts : DataFrame
        part (in words), share: standard deviation of each part of the error, as a share of the sum.
    by_location : DataFrame
        location, houses, total, low, high; the dearest sum first. The ranges of areas do not add up
        to that of all: not all areas are off at once.
    """

    houses: int
    total: float
    low: float | None
    high: float | None
    level: float | None
    sentence: str
    why: str
    parts: pd.DataFrame
    by_location: pd.DataFrame


def sum_portfolio(
    table: Table, scored: ScoredTable, contract: Contract, metrics: Mapping[str, float]
) -> Portfolio | None:
    """Add up the values of a table.

    Parameters
    ----------
    table : Table
    scored : Scored
        Its valuations.
    contract : Contract
    metrics : mapping of str to float
        What the backend tells of its model.

    Returns
    -------
    Portfolio or None
        None if no house has a value.
    """
    valued = scored.valuations["predicted_price"].notna().to_numpy()
    if not valued.any():
        return None
    values = scored.valuations[valued]
    shared = SharedErrors.from_metrics(metrics)
    area = _areas(table, contract)[valued]
    rows = [_row(values, area, None, shared)]
    rows += [_row(values, area, place, shared) for place in pd.unique(area)]
    whole, *places = rows
    field = contract.fields[contract.market.roles.location]
    by_location = pd.DataFrame(
        [{"location": field.format(float(row.pop("area"))), **row} for row in places]
    ).sort_values("total", ascending=False, kind="stable", ignore_index=True)
    total, low, high = (float(whole[name]) for name in ("total", "low", "high"))
    ranged = not np.isnan(low)
    level = float(values["interval"].max()) if ranged else None
    parts = _parts(values, area, shared) if ranged else pd.DataFrame({"part": [], "share": []})
    return Portfolio(
        houses=int(valued.sum()),
        total=total,
        low=low if ranged else None,
        high=high if ranged else None,
        level=level,
        sentence=_sentence(int(valued.sum()), (total, low, high), level, contract),
        why=_why(parts, shared) if ranged else "",
        parts=parts,
        by_location=by_location,
    )


def _row(
    values: pd.DataFrame, area: Floats, place: float | None, shared: SharedErrors
) -> dict[str, float]:
    """The sum of the houses of one area, or of all."""
    here = np.ones(len(area), dtype=bool)
    if place is not None:
        here = np.isnan(area) if np.isnan(place) else area == place
    part, level = values[here], float(values["interval"].max())
    low, high = sum_interval(part, area[here], shared, level)
    row = {
        "houses": int(here.sum()),
        "total": part["predicted_price"].sum(),
        "low": low,
        "high": high,
    }
    return row if place is None else {"area": place, **row}


def _areas(table: Table, contract: Contract) -> Floats:
    name = contract.market.roles.location
    if name not in table.rows.columns:
        return np.full(len(table.rows), np.nan)
    return parse_column(contract.fields[name], table.rows[name], contract.market.as_of)[0]


def _parts(values: pd.DataFrame, area: Floats, shared: SharedErrors) -> pd.DataFrame:
    words = ("All houses off together", "Houses of one area off together", "Each house on its own")
    return pd.DataFrame(
        {"part": words, "share": np.sqrt(variance_components(values, area, shared))}
    )


def _sentence(
    n_houses: int, money: tuple[float, float, float], level: float | None, contract: Contract
) -> str:
    total, low, high = money
    # Three digits of the range are told, and as many of the sum.
    step = 10.0 ** np.floor(np.log10(max((high - low if level else total) / 20, 1.0)))
    symbol = contract.market.price.symbol
    what = "house is" if n_houses == 1 else "houses together are"

    def words(amount: float) -> str:
        return f"{symbol}{round(amount / step) * step:,.0f}"

    told = f"{n_houses:,} {what} valued at {words(total)}."
    if level is None:
        return f"{told} Who answers gives no ranges, so that none can be given for the sum."
    return (
        f"{told} In {100 * level:.0f} % of cases like this the prices add up to {words(low)} to "
        f"{words(high)}."
    )


def _why(parts: pd.DataFrame, shared: SharedErrors) -> str:
    time, area, own = (f"{100 * share:.1f} %" for share in parts["share"])
    told = (
        "Errors of single houses cancel out in a sum; errors that houses share do not. Of the sum, "
        f"{time} is what all houses may be off together when the market moves, {area} what whole "
        f"areas may be off, and {own} what is left of the errors of single houses."
    )
    if shared.measured:
        return told
    return f"{told} How far errors go together is not known here; cautious figures were taken."
