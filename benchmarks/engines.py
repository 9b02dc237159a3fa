"""Compare the valuation engine with boosted trees: ``python benchmarks/engines.py [FOLDER...]``.

For each market folder (by default the embedded market), our model and CatBoost, LightGBM and
HistGradientBoosting with default settings learn the same clean houses and are measured on the same
held-out sales: five folds below 3,000 sales, else a random fifth and the latest fifth. The ranges
of the others are one constant band in log price, from their own out-of-fold residuals. CPU seconds
of a fit are those of value and range, with child processes, and each engine runs in its own process
with one thread. ``--against PYTHON`` adds an older version, by the Python of its checkout.

    python benchmarks/engines.py MARKET --only ours,catboost -o result.json
    python benchmarks/engines.py MARKET --resample 500000 --split random --only ours

CatBoost and LightGBM are in the extra ``benchmark``.
"""

from __future__ import annotations

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before numpy: single-threaded measurements
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import argparse
import importlib.util
import json
import pickle
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Protocol, Self

import numpy as np
import pandas as pd
import psutil
from numpy.typing import NDArray
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.model_selection import KFold

from houseprice.errors import HousePriceError
from houseprice.market.contract import Contract
from houseprice.market.sales import Market
from houseprice.model.valuation import ValuationModel

try:
    from houseprice.tables.sales import load_market
except ImportError:  # an older version, which read its sales in another place
    from houseprice.market.sales import load_market

PEERS = {"catboost": "CatBoost", "lightgbm": "LightGBM", "histgb": "HistGB"}
ENGINES = {"ours": "ours", **PEERS}
EMBEDDED = Path(__file__).resolve().parents[1] / "houseprice" / "market"
N_FOLDS = 5
FEW_SALES = 3_000
LEVEL = 0.9
AREA_SALES = 30
GRID = 6
BULK_ROWS = 40_000
HISTGB_LEVELS = 254

Floats = NDArray[np.float64]
Rows = NDArray[np.intp]
Valuations = tuple[Floats, Floats, Floats]
Result = dict[str, Any]


