"""More sales for a market, from a file or from the records, and what is new about them."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from houseprice.errors import InputError, MarketError
from houseprice.files import replace_file
from houseprice.formatting import plural
from houseprice.market.contract import CONTRACT_FILE, Contract, load_contract
from houseprice.market.defaults import as_of_cells
from houseprice.market.sales import Market, market_of
from houseprice.settings import Settings
from houseprice.tables.sales import read_sales

OUTCOME_COLUMN = "outcome"
"""The column of a file of sales with the number of the later price that a row comes from."""


@dataclass(frozen=True)
class Extension:
    """A market with more sales, not written yet.

    ``rows`` are all sales as text, the new ones last. Of these, ``set_aside`` do not count, with a
    reason each; ``n_known`` rows of the file are in the market already, and are left out.
    """

    market: Market
    rows: pd.DataFrame
    n_added: int
    n_known: int
    set_aside: pd.DataFrame

    @property
    def summary(self) -> str:
        """What is new, in a sentence."""
        return (
            f"{plural(self.n_added, 'sale')} to add, {self.n_known:,} known already, "
            f"{len(self.set_aside):,} set aside."
        )

    def write(self) -> Path:
        """Write all sales to a new file of the market, keep the old one, and return the new one."""
        folder, number = self.market.folder, 2
        stem = re.sub(r"(-\d+)?\..*", "", self.market.contract.market.sales)
        while (path := folder / f"{stem}-{number}.csv").exists():
            number += 1
        replace_file(path, self.rows.to_csv(index=False).encode())
        set_market_key(folder, "sales", path.name)
        return path


def extend_market(folder: Path, sales: Path, settings: Settings) -> Extension:
    """Compare a file of sales with those of a market, by their key or else by all their cells.

    Raises InputError if the file lacks a column of the market or has no new sale.
    """
    contract = load_contract(folder)
    old, unread = read_sales(folder / contract.market.sales, contract, settings)
    try:
        new, faults = read_sales(sales, contract, settings)
    except MarketError as error:
        raise InputError(error.reason) from None  # without the path of a temporary file
    required = {contract.market.price.column, *contract.fields}
    if contract.market.id in old.columns:
        required |= {contract.market.id}
    missing = sorted(required.difference(new.columns))
    if missing:
        raise InputError(f"{sales.name} lacks columns of the market: {', '.join(missing)}.")
    new = new.reindex(columns=old.columns, fill_value="")
    key = [contract.market.id] if contract.market.id in old.columns else list(old.columns)
    both = pd.concat([old, new], ignore_index=True)
    is_known = both[key].apply(lambda cells: cells.str.strip()).duplicated().to_numpy()[len(old) :]
    is_faulty = (new.index + 1).isin([fault.row for fault in faults])
    rows = pd.concat([old, new[~is_known & ~is_faulty]], ignore_index=True)
    if len(rows) == len(old):
        raise InputError(f"{sales.name} has no sale that the market does not have.")
    market = market_of(folder, contract, rows, unread)
    set_aside = market.set_aside[market.set_aside["row"] > len(old)]
    n_added = len(rows) - len(old) - len(set_aside)
    unreadable = pd.DataFrame(
        [(fault.row, "", fault.code, fault.sentence) for fault in faults],
        columns=set_aside.columns,
    )
    set_aside = pd.concat([set_aside, unreadable], ignore_index=True)
    return Extension(market, rows, n_added, int(is_known.sum()), set_aside)


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
    }
    if market.property_id is not None:
        cells[market.property_id] = row["property_key"] or ""
    return cells | (as_of_cells(contract, row["sold_on"]) if market.roles.dates else {})


def _is_known(new: pd.DataFrame, own: pd.DataFrame, contract: Contract) -> pd.Series:
    """Whether the own sales have the same property at the same price."""
    key, price = contract.market.property_id, contract.market.price.column
    if key is None or key not in own:
        return pd.Series(False, index=new.index)
    known = set(zip(own[key].str.strip(), pd.to_numeric(own[price], "coerce"), strict=True))
    pairs = zip(new[key], pd.to_numeric(new[price]), strict=True)
    return pd.Series([bool(pair[0]) and pair in known for pair in pairs], index=new.index)


def set_market_key(folder: Path, key: str, value: str) -> None:
    """Change a text under ``[market]`` in the contract of a folder, and nothing else of it.

    Raises MarketError if the contract is not written in a way that allows it.
    """
    path = folder / CONTRACT_FILE
    before = path.read_text(encoding="utf-8")
    line = f"{key} = {json.dumps(value, ensure_ascii=False)}\n"
    head, section, rest = before.partition("[market]\n")
    own, following = re.split(r"^(?=\[)", f"{rest}\n[", maxsplit=1, flags=re.MULTILINE)
    own, found = re.subn(rf"^{key}\s*=.*\n", lambda _: line, own, flags=re.MULTILINE)
    after = f"{head}{section}{own if found else line + own}{following}".removesuffix("\n[")
    expected = tomllib.loads(before)
    expected.get("market", {})[key] = value
    try:
        is_right = tomllib.loads(after) == expected
    except tomllib.TOMLDecodeError:
        is_right = False
    if not is_right:
        raise MarketError(path, f"market.{key}", "can't be changed here: edit the file")
    replace_file(path, after.encode())
