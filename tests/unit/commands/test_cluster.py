"""The options ``--dask``, on a real scheduler and two worker processes."""

import gzip
import json
import os
import re
import signal
import socket
import subprocess
import sys

import pandas as pd
import pytest
from distributed import LocalCluster

from houseprice.cluster import connect
from houseprice.errors import HousePriceError
from tests.clusters import left_in, make_jobs, two_workers, until


@pytest.fixture(scope="module")
def client(place):
    with two_workers(place / "models") as client:
        yield client


@pytest.fixture
def address(client, surroundings, fresh_logs):
    return client.scheduler.address


def test_the_command_values_a_pattern_into_a_folder(run, address, tmp_path):
    jobs = make_jobs(tmp_path, 5, 10)
    pattern, valued = tmp_path / "given" / "*.csv", tmp_path / "valued"
    done = run("predict", "--dask", address, pattern, "-o", valued, "--no-evidence")
    assert done.code == 0, done.err
    assert "2 of 2 files, 15 rows: " in done.err
    assert run("predict", jobs[1].source, "-o", tmp_path / "one.csv", "--no-evidence").code == 0
    stamped = r"\d{4}-\d\d-\d\dT[\d:]+\+00:00"
    here, there = (
        re.sub(stamped, "", path.read_bytes().decode("cp1252"))
        for path in (tmp_path / "one.csv", jobs[1].target)
    )
    assert here == there
    jobs[0].source.write_bytes(b"")
    again = run("predict", "--dask", address, pattern, "-o", valued)
    assert again.code == 1
    assert "homes 0.csv: " in again.err
    assert "1 of 2 files, 10 rows: " in again.err


def test_the_name_of_a_result_says_that_it_is_csv_and_not_compressed(run, address, tmp_path):
    (job,) = make_jobs(tmp_path, 5)
    folder, valued = job.source.parent, tmp_path / "valued"
    (folder / "zipped.csv.gz").write_bytes(gzip.compress(job.source.read_bytes()))
    (folder / "link.csv").symlink_to(job.source)
    pd.DataFrame({"size": [90.0], "quarter": ["N"]}).to_parquet(folder / "homes.parquet")
    done = run("predict", "--dask", address, folder / "*", "-o", valued, "--no-evidence")
    assert "4 of 4 files" in done.err
    assert left_in(valued) == [job.source.name, "homes.parquet.csv", "link.csv", "zipped.csv"]
    plain, parquet, linked, zipped = ((valued / name).read_bytes() for name in left_in(valued))
    assert plain == zipped == linked
    assert parquet.startswith(b"size,quarter,row,status")


def test_an_invalid_call_is_a_usage_error(run, address, tmp_path, monkeypatch):
    (job,) = make_jobs(tmp_path, 5)
    folder, twin = tmp_path / "valued", tmp_path / "twin" / job.source.name
    twin.parent.mkdir()
    twin.write_bytes(b"")

    def usage_error(*arguments: object) -> str:
        done = run("predict", "--dask", address, *arguments)
        assert done.code == 2
        return " ".join(done.err.replace("│", "").split())

    assert "names the folder of the results" in usage_error(job.source)
    assert "no file matches" in usage_error(tmp_path / "none" / "*.csv", "-o", folder)
    assert "never overwritten" in usage_error(job.source, "-o", job.source.parent)
    assert "would have the same name" in usage_error(
        tmp_path / "*" / "*.csv", "-o", tmp_path / "new"
    )
    assert "can't be created" in usage_error(job.source, "-o", twin)
    assert "are for work without a cluster" in usage_error(job.source, "-o", folder, "--jobs", "2")
    monkeypatch.setenv("HOUSEPRICE_API_URL", "http://127.0.0.1:9")
    assert "Unset HOUSEPRICE_API_URL" in usage_error(job.source, "-o", folder)


@pytest.mark.skipif(os.name != "posix", reason="Windows has no such signals")
def test_ctrl_c_leaves_complete_results_only(client, address, tmp_path):
    light = make_jobs(tmp_path, 5, 5_000)[0]
    valued = tmp_path / "valued"
    command = [sys.executable, "-m", "houseprice", "predict", "--dask", address, "--evidence"]
    process = subprocess.Popen(
        [*command, tmp_path / "given" / "*.csv", "-o", valued], stderr=subprocess.PIPE
    )
    until(lambda: light.target.exists() and any(valued.glob(".*.parts/.houseprice-*/draft")))
    process.send_signal(signal.SIGINT)
    _, messages = process.communicate(timeout=60)
    assert process.returncode == 130
    assert re.search(
        r"Interrupted after [01] of 2 files\. Each result in .* is complete", messages.decode()
    )
    assert b"Traceback" not in messages
    assert left_in(valued) == [light.target.name]
    # Each worker runs one task at a time: after this one, its earlier task has ended.
    for worker in client.run(os.getpid):
        client.submit(os.getpid, workers=[worker], pure=False).result()
    assert left_in(valued) == [light.target.name]


@pytest.fixture
def unused_address():
    """An address on which no server listens."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield f"tcp://127.0.0.1:{taken.getsockname()[1]}"


def test_a_missing_scheduler_is_an_error(unused_address):
    for address in (unused_address, "nonsense://x"):
        with (
            pytest.raises(HousePriceError, match="No scheduler of a Dask cluster answers at"),
            connect(address, timeout_s=0.2),
        ):
            pass


def test_a_cluster_without_workers_is_an_error():
    with (
        LocalCluster(n_workers=0, host="127.0.0.1", dashboard_address="127.0.0.1:0") as empty,
        pytest.raises(HousePriceError, match="has no workers"),
        connect(empty.scheduler_address, timeout_s=0.2),
    ):
        pass


def test_a_missing_package_is_named(run, address, monkeypatch):
    monkeypatch.setitem(sys.modules, "distributed", None)
    done = run("train", "--dask", address)
    assert done.code == 1
    assert "pip install 'houseprice[cluster]'" in done.err


def test_a_cluster_computes_the_metrics_of_one_machine(run, address):
    plan = ("evaluate", "--json", "--folds", "2", "--repeats", "1")
    here, there = run(*plan), run(*plan, "--dask", address)
    assert there.code == 0, there.err
    assert json.loads(there.out) == json.loads(here.out)


def test_a_cluster_trains_the_model_of_one_machine(run, address):
    here, there = run("train", "--json"), run("train", "--json", "--dask", address)
    assert there.code == 0, there.err
    assert json.loads(there.out)["metrics"] == json.loads(here.out)["metrics"]
