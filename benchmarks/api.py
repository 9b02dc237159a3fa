"""Measure the service: ``python benchmarks/api.py [--quick]``.

It measures one house with its interval over the network, compared with the same call in process,
with a service as in tutorials (Flask and a plain pipeline) and with an empty service; then a long
file, and the response time of a health check under load. The client runs in its own process. All
servers alternate for several rounds, and the median is reported: CPU time of the servers and their
children, so that ratios hold on a busy machine.
"""

from __future__ import annotations

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before numpy: single-threaded measurements
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import argparse
import http.client
import json
import statistics
import sys
import tempfile
import time
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pandas as pd
from loopback import Server, asking, free_port, request, serving
from reference_services import PIPELINE, fit_plain_pipeline
from rich.console import Console
from rich.table import Table

from houseprice.api.engine import house_frame
from houseprice.api.server import server_environment
from houseprice.backend.local import LocalBackend
from houseprice.market.sales import Market, load_market
from houseprice.model.store.store import ModelStore
from houseprice.model.training import ensure_model, finish_training
from houseprice.settings import Settings
from houseprice.tables.reader import open_csv
from houseprice.tables.scoring import ScoringOptions
from houseprice.tables.streaming import value_stream

CONNECTIONS = (1, 32)
FOLDER = Path(__file__).parent
IN_PROCESS = "in process"
CONSOLE = Console(width=130)
GET_OK = request("GET", "/health")


@dataclass
class Times:
    """Measurements of one server over a number of connections, one per round."""

    processor_ms: list[float] = field(default_factory=list)
    per_s: list[float] = field(default_factory=list)
    middle_ms: list[float] = field(default_factory=list)
    slow_ms: list[float] = field(default_factory=list)


