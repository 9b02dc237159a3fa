"""Data quality alerts on the fields, and single sales that look wrong.

There are five kinds of alerts: missing values, (nearly) constant fields, pairs of fields with
nearly the same content, skewed distributions, and outliers. An alert covers all fields that it
concerns, so there are never more than five.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, cast

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from houseprice.market.fields import Field
from houseprice.market.profile.associations import associated_pairs
from houseprice.market.profile.selection import Sales
from houseprice.market.profile.summaries import missing_values
from houseprice.market.sales import Market, most_frequent

AlertKind = Literal["not_known", "alike", "same", "long_tail", "far_out"]

MIN_SALES = 30
"""Sales that alerts need: of fewer, nearly everything would be one."""
ALIKE = 0.95
"""Share of the sales with one value from which a field is constant."""
SAME = 0.85
"""Association from which two fields have nearly the same content."""
LONG_TAIL = 1.0
"""Skewness of a highly skewed distribution (Bulmer 1979, chapter 4)."""
FENCE = 3.0
"""Interquartile ranges beyond a quartile from which a value is "far out" (Tukey 1977, 2D)."""


@dataclass(frozen=True)
class Alert:
    """An alert on ``n_fields`` of the ``n_checked`` fields.

    ``frame`` has the figures, worst first: one row per field, or pair of fields.
    """

    kind: AlertKind
    n_fields: int
    n_checked: int
    frame: pd.DataFrame


def alerts(sales: Sales) -> tuple[Alert, ...]:
    """Return the alerts, the one with the most fields first; none if there are too few sales."""
    if len(sales) < MIN_SALES:
        return ()
    fields, amounts = len(sales.contract.fields), len(list(_amounts(sales)))
    unknown = missing_values(sales).query("not_known > 0").reset_index(drop=True)
    alike = _alike(sales)
    varied = [column for column in sales.contract.columns if column not in set(alike["column"])]
    same, tails = associated_pairs(sales, SAME, varied), _long_tails(sales)
    distant = outliers(sales).groupby("column", sort=False)
    far = distant.agg(field=("field", "first"), sales=("id", "size")).reset_index()
    far = far.sort_values("sales", ascending=False, ignore_index=True, kind="stable")
    candidates = [
        Alert("same", len({*same["one"], *same["other"]}), fields, same),
        Alert("not_known", len(unknown), fields, unknown),
        Alert("alike", len(alike), fields, alike),
        Alert("long_tail", len(tails), amounts, tails),
        Alert("far_out", len(far), amounts, far),
    ]
    raised = [alert for alert in candidates if alert.n_fields]
    return tuple(sorted(raised, key=lambda alert: -alert.n_fields))


def outliers(sales: Sales) -> pd.DataFrame:
    """Every outlier: column, field, id, location, value, price, times (the median).

    Of sizes and of the price, among the homes that have any: a home without a pool is no outlier
    among pools. The field with the furthest value comes first.
    """
    parts = [_field_outliers(field, values) for field, values in _amounts(sales)]
    frame = pd.concat(parts, ignore_index=True) if parts else _no_outliers()
    at = frame.pop("at").to_numpy(np.intp)
    frame.insert(2, "id", sales.ids.to_numpy()[at])
    frame.insert(3, "location", sales.locations[at])
    frame.insert(5, "price", sales.prices.to_numpy(np.float64)[at])
    furthest = frame.groupby("column")["times"].transform("max")
    order = np.lexsort((-frame["times"], frame["column"], -furthest))
    return frame.iloc[order].reset_index(drop=True)


def _alike(sales: Sales) -> pd.DataFrame:
    """(Nearly) constant fields: column, field, level, sales, known, share."""
    rows = []
    for column, field in sales.contract.fields.items():
        values = sales.values(column)
        known = np.count_nonzero(~np.isnan(values))
        if known:
            mode, count = most_frequent(values)
            rows.append((column, field.label, field.format(mode), count, known, count / known))
    frame = pd.DataFrame(rows, columns=["column", "field", "level", "sales", "known", "share"])
    frame = frame[frame["share"] >= ALIKE]
    return frame.sort_values("share", ascending=False, ignore_index=True, kind="stable")


def _long_tails(sales: Sales) -> pd.DataFrame:
    """Skewed fields: column, field, sales with any, skew, quantiles, mean and maximum."""
    rows = []
    for field, values in _amounts(sales):
        some = pd.Series(values[values > 0])
        skew = float(cast("float", some.skew())) if len(some) >= MIN_SALES else 0.0
        if skew >= LONG_TAIL:
            cuts = some.quantile([0.1, 0.5, 0.9]).to_numpy()
            rows.append((field.column, field.label, len(some), skew, *cuts, some.mean(), max(some)))
    names = ["column", "field", "sales", "skew", "lowest_tenth", "median", "highest_tenth"]
    frame = pd.DataFrame(rows, columns=[*names, "mean", "largest"])
    return frame.sort_values("skew", ascending=False, ignore_index=True, kind="stable")


def _amounts(sales: Sales) -> Iterator[tuple[Field, NDArray[np.float64]]]:
    """The price and the fields with sizes or amounts, not counts or years."""
    for column in (sales.contract.market.price.column, *sales.contract.columns):
        if sales.field(column).kind == "number":
            yield sales.field(column), sales.values(column)


def _field_outliers(field: Field, values: NDArray[np.float64]) -> pd.DataFrame:
    some = values[values > 0]
    if some.size < MIN_SALES:
        return _no_outliers()
    low, middle, high = np.quantile(some, [0.25, 0.5, 0.75])
    reach = FENCE * (high - low)
    with np.errstate(invalid="ignore"):
        beyond = (values > 0) & ((values > high + reach) | (values < low - reach))
    at = np.flatnonzero(beyond & (reach > 0))
    far = values[at]
    columns = {"column": field.column, "field": field.label, "at": at, "value": far}
    return pd.DataFrame({**columns, "times": far / middle})


def _no_outliers() -> pd.DataFrame:
    columns = {"column": str, "field": str, "at": int, "value": float, "times": float}
    return pd.DataFrame({name: pd.Series(dtype=kind) for name, kind in columns.items()})


def price_outliers(sales: Sales, held_out: pd.DataFrame) -> pd.DataFrame:
    """Find the sales whose price is outside its 90 % interval, the least plausible first.

    ``held_out`` has the columns id, predicted_price, low_90 and high_90. The result has id,
    place, price, value, low, high; off: price / value - 1; reach: the distance of the price
    from the value over that of the end of the interval on its side, in logarithms.
    """
    predictions = held_out.set_index("id")[["predicted_price", "low_90", "high_90"]]
    frame = pd.DataFrame(
        {
            "id": sales.ids.astype(str).to_numpy(),
            "place": sales.locations,
            "price": sales.prices.to_numpy(np.float64),
        }
    ).join(predictions.set_axis(["value", "low", "high"], axis=1), on="id")
    outside = (frame["price"] < frame["low"]) | (frame["price"] > frame["high"])
    frame = frame[outside]
    bound = frame["high"].where(frame["price"] > frame["value"], frame["low"])
    distance = np.log(frame["price"] / frame["value"])
    frame = frame.assign(
        off=frame["price"] / frame["value"] - 1, reach=distance / np.log(bound / frame["value"])
    )
    return frame.sort_values("reach", ascending=False, ignore_index=True, kind="stable")


def contradictions(market: Market, sales: Sales) -> pd.DataFrame:
    """Find the sales that break a rule of the contract: id, message, expected.

    A row per sale and rule, in the order of the sales.
    """
    rules = {rule.code for rule in market.contract.consistency_rules}
    ids = market.ids.astype(str).to_numpy()
    selected = set(sales.ids.astype(str))
    rows = [
        (ids[problem.row - 1], problem.message, problem.expected or "")
        for problem in market.problems
        if problem.code in rules and problem.row is not None and ids[problem.row - 1] in selected
    ]
    return pd.DataFrame(rows, columns=["id", "message", "expected"])


def unusual_conditions(sales: Sales) -> pd.Series:
    """Describe the unusual conditions of each sale, by its id: "Sale within the family", or ""."""
    conditions: list[list[str]] = [[] for _ in range(len(sales))]
    for field in sales.contract.sale_conditions:
        values = sales.values(field.column)
        for row in np.flatnonzero(~np.isnan(values) & (values != field.start_value)):
            # "Yes" alone has no meaning.
            text = field.label if field.kind == "flag" else field.format(float(values[row]))
            conditions[row].append(text)
    return pd.Series(
        ["; ".join(texts) for texts in conditions], sales.ids.astype(str), dtype=object
    )