def main() -> None:
    """Measure every engine on every market and split, and print one table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folders", nargs="*", metavar="FOLDER", help="folders of markets")
    parser.add_argument("--split", choices=["cv", "random", "latest"])
    parser.add_argument("--rows", type=int, help="a random sample of this many sales")
    parser.add_argument("--resample", type=int, help="this many sales, drawn with noise")
    parser.add_argument("--only", default=",".join(ENGINES), help="engines, separated by commas")
    parser.add_argument("--against", metavar="PYTHON", help="the Python of an older version")
    parser.add_argument("-o", "--output", type=Path, help="write the results as JSON")
    parser.add_argument("--measure", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.measure:
        print(json.dumps(measure(**json.load(sys.stdin))))
        return
    results = []
    for folder in arguments.folders or [""]:
        try:
            market = Sales.load(folder, arguments.rows, arguments.resample)
        except HousePriceError as error:
            raise SystemExit(str(error)) from None
        for split in [arguments.split] if arguments.split else market.default_splits:
            for result in compare(market, split, arguments.only.split(","), arguments.against):
                print(describe(result), file=sys.stderr)
                results.append(result)
                if arguments.output:
                    arguments.output.write_text(json.dumps(results, indent=1), encoding="utf-8")
    print(table(results))


class Sales:
    """Clean houses and prices of a market, or of a sample of its sales."""

    def __init__(self, source: dict[str, Any], market: Market) -> None:
        self.source = source
        self.name: str = market.contract.market.name
        self.contract = market.contract
        self.houses: pd.DataFrame = market.houses
        self.prices: Floats = market.prices.to_numpy(np.float64)
        self.sold: Floats | None = getattr(market, "sold", None)

    @classmethod
    def load(cls, folder: str, rows: int | None, resample: int | None) -> Self:
        """Load the sales of a market in a folder, or of the embedded one of that name."""
        path = Path(folder).resolve() if folder else None
        is_embedded = path is not None and path.is_relative_to(EMBEDDED)
        market = load_market(path.name if path and is_embedded else path)
        source = {"folder": str(path or EMBEDDED / market.folder.name)}
        source |= {"rows": rows, "resample": resample}
        sales = cls(source, market)
        random = np.random.default_rng(0)
        if rows is not None and rows < len(sales.prices):
            sales._take(np.sort(random.choice(len(sales.prices), rows, replace=False)))
        if resample is not None:
            sales._take(random.integers(len(sales.prices), size=resample))
            sales._add_noise(random)
        return sales

    def _take(self, rows: Rows) -> None:
        self.houses = self.houses.iloc[rows].reset_index(drop=True)
        self.prices = self.prices[rows]
        self.sold = None if self.sold is None else self.sold[rows]

    def _add_noise(self, random: np.random.Generator) -> None:
        """Move numbers by 2 % of their standard deviation, and prices by 5 %."""
        for name, field in self.contract.fields.items():
            if field.kind in ("number", "date"):
                values = self.houses[name].to_numpy(np.float64)
                noise = random.normal(0.0, 0.02 * np.nanstd(values), len(values))
                moved = np.where(values == 0, 0.0, np.clip(values + noise, *field.range))
                self.houses[name] = moved
                if name == getattr(self.contract.market.roles, "sale_date", None):
                    self.sold = moved
        self.prices = self.prices * np.exp(random.normal(0.0, 0.05, len(self.prices)))

    @property
    def default_splits(self) -> list[str]:
        """Folds for few sales, else a random fifth and, with dates, the latest fifth."""
        if len(self.prices) < FEW_SALES:
            return ["cv"]
        return ["random"] if self.sold is None else ["random", "latest"]

    def held_out(self, split: str) -> list[Rows]:
        """Return the rows that are held out: of each fold, or of the one fifth."""
        n = len(self.prices)
        if split == "cv":
            folds = KFold(N_FOLDS, shuffle=True, random_state=0)
            return [test for _, test in folds.split(self.prices)]
        if split == "random":
            order = np.random.default_rng(0).permutation(n)
        elif self.sold is None:
            raise SystemExit(f"{self.name}: the sales have no dates, so that none are the latest.")
        else:
            order = np.argsort(np.nan_to_num(self.sold, nan=-np.inf), kind="stable")
        return [np.sort(order[n - n // 5 :])]

    @property
    def areas(self) -> pd.Series | None:
        """The area of each sale: its location, or a cell of a grid of its coordinates."""
        roles = self.contract.market.roles
        if roles.location is not None:
            return self.houses[roles.location]
        for one, other in ((roles.latitude, roles.longitude), (roles.y, roles.x)):
            if one is not None and other is not None:
                cells = [self.houses[name].rank(pct=True) * GRID // 1 for name in (one, other)]
                return cells[0] * (GRID + 1) + cells[1]
        return None


class Regressor(Protocol):
    """What all of the others are."""

    def fit(self, X: pd.DataFrame, y: Floats) -> Self:
        """Learn from a table and log prices."""

    def predict(self, X: pd.DataFrame) -> Floats:
        """Return log prices."""


class BoostedTrees:
    """Boosted trees with default settings on log price, and one constant band as range."""

    def __init__(self, engine: str, contract: Contract) -> None:
        self.engine = engine
        self.contract = contract
        self.nominal = [c for c, field in contract.fields.items() if field.kind == "nominal"]
        self.band = (0.0, 0.0)

    def fit(self, houses: pd.DataFrame, prices: Floats, *, with_band: bool) -> Self:
        """Fit, and calibrate the band on out-of-fold residuals."""
        y = np.log(prices)
        self.levels = {
            name: houses[name].value_counts().index[:HISTGB_LEVELS].sort_values()
            for name in self.nominal
        }
        if with_band:
            residuals = np.empty(len(y))
            for train, test in KFold(N_FOLDS, shuffle=True, random_state=1).split(y):
                fold = BoostedTrees(self.engine, self.contract)
                fold.fit(houses.iloc[train], prices[train], with_band=False)
                residuals[test] = y[test] - fold.predict(houses.iloc[test])
            self.band = band_of(residuals)
        self.regressor = self._regressor().fit(self._encode(houses), y)
        return self

    def predict(self, houses: pd.DataFrame) -> Floats:
        """Return log prices."""
        return np.asarray(self.regressor.predict(self._encode(houses)), dtype=np.float64)

    def value(self, houses: pd.DataFrame) -> pd.DataFrame:
        """Return prices and the ends of their ranges."""
        log_price = self.predict(houses)
        ends = (np.exp(log_price + end) for end in (0.0, *self.band))
        return pd.DataFrame(dict(zip(VALUES, ends, strict=True)))

    def _encode(self, houses: pd.DataFrame) -> pd.DataFrame:
        columns: dict[str, Any] = {}
        for i, name in enumerate(houses.columns):
            values = houses[name].to_numpy(np.float64)
            if name not in self.nominal:
                columns[f"f{i}"] = values
            elif self.engine == "catboost":
                columns[f"f{i}"] = np.nan_to_num(values, nan=-1.0).astype(np.int64)
            elif self.engine == "lightgbm":
                n_levels = len(self.contract.fields[name].levels)
                columns[f"f{i}"] = pd.Categorical(values, categories=range(n_levels))
            else:
                columns[f"f{i}"] = pd.Categorical(values, categories=self.levels[name])
        return pd.DataFrame(columns)

    def _regressor(self) -> Regressor:
        if self.engine == "catboost":
            from catboost import CatBoostRegressor

            columns = list(self.contract.fields)
            return CatBoostRegressor(
                cat_features=[columns.index(name) for name in self.nominal],
                random_seed=0,
                thread_count=1,
                verbose=False,
                allow_writing_files=False,
            )
        if self.engine == "lightgbm":
            from lightgbm import LGBMRegressor

            return LGBMRegressor(random_state=0, n_jobs=1, verbose=-1)
        return HistGradientBoostingRegressor(categorical_features="from_dtype", random_state=0)


VALUES = ("predicted_price", "price_low", "price_high")


def band_of(residuals: Floats) -> tuple[float, float]:
    """Return the quantiles of residuals that contain a share LEVEL of them."""
    tail = (1.0 - LEVEL) / 2.0
    low, high = np.quantile(residuals, [tail, 1.0 - tail])
    return float(low), float(high)


def compare(market: Sales, split: str, engines: list[str], against: str | None) -> Iterator[Result]:
    """Yield the figures of each engine on one split of a market."""
    held_out = market.held_out(split)
    pythons = [(engine, sys.executable) for engine in engines]
    if against and "ours" in engines:
        pythons.insert(1, ("ours", against))
    for engine, python in pythons:
        result = {"market": market.name, "sales": len(market.prices), "split": split}
        result["engine"] = ENGINES[engine] if python == sys.executable else version_of(python)
        if engine in ("catboost", "lightgbm") and importlib.util.find_spec(engine) is None:
            yield result | {"skipped": "pip install 'houseprice[benchmark]', and measure again"}
            continue
        job = {
            "engine": engine,
            "source": market.source,
            "held_out": [rows.tolist() for rows in held_out],
        }
        done = subprocess.run(
            [python, str(Path(__file__).resolve()), "--measure"],
            input=json.dumps(job),
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            reason = done.stderr.strip().splitlines()[-1]
            yield result | {"skipped": reason.removeprefix("houseprice.errors.MarketError: ")}
            continue
        measured = json.loads(done.stdout)
        if not np.array_equal(measured.pop("prices"), market.prices):
            yield result | {"skipped": "it keeps other sales of this market"}
            continue
        valued = pd.DataFrame(measured.pop("valued"), columns=["row", *VALUES])
        yield result | accuracy(market, valued) | measured


def version_of(python: str) -> str:
    """Return the version of houseprice that a Python has."""
    code = "import houseprice; print(houseprice.__version__)"
    command = [python, "-P", "-c", code]  # not that of the current folder
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


def measure(engine: str, source: dict[str, Any], held_out: list[list[int]]) -> Result:
    """Value the held-out sales by models of the others, and measure what that costs."""
    sales = Sales.load(**source)
    rows = [np.array(each, dtype=np.intp) for each in held_out]
    is_ours, is_cv = engine == "ours", len(rows) > 1
    valued, seconds, model = [], [], None
    for test in rows:
        train = np.setdiff1d(np.arange(len(sales.prices)), test)
        houses, prices = sales.houses.iloc[train].reset_index(drop=True), sales.prices[train]
        start = cpu_seconds()
        if is_ours:
            model = ValuationModel(sales.contract).fit(houses, prices)
        else:
            model = BoostedTrees(engine, sales.contract).fit(houses, prices, with_band=not is_cv)
        seconds.append(cpu_seconds() - start)
        values = model.value(sales.houses.iloc[test].reset_index(drop=True))
        valued.append(np.column_stack([test, *(values[name] for name in VALUES)]))
    if not is_ours and is_cv:
        add_bands(valued, sales.prices)
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {
        "prices": sales.prices.tolist(),
        "valued": np.concatenate(valued).tolist(),
        # The folds are the fits that a constant band needs.
        "fit_cpu_s": statistics.mean(seconds) if is_ours else sum(seconds),
        "fit_memory_mb": memory,
        **speed(model, sales.houses),
    }


def add_bands(valued: list[Floats], prices: Floats) -> None:
    """Give each fold, in place, a band of the residuals of the other folds."""
    residuals = [np.log(prices[fold[:, 0].astype(np.intp)] / fold[:, 1]) for fold in valued]
    for i, fold in enumerate(valued):
        band = band_of(np.concatenate(residuals[:i] + residuals[i + 1 :]))
        fold[:, 2:] = fold[:, [1]] * np.exp(band)


def speed(model: ValuationModel | BoostedTrees, houses: pd.DataFrame) -> dict[str, float]:
    """Return the milliseconds of one house, the rows per CPU second in bulk and the stored size."""
    times = []
    for i in range(53):  # the first three warm up
        house = houses.iloc[[i % len(houses)]].reset_index(drop=True)
        start = time.process_time()
        model.value(house)
        times.append(1e3 * (time.process_time() - start))
    many = houses.iloc[np.resize(np.arange(len(houses)), BULK_ROWS)].reset_index(drop=True)
    start = cpu_seconds()
    model.value(many)
    return {
        "ms_a_house": statistics.median(times[3:]),
        "rows_per_cpu_s": BULK_ROWS / (cpu_seconds() - start),
        "stored_mb": len(pickle.dumps(model)) / 1e6,
    }


def cpu_seconds() -> float:
    """Return the CPU seconds of this process and of its children so far."""
    this = psutil.Process()
    ended = this.cpu_times()
    running = sum(sum(each.cpu_times()[:4]) for each in this.children(recursive=True))
    # Those of this process are exact to less than the 10 ms of psutil.
    return time.process_time() + ended.children_user + ended.children_system + running


def accuracy(market: Sales, valued: pd.DataFrame) -> dict[str, float | None]:
    """Return the figures of held-out values and of their ranges."""
    rows = valued["row"].to_numpy(np.intp)
    price = market.prices[rows]
    estimate, low, high = (valued[name].to_numpy(np.float64) for name in VALUES)
    error = np.abs(estimate / price - 1.0)
    covered = pd.Series((low <= price) & (price <= high))
    # By the price alone the lowest fifth is that of the sales below their value, whatever the
    # ranges: as IAAO's price-related bias, fifths are of the mean of price and value.
    middle = np.sqrt(price * estimate)
    by_price, by_middle = (
        covered.groupby(pd.qcut(x, 5, labels=False, duplicates="drop")).mean().min()
        for x in (price, middle)
    )
    areas = market.areas
    worst_area = None
    if areas is not None:
        shares = covered.groupby(areas.to_numpy()[rows]).agg(["mean", "size"])
        large = shares.loc[shares["size"] >= AREA_SALES, "mean"]
        worst_area = float(large.min()) if len(large) else None
    return {
        "held_out": len(price),
        "median_ape": float(np.median(error)),
        "rmsle": float(np.sqrt(np.mean(np.log(estimate / price) ** 2))),
        "within_10": float(np.mean(error <= 0.1)),
        "bias": float(np.median(estimate / price)) - 1.0,
        "coverage_90": float(covered.mean()),
        "width_90": float(np.mean((high - low) / estimate)),
        "worst_fifth": float(by_price),
        "worst_middle_fifth": float(by_middle),
        "worst_area": worst_area,
    }


COLUMNS = {
    "median_ape": ("median error %", lambda x: f"{100 * x:.2f}"),
    "rmsle": ("RMSLE", lambda x: f"{x:.4f}"),
    "within_10": ("within 10 %", lambda x: f"{100 * x:.1f}"),
    "bias": ("bias %", lambda x: f"{100 * x:+.1f}"),
    "coverage_90": ("coverage", lambda x: f"{x:.3f}"),
    "width_90": ("width", lambda x: f"{x:.3f}"),
    "worst_fifth": ("worst fifth by price", lambda x: f"{x:.3f}"),
    "worst_middle_fifth": ("by mean of price and value", lambda x: f"{x:.3f}"),
    "worst_area": ("worst area", lambda x: f"{x:.3f}"),
    "fit_cpu_s": ("fit CPU s", lambda x: f"{x:.1f}"),
    "fit_memory_mb": ("MB", lambda x: f"{x:,.0f}"),
    "ms_a_house": ("ms a house", lambda x: f"{x:.2f}"),
    "rows_per_cpu_s": ("rows a CPU s", lambda x: f"{x:,.0f}"),
    "stored_mb": ("stored MB", lambda x: f"{x:.1f}"),
}


def cells(result: Result) -> list[str]:
    """Return the figures of an engine as text."""
    if "skipped" in result:
        return [f"skipped: {result['skipped']}", *[""] * (len(COLUMNS) - 1)]
    return ["–" if result[key] is None else show(result[key]) for key, (_, show) in COLUMNS.items()]


def describe(result: Result) -> str:
    """Return the result of an engine as one line."""
    names = (name for name, _ in COLUMNS.values())
    shown = [f"{name} {cell}" for name, cell in zip(names, cells(result), strict=True) if cell]
    return f"{result['market']} {result['split']}, {result['engine']}: {', '.join(shown)}"


def table(results: list[Result]) -> str:
    """Return all results as a Markdown table."""
    header = ["market", "sales", "split", "engine", *(name for name, _ in COLUMNS.values())]
    keys = ("market", "sales", "split", "engine")
    lines = [[*(str(result[key]) for key in keys), *cells(result)] for result in results]
    rule = ["---"] * len(header)
    return "\n".join(f"| {' | '.join(line)} |" for line in (header, rule, *lines))


if __name__ == "__main__":
    main()
