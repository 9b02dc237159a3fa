"""Whether the model can be trusted to answer: opened, verified, and still saying the same."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from houseprice.api.serving import Serving
from houseprice.errors import HousePriceError

__all__ = ["Proof", "Readiness"]

FRESH_S = 5.0
"""For how long a proof counts: a check of readiness is cheap, however often it is made."""

logger = logging.getLogger(__name__)


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


class Proof:
    """When which version was last seen to give the golden prices, and whether it did."""

    def __init__(self) -> None:
        self._serving: Serving | None = None
        self._at = 0.0
        self._fault = ""
        self._running: asyncio.Task[None] | None = None

    def is_due(self, serving: Serving) -> bool:
        """Whether it is time to look again."""
        return serving is not self._serving or time.monotonic() - self._at > FRESH_S

    async def renew(
        self, serving: Serving, do: Callable[[Sequence[Callable[[], None]]], Awaitable[object]]
    ) -> None:
        """Value the golden rows in the thread of the model; who asks meanwhile waits for it."""
        if self._running is None:
            self._running = asyncio.create_task(self._renewed(serving, do))
            self._running.add_done_callback(self._forget)
        await asyncio.shield(self._running)

    def readiness(self, serving: Serving | None, remark: str) -> Readiness:
        """Tell what is known of a version."""
        if serving is None:
            return Readiness(False, remark or "The model is still being prepared.", None)
        fault = self._fault if serving is self._serving else ""
        return Readiness(not fault, fault or remark, serving.version)

    async def _renewed(
        self, serving: Serving, do: Callable[[Sequence[Callable[[], None]]], Awaitable[object]]
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
