"""Files valued by a real scheduler and two worker processes, which may be killed."""

from __future__ import annotations

import io
import os
import signal
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from distributed import Client, Scheduler

from houseprice.backend.local import LocalBackend
from houseprice.cluster import connect
from houseprice.errors import HousePriceError
from houseprice.market.sales import load_market
from houseprice.model.store.store import ModelStore
from houseprice.model.training import ensure_model
from houseprice.settings import Settings
from houseprice.tables.distributed import ClusterOptions, Failure, FileJob, value_on_cluster
from houseprice.tables.parallel import ModelReference
from houseprice.tables.reader import open_csv
from houseprice.tables.streaming import StreamResult, value_stream
from tests.clusters import a_scheduler, a_worker, left_in, make_jobs, two_workers, until

needs_signals = pytest.mark.skipif(os.name != "posix", reason="Windows has no such signals")

STAMP = datetime(2021, 2, 3, 4, 5, 6, tzinfo=UTC)


@pytest.fixture(scope="module")
def settings(place: Path) -> Settings:
    return Settings(market=str(place / "hamlet"), model_dir=place / "models")


@pytest.fixture(scope="module")
def local(settings: Settings) -> LocalBackend:
    market = load_market(settings.market)
    return LocalBackend(ensure_model(market, ModelStore(settings.model_dir)), market)


@pytest.fixture(scope="module")
def options(settings: Settings, local: LocalBackend) -> ClusterOptions:
    store = ModelStore(settings.model_dir)
    manifest = store.load().manifest
    model = ModelReference.of(settings, manifest.model_version, manifest)
    return ClusterOptions(model, STAMP, max_evidence_rows=20, rows=50)


@pytest.fixture(scope="module")
def client(settings: Settings) -> Iterator[Client]:
    with two_workers(settings.model_dir) as client:
        yield client


def on_one_machine(job: FileJob, options: ClusterOptions, settings: Settings, local: LocalBackend):
    market = load_market(settings.market)
    out = io.BytesIO()
    with open_csv(job.source, job.source.name, settings, market.contract) as table:
        streamed = value_stream(table, local, out, options.scoring(table.layout), rows=options.rows)
    return streamed, out.getvalue()


def test_files_and_ranges_are_valued_as_on_one_machine(
    client, options, settings, local, tmp_path: Path
) -> None:
    jobs = make_jobs(tmp_path, 15, 333, 40, 200)
    heard: list[tuple[float, str]] = []
    came = dict(
        value_on_cluster(
            client,
            options,
            jobs,
            lambda share, words: heard.append((share, words)),
            large=jobs[2].size,
            range_chunks=2,
        )
    )
    assert set(came) == set(jobs)
    for job in jobs:
        streamed, data = on_one_machine(job, options, settings, local)
        assert job.target.read_bytes() == data
        assert came[job].counts.rows == streamed.counts.rows
        assert came[job].counts.errors_by_code == streamed.counts.errors_by_code
        assert came[job].problems == streamed.problems
        assert came[job].notes == streamed.notes
    assert left_in(tmp_path / "valued") == [job.target.name for job in jobs]
    assert heard[-1] == (1.0, "4 of 4 files, 588 houses valued")


@needs_signals
def test_what_a_killed_worker_had_to_do_is_done_by_another(
    client, options, settings, local, tmp_path: Path
) -> None:
    jobs = make_jobs(tmp_path, *[60] * 8, 1_500)
    before = client.run(os.getpid)
    came = {}
    for job, answer in value_on_cluster(client, options, jobs, large=jobs[0].size, range_chunks=2):
        came[job] = answer
        if len(came) == 1:
            os.kill(next(iter(before.values())), signal.SIGKILL)
    assert next(iter(before.values())) not in client.run(os.getpid).values()
    assert all(isinstance(answer, StreamResult) for answer in came.values())
    for job in jobs:
        assert job.target.read_bytes() == on_one_machine(job, options, settings, local)[1]
    assert left_in(tmp_path / "valued") == [job.target.name for job in jobs]


