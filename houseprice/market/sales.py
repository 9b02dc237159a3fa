"""A market on disk: its contract, sales and experiments, and the house that forms start with."""

from __future__ import annotations

import calendar
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from functools import cached_property
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from pydantic import ValidationError

from houseprice.errors import MarketError
from houseprice.market.contract import CONTRACT_FILE, Contract, contract_errors, load_contract
from houseprice.market.dates import date_of
from houseprice.market.defaults import complete, evaluate_condition
from houseprice.market.expressions import ExpressionError
from houseprice.market.parsing import is_blank, parse_cell
from houseprice.market.problems import Problem
from houseprice.market.validation import validate, validate_prices

EMBEDDED = Path(__file__).parent
MIN_SALES = 50
"""A market with fewer usable sales can't be learned."""

Floats = NDArray[np.float64]
Reader = Callable[[Path, Contract], tuple[pd.DataFrame, Sequence[Problem]]]


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
        Warnings and notes of the validation; rows are those of :attr:`houses`, from 1.
    set_aside : DataFrame
        The rows of the file that do not count: ``row`` (from 1), ``id``, ``code`` and ``reason``.
    """

    contract: Contract
    folder: Path
    houses: pd.DataFrame
    prices: pd.Series
    ids: pd.Series
    problems: tuple[Problem, ...]
    set_aside: pd.DataFrame

    @property
    def sales_path(self) -> Path:
        """The file of the sales."""
        return self.folder / self.contract.market.sales

    @property
    def sample_path(self) -> Path:
        """A file of houses without a price, as an example to value; it need not exist."""
        return self.folder / self.contract.market.sample

    @cached_property
    def sold(self) -> Floats | None:
        """When each house was sold, as a decimal year; None if the market has no dates."""
        return sale_dates(self.houses, self.contract)

    @cached_property
    def labelled_sales(self) -> pd.DataFrame:
        """The sales with labels for levels, their id first and their price last."""
        frame = self.contract.with_labels(self.houses)
        frame.insert(0, self.contract.market.id, self.ids)
        frame[self.contract.market.price.column] = self.prices
        return frame


def load_market(
    name_or_path: str | Path | None = None,
    read: Reader | None = None,
    markets: Path | None = None,
) -> Market:
    """Load a market: an embedded one by name, any by its folder, by default the first embedded one.

    ``read`` reads the file of the sales as text, with columns named as in the contract, and returns
    the problems of rows that it could not read; by default it reads a plain CSV file.

    Raises MarketError if there is no such market, its contract is wrong, its sales can't be read or
    lack a column, or fewer than :data:`MIN_SALES` of them count.
    """
    folder = market_folder(name_or_path, markets)
    contract = load_contract(folder)
    file = folder / contract.market.sales
    try:
        rows, unread = (read_rows(file), ()) if read is None else read(file, contract)
    except OSError as error:
        raise MarketError(file, "", f"can't be read ({error.strerror})") from None
    except (ValueError, UnicodeDecodeError) as error:
        raise MarketError(file, "", f"is not a CSV file ({error})") from None
    return market_of(folder, contract, rows, unread)


def market_of(
    folder: Path, contract: Contract, rows: pd.DataFrame, unread: Sequence[Problem] = ()
) -> Market:
    """Make a market of a contract and its raw sales; raise a MarketError as :func:`load_market`."""
    file = folder / contract.market.sales
    missing = {*contract.columns, contract.market.price.column}.difference(rows.columns)
    if missing:
        raise MarketError(file, ", ".join(sorted(missing)), "this column is missing")
    if contract.market.id in rows.columns:
        ids = rows[contract.market.id].astype(str)
    else:
        ids = pd.Series(np.arange(1, len(rows) + 1).astype(str), name=contract.market.id)
    reasons = {p.row - 1: (p.code, p.sentence) for p in unread if p.row is not None}
    reasons |= _invalid(rows, contract, folder / CONTRACT_FILE)
    counted = ~rows.index.isin(list(reasons))
    try:
        contract = complete(contract, rows[counted])
    except ValidationError as error:
        keys, reason, _ = next(contract_errors(error))
        raise MarketError(folder / CONTRACT_FILE, ".".join(keys), reason) from error
    validated = validate(rows, contract)
    prices, price_problems = validate_prices(rows[contract.market.price.column], contract)
    # A sale whose required field is blank still has a price: the field is not known.
    for problem in (*price_problems, *validated.problems):
        is_blank = problem.code == "required" and problem.field in contract.fields
        if problem.severity == "error" and problem.row is not None and not is_blank:
            reasons.setdefault(problem.row - 1, (problem.code, problem.sentence))
    if contract.market.id in rows.columns:
        for i in np.flatnonzero(ids.where(~ids.index.isin(list(reasons))).duplicated()).tolist():
            reason = f"{contract.market.id}: {ids.iloc[i]} occurs more than once."
            reasons.setdefault(i, ("key_twice", reason))
    set_aside = pd.DataFrame(
        [(i + 1, ids.iloc[i], *reasons[i]) for i in sorted(reasons)],
        columns=["row", "id", "code", "reason"],
    )
    kept = np.flatnonzero(~rows.index.isin(list(reasons)))
    if len(kept) < MIN_SALES:
        raise MarketError(file, "", _too_few(len(kept), set_aside))
    number = dict(zip(kept.tolist(), range(1, len(kept) + 1), strict=True))
    problems = tuple(
        replace(problem, row=number[problem.row - 1]) if problem.row is not None else problem
        for problem in (*validated.problems, *price_problems)
        if problem.severity != "error" and (problem.row is None or problem.row - 1 in number)
    )
    return Market(
        contract,
        folder,
        validated.houses.iloc[kept].reset_index(drop=True),
        prices.iloc[kept].reset_index(drop=True),
        ids.iloc[kept].reset_index(drop=True),
        problems,
        set_aside,
    )


def sale_dates(houses: Mapping[str, ArrayLike] | pd.DataFrame, contract: Contract) -> Floats | None:
    """Return the dates of sales as decimal years; None if the market has no dates.

    A month is its middle, and a year without a month its middle.
    """
    roles = contract.market.roles
    if roles.sale_date is not None:
        return np.asarray(houses[roles.sale_date], dtype=np.float64)
    if roles.sale_year is None:
        return None
    years = np.asarray(houses[roles.sale_year], dtype=np.float64)
    if roles.sale_month is None:
        return years + 0.5
    month = contract.fields[roles.sale_month]
    parts = np.asarray(houses[roles.sale_month], dtype=np.float64)
    share = (parts + 0.5) / len(month.levels) if month.levels else (parts - 0.5) / 12
    dates: Floats = years + share
    return dates


def valuation_days(rows: pd.DataFrame, contract: Contract, as_of: date | None) -> list[date | None]:
    """Return the valuation date of each raw row: its date of sale, or ``as_of``."""
    names = [name for name in contract.market.roles.dates if name in rows.columns]
    if not names:
        return [as_of] * len(rows)
    cells = zip(*(rows[name].tolist() for name in names), strict=True)
    return days_of_cells(names, cells, contract, as_of)


def days_of_cells(
    names: Sequence[str],
    rows: Iterable[tuple[object, ...]],
    contract: Contract,
    as_of: date | None,
) -> list[date | None]:
    """Return the valuation dates of rows that have only the cells of these parts of a date.

    Each distinct row is parsed once. No frame is made: for a single house it would take as long as
    its valuation.
    """
    known: dict[tuple[object, ...], date | None] = {}
    days = []
    for cells in rows:
        key = tuple(map(_key_of_cell, cells))
        if key not in known:
            known[key] = _day_of_cells(dict(zip(names, cells, strict=True)), contract, as_of)
        days.append(known[key])
    return days


def _key_of_cell(cell: object) -> object:
    """Return what differs between cells that are read differently: 1 and True are equal keys."""
    return str(cell) if isinstance(cell, list | dict) else (type(cell), cell)


def _day_of_cells(
    cells: Mapping[str, object], contract: Contract, as_of: date | None
) -> date | None:
    if all(map(is_blank, cells.values())):
        return as_of
    parts = {}
    for name in contract.market.roles.dates:
        field = contract.fields[name]
        cell = parse_cell(field, cells.get(name))
        start = math.nan if field.start_value is None else field.start_value
        parts[name] = [start if cell.blank else cell.value]
    sold = sale_dates(parts, contract)
    assert sold is not None
    return None if np.isnan(sold[0]) else date_of(float(sold[0]))


def sale_period(house: pd.Series, contract: Contract) -> str:
    """Return when a house was sold: "13 October 2014", "July 2008", "2014", or "" if unknown."""
    roles = contract.market.roles
    words = []
    for name in (roles.sale_date, roles.sale_month, roles.sale_year):
        if name is None or pd.isna(house[name]):
            continue
        field, value = contract.fields[name], float(house[name])
        is_number = name == roles.sale_month and not field.levels
        words.append(calendar.month_name[int(value)] if is_number else field.format(value))
    return " ".join(words)


def _invalid(rows: pd.DataFrame, contract: Contract, file: Path) -> dict[int, tuple[str, str]]:
    """Return code and reason of the rows that do not meet ``market.valid``, by position."""
    condition = contract.market.valid
    if condition is None:
        return {}
    try:
        holds = evaluate_condition(condition, rows)
    except ExpressionError as error:
        raise MarketError(file, "market.valid", str(error)) from None
    reason = f"It does not meet the condition {condition}."
    return dict.fromkeys(np.flatnonzero(holds != 1.0).tolist(), ("not_valid", reason))


def _too_few(n_kept: int, set_aside: pd.DataFrame) -> str:
    reasons = set_aside["reason"].value_counts().head(3)
    most = "; ".join(f"{count:,} x {reason}" for reason, count in reasons.items())
    why = f" Set aside: {most}" if most else ""
    return f"only {n_kept} sales can be used, and a market needs {MIN_SALES}.{why}"


def market_folder(name_or_path: str | Path | None = None, markets: Path | None = None) -> Path:
    """Find the folder of a market: one of :func:`market_folders` by name, any by its path.

    By default the first embedded one. A text with a separator ("./town") is a path, so that a
    folder may have the name of another market. A MarketError if there is no such market.
    """
    folders = market_folders(markets)
    if name_or_path is None:
        return next(iter(folders.values()))
    path = Path(name_or_path)
    is_name = str(name_or_path) == path.name
    for folder in [folders.get(path.name, path), path] if is_name else [path]:
        if (folder / CONTRACT_FILE).is_file():
            return folder
    names = ", ".join(folders)
    reason = f"no market there; give a folder with a {CONTRACT_FILE}, or one of: {names}"
    raise MarketError(path, "", reason)


def market_folders(markets: Path | None = None) -> dict[str, Path]:
    """Return the folders of the embedded markets and of those in another folder, by name."""
    folders: dict[str, Path] = {}
    for parent in (EMBEDDED, markets):
        for path in sorted(parent.glob(f"*/{CONTRACT_FILE}")) if parent else ():
            folders.setdefault(path.parent.name, path.parent)
    return folders


def read_rows(path: Path) -> pd.DataFrame:
    """Read a CSV file as text; "NA" stays text."""
    return pd.read_csv(path, dtype=str, keep_default_na=False, encoding="utf-8-sig")


def typical_house(market: Market) -> pd.Series:
    """Find the sale nearest the median of the market, with at-sale fields at their start.

    A real house is consistent, which one made of medians is not (the median first and second floor
    do not add up to the median living area). The distance of a sale is a sum over its price and its
    fields, each weighted by the share of the price's variance that it explains: for numbers and
    ranks, the distance to the median in units of the 10-90 % interquantile range, at most 1; for
    nominal levels, 0 for the mode and 1 otherwise.
    """
    prices = market.prices.to_numpy()
    fields = [field for field in market.contract.fields.values() if not field.at_sale]
    distance, weight = _from_median(prices), 1.0
    for field in fields:
        values = market.houses[field.column].to_numpy()
        if field.kind == "nominal":
            share = _explained_by_level(values, prices)
            distance = distance + share * (values != most_frequent(values)[0])
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


def most_frequent(values: Floats) -> tuple[float, int]:
    """Return the most frequent known value and its count; the lowest of several, NaN if none."""
    found, counts = np.unique(values[~np.isnan(values)], return_counts=True)
    if not found.size:
        return float("nan"), 0
    return float(found[np.argmax(counts)]), int(counts.max())


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
            field.column: most_frequent(values)[0]
            if field.kind == "nominal"
            else float(np.quantile(values, 0.5, method="lower"))
            for field in fields
            if (values := market.houses[field.column].dropna().to_numpy()).size
        }
    ).reindex(list(market.contract.columns))


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
