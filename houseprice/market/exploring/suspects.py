"""Sales that look wrong: a price far from what the facts say, or facts that contradict."""

from __future__ import annotations

import numpy as np
import pandas as pd

from houseprice.market.contract import Field
from houseprice.market.exploring.selection import Sales
from houseprice.market.sales import Market

__all__ = ["contradictions", "far_off", "unusual_terms"]


def far_off(sales: Sales, held_out: pd.DataFrame) -> pd.DataFrame:
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
            "place": [place.words(value) for value in sales.values(place.column)],
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


def unusual_terms(sales: Sales) -> pd.Series:
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
            said = field.label if field.kind == "flag" else field.words(float(values[row]))
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
