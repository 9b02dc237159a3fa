"""Files valued by a real scheduler and two worker processes, one of which may be killed."""

from __future__ import annotations

import io
import json
import os
import re
import signal
import socket
import sys
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from distributed import Client, LocalCluster

from houseprice.backend.local import LocalBackend
from houseprice.batch.cluster import value_on_cluster
from houseprice.batch.orders import LIMITS, Failure, Job, Order, seal_of
from houseprice.batch.reading import open_csv
from houseprice.batch.streaming import Streamed, value_stream
from houseprice.cluster import connected
from houseprice.errors import HousePriceError
from houseprice.market.sales import load_market
from houseprice.model.storing.store import ModelStore
from houseprice.model.training import ensure
from houseprice.settings import Settings

STAMP = datetime(2021, 2, 3, 4, 5, 6, tzinfo=UTC)
HEADER = "key;size;quarter;grade;remark\r\n"
# A decimal comma, a cell over two lines, a size below zero, a row too short, an unknown quarter.
ROWS = [
    'a;90,5;N;A;"two\r\nlines"\r\n',
    "b;80;S;;=1+1\r\n",
    "c;-5;S;A;\r\n",
    "d;70,0\r\n",
    "e;120;Q;B;é\r\n",
]


@pytest.fixture(scope="module")
def settings(place: Path) -> Settings:
    return Settings(market=str(place / "hamlet"), model_dir=place / "models")


@pytest.fixture(scope="module")
def local(settings: Settings) -> LocalBackend:
    market = load_market(settings.market)
    return LocalBackend(ensure(market, ModelStore(settings.model_dir)), market)


@pytest.fixture(scope="module")
def order(settings: Settings, local: LocalBackend) -> Order:
    store = ModelStore(settings.model_dir)
    manifest = store.load().manifest
    return Order(
        manifest.model_version,
        seal_of(manifest),
        settings.model_dir,
        settings.market,
        {name: getattr(settings, name) for name in LIMITS},
        STAMP,
        evidence_rows=20,
        rows=50,
    )


@pytest.fixture(scope="module")
def client(settings: Settings):
    with (
        LocalCluster(
            n_workers=2,
            threads_per_worker=1,
            host="127.0.0.1",
            dashboard_address="127.0.0.1:0",
            env={"HOUSEPRICE_MODEL_DIR": str(settings.model_dir)},
        ) as cluster,
        Client(cluster.scheduler_address, set_as_default=False) as client,
    ):
        yield client


def make_jobs(folder: Path, *n_rows: int) -> list[Job]:
    given, valued = folder / "given", folder / "valued"
    given.mkdir()
    valued.mkdir()
    jobs = []
    for number, n in enumerate(n_rows):
        path = given / f"homes {number}.csv"
        lines = [ROWS[row % len(ROWS)] for row in range(n)]
        path.write_bytes((HEADER + "".join(lines)).encode("cp1252"))
        jobs.append(Job(path, path.stat().st_size, valued / path.name))
    return jobs


def on_one_machine(job: Job, order: Order, settings: Settings, local: LocalBackend):
    market = load_market(settings.market)
    out = io.BytesIO()
    with open_csv(job.source, job.source.name, settings, market.contract) as table:
        streamed = value_stream(
            table,
            local,
            out,
            evidence=table.layout.most_rows <= order.evidence_rows,
            rows=order.rows,
            valued_at=STAMP,
        )
    return streamed, out.getvalue()


def left_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_files_and_ranges_are_valued_as_on_one_machine(
    client, order, settings, local, tmp_path: Path
) -> None:
    jobs = make_jobs(tmp_path, 15, 333, 40, 200)
    heard: list[tuple[float, str]] = []
    came = dict(
        value_on_cluster(
            client,
            order,
            jobs,
            lambda share, words: heard.append((share, words)),
            large=jobs[2].size,
            pieces=2,
        )
    )
    assert set(came) == set(jobs)
    for job in jobs:
        streamed, data = on_one_machine(job, order, settings, local)
        assert job.target.read_bytes() == data
        assert came[job].totals.rows == streamed.totals.rows
        assert came[job].totals.errors_by_code == streamed.totals.errors_by_code
        assert came[job].problems == streamed.problems
        assert came[job].notes == streamed.notes
    assert left_in(tmp_path / "valued") == [job.target.name for job in jobs]
    assert heard[-1] == (1.0, "4 of 4 files, 588 houses valued")


def test_what_a_killed_worker_had_to_do_is_done_by_another(
    client, order, settings, local, tmp_path: Path
) -> None:
    jobs = make_jobs(tmp_path, *[60] * 8, 1_500)
    before = client.run(os.getpid)
    came = {}
    for job, answer in value_on_cluster(client, order, jobs, large=jobs[0].size, pieces=2):
        came[job] = answer
        if len(came) == 1:
            os.kill(next(iter(before.values())), signal.SIGKILL)
    client.wait_for_workers(2)
    assert next(iter(before.values())) not in client.run(os.getpid).values()
    assert all(isinstance(answer, Streamed) for answer in came.values())
    for job in jobs:
        assert job.target.read_bytes() == on_one_machine(job, order, settings, local)[1]
    assert left_in(tmp_path / "valued") == [job.target.name for job in jobs]