def test_a_file_that_fails_is_told_and_the_others_go_on(client, options, tmp_path: Path) -> None:
    good, empty, other, unclosed = make_jobs(tmp_path, 5, 5, 5, 500)
    empty.source.write_bytes(b"")
    empty = replace(empty, size=0)
    other.source.write_bytes(b"size;quarter\n90;N\n")
    unclosed.source.write_bytes(unclosed.source.read_bytes() + b'z;"90;N;A;x\r\n')
    unclosed = replace(unclosed, size=unclosed.source.stat().st_size)
    gone = replace(good, source=tmp_path / "given" / "gone.csv", target=tmp_path / "valued" / "g")
    jobs = [good, empty, other, unclosed, gone]
    came = dict(value_on_cluster(client, options, jobs, large=1_000, range_chunks=2))
    assert isinstance(came[good], StreamResult)
    assert isinstance(came[empty], Failure)
    assert "empty" in came[empty].sentence
    assert "sees 18 bytes instead of" in came[other].sentence
    assert "share under one path" in came[gone].sentence
    assert isinstance(came[unclosed], Failure)
    assert "A quotation mark on line 602 is opened and never closed" in came[unclosed].sentence
    assert not empty.target.exists()
    assert not other.target.exists()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"digest": "0" * 64}, "differs from the one on the computer that started the run"),
        ({"version": "hamlet-0.1.0-9"}, "There is no model version"),
    ],
)
def test_workers_with_another_model_are_refused(
    client, options, tmp_path: Path, change: dict[str, str], message: str
) -> None:
    (job,) = make_jobs(tmp_path, 5)
    other = replace(options, model=replace(options.model, **change))
    with pytest.raises(HousePriceError, match=message):
        list(value_on_cluster(client, other, [job]))
    assert not job.target.exists()


def evidently(options: ClusterOptions) -> ClusterOptions:
    """Make each row take long enough for a test to be quicker."""
    return replace(options, max_evidence_rows=10**9)


def at_work(job: FileJob) -> bool:
    """Whether a worker has begun to write what becomes of the result."""
    return any(job.target.parent.glob(".*.parts/.*.part"))


def give_up_at_once(dask_scheduler: Scheduler) -> None:
    """Let a scheduler give a task up with the first worker that is killed."""
    dask_scheduler.allowed_failures = 0


@needs_signals
def test_a_file_that_no_worker_survives_is_told_and_the_others_go_on(
    options, tmp_path: Path
) -> None:
    light, heavy = jobs = make_jobs(tmp_path, 5, 20_000)
    came = {}
    with (
        a_scheduler(tmp_path) as (_, address),
        a_worker(address, options.model.model_dir) as worker,
        connect(address, timeout_s=60) as client,
    ):
        client.run_on_scheduler(give_up_at_once)
        for job, answer in value_on_cluster(client, evidently(options), jobs):
            came[job] = answer
            if job == light:
                until(lambda: at_work(heavy))
                worker.kill()
    assert isinstance(came[light], StreamResult)
    assert isinstance(came[heavy], Failure)
    assert "Every worker that tried it was killed. Often memory runs out" in came[heavy].sentence
    assert left_in(tmp_path / "valued") == [light.target.name]


def test_a_scheduler_that_is_lost_on_the_way_is_told_and_leaves_no_half_file(
    options, tmp_path: Path
) -> None:
    light, heavy = jobs = make_jobs(tmp_path, 5, 20_000)
    with (
        a_scheduler(tmp_path) as (scheduler, address),
        a_worker(address, options.model.model_dir),
        connect(address, timeout_s=60) as client,
    ):
        coming = value_on_cluster(client, evidently(options), jobs)
        assert next(coming)[0] == light
        until(lambda: at_work(heavy))
        scheduler.kill()
        with pytest.raises(HousePriceError, match="The connection to the scheduler was lost"):
            next(coming)
    assert left_in(tmp_path / "valued") == [light.target.name]


def test_a_worker_without_houseprice_is_told_by_its_address(options, tmp_path: Path) -> None:
    (job,) = make_jobs(tmp_path, 5)
    with (
        a_scheduler(tmp_path) as (_, address),
        a_worker(address, options.model.model_dir, lacking="houseprice"),
        connect(address, timeout_s=60) as client,
        pytest.raises(HousePriceError, match=r"at tcp://127\.0\.0\.1:\d+ can't value houses"),
    ):
        list(value_on_cluster(client, options, [job]))
    assert left_in(tmp_path / "valued") == []
