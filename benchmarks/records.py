"""Measure the records in both databases: ``python -m benchmarks.records [--valuations 1000000]``.

A database is filled with made-up valuations and later prices, in chunks through the ledger as
``houseprice predict --save`` does. Then each question is asked several times in a new process: the
track record as page, command and API show it (figures, alarms and reviews), pages of the list, one
save, and once the verification of the chain. At last, every valuation gets a later price.

PostgreSQL is a server of its own on loopback, without fsync, and vacuumed once it is filled, which
autovacuum does within a minute; SQLite syncs each transaction.
"""

from __future__ import annotations

import argparse
import json
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from rich.console import Console
from rich.table import Table

from houseprice.backend.base import Backend, BackendInfo, ValuationResult
from houseprice.errors import NotSupported
from houseprice.market.sales import Market, load_market
from houseprice.records.database import Database, parse_url
from houseprice.records.ledger import Author, append, log_event, to_json, verify
from houseprice.records.report import live_report
from houseprice.records.reviews import draw_sample
from houseprice.records.schema import matches, outcomes, valuations
from houseprice.records.valuations import address_block, listing
from tests.postgres_server import postgres_server

CHUNK_ROWS = 10_000
REPEATS = 5
GIVEN = datetime(2010, 8, 1, tzinfo=UTC)


class StoredMetrics(Backend):
    """A backend that has only metrics of its versions."""

    def info(self) -> BackendInfo:
        """Return the metrics of the active version."""
        metrics = {"median_ape": 0.0675, "within_10": 0.68, "bias": 0.0}
        return BackendInfo("here", "v2", "2", "", None, None, 1_460, metrics, frozenset())

    def value(self, *_: object, **__: object) -> ValuationResult:
        """Value nothing."""
        raise NotSupported("This backend values no houses.")


