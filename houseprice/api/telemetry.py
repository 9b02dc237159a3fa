"""What happens, counted for Prometheus: requests, their time, and rows, never what is in them.

With several processes each counts in a file of its own (the launcher makes the folder for them, see
:mod:`houseprice.api.server`), and whichever is asked adds them up.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path

from fastapi import APIRouter, Request, Response
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, multiprocess
from prometheus_client.exposition import choose_encoder
from prometheus_client.metrics_core import InfoMetricFamily

from houseprice import __version__
from houseprice.api.access import COUNT_FOLDER
from houseprice.backend.schemas import API_VERSION

__all__ = ["Metrics", "RowCounts", "counting", "router", "valuing"]

_SECONDS = (0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)

# These two come without types.
_add_up: Callable[[CollectorRegistry, str], object] = multiprocess.MultiProcessCollector
_mark_dead: Callable[[int, str], None] = multiprocess.mark_process_dead

router = APIRouter()


@dataclass
class RowCounts:
    """Rows of one request so far: those answered with a value, and with an error."""

    valued: int = 0
    errors: int = 0

    @property
    def rows(self) -> int:
        """All answered rows."""
        return self.valued + self.errors


class Metrics:
    """The figures of one process."""

    def __init__(self) -> None:
        self._own = CollectorRegistry()
        self._requests = Counter(
            "houseprice_requests",
            "Requests answered, by route and status",
            ("method", "route", "status"),
            registry=self._own,
        )
        self._seconds = Histogram(
            "houseprice_request_seconds",
            "Time from a request's head to the end of its answer",
            ("method", "route"),
            buckets=_SECONDS,
            registry=self._own,
        )
        self._rows = Counter(
            "houseprice_rows", "Houses answered, by outcome", ("outcome",), registry=self._own
        )
        self._in_progress = Gauge(
            "houseprice_rows_in_progress",
            "Houses being valued at this moment",
            multiprocess_mode="livesum",
            registry=self._own,
        )
        for outcome in ("valued", "error"):
            self._rows.labels(outcome)

    def answered(self, method: str, route: str, status: int, seconds: float) -> None:
        """Count a request."""
        self._requests.labels(method, route, str(status)).inc()
        self._seconds.labels(method, route).observe(seconds)

    def begun(self, rows: int) -> None:
        """Count rows on which work starts."""
        self._in_progress.inc(rows)

    def ended(self, rows: int, tally: RowCounts) -> None:
        """Count rows on which work ends, and what came of them."""
        self._in_progress.dec(rows)
        self._rows.labels("valued").inc(tally.valued)
        self._rows.labels("error").inc(tally.errors)

    def page(self, accept: str, model_version: str) -> Response:
        """Write all figures, those of the other processes too, in the format that is asked for."""
        registry = self._own
        if folder := os.environ.get(COUNT_FOLDER):
            _forget_the_dead(Path(folder))
            registry = CollectorRegistry()
            _add_up(registry, folder)
        write, media_type = choose_encoder(accept)
        info = CollectorRegistry()
        info.register(_About(model_version))
        return Response(_joined(write(registry), write(info)), media_type=media_type)


class _About:
    """Which program and which model answer."""

    def __init__(self, model_version: str) -> None:
        self._model_version = model_version

    def collect(self) -> Iterator[InfoMetricFamily]:
        build = {"version": __version__, "api_version": API_VERSION}
        yield InfoMetricFamily("houseprice_build", "The program that answers", build)
        model = {"model_version": self._model_version}
        yield InfoMetricFamily("houseprice_model", "The model that answers", model)


def _joined(first: bytes, second: bytes) -> bytes:
    """Two pages as one: OpenMetrics says at the end of a page that it is the end."""
    return first.removesuffix(b"# EOF\n") + second


def _forget_the_dead(folder: Path) -> None:
    """Leave out what a process was at when it died; what it had counted stays."""
    for file in folder.glob("gauge_live*_*.db"):
        process = int(file.stem.rpartition("_")[2])
        try:
            os.kill(process, 0)
        except ProcessLookupError:
            _mark_dead(process, str(folder))
        except PermissionError:
            continue  # it lives, as somebody else


_COUNT: ContextVar[tuple[Metrics, RowCounts] | None] = ContextVar("count", default=None)


@contextmanager
def counting(metrics: Metrics) -> Iterator[RowCounts]:
    """Collect what :func:`valuing` counts within, as the tally of one request."""
    tally = RowCounts()
    token = _COUNT.set((metrics, tally))
    try:
        yield tally
    finally:
        _COUNT.reset(token)


@contextmanager
def valuing(rows: int) -> Iterator[RowCounts]:
    """Count rows while they are valued; whoever values them fills in what came of them."""
    work, count = RowCounts(), _COUNT.get()
    if count is None:  # nobody asked over the network
        yield work
        return
    metrics, request = count
    metrics.begun(rows)
    try:
        yield work
    finally:
        metrics.ended(rows, work)
        request.valued += work.valued
        request.errors += work.errors


@router.get("/metrics", response_class=Response, include_in_schema=False)
async def metrics(request: Request) -> Response:
    """Figures for Prometheus."""
    engine = getattr(request.app.state, "engine", None)
    version = engine.readiness().model_version if engine else None
    accept = request.headers.get("accept", "")
    page: Response = request.app.state.metrics.page(accept, version or "")
    return page
