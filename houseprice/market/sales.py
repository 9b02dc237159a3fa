"""A market on disk: its contract, sales and experiments, and the house that forms start with."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from houseprice.errors import MarketError
from houseprice.market.contract import CONTRACT_FILE, Contract, load_contract
from houseprice.market.problems import Problem
from houseprice.market.validation import validate, validate_prices

__all__ = [
    "EXPERIMENTS_FILE",
    "EXPERIMENT_METRICS",
    "Market",
    "load_experiments",
    "load_market",
    "market_folder",
    "median_values",
    "read_rows",
    "typical_house",
]

EMBEDDED = Path(__file__).parent


@dataclass(frozen=True)
class Market:
    """A contract and the valid sales of its folder.

    Attributes
    ----------
    contract : Contract
    folder : Path
    houses : DataFrame, shape (n_sales, n_fields)
        Clean houses, as :func:`houseprice.market.validation.validate` gives them.
    prices : Series, shape (n_sales,)
        Sale prices, in the market's currency.
    ids : Series, shape (n_sales,)
        The id of each sale, as text.
    problems : tuple of Problem
        Warnings and notes of the validation.
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
        """A file of houses without a price, as an example to value."""
        return self.folder / self.contract.market.sample

    @cached_property
    def labelled_sales(self) -> pd.DataFrame:
        """The sales with labels for levels, their id first and their price last."""
        frame = self.contract.with_labels(self.houses)
        frame.insert(0, self.contract.market.id, self.ids)
        frame[self.contract.market.price.column] = self.prices
        return frame


def load_market(name_or_path: str | Path | None = None) -> Market:
    """Load a market: an embedded one by name, any by its folder, by default the first embedded one.

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
        raise MarketError(file, "", f"is not a CSV file ({error})") from None
    for column in (contract.market.id, contract.market.price.column):
        if column not in rows.columns:
            raise MarketError(file, column, "this column is missing")
    validated = validate(rows, contract)
    prices, price_problems = validate_prices(rows[contract.market.price.column], contract)
    problems = (*validated.problems, *price_problems)
    _raise_first_error(file, problems)
    ids = rows[contract.market.id].astype(str)
    if ids.duplicated().any():
        repeated = ids[ids.duplicated()].iloc[0]
        raise MarketError(file, contract.market.id, f"{repeated} occurs more than once")
    return Market(contract, folder, validated.houses, prices, ids, problems)


def market_folder(name_or_path: str | Path | None = None) -> Path:
    """Find the folder of a market: an embedded one by name, any by its path, by default the first.

    A text with a separator ("./town") is a path, so that a folder may have an embedded name. A
    MarketError if there is no such market.
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
    """Read a CSV file as text; "NA" stays text."""
    return pd.read_csv(path, dtype=str, keep_default_na=False, encoding="utf-8-sig")


def _raise_first_error(file: Path, problems: tuple[Problem, ...]) -> None:
    errors = [problem for problem in problems if problem.severity == "error"]
    if errors:
        first = errors[0]
        where = f"row {first.row}" if first.row else ""
        more = f" (and {len(errors) - 1} more)" if len(errors) > 1 else ""
        raise MarketError(file, where, f"{first.sentence}{more}")


Floats = NDArray[np.float64]


def typical_house(market: Market) -> pd.Series:
    """Find the sale nearest the median of the market, with at-sale fields at their start.

    A real house is consistent, which one made of medians is not (the median first and second floor
    do not add up to the median living area). The distance of a sale is a sum over its price and its
    fields, each weighted by the share of the price's variance that it explains: for numbers and
    ranks, the distance to the median in units of the 10-90 % interquantile range, at most 1; for
    nominal levels, 0 for the mode and 1 otherwise.

    Returns
    -------
    Series, index the contract's columns
        A clean house.
    """
    prices = market.prices.to_numpy()
    fields = [field for field in market.contract.fields.values() if not field.at_sale]
    distance, weight = _from_median(prices), 1.0
    for field in fields:
        values = market.houses[field.column].to_numpy()
        if field.kind == "nominal":
            share = _explained_by_level(values, prices)
            distance = distance + share * (values != _mode(values))
        else:
            share = _explained_by_rank(values, prices)
            distance = distance + share * _from_median(values)
        weight += share
    house = market.houses.iloc[int(np.argmin(distance / weight))].copy()
    for column, field in market.contract.fields.items():
        if field.at_sale and field.start_value is not None:
            house[column] = field.start_value
    return house.rename(None)


def _from_median(values: Floats) -> Floats:
    low, median, high = np.nanpercentile(values, [10, 50, 90])
    spread = max(float(high - low), 1e-9)
    return np.where(np.isnan(values), 1.0, np.minimum(np.abs(values - median) / spread, 1.0))


def _mode(values: Floats) -> float:
    levels, counts = np.unique(values[~np.isnan(values)], return_counts=True)
    return float(levels[np.argmax(counts)])


def _explained_by_rank(values: Floats, prices: Floats) -> float:
    """Square of Spearman's rank correlation with the price."""
    both = pd.DataFrame({"value": values, "price": prices}).dropna().rank()
    if both["value"].nunique() < 2:
        return 0.0
    return float(both["value"].corr(both["price"]) ** 2)


def _explained_by_level(values: Floats, prices: Floats) -> float:
    """Square of the correlation ratio: the share of the price variance between levels."""
    price = pd.Series(prices)
    between = price.groupby(values).transform("mean")
    return float(between.var() / price.var())


def median_values(market: Market) -> pd.Series:
    """Return the median sale by field: the lower median of a number, the mode of nominal levels.

    The fields are independent: together they are not a real house, unlike :func:`typical_house`.
    """
    fields = market.contract.fields.values()
    return pd.Series(
        {
            field.column: _mode(values) if field.kind == "nominal" else _lower_median(values)
            for field in fields
            if (values := market.houses[field.column].dropna().to_numpy()).size
        }
    ).reindex(list(market.contract.columns))


def _lower_median(values: Floats) -> float:
    return float(np.quantile(values, 0.5, method="lower"))


EXPERIMENTS_FILE = "experiments.csv"
_TEXT_COLUMNS = ("part", "tried", "verdict")
EXPERIMENT_METRICS = ("rmsle", "median_ape", "within_10", "coverage_90", "width_90", "winkler")
"""The metrics of an experiment; blank where it was not measured."""


def load_experiments(market: Market) -> pd.DataFrame:
    """Read the log of experiments in the order of the file; no rows if there is no such file.

    A row per experiment: part (of the model), tried, :data:`EXPERIMENT_METRICS` (shares between
    0 and 1), verdict ("kept...", "dropped..." or blank), kept (bool). A MarketError if a column
    is missing, or a metric is not a number.
    """
    path = market.folder / EXPERIMENTS_FILE
    columns = [*_TEXT_COLUMNS[:2], *EXPERIMENT_METRICS, _TEXT_COLUMNS[2]]
    if not path.is_file():
        return pd.DataFrame(columns=[*columns, "kept"]).astype(
            dict.fromkeys(EXPERIMENT_METRICS, "float64")
        )
    try:
        log = read_rows(path)
    except (ValueError, OSError) as error:
        raise MarketError(path, "", f"can't be read ({error})") from None
    for column in columns:
        if column not in log.columns:
            raise MarketError(path, column, "this column is missing")
    for column in EXPERIMENT_METRICS:
        try:
            log[column] = pd.to_numeric(log[column].replace("", None)).astype("float64")
        except ValueError:
            raise MarketError(path, column, "it has values that are not numbers") from None
    return log[columns].assign(kept=log["verdict"].str.startswith("kept"))
