"""Which version answers: the active one of the store, taken over while requests go on.

One version of the model as it answers, from when it is opened until the next one takes over.

Whether the model can be trusted to answer: opened, verified, and still saying the same.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass

from houseprice.backend.base import BackendInfo
from houseprice.backend.local import LocalBackend
from houseprice.errors import HousePriceError, StoreError
from houseprice.market.sales import Market
from houseprice.model.store.store import LoadedModel, ModelStore
from houseprice.model.training import ensure_model

__all__ = [
    "GoldenCheck",
    "ModelReloader",
    "Readiness",
    "ServedModel",
    "open_active",
    "train_and_open",
]


@dataclass(frozen=True, eq=False)
class ServedModel:
    """A model that is open, and what answers with it.

    Attributes
    ----------
    backend : LocalBackend
    about : About
    loaded : LoadedModel
    """

    backend: LocalBackend
    info: BackendInfo
    loaded: LoadedModel

    @property
    def version(self) -> str:
        """The name of the version."""
        return self.loaded.manifest.model_version

    def prove(self) -> None:
        """Value the golden rows again.

        Raises
        ------
        StoreError
            If they come out otherwise than when the model was saved.
        """
        self.loaded.golden.check(self.loaded.model, self.version)


def open_active(market: Market, store: ModelStore) -> ServedModel:
    """Open the active version of a market, once checksums and golden rows agree.

    Raises
    ------
    StoreError
        If there is none, or it can't be used.
    """
    loaded = store.load(contract=market.contract)
    loaded.manifest.check_data(market)
    return _opened(loaded, market, store)


def train_and_open(market: Market, store: ModelStore) -> ServedModel:
    """Open the active version, after training one if there is none that can be used.

    Raises
    ------
    ModelError
    """
    return _opened(ensure_model(market, store), market, store)


def _opened(loaded: LoadedModel, market: Market, store: ModelStore) -> ServedModel:
    backend = LocalBackend(loaded, market, store)
    if loaded.golden.rows:
        # What is learned at the first question should not keep the first client waiting.
        backend.value(loaded.golden.frame, evidence=True)
    return ServedModel(backend, backend.info(), loaded)


EVERY_S = 1.0
"""How often the store is looked at: one small file is read."""

AGAIN_S = 30.0
"""How long after a version could not be used it is tried again."""

logger = logging.getLogger(__name__)


class ModelReloader:
    """Holds the version that answers, and takes the next one over.

    Parameters
    ----------
    market : Market
    store : ModelStore

    Attributes
    ----------
    serving : Serving or None
        None until the first version is open.
    remark : str
        What is wrong with the version that should answer, if something is.
    """

    def __init__(self, market: Market, store: ModelStore) -> None:
        self._market = market
        self._store = store
        self.serving: ServedModel | None = None
        self.remark = ""
        self._refused: tuple[str, float] | None = None
        self._tasks: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        """Open the active version and go on watching; train where there is none to open."""
        try:
            self._take(await asyncio.to_thread(open_active, self._market, self._store))
        except StoreError as error:
            logger.info("there is no model to use yet: %s", error)
            self._tasks.append(asyncio.create_task(self._train()))
        self._tasks.append(asyncio.create_task(self._watch()))

    async def stop(self) -> None:
        """Stop watching. A training that has begun is not waited for."""
        for task in self._tasks:
            task.cancel()
        for task in self._tasks:
            with suppress(asyncio.CancelledError):
                await task
        self._tasks.clear()

    async def look(self) -> None:
        """Take the active version over, if it is another one and can be used."""
        now = asyncio.get_running_loop().time()
        try:
            name = await asyncio.to_thread(self._store.active, self._market.contract.market.name)
        except StoreError as error:
            self._refuse("", error)
            return
        if self.serving is not None and name in {None, self.serving.version}:
            self.remark, self._refused = "", None
            return
        if name is None:
            return  # there is nothing to open, and what kept it from being trained is told
        if self._refused and self._refused[0] == name and now < self._refused[1]:
            return
        if await self._open(name, open_active):
            logger.info("model version %s answers from now on", name)

    async def _train(self) -> None:
        await self._open("", train_and_open)

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(EVERY_S)
            if self.serving is not None or not self._training:
                await self.look()

    @property
    def _training(self) -> bool:
        return len(self._tasks) > 1 and not self._tasks[0].done()

    async def _open(self, name: str, how: Callable[[Market, ModelStore], ServedModel]) -> bool:
        """Open a version beside the one that answers, in a thread of its own."""
        try:
            self._take(await asyncio.to_thread(how, self._market, self._store))
        except HousePriceError as error:
            self._refuse(name, error)
        except Exception as error:  # noqa: BLE001 - the version before it has to go on answering
            self._refuse(name, error)
        else:
            return True
        return False

    def _take(self, serving: ServedModel) -> None:
        self.serving, self.remark, self._refused = serving, "", None

    def _refuse(self, name: str, error: Exception) -> None:
        told = self._refused is not None and self._refused[0] == name
        self._refused = name, asyncio.get_running_loop().time() + AGAIN_S
        if self.serving is None:
            self.remark = "No model can be opened: the log of the server says why."
        else:
            self.remark = (
                f"Version {name or 'that is active now'} can't be used, so "
                f"{self.serving.version} goes on answering."
            )
        if not told:
            logger.error("%s %s", self.remark, error)


FRESH_S = 5.0
"""For how long a proof counts: a check of readiness is cheap, however often it is made."""


@dataclass(frozen=True)
class Readiness:
    """Whether requests can be answered.

    Attributes
    ----------
    ok : bool
    reason : str
        Why not, or what else whoever runs the server should know; "" for nothing.
    model_version : str or None
    """

    ok: bool
    reason: str
    model_version: str | None


class GoldenCheck:
    """When which version was last seen to give the golden prices, and whether it did."""

    def __init__(self) -> None:
        self._serving: ServedModel | None = None
        self._at = 0.0
        self._fault = ""
        self._running: asyncio.Task[None] | None = None

    def is_due(self, serving: ServedModel) -> bool:
        """Whether it is time to look again."""
        return serving is not self._serving or time.monotonic() - self._at > FRESH_S

    async def renew(
        self, serving: ServedModel, do: Callable[[Sequence[Callable[[], None]]], Awaitable[object]]
    ) -> None:
        """Value the golden rows in the thread of the model; who asks meanwhile waits for it."""
        if self._running is None:
            self._running = asyncio.create_task(self._renewed(serving, do))
            self._running.add_done_callback(self._forget)
        await asyncio.shield(self._running)

    def readiness(self, serving: ServedModel | None, remark: str) -> Readiness:
        """Tell what is known of a version."""
        if serving is None:
            return Readiness(False, remark or "The model is still being prepared.", None)
        fault = self._fault if serving is self._serving else ""
        return Readiness(not fault, fault or remark, serving.version)

    async def _renewed(
        self, serving: ServedModel, do: Callable[[Sequence[Callable[[], None]]], Awaitable[object]]
    ) -> None:
        fault = ""
        try:
            await do([serving.prove])
        except TimeoutError:
            fault = "The model is too busy to be checked."
        except HousePriceError as error:
            logger.error("not ready: %s", error)  # noqa: TRY400 - the sentence says it all
            fault = "The model gives other prices than when it was saved."
        self._serving, self._at, self._fault = serving, time.monotonic(), fault

    def _forget(self, _: object) -> None:
        self._running = None
