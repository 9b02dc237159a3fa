"""The active model version: opened, verified, and replaced without interrupting requests."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass

from houseprice.backend.base import BackendInfo
from houseprice.backend.local import LocalBackend
from houseprice.errors import HousePriceError, StoreError
from houseprice.market.sales import Market
from houseprice.model.store.artefact import LoadedModel
from houseprice.model.store.store import ModelStore
from houseprice.model.training import ensure_model, start_finishing

POLL_S = 1.0
"""Interval at which the store is polled for a new active version: it reads one small file."""

RETRY_S = 30.0
"""Time after which a version that could not be opened is tried again."""

GOLDEN_CHECK_S = 5.0
"""How long a check of the golden rows counts, so that frequent probes stay cheap."""

logger = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class ServedModel:
    """An open model version and the backend that answers with it."""

    backend: LocalBackend
    info: BackendInfo
    loaded: LoadedModel

    @property
    def version(self) -> str:
        """The name of the version."""
        return self.loaded.manifest.model_version

    def check_golden_rows(self) -> None:
        """Value the golden rows; raise StoreError if they differ from when the model was saved."""
        self.loaded.golden.check(self.loaded.model, self.version)


@dataclass(frozen=True)
class Readiness:
    """Whether requests can be answered, and why not or what else an operator should know."""

    ok: bool
    reason: str
    model_version: str | None


class ModelReloader:
    """Holds the version that answers (``active``) and replaces it when the store has another."""

    def __init__(
        self,
        market: Market,
        store: ModelStore,
        poll_s: float = POLL_S,
        on_trained: Callable[[], None] | None = None,
    ) -> None:
        self._on_trained = on_trained
        self._market = market
        self._store = store
        self._poll_s = poll_s
        self.active: ServedModel | None = None
        self.warning = ""
        self._failed: tuple[str, float] | None = None  # version, and when to try it again
        self._training: asyncio.Task[None] | None = None
        self._polling: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Open the active version and start to poll; train a model if none can be opened."""
        try:
            self._activate(await asyncio.to_thread(self._load))
        except StoreError as error:
            logger.info("there is no model to use yet: %s", error)
            self._training = asyncio.create_task(self._train())
        self._polling = asyncio.create_task(self._poll())

    async def stop(self) -> None:
        """Stop polling, without waiting for a training that has begun."""
        for task in filter(None, (self._training, self._polling)):
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task

    async def _poll(self) -> None:
        while True:
            await asyncio.sleep(self._poll_s)
            if self.active is not None or self._training is None or self._training.done():
                await self._reload()

    async def _reload(self) -> None:
        """Replace the version that answers if the store has another active one."""
        try:
            version = await asyncio.to_thread(self._store.active, self._market.contract.market.name)
        except StoreError as error:
            self._report("", error)
            return
        if self.active is not None and version in {None, self.active.version}:
            self.warning, self._failed = "", None
            return
        if version is None:
            return  # nothing to open; the failed training has been reported
        now = asyncio.get_running_loop().time()
        if self._failed and self._failed[0] == version and now < self._failed[1]:
            return
        if await self._open(version, self._load):
            logger.info("model version %s is active", version)

    async def _train(self) -> None:
        def load() -> ServedModel:
            return self._serve(
                ensure_model(
                    self._market, self._store, preliminary=True, on_trained=self._on_trained
                )
            )

        await self._open("", load)

    async def _open(self, version: str, load: Callable[[], ServedModel]) -> bool:
        """Open a version in a thread while the active one continues to answer."""
        try:
            self._activate(await asyncio.to_thread(load))
        except Exception as error:  # noqa: BLE001 - the active version must continue to answer
            self._report(version, error)
            return False
        return True

    def _load(self) -> ServedModel:
        """Open the active version if its checksums, data and golden rows agree."""
        loaded = self._store.load(contract=self._market.contract)
        loaded.manifest.check_data(self._market)
        return self._serve(loaded)

    def _serve(self, loaded: LoadedModel) -> ServedModel:
        backend = LocalBackend(loaded, self._market, self._store)
        if loaded.golden.rows:
            # Fill the caches of the first valuation, so that the first client does not wait.
            backend.value(loaded.golden.frame, evidence=True)
        start_finishing(self._market, self._store)
        return ServedModel(backend, backend.info(), loaded)

    def _activate(self, model: ServedModel) -> None:
        self.active, self.warning, self._failed = model, "", None

    def _report(self, version: str, error: Exception) -> None:
        reported = self._failed is not None and self._failed[0] == version
        self._failed = version, asyncio.get_running_loop().time() + RETRY_S
        if self.active is None:
            self.warning = "No model can be opened: the log of the server says why."
        else:
            self.warning = (
                f"Version {version or 'that is active now'} can't be used, so "
                f"{self.active.version} remains active."
            )
        if not reported:
            logger.error("%s %s", self.warning, error)


class GoldenCheck:
    """When the active version last reproduced its golden prices, and whether it did."""

    def __init__(self) -> None:
        self._model: ServedModel | None = None
        self._checked_at = 0.0
        self._failure = ""
        self._lock = asyncio.Lock()

    async def renew(
        self, model: ServedModel, run: Callable[[Callable[[], None]], Awaitable[object]]
    ) -> None:
        """Check the golden rows with ``run``, unless this version was checked a moment ago."""
        async with self._lock:
            age = time.monotonic() - self._checked_at
            if model is self._model and age <= GOLDEN_CHECK_S:
                return
            failure = ""
            try:
                await run(model.check_golden_rows)
            except TimeoutError:
                failure = "The model is too busy to be checked."
            except HousePriceError as error:
                logger.error("not ready: %s", error)  # noqa: TRY400 - the message says it all
                failure = "The model gives other prices than when it was saved."
            self._model, self._checked_at, self._failure = model, time.monotonic(), failure

    def readiness(self, model: ServedModel | None, warning: str) -> Readiness:
        """Return what the last check says of a version."""
        if model is None:
            return Readiness(False, warning or "The model is still being prepared.", None)
        failure = self._failure if model is self._model else ""
        return Readiness(not failure, failure or warning, model.version)
