"""Measure the valuation engine: ``python benchmarks/engine.py [--rows 1000000] [--quick]``.

One house and a long table, compared with a simple baseline: scikit-learn's imputers, one-hot
encoder, and boosted trees or ridge regression on a pandas frame, without interval, checks or
explanation. All variants alternate within a run and are measured in CPU time of one thread, so that
ratios hold on a busy machine. The table repeats the market's sample file in chunks.
"""

from __future__ import annotations

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before numpy: single-threaded measurements
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import argparse
import io
import itertools
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pandas as pd
from rich.console import Console
from rich.table import Table
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.impute import SimpleImputer
from sklearn.linear_model import Ridge
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from houseprice.backend.local import LocalBackend
from houseprice.market.sales import Market, load_market, read_rows, typical_house
from houseprice.market.validation import validate
from houseprice.model.comparables import Comparables
from houseprice.model.explanation import Explainer
from houseprice.model.store.store import LoadedModel, ModelStore
from houseprice.model.training import ensure_model

CHUNK_ROWS = 10_000
AS_TEXT = {"dtype": object, "keep_default_na": False}  # faster to create than pandas strings
GOALS = {"value and range, checked": 10.0, "all of it": 80.0}  # milliseconds of one house

Action = Callable[[], object]


def main() -> None:
    """Run every measurement and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000, help="rows of the long table")
    parser.add_argument("--rounds", type=int, default=200, help="valuations of the single house")
    parser.add_argument("--quick", action="store_true", help="100,000 rows and 30 rounds")
    parser.add_argument("--memory", type=Path, metavar="MODELS", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    market = load_market()
    if arguments.memory:
        print(peak_memory(market, arguments.memory, arguments.rows))
        return
    rows, rounds = (100_000, 30) if arguments.quick else (arguments.rows, arguments.rounds)
    with tempfile.TemporaryDirectory() as models:
        loaded = ensure_model(market, ModelStore(Path(models)))
        trees, ridge = plain_pipelines(market)
        one_house(market, loaded, {"boosted trees": trees, "ridge": ridge}, rounds)
        many_houses(market, loaded, {"boosted trees": trees, "ridge": ridge}, rows)
        memory(models, rows)
    load = os.getloadavg()[0]
    Console().print(f"{os.cpu_count()} cores, load {load:.1f} at the end")


def one_house(market: Market, loaded: LoadedModel, plain: dict[str, Pipeline], rounds: int) -> None:
    """Time one house after loading, alternating the variants."""
    text = read_rows(market.sample_path)
    typed = pd.read_csv(market.sample_path)
    backend, model = LocalBackend(loaded, market), loaded.model
    comparables = Comparables(market, loaded.importance)
    explain = Explainer(model, typical_house(market)).explain
    houses = validate(text, market.contract, model.domain_).houses

    def actions(number: int) -> dict[str, Action]:
        row, house = text.iloc[[number]], houses.iloc[[number]]
        as_form = pd.DataFrame(row.to_numpy(object), columns=list(row.columns), dtype=object)
        plain_row = typed.iloc[[number]]
        found: dict[str, Action] = {
            "checks alone": lambda: validate(as_form, market.contract, model.domain_),
            "value and range alone": lambda: model.value(house),
            "value and range, checked": lambda: backend.value(as_form),
            "the same, a row of a text file": lambda: backend.value(row),
            "explanation in money": lambda: explain(house),
            "five comparables, in words": lambda: comparables.table(house.iloc[0]),
        }
        found["all of it"] = lambda: (
            backend.value(as_form),
            explain(house),
            comparables.table(house.iloc[0]),
        )
        for name, pipeline in plain.items():
            found[f"plain pipeline, {name}, price only"] = lambda p=pipeline: p.predict(plain_row)
        return found

    times: dict[str, list[float]] = {}
    for turn in range(rounds + 3):  # the first three warm up
        for name, action in actions(turn % len(text)).items():
            seconds = processor_seconds(action)
            if turn >= 3:
                times.setdefault(name, []).append(1e3 * seconds)
    middle = {name: statistics.median(each) for name, each in times.items()}
    baseline = middle["plain pipeline, boosted trees, price only"]
    table = Table("one house, after loading", "median ms", "90 % within", "goal ms", "plain / this")
    for name, each in times.items():
        goal = f"{GOALS[name]:.0f}" if name in GOALS else ""
        within = np.quantile(each, 0.9)
        ratio = f"{baseline / middle[name]:.1f}"
        table.add_row(name, f"{middle[name]:.2f}", f"{within:.2f}", goal, ratio)
    Console().print(table)


def many_houses(market: Market, loaded: LoadedModel, plain: dict[str, Pipeline], rows: int) -> None:
    """Time a long table, alternating the variants chunk by chunk."""
    backend, model = LocalBackend(loaded, market), loaded.model
    seconds = dict.fromkeys(
        ("read as text", "checks alone", "value and range alone", "value and range, checked",
         "read as plain pandas does", *(f"plain pipeline, {name}, price only" for name in plain)),
        0.0,
    )  # fmt: skip

    def timed(name: str, action: Action) -> object:
        results: list[object] = []
        seconds[name] += processor_seconds(lambda: results.append(action()))
        return results[0]

    done = 0
    as_text = chunks(market.sample_path, rows, **AS_TEXT)
    as_plain = chunks(market.sample_path, rows)
    while done < rows:
        chunk = timed("read as text", lambda: next(as_text))
        houses = timed("checks alone", lambda p=chunk: validate(p, market.contract, model.domain_))
        timed("value and range alone", lambda h=houses: model.value(h.houses))
        timed("value and range, checked", lambda p=chunk: backend.value(p))
        typed = timed("read as plain pandas does", lambda: next(as_plain))
        for name, pipeline in plain.items():
            timed(f"plain pipeline, {name}, price only", lambda p=pipeline, t=typed: p.predict(t))
        done += len(chunk)
    text, typed_text = seconds["read as text"], seconds["read as plain pandas does"]
    whole = {"value and range, checked, with reading": seconds["value and range, checked"] + text}
    for name in plain:
        part = f"plain pipeline, {name}, price only"
        whole[f"{part}, with reading"] = seconds[part] + typed_text
    reading = whole["plain pipeline, boosted trees, price only, with reading"]
    without = seconds["plain pipeline, boosted trees, price only"]
    table = Table(
        f"{done:,} rows in chunks of {CHUNK_ROWS:,}", "rows per CPU second", "this / plain"
    )
    for name, spent in seconds.items():
        table.add_row(name, f"{done / spent:,.0f}", f"{without / spent:.2f}")
    for name, spent in whole.items():
        table.add_row(name, f"{done / spent:,.0f}", f"{reading / spent:.2f}")
    Console().print(table)


def memory(models: str, rows: int) -> None:
    """Value tables of two lengths, each in its own process, and print the memory peaks."""
    table = Table("rows valued, checked, with ranges", "peak memory MB")
    for count in (rows // 10, rows):
        answer = subprocess.run(
            [sys.executable, __file__, "--memory", models, "--rows", str(count)],
            check=True,
            capture_output=True,
            text=True,
        )
        table.add_row(f"{count:,}", f"{int(answer.stdout) / 1024:,.0f}")
    Console().print(table)


def peak_memory(market: Market, models: Path, rows: int) -> int:
    """Value a long table and return the peak memory of this process, in kB."""
    loaded = ModelStore(models).load(contract=market.contract)
    backend = LocalBackend(loaded, market)
    valued = sum(
        int(backend.value(chunk).valuations["predicted_price"].notna().sum())
        for chunk in chunks(market.sample_path, rows, **AS_TEXT)
    )
    assert valued == rows, f"{valued} of {rows} rows got a value"
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return int(status.partition("VmHWM:")[2].split()[0])


def plain_pipelines(market: Market) -> list[Pipeline]:
    """Fit the baseline pipelines to log prices of the sales as pandas reads them."""
    sales = pd.read_csv(market.sales_path)
    facts = market.contract.market
    X = sales.drop(columns=[facts.id, facts.price.column])
    numbers = X.select_dtypes("number").columns
    texts = X.columns.difference(numbers)
    columns = ColumnTransformer(
        [
            ("numbers", SimpleImputer(strategy="median"), numbers),
            (
                "texts",
                make_pipeline(
                    SimpleImputer(strategy="constant", fill_value="none"),
                    OneHotEncoder(handle_unknown="ignore", sparse_output=False),
                ),
                texts,
            ),
        ]
    )
    trees = make_pipeline(columns, HistGradientBoostingRegressor(random_state=0))
    ridge = make_pipeline(columns, StandardScaler(), Ridge(alpha=100.0))
    return [p.fit(X, np.log(sales[facts.price.column])) for p in (trees, ridge)]


def chunks(path: Path, rows: int, **options: object) -> Iterator[pd.DataFrame]:
    """Yield chunks of a file that is repeated to the given length."""
    header, *lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
    endless = itertools.cycle(lines)
    for start in range(0, rows, CHUNK_ROWS):
        count = min(CHUNK_ROWS, rows - start)
        text = header + "".join(itertools.islice(endless, count))
        yield pd.read_csv(io.StringIO(text), **options)


def processor_seconds(action: Action) -> float:
    """Return the CPU seconds of an action."""
    start = time.process_time()
    action()
    return time.process_time() - start


if __name__ == "__main__":
    main()
