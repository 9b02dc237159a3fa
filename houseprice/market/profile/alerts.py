"""What to know of the sales before any chart of them is believed.

Five questions, each asked of all fields at once: what is not known, what is the same for nearly
every home, which fields say the same, which have a long tail, which hold values far from the rest.
An alert answers one for all the fields that it concerns, so there are never more than five.

Sales that look wrong: a price far from what the facts say, or facts that contradict.
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
from houseprice.market.sales import Market

__all__ = [
    "MIN_SALES",
    "Alert",
    "AlertKind",
    "alerts",
    "contradictions",
    "outliers",
    "price_outliers",
    "unusual_conditions",
]

AlertKind = Literal["not_known", "alike", "same", "long_tail", "far_out"]

MIN_SALES = 30
"""Of fewer sales no alert is given: nearly everything would be one."""
ALIKE = 0.95
"""A field is alike for all where one value holds for this share of the sales."""
SAME = 0.85
"""Two fields say nearly the same from this tie on (``association``)."""
LONG_TAIL = 1.0
"""Skewness from which a distribution is called highly skewed (Bulmer 1979, chapter 4)."""
FENCE = 3.0
"""Quartile ranges beyond a quartile from which a value is "far out" (Tukey 1977, section 2D)."""


@dataclass(frozen=True)
class Alert:
    """One answer.

    Attributes
    ----------
    kind : AlertKind
    concerned : int
        Number of fields that it speaks of.
    of : int
        Number of fields that were asked.
    frame : DataFrame
        The figures, worst first: one row a field, or a pair of fields.
    """

    kind: AlertKind
    n_fields: int
    n_checked: int
    frame: pd.DataFrame


def alerts(sales: Sales) -> tuple[Alert, ...]:
    """Ask all questions; the alert that concerns the most fields comes first.

    What concerns no field gives no alert, and fewer than :data:`FEWEST_SALES` sales give none.
    """
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
    found = [
        Alert("same", len({*same["one"], *same["other"]}), fields, same),
        Alert("not_known", len(unknown), fields, unknown),
        Alert("alike", len(alike), fields, alike),
        Alert("long_tail", len(tails), amounts, tails),
        Alert("far_out", len(far), amounts, far),
    ]
    told = [alert for alert in found if alert.n_fields]
    return tuple(sorted(told, key=lambda alert: -alert.n_fields))


def outliers(sales: Sales) -> pd.DataFrame:
    """Every value far from the rest: column, field, id, location, value, price, times the middle.

    Of sizes and of the price, among the homes that have any of it: a home without a pool is no
    oddity among pools. The field with the furthest value first.
    """
    place = sales.contract.fields[sales.contract.market.roles.location]
    places, prices = sales.values(place.column), sales.prices.to_numpy(np.float64)
    ids = sales.ids.to_numpy()
    parts = [_far_of(field, values) for field, values in _amounts(sales)]
    frame = pd.concat(parts, ignore_index=True) if parts else _no_far()
    at = frame.pop("at").to_numpy(np.intp)
    frame.insert(2, "id", ids[at])
    frame.insert(3, "location", [place.format(value) for value in places[at]])
    frame.insert(5, "price", prices[at])
    furthest = frame.groupby("column")["times"].transform("max")
    order = np.lexsort((-frame["times"], frame["column"], -furthest))
    return frame.iloc[order].reset_index(drop=True)


def _alike(sales: Sales) -> pd.DataFrame:
    """Fields with one value for nearly all: column, field, level, sales, known, share."""
    rows = []
    for column, field in sales.contract.fields.items():
        values = sales.values(column)
        found, counts = np.unique(values[~np.isnan(values)], return_counts=True)
        if counts.size:
            most, known = int(np.argmax(counts)), int(counts.sum())
            share = counts[most] / known
            rows.append(
                (column, field.label, field.format(found[most]), counts[most], known, share)
            )
    frame = pd.DataFrame(rows, columns=["column", "field", "level", "sales", "known", "share"])
    frame = frame[frame["share"] >= ALIKE]
    return frame.sort_values("share", ascending=False, ignore_index=True, kind="stable")


def _long_tails(sales: Sales) -> pd.DataFrame:
    """Sizes with few large ones: column, field, homes with any, skew and what is large in words."""
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
    """The price and the fields that hold sizes or amounts, not counts or years."""
    for column in (sales.contract.market.price.column, *sales.contract.columns):
        if sales.field(column).kind == "number":
            yield sales.field(column), sales.values(column)


def _far_of(field: Field, values: NDArray[np.float64]) -> pd.DataFrame:
    some = values[values > 0]
    if some.size < MIN_SALES:
        return _no_far()
    low, middle, high = np.quantile(some, [0.25, 0.5, 0.75])
    reach = FENCE * (high - low)
    with np.errstate(invalid="ignore"):
        beyond = (values > 0) & ((values > high + reach) | (values < low - reach))
    at = np.flatnonzero(beyond & (reach > 0))
    far = values[at]
    facts = {"column": field.column, "field": field.label, "at": at, "value": far}
    return pd.DataFrame({**facts, "times": far / middle})


def _no_far() -> pd.DataFrame:
    columns = {"column": str, "field": str, "at": int, "value": float, "times": float}
    return pd.DataFrame({name: pd.Series(dtype=kind) for name, kind in columns.items()})


def price_outliers(sales: Sales, held_out: pd.DataFrame) -> pd.DataFrame:
    """Find the sales whose price lies outside the 90 % range that their facts led to.

    Parameters
    ----------
    sales : Sales
    held_out : DataFrame
        id, predicted_price, low_90, high_90: what a model said that had not seen the sale.

    Returns
    -------
    DataFrame, a row per sale, the least believable first
        id, place, price, value, low, high; off: the price over the value, less 1; reach: how many
        times as far from the value as its range reaches on that side, in proportion (log).
    """
    told = held_out.set_index("id")[["predicted_price", "low_90", "high_90"]]
    place = sales.contract.fields[sales.contract.market.roles.location]
    frame = pd.DataFrame(
        {
            "id": sales.ids.astype(str).to_numpy(),
            "place": [place.format(value) for value in sales.values(place.column)],
            "price": sales.prices.to_numpy(np.float64),
        }
    ).join(told.set_axis(["value", "low", "high"], axis=1), on="id")
    outside = (frame["price"] < frame["low"]) | (frame["price"] > frame["high"])
    frame = frame[outside]
    bound = frame["high"].where(frame["price"] > frame["value"], frame["low"])
    away = np.log(frame["price"] / frame["value"])
    frame = frame.assign(
        off=frame["price"] / frame["value"] - 1, reach=away / np.log(bound / frame["value"])
    )
    return frame.sort_values("reach", ascending=False, ignore_index=True, kind="stable")


def contradictions(market: Market, sales: Sales) -> pd.DataFrame:
    """Find the sales whose facts break a rule of the contract: id, message, read, expected.

    A row per sale and rule, in the order of the sales.
    """
    rules = {rule.code for rule in market.contract.rules}
    ids = market.ids.astype(str).to_numpy()
    shown = set(sales.ids.astype(str))
    rows = [
        (ids[problem.row - 1], problem.message, problem.read or "", problem.expected or "")
        for problem in market.problems
        if problem.code in rules and problem.row is not None and ids[problem.row - 1] in shown
    ]
    return pd.DataFrame(rows, columns=["id", "message", "read", "expected"])


def unusual_conditions(sales: Sales) -> pd.Series:
    """Say what was out of the ordinary in the terms of each sale: "Sale within the family".

    Returns
    -------
    Series of str, index the ids as text
        Empty where nothing was.
    """
    terms: list[list[str]] = [[] for _ in range(len(sales))]
    for field in _terms(sales):
        values = sales.values(field.column)
        for row in np.flatnonzero(~np.isnan(values) & (values != field.start_value)):
            # "Yes" says nothing alone.
            said = field.label if field.kind == "flag" else field.format(float(values[row]))
            terms[row].append(said)
    return pd.Series(["; ".join(said) for said in terms], sales.ids.astype(str), dtype=object)


def _terms(sales: Sales) -> list[Field]:
    """The facts of a sale itself that have a usual case; its date has none."""
    roles = sales.contract.market.roles
    return [
        field
        for field in sales.contract.fields.values()
        if field.at_sale
        and field.levels
        and field.start_value is not None
        and field.column not in (roles.sale_month, roles.sale_year)
    ]
