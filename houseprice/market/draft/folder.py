"""A new market folder from a file of sales: contract, sales, and houses to try a valuation on."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from houseprice.market.contract import CONTRACT_FILE, load_contract
from houseprice.market.draft.contract import contract_text
from houseprice.market.draft.draft import Draft
from houseprice.market.fetch import atomic_folder
from houseprice.market.problems import Problem
from houseprice.market.sales import Market, market_of

__all__ = ["write_market"]

N_SAMPLE = 20
SAMPLE = "to_value.csv"


def write_market(
    draft: Draft,
    rows: pd.DataFrame,
    unread: Sequence[Problem],
    sales: Path,
    folder: Path,
    *,
    title: str,
    currency: str = "",
    replace: bool = False,
) -> Market:
    """Create the folder of a drafted market, and load it.

    Parameters
    ----------
    draft : Draft
    rows : DataFrame
        The sales as text.
    unread : sequence of Problem
        Rows of the file that could not be read.
    sales : Path
        The file that they were read from, which is copied as it is.
    folder : Path
    title : str
        The name of the town.
    currency : str
    replace : bool
        Replace a folder that has only the files of a market.

    Raises
    ------
    MarketError
        If too few sales can be used.
    FetchError
        If the folder exists or can't be written.
    """
    names = (CONTRACT_FILE, sales.name, SAMPLE)
    with atomic_folder(folder, names, replace=replace) as (new, _):
        text = contract_text(draft, title, sales.name, currency)
        (new / CONTRACT_FILE).write_text(text, encoding="utf-8")
        (new / sales.name).write_bytes(sales.read_bytes())
        market = market_of(new, load_contract(new), rows, unread)
        columns = [guess.column for guess in draft.fields]
        sample = rows[columns].sample(min(N_SAMPLE, len(rows)), random_state=0).sort_index()
        sample.to_csv(new / SAMPLE, index=False)
    return market
