"""Run an engine within a test."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

from houseprice.api.engine import READINESS_TIMEOUT_S, Engine
from houseprice.market.sales import Market
from houseprice.settings import Settings

__all__ = ["HeldCall", "run_loop", "run_with_engine", "wait_for"]


def run_with_engine(
    work: Callable[[Engine], Coroutine[Any, Any, Any]],
    market: Market,
    folder: Path,
    *,
    check_s: float = READINESS_TIMEOUT_S,
    **settings: Any,
) -> None:
    """Run a coroutine with a started engine that polls its store all the time."""

    async def run() -> None:
        engine = Engine(
            Settings(model_dir=folder, **settings), market, poll_s=0.01, check_s=check_s
        )
        await engine.start()
        try:
            await work(engine)
        finally:
            await engine.stop()

    asyncio.run(run())


async def run_loop(turns: int = 20) -> None:
    """Let everything on the event loop run that can."""
    for _ in range(turns):
        await asyncio.sleep(0)


async def wait_for(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(60):
        while not condition():
            await asyncio.sleep(0.01)


class HeldCall:
    """A call of the backend that lasts until it is released."""

    def __init__(self) -> None:
        self.started, self.release = threading.Event(), threading.Event()

    def __call__(self, _: object) -> str:
        self.started.set()
        assert self.release.wait(60)
        return "done"
