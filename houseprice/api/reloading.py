"""Which version answers: the active one of the store, taken over while requests go on."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from contextlib import suppress

from houseprice.api.serving import Serving, open_active, train_and_open
from houseprice.errors import HousePriceError, StoreError
from houseprice.market.sales import Market
from houseprice.model.storing.store import ModelStore

__all__ = ["Reloader"]

EVERY_S = 1.0
"""How often the store is looked at: one small file is read."""

AGAIN_S = 30.0
"""How long after a version could not be used it is tried again."""

logger = logging.getLogger(__name__)


class Reloader:
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
        self.serving: Serving | None = None
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

    async def _open(self, name: str, how: Callable[[Market, ModelStore], Serving]) -> bool:
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

    def _take(self, serving: Serving) -> None:
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
