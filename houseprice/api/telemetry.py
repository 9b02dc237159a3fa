"""Prometheus metrics: requests, their duration, and numbers of rows, but never their content.

With several processes each counts in files of its own, in the folder that
:mod:`houseprice.api.server` makes, and the one that serves ``/metrics`` adds them up.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path

from fastapi import APIRouter, Request, Response
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, Info, multiprocess
from prometheus_client.exposition import choose_encoder

from houseprice import __version__
from houseprice.api.problem_details import error_responses
from houseprice.backend.schemas import API_VERSION

_BUCKETS_S = (0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)

# prometheus_client has no types for these two.
_collect_processes: Callable[[CollectorRegistry, str], object] = multiprocess.MultiProcessCollector
_mark_dead: Callable[[int, str], None] = multiprocess.mark_process_dead

router = APIRouter()


@dataclass
class RowOutcomes:
    """Number of rows answered with a value and with an error."""

    valued: int = 0
    errors: int = 0

    @property
    def rows(self) -> int:
        """All answered rows."""
        return self.valued + self.errors


class Metrics:
    """The metrics of one process."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self._requests = Counter(
            "houseprice_requests",
            "Requests answered, by route and status",
            ("method", "route", "status"),
            registry=self._registry,
        )
        self._seconds = Histogram(
            "houseprice_request_seconds",
            "Time from a request's head to the end of its answer",
            ("method", "route"),
            buckets=_BUCKETS_S,
            registry=self._registry,
        )
        self._rows = Counter(
            "houseprice_rows", "Houses answered, by outcome", ("outcome",), registry=self._registry
        )
        self._in_progress = Gauge(
            "houseprice_rows_in_progress",
            "Houses being valued at this moment",
            multiprocess_mode="livesum",
            registry=self._registry,
        )
        for outcome in ("valued", "error"):
            self._rows.labels(outcome)

    def add_request(self, method: str, route: str, status: int, seconds: float) -> None:
        """Count an answered request."""
        self._requests.labels(method, route, str(status)).inc()
        self._seconds.labels(method, route).observe(seconds)

    def start_rows(self, n_rows: int) -> None:
        """Count rows as in progress."""
        self._in_progress.inc(n_rows)

    def finish_rows(self, n_rows: int, outcomes: RowOutcomes) -> None:
        """Count the outcomes of rows that were in progress."""
        self._in_progress.dec(n_rows)
        self._rows.labels("valued").inc(outcomes.valued)
        self._rows.labels("error").inc(outcomes.errors)

    def render(self, accept: str, model_version: str) -> Response:
        """Render the metrics of all processes in the format that the client accepts."""
        registry = self._registry
        if folder := os.environ.get("PROMETHEUS_MULTIPROC_DIR"):
            _remove_dead_processes(Path(folder))
            registry = CollectorRegistry()
            _collect_processes(registry, folder)
        encode, media_type = choose_encoder(accept)
        info = CollectorRegistry()
        build = {"version": __version__, "api_version": API_VERSION}
        Info("houseprice_build", "The program that answers", registry=info).info(build)
        model = {"model_version": model_version}
        Info("houseprice_model", "The model that answers", registry=info).info(model)
        # OpenMetrics marks the end of a page, so the first page loses its mark.
        page = encode(registry).removesuffix(b"# EOF\n") + encode(info)
        return Response(page, media_type=media_type)


def _remove_dead_processes(folder: Path) -> None:
    """Drop the gauges of processes that have died; their counters stay."""
    for file in folder.glob("gauge_live*_*.db"):
        process = int(file.stem.rpartition("_")[2])
        try:
            os.kill(process, 0)
        except ProcessLookupError:
            _mark_dead(process, str(folder))
        except PermissionError:
            continue  # the process lives and belongs to another user


_REQUEST: ContextVar[tuple[Metrics, RowOutcomes] | None] = ContextVar("request", default=None)


@contextmanager
def collect_rows(metrics: Metrics) -> Iterator[RowOutcomes]:
    """Collect what :func:`count_rows` counts within one request."""
    outcomes = RowOutcomes()
    token = _REQUEST.set((metrics, outcomes))
    try:
        yield outcomes
    finally:
        _REQUEST.reset(token)


@contextmanager
def count_rows(n_rows: int) -> Iterator[RowOutcomes]:
    """Count rows while they are valued; the caller sets their outcomes."""
    outcomes, request = RowOutcomes(), _REQUEST.get()
    if request is None:  # not within a request
        yield outcomes
        return
    metrics, total = request
    metrics.start_rows(n_rows)
    try:
        yield outcomes
    finally:
        metrics.finish_rows(n_rows, outcomes)
        total.valued += outcomes.valued
        total.errors += outcomes.errors


@router.get(
    "/metrics",
    tags=["state"],
    summary="Metrics for Prometheus",
    response_class=Response,
    responses={
        200: {
            "description": "The metrics of all processes, in the format that is accepted.",
            "content": {
                media_type: {"schema": {"type": "string"}}
                for media_type in ("text/plain", "application/openmetrics-text")
            },
        },
        **error_responses(),
    },
)
async def metrics(request: Request) -> Response:
    """Metrics for Prometheus."""
    engine = getattr(request.app.state, "engine", None)
    version = engine.readiness().model_version if engine else None
    accept = request.headers.get("accept", "")
    page: Response = request.app.state.metrics.render(accept, version or "")
    return page