def main() -> None:
    """Fill and measure both databases, and print a table of each."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--valuations", type=int, default=1_000_000)
    parser.add_argument("--outcomes", type=int, default=100_000)
    parser.add_argument("--only", choices=["sqlite", "postgresql"])
    parser.add_argument("--step", nargs="+", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.step:
        name, url, *numbers = arguments.step
        steps: dict[str, Callable[..., dict[str, float]]] = {
            "fill": fill, "sell": sell, "measure": measure, "report": report,
        }  # fmt: skip
        found = steps[name](Database.at(parse_url(url)), *map(int, numbers))
        found["peak_mb"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        print(json.dumps(found))
        return
    n, n_sold = arguments.valuations, arguments.outcomes
    columns = {}
    with tempfile.TemporaryDirectory() as folder:
        if arguments.only != "postgresql":
            columns["SQLite"] = measure_database(f"sqlite:///{folder}/records.sqlite", n, n_sold)
    if arguments.only != "sqlite":
        with postgres_server() as server:
            columns["PostgreSQL"] = measure_database(server.url("records"), n, n_sold)
    table = Table(title=f"{n:,} valuations, {n_sold:,} later prices; medians of {REPEATS}")
    table.add_column("")
    for name in columns:
        table.add_column(name, justify="right")
    for label in next(iter(columns.values())):
        table.add_row(label, *(column[label] for column in columns.values()))
    Console().print(table)


def measure_database(url: str, n: int, n_sold: int) -> dict[str, str]:
    """Return the results of one database as texts."""
    filled = run("fill", url, n)
    sold = run("sell", url, n, 0, n_sold)
    found = run("measure", url, n)
    results = {
        "writing valuations, each": f"{1e3 * filled['seconds'] / n:.3f} ms",
        "writing later prices and matches, each": f"{1e3 * sold['seconds'] / n_sold:.3f} ms",
        "peak memory of writing": f"{filled['peak_mb']:.0f} MB",
        **{label: text(label, value) for label, value in found.items()},
    }
    if n_sold < n:
        run("sell", url, n, n_sold, n)
        everything = run("report", url)
        results[f"track record of {n:,} later prices"] = f"{everything['track record']:.2f} s"
        results["its peak memory"] = f"{everything['peak_mb']:.0f} MB"
    return results


def text(label: str, value: float) -> str:
    """Format a result: megabytes, milliseconds or seconds."""
    if label == "peak_mb":
        return f"{value:.0f} MB"
    return f"{1e3 * value:.1f} ms" if value < 0.5 else f"{value:.2f} s"


def run(*step: object) -> dict[str, float]:
    """Run a step in a new process, and return what it found."""
    command = [sys.executable, "-m", "benchmarks.records", "--step", *map(str, step)]
    finished = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, cwd=ROOT)
    found: dict[str, float] = json.loads(finished.stdout)
    return found


ROOT = Path(__file__).parents[1]


def fill(database: Database, n: int) -> dict[str, float]:
    """Save valuations, one in fifty without a value, of twenty people."""
    market, facts = sample()
    random = np.random.default_rng(0)
    started = time.perf_counter()
    for start in range(0, n, CHUNK_ROWS):
        numbers = range(start, min(start + CHUNK_ROWS, n))
        values = np.exp(random.normal(12.0, 0.4, len(numbers)))
        rows = [
            valuation(number, float(value), facts[number % len(facts)], number % 50 == 0)
            for number, value in zip(numbers, values, strict=True)
        ]
        person = f"person{start // CHUNK_ROWS % 20}"
        append(database, Author(person, market.contract.market.name, "table"), valuations, rows)
    return {"seconds": time.perf_counter() - started}


def sample() -> tuple[Market, list[str]]:
    """Return the embedded market, and the facts of its sample as they are saved."""
    market = load_market()
    rows = pd.read_csv(market.sample_path, dtype="str", keep_default_na=False)
    return market, [to_json({k: v for k, v in row.items() if v}) for row in rows.to_dict("records")]


def valuation(number: int, value: float, facts: str, is_failed: bool) -> dict[str, Any]:
    """Return a row of the table of valuations."""
    address = f"{number} {['north', 'south', 'east', 'west'][number % 4]} street {number % 997}"
    row = {
        "reference": f"file {number}",
        "note": "second visit with the owner" if number % 10 == 0 else None,
        "facts": facts,
        "property_key": f"key {number}",
        "address": address,
        "address_block": address_block(address),
        "area": f"Area {number % 25}",
        "status": "error" if is_failed else "ok",
        "facts_given": 60,
        "reason_codes": "",
        "as_of": date(2010, 7, 31),
        "model_version": "v1" if number % 3 else "v2",
        "valued_at": GIVEN,
    }
    if not is_failed:
        row |= {"predicted_price": value, "price_low": value * 0.85, "price_high": value * 1.18}
        row |= {"interval": 0.9, "fsd": 0.1, "confidence": 90.0}
    return row


def sell(database: Database, n: int, first: int, last: int) -> dict[str, float]:
    """Add later prices numbered from first to last, of valuations spread over all."""
    random = np.random.default_rng(first)
    author = Author("person0", load_market().contract.market.name, "table")
    step = n // last if first == 0 else 1
    taken = {each * (n // first) for each in range(first)} if first else set()
    numbers = [each for each in range(0, n, step) if each not in taken][: last - first]
    started = time.perf_counter()
    for start in range(0, len(numbers), CHUNK_ROWS):
        chunk = numbers[start : start + CHUNK_ROWS]
        prices = np.exp(random.normal(12.0, 0.4, len(chunk)))
        sold = [
            {"reference": f"file {each}", "price": float(price),
             "sold_on": date(2010, 9, 1) + timedelta(days=each % 720)}
            for each, price in zip(chunk, prices, strict=True)
        ]  # fmt: skip
        made = append(database, author, outcomes, sold)
        pairs = [
            {"outcome": outcome, "valuation": each + 1, "method": "reference", "score": 100.0,
             "state": "accepted"}
            for outcome, each in zip(made, chunk, strict=True)
        ]  # fmt: skip
        append(database, author, matches, pairs)
    seconds = time.perf_counter() - started
    if database.engine.dialect.name == "postgresql":
        engine = database.engine.execution_options(isolation_level="AUTOCOMMIT")
        with engine.connect() as connection:
            connection.exec_driver_sql("VACUUM ANALYZE")
    return {"seconds": seconds}


def measure(database: Database, n: int) -> dict[str, float]:
    """Return the median time of each question."""
    market, facts = sample()
    name = market.contract.market.name
    author = Author("person3", name, "form")

    def page(search: str = "", **options: str | int) -> Callable[[], object]:
        return partial(listing, database, name, search=search, **options)

    one = valuation(n, 200_000.0, facts[0], is_failed=False)
    return {
        "track record": median(lambda: live_report(database, author, market, StoredMetrics)),
        "first page": median(page()),
        "first page of a person": median(page(person="person3")),
        "page in the middle": median(page(before=n // 2)),
        "last page": median(page(before=51)),
        "search, a reference": median(page(search=f"file {n // 7}")),
        "search, part of an address": median(page(search=f"{n // 3} ")),
        "search, found nowhere": median(page(search="no such text")),
        "search, one letter": median(page(search="q")),
        "save, one": median(lambda: append(database, author, valuations, [one]), 50),
        "an event, for comparison": median(lambda: log_event(database, author, "t", "t"), 50),
        "draw of a sample": median(lambda: draw_sample(database, author, 100), 1),
        "verification": median(lambda: verify(database), 1),
    }


def report(database: Database) -> dict[str, float]:
    """Return the time of the track record alone."""
    market = load_market()
    author = Author("person3", market.contract.market.name, "form")
    return {"track record": median(lambda: live_report(database, author, market, StoredMetrics), 3)}


def median(ask: Callable[[], object], repeats: int = REPEATS) -> float:
    """Return the median seconds of a question."""
    seconds = []
    for _ in range(repeats):
        started = time.perf_counter()
        ask()
        seconds.append(time.perf_counter() - started)
    return statistics.median(seconds)


if __name__ == "__main__":
    main()
