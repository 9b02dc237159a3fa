"""Files are valued by a real scheduler and two worker processes, which may be killed."""

import io
import os
import signal
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from distributed import Scheduler

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

VALUED_AT = datetime(2021, 2, 3, 4, 5, 6, tzinfo=UTC)


@pytest.fixture(scope="module")
def settings(place):
    return Settings(market=str(place / "hamlet"), model_dir=place / "models")


@pytest.fixture(scope="module")
def local(settings):
    market = load_market(settings.market)
    return LocalBackend(ensure_model(market, ModelStore(settings.model_dir)), market)


@pytest.fixture(scope="module")
def options(settings, local):
    store = ModelStore(settings.model_dir)
    manifest = store.load().manifest
    model = ModelReference.of(settings, manifest.model_version, manifest)
    return ClusterOptions(model, VALUED_AT, max_evidence_rows=20, rows=50, range_chunks=2)


@pytest.fixture(scope="module")
def client(settings):
    with two_workers(settings.model_dir) as client:
        yield client


def stream_locally(
    job: FileJob, options: ClusterOptions, settings: Settings, local: LocalBackend
) -> tuple[StreamResult, bytes]:
    market = load_market(settings.market)
    out = io.BytesIO()
    with open_csv(job.source, job.source.name, settings, market.contract) as table:
        streamed = value_stream(table, local, out, options.scoring(table.layout), rows=options.rows)
    return streamed, out.getvalue()


def test_files_and_ranges_are_valued_as_on_one_computer(client, options, settings, local, tmp_path):
    jobs = make_jobs(tmp_path, 15, 333, 40, 200)
    updates = []
    results = dict(
        value_on_cluster(
            client,
            options,
            jobs,
            lambda *update: updates.append(update),
            large=jobs[2].size,
        )
    )
    assert set(results) == set(jobs)
    for job in jobs:
        streamed, data = stream_locally(job, options, settings, local)
        assert job.target.read_bytes() == data
        assert results[job].counts.rows == streamed.counts.rows
        assert results[job].counts.errors_by_code == streamed.counts.errors_by_code
        assert results[job].problems == streamed.problems
        assert results[job].notes == streamed.notes
    assert left_in(tmp_path / "valued") == [job.target.name for job in jobs]
    assert updates[-1] == (1.0, "4 of 4 files, 588 houses valued")


@needs_signals
def test_the_tasks_of_a_killed_worker_are_done_by_another(
    client, options, settings, local, tmp_path
):
    jobs = make_jobs(tmp_path, *[60] * 8, 1_500)
    before = client.run(os.getpid)
    results = {}
    for job, result in value_on_cluster(client, options, jobs, large=jobs[0].size):
        results[job] = result
        if len(results) == 1:
            os.kill(next(iter(before.values())), signal.SIGKILL)
    assert next(iter(before.values())) not in client.run(os.getpid).values()
    assert all(isinstance(result, StreamResult) for result in results.values())
    for job in jobs:
        assert job.target.read_bytes() == stream_locally(job, options, settings, local)[1]
    assert left_in(tmp_path / "valued") == [job.target.name for job in jobs]


def test_a_file_that_fails_is_reported_and_the_others_are_valued(client, options, tmp_path):
    good, empty, other, unclosed = make_jobs(tmp_path, 5, 5, 5, 500)
    empty.source.write_bytes(b"")
    empty = replace(empty, size=0)
    other.source.write_bytes(b"size;quarter\n90;N\n")
    unclosed.source.write_bytes(unclosed.source.read_bytes() + b'z;"90;N;A;x\r\n')
    unclosed = replace(unclosed, size=unclosed.source.stat().st_size)
    missing = replace(
        good, source=tmp_path / "given" / "missing.csv", target=tmp_path / "valued" / "g"
    )
    jobs = [good, empty, other, unclosed, missing]
    results = dict(value_on_cluster(client, options, jobs, large=1_000))
    assert isinstance(results[good], StreamResult)
    assert isinstance(results[empty], Failure)
    assert "empty" in results[empty].sentence
    assert "sees 18 bytes instead of" in results[other].sentence
    assert "share under one path" in results[missing].sentence
    assert isinstance(results[unclosed], Failure)
    assert "A quotation mark on line 602 is opened and never closed" in results[unclosed].sentence
    assert not empty.target.exists()
    assert not other.target.exists()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"digest": "0" * 64}, "differs from the one on the computer that started the run"),
        ({"version": "hamlet-0.1.0-9"}, "There is no model version"),
    ],
)
def test_workers_with_another_model_are_refused(client, options, tmp_path, change, message):
    (job,) = make_jobs(tmp_path, 5)
    other = replace(options, model=replace(options.model, **change))
    with pytest.raises(HousePriceError, match=message):
        list(value_on_cluster(client, other, [job]))
    assert not job.target.exists()


def with_evidence(options: ClusterOptions) -> ClusterOptions:
    """Fill the evidence of every row, so that a file takes long enough to kill its worker."""
    return replace(options, max_evidence_rows=10**9)


def started(job: FileJob) -> bool:
    """Whether a worker has begun to write a chunk of the result."""
    return any(job.target.parent.glob(".*.parts/.houseprice-*/draft"))


def disable_retries(dask_scheduler: Scheduler) -> None:
    """Let a scheduler fail a task when the first worker that runs it is killed."""
    dask_scheduler.allowed_failures = 0


@needs_signals
def test_a_file_that_kills_its_workers_is_reported_and_the_others_are_valued(options, tmp_path):
    light, heavy = jobs = make_jobs(tmp_path, 5, 20_000)
    results = {}
    with (
        a_scheduler(tmp_path) as (_, address),
        a_worker(address, options.model.model_dir) as worker,
        connect(address, timeout_s=60) as client,
    ):
        client.run_on_scheduler(disable_retries)
        for job, result in value_on_cluster(client, with_evidence(options), jobs):
            results[job] = result
            if job == light:
                until(lambda: started(heavy))
                worker.kill()
    assert isinstance(results[light], StreamResult)
    assert isinstance(results[heavy], Failure)
    assert "Every worker that tried it was killed. Often memory runs out" in results[heavy].sentence
    assert left_in(tmp_path / "valued") == [light.target.name]


def test_a_lost_scheduler_is_reported_and_leaves_no_partial_file(options, tmp_path):
    light, heavy = jobs = make_jobs(tmp_path, 5, 20_000)
    with (
        a_scheduler(tmp_path) as (scheduler, address),
        a_worker(address, options.model.model_dir),
        connect(address, timeout_s=60) as client,
    ):
        pending = value_on_cluster(client, with_evidence(options), jobs)
        assert next(pending)[0] == light
        until(lambda: started(heavy))
        scheduler.kill()
        with pytest.raises(HousePriceError, match="The connection to the scheduler was lost"):
            next(pending)
    assert left_in(tmp_path / "valued") == [light.target.name]


def test_a_worker_without_houseprice_is_reported_with_its_address(options, tmp_path):
    (job,) = make_jobs(tmp_path, 5)
    with (
        a_scheduler(tmp_path) as (_, address),
        a_worker(address, options.model.model_dir, lacking="houseprice"),
        connect(address, timeout_s=60) as client,
        pytest.raises(HousePriceError, match=r"at tcp://127\.0\.0\.1:\d+ can't value houses"),
    ):
        list(value_on_cluster(client, options, [job]))
    assert left_in(tmp_path / "valued") == []
