"""Later prices of the records as sales of their market: rows with the columns of its file."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from datetime import date
from pathlib import Path
from typing import Any

import pandas as pd

from houseprice.errors import InputError
from houseprice.market.contract import Contract, load_contract
from houseprice.market.sales import market_of
from houseprice.settings import Settings
from houseprice.tables.extension import Extension
from houseprice.tables.sales import read_sales

OUTCOME_COLUMN = "outcome"
"""The column of a file of sales with the number of the later price that a row comes from."""


def extend_by_outcomes(folder: Path, sold: pd.DataFrame, settings: Settings) -> Extension:
    """Add later prices (:func:`houseprice.records.outcomes.sold_houses`) to a market.

    Those that were added before are replaced, so that corrections count. A later price without any
    facts is left out, and so is one whose property was sold at the same price in the market's own
    sales.

    Raises InputError if nothing is new.
    """
    contract = load_contract(folder)
    all_rows, unread = read_sales(folder / contract.market.sales, contract, settings)
    faulty = {fault.row for fault in unread}
    old = all_rows[[row not in faulty for row in range(1, len(all_rows) + 1)]]
    before = old.get(OUTCOME_COLUMN, pd.Series("", index=old.index))
    own = old[before == ""].assign(**{OUTCOME_COLUMN: ""}).reset_index(drop=True)
    sales = [_sale(row, contract) for row in sold.to_dict("records") if row["facts"]]
    new = pd.DataFrame(sales, columns=own.columns, dtype=object).fillna("").astype(str)
    is_known = _is_known(new, own, contract)
    rows = pd.concat([own, new[~is_known]], ignore_index=True)
    columns = [name for name in old.columns if name != OUTCOME_COLUMN]
    earlier = set(map(tuple, old.loc[before != "", columns].to_numpy()))
    is_added = [tuple(row) not in earlier for row in rows.loc[len(own) :, columns].to_numpy()]
    if not any(is_added) and len(is_added) == len(earlier):
        raise InputError("The records have no later price that the market does not have.")
    market = market_of(folder, contract, rows)
    set_aside = market.set_aside[market.set_aside["row"] > len(own)]
    n_added = sum(is_added) - sum(is_added[row - len(own) - 1] for row in set_aside["row"])
    n_known = len(is_added) - sum(is_added) + int(is_known.sum())
    return Extension(market, rows, n_added, n_known, set_aside)


def _sale(row: Mapping[Hashable, Any], contract: Contract) -> dict[str, str]:
    market = contract.market
    cells = {
        **{name: str(cell) for name, cell in row["facts"].items()},
        market.price.column: f"{row['price']:.2f}".removesuffix(".00"),
        market.id: f"outcome-{row['outcome']}",
        OUTCOME_COLUMN: str(row["outcome"]),
        **_date_cells(row["sold_on"], contract),
    }
    if market.property_id is not None:
        cells[market.property_id] = row["property_key"] or ""
    return cells


def _date_cells(sold_on: date, contract: Contract) -> dict[str, str]:
    """Return the day of sale as the fields of the market have it."""
    roles = contract.market.roles
    cells = {}
    if roles.sale_date is not None:
        cells[roles.sale_date] = sold_on.isoformat()
    if roles.sale_year is not None:
        cells[roles.sale_year] = str(sold_on.year)
    if roles.sale_month is not None:
        levels = contract.fields[roles.sale_month].levels
        position = (sold_on.month - 1) * len(levels) // 12
        cells[roles.sale_month] = levels[position].code if levels else str(sold_on.month)
    return cells


def _is_known(new: pd.DataFrame, own: pd.DataFrame, contract: Contract) -> pd.Series:
    """Whether the own sales have the same property at the same price."""
    key, price = contract.market.property_id, contract.market.price.column
    if key is None or key not in own:
        return pd.Series(False, index=new.index)
    known = set(zip(own[key].str.strip(), pd.to_numeric(own[price], "coerce"), strict=True))
    pairs = zip(new[key], pd.to_numeric(new[price]), strict=True)
    return pd.Series([bool(pair[0]) and pair in known for pair in pairs], index=new.index)