def main() -> None:
    """Run every measurement and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3, help="rounds of measurements")
    parser.add_argument("--rows", type=int, default=30_000, help="rows of the file")
    parser.add_argument("--quick", action="store_true", help="one round, 10,000 rows")
    options = parser.parse_args()
    rounds, rows = (1, 10_000) if options.quick else (options.rounds, options.rows)
    market = load_market()
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        models = Path(folder, "models")
        store = ModelStore(models)
        ensure_model(market, store)
        # Else the first server starts this in a process of its own, whose CPU time would count.
        finish_training(market, store)
        backend = LocalBackend(ensure_model(market, store), market)
        os.environ["HOUSEPRICE_MODEL_DIR"] = str(models)
        servers = {
            name: stack.enter_context(started)
            for name, started in services(market, Path(folder, "pipeline")).items()
        }
        one_house(market, backend, servers, rounds)
        long_file(market, backend, servers["ours × 1"], Path(folder, "houses.csv"), rows)
        probe_latency(market, servers["ours × 2"], 2.0 if options.quick else 5.0)
    CONSOLE.print(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f} at the end")


def services(market: Market, pipeline: Path) -> dict[str, AbstractContextManager[Server]]:
    """Return all servers, ready to be started."""
    found: dict[str, AbstractContextManager[Server]] = {}
    for workers, name in ((1, "ours × 1"), (2, "ours × 2")):
        port = free_port()
        command = [sys.executable, "-m", "houseprice.api.server"]
        found[name] = serving(
            command, port, "/ready", server_environment("127.0.0.1", port, workers)
        )
    port = free_port()
    command = [
        sys.executable,
        "-m",
        "uvicorn",
        "reference_services:empty",
        "--app-dir",
        str(FOLDER),
    ]
    found["empty"] = serving([*command, "--no-access-log", f"--port={port}"], port, "/", {})
    if not (find_spec("flask") and find_spec("gunicorn")):
        CONSOLE.print(
            "Without Flask to compare with: pip install 'houseprice[benchmark]', and measure again."
        )
        return found
    fit_plain_pipeline(market, pipeline)
    for workers, name in ((1, "Flask × 1"), (2, "Flask × 2")):
        port = free_port()
        command = [
            sys.executable,
            "-m",
            "gunicorn",
            "reference_services:tutorial()",
            f"--chdir={FOLDER}",
        ]
        options = [f"--bind=127.0.0.1:{port}", f"--workers={workers}", "--log-level=error"]
        surroundings = {PIPELINE: str(pipeline)}
        whole = [*command, *options, "--no-control-socket"]
        found[name] = serving(whole, port, "/health", surroundings)
    return found


def one_house(
    market: Market, backend: LocalBackend, servers: dict[str, Server], rounds: int
) -> None:
    """Request one house of every server in turn, and value it in process before each."""
    house = houses_of(market)[5]
    frame = house_frame(house, market.contract)
    ours = request("POST", "/v1/valuations", json.dumps({"rows": [house]}).encode())
    theirs = request("POST", "/v1/predict/regression", json.dumps([house]).encode())
    found: dict[tuple[str, int], Times] = {}
    in_process: list[float] = []
    ratios: dict[tuple[str, int], list[float]] = {}
    for turn in range(rounds + 1):  # the first warms up
        for name, server in servers.items():
            message = theirs if "Flask" in name else ours
            for connections in CONNECTIONS:
                before = call_ms(backend, frame)
                times = found.setdefault((name, connections), Times())
                spent = ask(server, message, connections, times if turn else Times())
                if turn:
                    beside = (before + call_ms(backend, frame)) / 2
                    in_process.append(beside)
                    ratios.setdefault((name, connections), []).append(spent / beside)
    titles = ("connections", "processor ms", "/ in process", "goal", "requests/s", "/ Flask",
              "goal", "p50 ms", "p99 ms", "peak MB")  # fmt: skip
    table = Table("one house, by × processes", *titles)
    table.add_row(IN_PROCESS, "", f"{statistics.median(in_process):.2f}", "1.00")
    for (name, connections), times in found.items():
        per_s = statistics.median(times.per_s)
        flask = found.get((name.replace("ours", "Flask"), connections))
        beside = per_s / statistics.median(flask.per_s) if flask and "ours" in name else None
        table.add_row(
            name,
            str(connections),
            f"{statistics.median(times.processor_ms):.2f}",
            f"{statistics.median(ratios[name, connections]):.2f}",
            "≤ 1.5" if "ours" in name else "",
            f"{per_s:,.0f}",
            f"{beside:.1f}" if beside else "",
            "≥ 10" if "ours" in name and connections > 1 else "",
            f"{statistics.median(times.middle_ms):.1f}",
            f"{statistics.median(times.slow_ms):.1f}",
            f"{servers[name].peak_mb():,.0f}",
        )
    CONSOLE.print(table)


def ask(server: Server, message: bytes, connections: int, times: Times) -> float:
    """Keep a server busy for a second; return the CPU milliseconds per request."""
    process = asking(server.port, message, connections=connections, seconds=1.0)
    before = server.processor_seconds()
    seconds, whole = process.seconds()
    spent = 1e3 * (server.processor_seconds() - before) / len(seconds)
    middle, slow = np.quantile(seconds, (0.5, 0.99))
    times.processor_ms.append(spent)
    times.per_s.append(len(seconds) / whole)
    times.middle_ms.append(1e3 * middle)
    times.slow_ms.append(1e3 * slow)
    return spent


def call_ms(backend: LocalBackend, frame: pd.DataFrame, calls: int = 40) -> float:
    """Return the median CPU milliseconds of a call in this process."""
    found = []
    for _ in range(calls):
        before = time.process_time()
        backend.value(frame)
        found.append(time.process_time() - before)
    return 1e3 * statistics.median(found)


def long_file(market: Market, backend: LocalBackend, server: Server, path: Path, rows: int) -> None:
    """Value a file over the network and in process, in turn."""
    header, *lines = market.sample_path.read_text(encoding="utf-8").splitlines(keepends=True)
    path.write_text(header + "".join((lines * (rows // len(lines) + 1))[:rows]), encoding="utf-8")
    found: dict[str, list[tuple[float, float]]] = {IN_PROCESS: [], "POST /v1/valuations.csv": []}
    ratios = []
    for _ in range(3):
        wall, spent = time.perf_counter(), time.process_time()
        with path.open("rb") as file, path.with_suffix(".valued").open("wb") as out:
            opened = open_csv(file, "houses.csv", Settings(), market.contract, 2**40)
            with opened as source:
                value_stream(source, backend, out, ScoringOptions())
        here = time.perf_counter() - wall
        found[IN_PROCESS].append((here, time.process_time() - spent))
        wall, spent = time.perf_counter(), server.processor_seconds()
        post_file(server.port, path)
        there = time.perf_counter() - wall
        found["POST /v1/valuations.csv"].append((there, server.processor_seconds() - spent))
        ratios.append(here / there)
    table = Table(f"file of {rows:,} rows", "rows/s", "rows per CPU second", "/ in process",
                  "goal", "peak MB")  # fmt: skip
    for name, each in found.items():
        wall, spent = (statistics.median(column) for column in zip(*each, strict=True))
        last = ("1.00", "", "") if name == IN_PROCESS else (
            f"{statistics.median(ratios):.2f}", "≥ 0.9", f"{server.peak_mb():,.0f}"
        )  # fmt: skip
        table.add_row(name, f"{rows / wall:,.0f}", f"{rows / spent:,.0f}", *last)
    CONSOLE.print(table)


def post_file(port: int, path: Path) -> None:
    """Stream a file to the server, and discard the response."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=300)
    with path.open("rb") as file:
        size = {"Content-Type": "text/csv", "Content-Length": str(path.stat().st_size)}
        connection.request("POST", "/v1/valuations.csv", file, size)
        answer = connection.getresponse()
        assert answer.status == 200, answer.read()
        while answer.read(2**20):
            pass
    connection.close()


def probe_latency(market: Market, server: Server, seconds: float) -> None:
    """Measure a probe while valuations keep all processes of a server busy."""
    houses = houses_of(market)
    table = Table("GET /health during", "values/s", "p50 ms", "p99 ms", "maximum ms", "goal")
    for size, connections in ((1, 32), (200, 8), (5_000, 3)):
        rows = (houses * (size // len(houses) + 1))[:size]
        message = request("POST", "/v1/valuations", json.dumps({"rows": rows}).encode())
        load = asking(server.port, message, connections=connections, seconds=seconds)
        probe = asking(server.port, GET_OK, seconds=seconds, every=0.01)
        waits, _ = probe.seconds()
        answers, whole = load.seconds()
        quantiles = (f"{1e3 * each:.1f}" for each in np.quantile(waits, (0.5, 0.99, 1.0)))
        name = f"{connections} requests of {size:,} at once"
        table.add_row(name, f"{len(answers) * size / whole:,.0f}", *quantiles, "p99 < 50")
    CONSOLE.print(table)


def houses_of(market: Market) -> list[dict[str, object]]:
    """The houses of the sample file, with numbers as JSON numbers."""
    typed = pd.read_csv(market.sample_path, keep_default_na=False)
    houses: list[dict[str, object]] = json.loads(typed.to_json(orient="records"))
    return houses


if __name__ == "__main__":
    main()
