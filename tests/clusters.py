"""Small Dask clusters of real processes on this computer, and files to value on them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from distributed import Client, LocalCluster

from houseprice.tables.distributed import FileJob

__all__ = ["a_scheduler", "a_worker", "left_in", "make_jobs", "two_workers", "until"]

HEADER = "key;size;quarter;grade;remark\r\n"
# A decimal comma, a cell over two lines, a size below zero, a row too short, an unknown quarter.
ROWS = [
    'a;90,5;N;A;"two\r\nlines"\r\n',
    "b;80;S;;=1+1\r\n",
    "c;-5;S;A;\r\n",
    "d;70,0\r\n",
    "e;120;Q;B;é\r\n",
]


@contextmanager
def two_workers(model_dir: Path) -> Iterator[Client]:
    """A scheduler in this process, and two worker processes."""
    with (
        LocalCluster(
            n_workers=2,
            threads_per_worker=1,
            host="127.0.0.1",
            dashboard_address="127.0.0.1:0",
            env={"HOUSEPRICE_MODEL_DIR": str(model_dir)},
        ) as cluster,
        Client(cluster.scheduler_address, set_as_default=False) as client,
    ):
        yield client


@contextmanager
def a_scheduler(folder: Path) -> Iterator[tuple[subprocess.Popen[bytes], str]]:
    """A scheduler in a process of its own, and its address."""
    scheduler_file = folder / "scheduler.json"
    code = "from distributed.cli.dask_scheduler import main; main()"
    options = ["--port", "0", "--scheduler-file", str(scheduler_file)]
    with _process(code, *options) as process:
        # The file is not written atomically.
        until(
            lambda: (
                scheduler_file.exists() and scheduler_file.read_text(encoding="utf-8").endswith("}")
            )
        )
        yield process, json.loads(scheduler_file.read_text(encoding="utf-8"))["address"]


@contextmanager
def a_worker(
    address: str, model_dir: Path, *, lacking: str | None = None
) -> Iterator[subprocess.Popen[bytes]]:
    """A worker in one process of its own, which may lack a package."""
    lack = f"import sys; sys.modules[{lacking!r}] = None; " if lacking else ""
    code = f"{lack}from distributed.cli.dask_worker import main; main()"
    with _process(code, address, "--nthreads", "1", "--no-nanny", model_dir=model_dir) as process:
        yield process


@contextmanager
def _process(
    code: str, *options: str, model_dir: Path | None = None
) -> Iterator[subprocess.Popen[bytes]]:
    command = [sys.executable, "-c", code, *options, "--no-dashboard", "--host", "127.0.0.1"]
    environment = {**os.environ, "HOUSEPRICE_MODEL_DIR": str(model_dir)}
    process = subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL)
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def until(happened: Callable[[], object]) -> None:
    """Wait up to two minutes for a condition that another process makes true."""
    end = time.monotonic() + 120
    while not happened():
        assert time.monotonic() < end
        time.sleep(0.01)


def make_jobs(folder: Path, *n_rows: int) -> list[FileJob]:
    given, valued = folder / "given", folder / "valued"
    given.mkdir()
    valued.mkdir()
    jobs = []
    for number, n in enumerate(n_rows):
        path = given / f"homes {number}.csv"
        lines = [ROWS[row % len(ROWS)] for row in range(n)]
        path.write_bytes((HEADER + "".join(lines)).encode("cp1252"))
        jobs.append(FileJob(path, path.stat().st_size, valued / path.name))
    return jobs


def left_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())
