"""Measure a large CSV file: ``python benchmarks/batch.py [--rows 100000]``.

The file is the market's sample, repeated. Each mode runs in its own process: reading, splitting
and writing the file without valuing it; an idle process with a loaded model; ``houseprice predict``
with one process and with several; and a simple script (pandas reads the whole file, a pipeline
predicts, pandas writes), which gives one number per row, without checks, intervals or explanation.

Memory is the proportional set size of all processes of a mode (Linux), sampled twice a second;
elsewhere, the peak of the largest process.
"""

from __future__ import annotations

import argparse
import csv
import os
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

from rich.console import Console
from rich.table import Table

ROOT = Path(__file__).parents[1]
MARKET = next((ROOT / "houseprice" / "market").glob("*/market.toml")).parent
FLOOR, IDLE = "read, split, write", "the model, idle"
GOALS = "Goals: at most 2.5 times the time of the first line, and 600 MB more than the second."


def main() -> None:
    """Run each mode once and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--jobs", type=int, default=2, help="processes of the parallel mode")
    parser.add_argument(
        "--mode", choices=["floor", "idle", "fit", "script"], help=argparse.SUPPRESS
    )
    parser.add_argument("paths", nargs="*", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.mode:
        {"floor": floor, "idle": idle, "fit": fit, "script": script}[arguments.mode](
            *arguments.paths
        )
        return
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        environment = {
            **os.environ,
            "HOUSEPRICE_MODEL_DIR": str(folder / "models"),
            "HOUSEPRICE_MARKET": MARKET.name,
            "OMP_NUM_THREADS": "1",
        }
        homes, valued, pipeline = (folder / name for name in ("homes.csv", "valued.csv", "model"))
        repeat(MARKET / "to_value.csv", arguments.rows, homes)
        this, houseprice = (
            [sys.executable, __file__, "--mode"],
            [sys.executable, "-m", "houseprice"],
        )
        measured([*houseprice, "train", "--quiet"], environment)
        measured([*this, "fit", pipeline], environment)
        ways: dict[str, list[str | Path]] = {
            FLOOR: [*this, "floor", homes, valued],
            IDLE: [*this, "idle"],
            **{
                f"houseprice predict --jobs {jobs}": [
                    *houseprice, "predict", homes, "-o", valued, "--no-evidence", "--quiet",
                    "--jobs", str(jobs),
                ]
                for jobs in (1, arguments.jobs)
            },
            "pandas and a pipeline": [*this, "script", homes, valued, pipeline],
        }  # fmt: skip
        figures = {name: measured(command, environment) for name, command in ways.items()}
        show(figures, arguments.rows, homes.stat().st_size)


def repeat(sample: Path, n_rows: int, path: Path) -> None:
    """Write the rows of the sample repeatedly up to the given number."""
    header, *rows = sample.read_text(encoding="utf-8").splitlines(keepends=True)
    with path.open("w", encoding="utf-8") as file:
        file.write(header)
        for start in range(0, n_rows, len(rows)):
            file.writelines(rows[: n_rows - start])


def measured(command: list[str | Path], environment: dict[str, str]) -> tuple[float, float, float]:
    """Return the seconds, CPU seconds and peak memory in MB of a command.

    Processor seconds are those of the command and, on Linux, of all processes under it.
    """
    start = time.perf_counter()
    child = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.DEVNULL)
    ended, peak, worked = threading.Event(), [0.0], dict[int, float]()
    watch = threading.Thread(target=look_on, args=(child.pid, peak, worked, ended))
    watch.start()
    _, status, usage = os.wait4(child.pid, 0)
    seconds = time.perf_counter() - start
    ended.set()
    watch.join()
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode:
        sys.exit(f"failed: {' '.join(map(str, command))}")
    # Kilobytes, but on a Mac bytes.
    unit = 2**20 if sys.platform == "darwin" else 2**10
    # The command does not wait for its workers, so they are sampled while they run.
    worked[child.pid] = usage.ru_utime + usage.ru_stime
    return seconds, sum(worked.values()), peak[0] or usage.ru_maxrss / unit


def look_on(
    process: int, peak: list[float], worked: dict[int, float], ended: threading.Event
) -> None:
    """Record the peak memory in MB of a process and its descendants.

    Also records the CPU seconds of each of them.
    """
    while not ended.wait(0.5):
        members = family(process)
        peak[0] = max(peak[0], sum(map(proportional_mb, members)))
        for member in members:
            worked[member] = max(worked.get(member, 0.0), processor_seconds(member))


def family(first: int) -> set[int]:
    """A process and its descendants."""
    parents = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            # The name, in parentheses, may contain spaces and parentheses.
            fields = stat.read_text(errors="replace").rpartition(")")[2].split()
        except OSError:
            continue
        parents[int(stat.parent.name)] = int(fields[1])
    found, before = {first}, set[int]()
    while found != before:
        before = found
        found = found | {process for process, parent in parents.items() if parent in found}
    return found


def processor_seconds(process: int) -> float:
    """The CPU seconds of a process; 0 if it has ended."""
    try:
        fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def proportional_mb(process: int) -> float:
    """The proportional set size of a process."""
    try:
        lines = Path(f"/proc/{process}/smaps_rollup").read_text(encoding="ascii").splitlines()
    except OSError:
        return 0.0
    return sum(int(line.split()[1]) for line in lines if line.startswith("Pss:")) / 2**10


def show(figures: dict[str, tuple[float, float, float]], n_rows: int, size: int) -> None:
    """Print the modes in one table."""
    table = Table(title=f"{n_rows:,} rows, {size / 2**20:,.0f} MB")
    table.add_column("mode")
    for name in ("seconds", "× first", "CPU seconds", "rows a second", "peak MB", "over idle"):
        table.add_column(name, justify="right")
    floor_seconds, idle_mb = figures[FLOOR][0], figures[IDLE][2]
    for name, (seconds, cpu, peak) in figures.items():
        rate = "" if name == IDLE else f"{n_rows / seconds:,.0f}"
        ratio, over = f"{seconds / floor_seconds:.1f}", f"{peak - idle_mb:,.0f}"
        table.add_row(name, f"{seconds:.1f}", ratio, f"{cpu:.1f}", rate, f"{peak:,.0f}", over)
    Console(width=100).print(table)
    Console(width=100).print(GOALS)


def floor(source: Path, target: Path) -> None:
    """Read, split and write each row."""
    with source.open(newline="") as given, target.open("w", newline="") as written:
        csv.writer(written).writerows(csv.reader(given))


def idle() -> None:
    """Load the model and value one house."""
    from houseprice.backend.factory import open_backend
    from houseprice.market.sales import read_rows
    from houseprice.settings import read_settings

    open_backend(read_settings()).value(read_rows(MARKET / "to_value.csv").head(1))


def fit(target: Path) -> None:
    """Fit the pipeline of the script to the sales of the market."""
    import joblib
    import pandas as pd
    from sklearn.compose import make_column_selector, make_column_transformer
    from sklearn.ensemble import HistGradientBoostingRegressor
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OrdinalEncoder

    from houseprice.market.contract import load_contract

    price = load_contract(MARKET).market.price.column
    sales = pd.read_csv(MARKET / "sales.csv")
    numbers, texts = make_column_selector("number"), make_column_selector(dtype_exclude="number")
    encoder = OrdinalEncoder(
        handle_unknown="use_encoded_value", unknown_value=-1, encoded_missing_value=-2
    )
    pipeline = make_pipeline(
        make_column_transformer((encoder, texts), ("passthrough", numbers)),
        HistGradientBoostingRegressor(random_state=0),
    )
    joblib.dump(pipeline.fit(sales.drop(columns=price), sales[price]), target)


def script(source: Path, target: Path, pipeline: Path) -> None:
    """Run the simple script."""
    import joblib
    import pandas as pd

    houses = pd.read_csv(source)
    houses["predicted_price"] = joblib.load(pipeline).predict(houses)
    houses.to_csv(target, index=False)


if __name__ == "__main__":
    main()
