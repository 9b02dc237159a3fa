"""A market on disk: its contract with the sales to learn from."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import pandas as pd

from houseprice.errors import MarketError
from houseprice.market.checks import check, check_prices
from houseprice.market.contract import CONTRACT_FILE, Contract, load_contract
from houseprice.market.problems import Problem

__all__ = ["Market", "load_market", "market_folder", "read_rows"]

EMBEDDED = Path(__file__).parent


@dataclass(frozen=True)
class Market:
    """A contract and the sales that pass it.

    Attributes
    ----------
    contract : Contract
    folder : Path
    houses : DataFrame, shape (n_sales, n_fields)
        Clean houses, as :func:`houseprice.market.checks.check` gives them.
    prices : Series, shape (n_sales,)
        Sale prices, in the market's currency.
    ids : Series, shape (n_sales,)
        The key of each sale, as text.
    problems : tuple of Problem
        What the checks had to say of the sales.
    """

    contract: Contract
    folder: Path
    houses: pd.DataFrame
    prices: pd.Series
    ids: pd.Series
    problems: tuple[Problem, ...]

    @property
    def sales_path(self) -> Path:
        """The file of the sales."""
        return self.folder / self.contract.market.sales

    @property
    def sample_path(self) -> Path:
        """A file of houses without a price, to try a valuation on."""
        return self.folder / self.contract.market.sample

    @cached_property
    def words(self) -> pd.DataFrame:
        """The sales for people: levels in words, with their key first and their price last."""
        frame = self.contract.words(self.houses)
        frame.insert(0, self.contract.market.id, self.ids)
        frame[self.contract.market.price.column] = self.prices
        return frame


def load_market(name_or_path: str | Path | None = None) -> Market:
    """Load a market: an embedded one by name, any by its folder, else the first embedded one.

    Raises
    ------
    MarketError
        If there is no such market, its contract is wrong, or its sales break the contract.
    """
    folder = market_folder(name_or_path)
    contract = load_contract(folder)
    file = folder / contract.market.sales
    try:
        rows = read_rows(file)
    except OSError as error:
        raise MarketError(file, "", f"can't be read ({error.strerror})") from None
    except (ValueError, UnicodeDecodeError) as error:
        raise MarketError(file, "", f"is no CSV file ({error})") from None
    for column in (contract.market.id, contract.market.price.column):
        if column not in rows.columns:
            raise MarketError(file, column, "this column is missing")
    checked = check(rows, contract)
    prices, price_problems = check_prices(rows[contract.market.price.column], contract)
    problems = (*checked.problems, *price_problems)
    _refuse_errors(file, problems)
    ids = rows[contract.market.id].astype(str)
    if ids.duplicated().any():
        twice = ids[ids.duplicated()].iloc[0]
        raise MarketError(file, contract.market.id, f"{twice} stands there more than once")
    return Market(contract, folder, checked.houses, prices, ids, problems)


def market_folder(name_or_path: str | Path | None = None) -> Path:
    """Find the folder of a market: an embedded one by name, any by its path, else the first.

    What has a separator in it ("./town") is a path, so that a folder may bear an embedded name.

    Raises
    ------
    MarketError
        If there is no such market.
    """
    embedded = sorted(path.parent for path in EMBEDDED.glob(f"*/{CONTRACT_FILE}"))
    if name_or_path is None:
        return embedded[0]
    path = Path(name_or_path)
    is_name = str(name_or_path) == path.name
    for folder in [EMBEDDED / path, path] if is_name else [path]:
        if (folder / CONTRACT_FILE).is_file():
            return folder
    names = ", ".join(folder.name for folder in embedded)
    reason = f"no market there; give a folder with a {CONTRACT_FILE}, or one of: {names}"
    raise MarketError(path, "", reason)


def read_rows(path: Path) -> pd.DataFrame:
    """Read a CSV file as text, cell by cell: "NA" stays the text that it is."""
    return pd.read_csv(path, dtype=str, keep_default_na=False, encoding="utf-8-sig")


def _refuse_errors(file: Path, problems: tuple[Problem, ...]) -> None:
    errors = [problem for problem in problems if problem.severity == "error"]
    if errors:
        first = errors[0]
        where = f"row {first.row}" if first.row else ""
        more = f" (and {len(errors) - 1} more)" if len(errors) > 1 else ""
        raise MarketError(file, where, f"{first.sentence}{more}")
