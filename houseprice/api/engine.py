"""The one model of a process, and the one thread that works with it.

Everything here but the work itself happens on the event loop, so nothing needs a lock. A request is
answered by the version that was active when it came in, also while the next one takes over.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any, TypeVar

from houseprice.api.active_model import GoldenCheck, ModelReloader, Readiness, ServedModel
from houseprice.api.batching import Batch, Job, RequestQueue, Steps, Table, Valuation, table_of
from houseprice.api.problem_details import ApiError, ServerBusy
from houseprice.api.telemetry import valuing
from houseprice.backend.base import DEFAULT_INTERVAL, Backend, ValuationResult
from houseprice.market.contract import Contract
from houseprice.market.sales import Market, load_market
from houseprice.model.store.store import ModelStore
from houseprice.settings import Settings

__all__ = ["Engine", "Readiness"]

T = TypeVar("T")

MANY = 200
"""Rows from which they are laid out beside the event loop."""


class Engine:
    """Answers requests one call of the model at a time, the small ones together.

    Parameters
    ----------
    settings : Settings
    market : Market, optional
        By default that of the settings.

    Attributes
    ----------
    jobs : int
        How often anybody has asked for work so far.
    reading : Lock
        Who has it reads a large body.

    Raises
    ------
    MarketError
        If there is no such market, or it can't be used.
    SettingsError
        If the keys for models don't go together.
    """

    def __init__(self, settings: Settings, market: Market | None = None) -> None:
        self.settings = settings
        self.market = market or load_market(settings.market)
        self._reloader = ModelReloader(self.market, ModelStore.from_settings(settings))
        self._proof = GoldenCheck()
        self.jobs = 0
        self._line = RequestQueue()
        self._working: asyncio.Future[list[tuple[Job, Any]]] | None = None
        self.reading = asyncio.Lock()
        self._called = False
        self._thread: ThreadPoolExecutor | None = None

    @property
    def contract(self) -> Contract:
        """The contract of the market."""
        return self.market.contract

    @property
    def serving(self) -> ServedModel:
        """The version that answers now.

        Raises
        ------
        Busy
            While there is none yet.
        """
        found = self._reloader.serving
        if found is None:
            why = self._reloader.remark or "The model is still being prepared."
            raise ServerBusy(why, seconds=5, code="starting")
        return found

    async def start(self) -> None:
        """Open the active version; where there is none, go on while one is trained."""
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="model")
        await self._reloader.start()

    async def stop(self) -> None:
        """Finish the call at work, and send away who still waits."""
        await self._reloader.stop()
        for job in self._line.drain():
            if not job.future.done():
                job.future.set_exception(ServerBusy("This server is stopping.", code="stopping"))
        if self._working is not None:
            await asyncio.wait([self._working])
        if self._thread is not None:
            self._thread.shutdown()
            self._thread = None

    async def refresh(self) -> None:
        """Take the active version over now, if it is another one."""
        await self._reloader.look()

    def readiness(self) -> Readiness:
        """Whether requests can be answered, as far as is known; see :meth:`prove`."""
        return self._proof.readiness(self._reloader.serving, self._reloader.remark)

    async def prove(self) -> Readiness:
        """Value the golden rows again, if that was some seconds ago, and tell the readiness."""
        serving = self._reloader.serving
        if serving is not None and self._proof.is_due(serving):
            await self._proof.renew(serving, partial(self._steps, first=True))
        return self.readiness()

    async def value(
        self,
        rows: Sequence[Mapping[str, Any]],
        *,
        interval: float = DEFAULT_INTERVAL,
        evidence: bool = False,
        serving: ServedModel | None = None,
    ) -> ValuationResult:
        """Value rows as they came, always as many and in order.

        Parameters
        ----------
        rows : sequence of mapping
            A field that does not exist is an error of its row, and so is a value within a value.
        interval, evidence
            See :meth:`houseprice.backend.base.Backend.value`.
        serving : Serving, optional
            The version to answer, if more than one call should be answered by the same.

        Raises
        ------
        ModelError
            If the interval can't be had.
        Fault
            With status 413, if there are more rows than one request may have.
        Busy
        TimeoutError
        """
        most = self.settings.serve_max_rows
        if len(rows) > most:
            detail = f"One request may have {most:,} houses, and this one has {len(rows):,}."
            raise ApiError(413, "too_many_rows", f"{detail} Send them in pieces.")
        serving = serving or self.serving
        self._refuse_too_many()
        lay_out = partial(table_of, rows, self.contract, keyed=evidence)
        table: Table = await asyncio.to_thread(lay_out) if len(rows) > MANY else lay_out()
        future = asyncio.get_running_loop().create_future()
        with valuing(len(rows)) as tally:
            answer: ValuationResult = await self._done(
                Valuation(table, serving, interval, evidence, future)
            )
            tally.errors = answer.valuations["status"].tolist().count("error")
            tally.valued = len(rows) - tally.errors
        return answer

    async def run(self, work: Callable[[Backend], T], *, serving: ServedModel | None = None) -> T:
        """Do any other work with the model, in turn with all the rest."""
        return (await self.run_all([work], serving=serving))[0]

    async def run_all(
        self, works: Sequence[Callable[[Backend], T]], *, serving: ServedModel | None = None
    ) -> list[T]:
        """Do several works of one request, others in between.

        Raises
        ------
        InputError, ModelError
            What the work raises; none after it is done.
        Busy
        TimeoutError
        """
        backend = (serving or self.serving).backend
        self._refuse_too_many()
        return await self._steps([partial(work, backend) for work in works])

    async def _steps(self, steps: Sequence[Callable[[], T]], *, first: bool = False) -> list[T]:
        if not steps:
            return []
        future = asyncio.get_running_loop().create_future()
        results: list[T] = await self._done(Steps(steps, future), first=first)
        return results

    def _refuse_too_many(self) -> None:
        if len(self._line) >= self.settings.serve_concurrency:
            raise ServerBusy("Too many requests are waiting already.")

    async def _done(self, job: Job, *, first: bool = False) -> Any:  # noqa: ANN401 - of any job
        """Wait in line and for the work; who gives up waiting leaves the line."""
        self.jobs += 1
        self._line.add(job, first=first)
        self._call()
        async with asyncio.timeout(self.settings.serve_timeout_s):
            return await job.future

    def _call(self) -> None:
        """Work as soon as all that has come in stands in line."""
        if not self._called:
            self._called = True
            asyncio.get_running_loop().call_soon(self._work)

    def _work(self) -> None:
        """Set the thread to work, if it is idle and anybody waits."""
        self._called = False
        if self._working is not None or self._thread is None:
            return
        work = self._line.take()
        if work is not None:
            loop = asyncio.get_running_loop()
            self._working = loop.run_in_executor(self._thread, Batch.run, work)
            self._working.add_done_callback(partial(self._done_by_thread, work))

    def _done_by_thread(self, work: Batch, working: asyncio.Future[list[tuple[Job, Any]]]) -> None:
        self._working = None
        error = working.exception()
        results = [(job, error) for job in work.jobs] if error else working.result()
        for job, result in results:
            if job.future.done():
                continue
            if isinstance(result, BaseException):
                job.future.set_exception(result)
            else:
                job.future.set_result(result)
        self._call()
