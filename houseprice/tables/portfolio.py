"""The sum of the values of a table, with a prediction interval.

The interval is that of :mod:`houseprice.model.aggregate`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from houseprice.formatting import percent
from houseprice.market.contract import Contract
from houseprice.market.parsing import parse_column
from houseprice.model.aggregate import SharedErrors, sum_interval, variance_components
from houseprice.tables.scoring import ScoredTable
from houseprice.tables.table import Table

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Portfolio:
    """The valued houses of a table, as a sum.

    ``low``, ``high`` and ``level`` are the prediction interval of the sum and its level; None if
    the backend gives no ranges. The sum is rounded to ``step``. ``why`` says why the interval is as
    wide as it is. ``parts`` has the standard deviation of each error component, relative to the
    sum. ``by_location`` has the largest sum first; its intervals do not add up to that of the sum:
    not all locations err at once.
    """

    houses: int
    total: float
    low: float | None
    high: float | None
    level: float | None
    step: float
    sentence: str
    why: str
    parts: pd.DataFrame
    by_location: pd.DataFrame


def sum_portfolio(
    table: Table, scored: ScoredTable, contract: Contract, metrics: Mapping[str, float]
) -> Portfolio | None:
    """Add up the values of a table; return None if no house has a value.

    ``metrics`` are those of the backend's model.
    """
    valued = scored.valuations["predicted_price"].notna().to_numpy()
    if not valued.any():
        return None
    values = scored.valuations[valued]
    shared = SharedErrors.from_metrics(metrics)
    area = _areas(table, contract)[valued]
    rows = [_row(values, area, None, shared)]
    field = contract.field_of("location")
    if field is not None:
        rows += [_row(values, area, location, shared) for location in pd.unique(area)]
    whole, *locations = rows
    named = [
        {"location": field.format(float(row.pop("area"))) if field else "", **row}
        for row in locations
    ]
    by_location = pd.DataFrame(named, columns=["location", *whole]).sort_values(
        "total", ascending=False, kind="stable", ignore_index=True
    )
    total, low, high = (float(whole[name]) for name in ("total", "low", "high"))
    ranged = not np.isnan(low)
    level = float(values["interval"].max()) if ranged else None
    parts = _parts(values, area, shared) if ranged else pd.DataFrame({"part": [], "share": []})
    # The range is given to three digits, and the sum as precisely.
    step = 10.0 ** np.floor(np.log10(((high - low if ranged else total) or 1.0) / 20))
    return Portfolio(
        houses=int(valued.sum()),
        total=total,
        low=low if ranged else None,
        high=high if ranged else None,
        level=level,
        step=step,
        sentence=_sentence(int(valued.sum()), (total, low, high), level, step, contract),
        why=_why(parts, shared) if ranged else "",
        parts=parts,
        by_location=by_location,
    )


def _row(
    values: pd.DataFrame, area: Floats, location: float | None, shared: SharedErrors
) -> dict[str, float]:
    """Return the sum of the houses of one area, or of all."""
    here = np.ones(len(area), dtype=bool)
    if location is not None:
        here = np.isnan(area) if np.isnan(location) else area == location
    part, level = values[here], float(values["interval"].max())
    low, high = sum_interval(part, area[here], shared, level)
    row = {
        "houses": int(here.sum()),
        "total": part["predicted_price"].sum(),
        "low": low,
        "high": high,
    }
    return row if location is None else {"area": location, **row}


def _areas(table: Table, contract: Contract) -> Floats:
    field = contract.field_of("location")
    if field is None or field.column not in table.rows.columns:
        return np.full(len(table.rows), np.nan)
    return parse_column(field, table.rows[field.column])[0]


def _parts(values: pd.DataFrame, area: Floats, shared: SharedErrors) -> pd.DataFrame:
    words = (
        "Error shared by all houses",
        "Error shared within a location",
        "Errors of single houses",
    )
    return pd.DataFrame(
        {"part": words, "share": np.sqrt(variance_components(values, area, shared))}
    )


def _sentence(
    n_houses: int,
    amounts: tuple[float, float, float],
    level: float | None,
    step: float,
    contract: Contract,
) -> str:
    subject = "1 house is" if n_houses == 1 else f"{n_houses:,} houses together are"
    text = f"{subject} valued at {contract.money(amounts[0], step)}."
    if level is None:
        return f"{text} The server gives no ranges, so there is none for the sum."
    low, high = (contract.money(amount, step) for amount in amounts[1:])
    share = f"{100 * level:.0f} %"
    return f"{text} In {share} of cases like this the prices add up to {low} to {high}."


def _why(parts: pd.DataFrame, shared: SharedErrors) -> str:
    time, area, own = (percent(share) for share in parts["share"])
    text = (
        "Errors of single houses cancel out in a sum; shared errors do not. Relative to the sum, "
        f"the error shared by all houses (the market moves) is {time}, that shared within a "
        f"location {area}, and what remains of the errors of single houses {own}."
    )
    if shared.measured:
        return text
    return f"{text} The correlation of errors is not known here; conservative figures were used."