def test_a_file_that_fails_is_told_and_the_others_go_on(client, order, tmp_path: Path) -> None:
    good, empty, other, unclosed = make_jobs(tmp_path, 5, 5, 5, 500)
    empty.source.write_bytes(b"")
    empty = replace(empty, size=0)
    other.source.write_bytes(b"size;quarter\n90;N\n")
    unclosed.source.write_bytes(unclosed.source.read_bytes() + b'z;"90;N;A;x\r\n')
    unclosed = replace(unclosed, size=unclosed.source.stat().st_size)
    gone = replace(good, source=tmp_path / "given" / "gone.csv", target=tmp_path / "valued" / "g")
    jobs = [good, empty, other, unclosed, gone]
    came = dict(value_on_cluster(client, order, jobs, large=1_000, pieces=2))
    assert isinstance(came[good], Streamed)
    assert isinstance(came[empty], Failure)
    assert "empty" in came[empty].sentence
    assert "sees 18 bytes there in place of" in came[other].sentence
    assert "share under one path" in came[gone].sentence
    assert isinstance(came[unclosed], Failure)
    assert "A quotation mark on line 602 is opened and never closed" in came[unclosed].sentence
    assert not empty.target.exists()
    assert not other.target.exists()


def test_workers_with_another_model_are_refused(client, order, tmp_path: Path) -> None:
    (job,) = make_jobs(tmp_path, 5)
    with pytest.raises(HousePriceError, match="is another one than that of the computer that asks"):
        list(value_on_cluster(client, replace(order, seal="0" * 64), [job]))
    with pytest.raises(HousePriceError, match="There is no model version"):
        list(value_on_cluster(client, replace(order, version="hamlet-0.1.0-9"), [job]))
    assert not job.target.exists()


@pytest.fixture
def address(client, surroundings, fresh_logs) -> str:
    return client.scheduler.address


def test_the_command_values_a_pattern_into_a_folder(run, address, tmp_path: Path) -> None:
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


def test_a_call_that_makes_no_sense_is_told(run, address, tmp_path: Path, monkeypatch) -> None:
    (job,) = make_jobs(tmp_path, 5)
    folder, twin = tmp_path / "valued", tmp_path / "twin" / job.source.name
    twin.parent.mkdir()
    twin.write_bytes(b"")

    def told(*arguments: object) -> str:
        done = run("predict", "--dask", address, *arguments)
        assert done.code == 2
        return " ".join(done.err.replace("│", "").split())

    assert "it names the folder of the results" in told(job.source)
    assert "no file is called" in told(tmp_path / "none" / "*.csv", "-o", folder)
    assert "never written over" in told(job.source, "-o", job.source.parent)
    assert "have one name" in told(tmp_path / "*" / "*.csv", "-o", tmp_path / "new")
    assert "there can't be a folder" in told(job.source, "-o", twin)
    assert "are for work without a cluster" in told(job.source, "-o", folder, "--jobs", "2")
    monkeypatch.setenv("HOUSEPRICE_API_URL", "http://127.0.0.1:9")
    assert "Unset HOUSEPRICE_API_URL" in told(job.source, "-o", folder)


@pytest.fixture
def nobody() -> Iterator[str]:
    """An address where nothing listens."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield f"tcp://127.0.0.1:{taken.getsockname()[1]}"


def test_no_scheduler_is_told_in_a_sentence(nobody: str) -> None:
    for address in (nobody, "nonsense://x"):
        with (
            pytest.raises(HousePriceError, match="No scheduler of a Dask cluster answers at"),
            connected(address, patience_s=0.2),
        ):
            pass


def test_a_cluster_without_workers_is_told() -> None:
    with (
        LocalCluster(n_workers=0, host="127.0.0.1", dashboard_address="127.0.0.1:0") as empty,
        pytest.raises(HousePriceError, match="has no workers"),
        connected(empty.scheduler_address, patience_s=0.2),
    ):
        pass


def test_a_missing_package_is_told_in_a_sentence(run, address, monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "distributed", None)
    done = run("train", "--dask", address)
    assert done.code == 1
    assert "pip install 'houseprice[cluster]'" in done.err


def test_figures_of_a_cluster_are_those_of_one_machine(run, address) -> None:
    plan = ("evaluate", "--json", "--folds", "2", "--repeats", "1")
    here, there = run(*plan), run(*plan, "--dask", address)
    assert there.code == 0, there.err
    assert json.loads(there.out) == json.loads(here.out)


def test_a_model_of_a_cluster_is_that_of_one_machine(run, address) -> None:
    here, there = run("train", "--json"), run("train", "--json", "--dask", address)
    assert there.code == 0, there.err
    assert json.loads(there.out)["metrics"] == json.loads(here.out)["metrics"]
