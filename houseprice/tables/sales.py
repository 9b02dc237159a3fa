"""The sales of a market, read as liberally as any uploaded table."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path

import pandas as pd

from houseprice.errors import InputError, MarketError
from houseprice.market.contract import Contract
from houseprice.market.problems import Problem, concat_problems
from houseprice.market.sales import Market
from houseprice.market.sales import load_market as load_plain_market
from houseprice.settings import Settings, read_settings
from houseprice.tables.mapping import ColumnMapping
from houseprice.tables.reader import open_csv

_NUMBERED = ColumnMapping(numbered=True)


def load_market(name_or_path: str | Path | None = None, settings: Settings | None = None) -> Market:
    """Load a market: an embedded one by name, any by its folder, by default that of the settings.

    The sales may be in any file that an upload may be in. Raises MarketError, and SettingsError if
    settings are read and are wrong.
    """
    settings = settings or read_settings()
    read = partial(read_sales, settings=settings)
    name_or_path = settings.market if name_or_path is None else name_or_path
    return load_plain_market(name_or_path, read, settings.markets)


def read_sales(
    path: Path, contract: Contract | None, settings: Settings
) -> tuple[pd.DataFrame, Sequence[Problem]]:
    """Read a file of sales as text, with columns named as in the contract if there is one.

    Returns the rows, and a problem for each row that could not be read. Raises a MarketError if the
    file can't be read.
    """
    if not path.is_file():
        raise MarketError(path, "", "can't be read (no such file)")
    try:
        with open_csv(path, path.name, settings, contract, mapping=_NUMBERED) as opened:
            tables = list(opened.chunks())
    except InputError as error:
        raise MarketError(path, "", str(error)) from None
    rows = pd.concat([table.rows for table in tables], ignore_index=True)
    return rows, concat_problems((len(table.rows), table.problems) for table in tables)
