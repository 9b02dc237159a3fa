"""Several markets in one service: each route of ``/v1`` again under ``/v1/markets/{name}``.

The engine of a market starts with its first request, and the one that was not asked for longest
stops when there are too many, so that memory holds the markets in use.
"""

from __future__ import annotations

import asyncio
import re
from collections import OrderedDict

from fastapi import APIRouter, Request, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from houseprice.api.bodies import json_response
from houseprice.api.engine import Engine
from houseprice.api.problem_details import ApiError, error_responses
from houseprice.backend.schemas import MarketOut
from houseprice.formatting import list_some
from houseprice.market.contract import load_contract
from houseprice.market.sales import market_folders
from houseprice.settings import Settings

MAX_ENGINES = 4
"""Markets beside that of the settings whose models are in memory at once."""

_PATH = re.compile(r"(?P<root>.*)/v1/markets/(?P<name>[^/]+)(?P<rest>/.+)")


class MarketEngines:
    """The engines of the markets beside that of the settings, started when they are asked for."""

    def __init__(self, settings: Settings, own: Engine) -> None:
        self.settings = settings
        self.own = own
        self._started: OrderedDict[str, Engine] = OrderedDict()
        self._lock = asyncio.Lock()

    async def get(self, name: str) -> Engine:
        """Return the engine of a market; raise an ApiError if there is none of this name."""
        if name == self.own.contract.market.name:
            return self.own
        folders = market_folders(self.settings.markets)
        if name not in folders:
            detail = f"There is no market {name[:80]!r}, only {list_some(list(folders))}."
            raise ApiError(404, "unknown_market", detail)
        async with self._lock:
            if name not in self._started:
                settings = self.settings.model_copy(update={"market": str(folders[name])})
                engine = await asyncio.to_thread(Engine, settings)
                await engine.start()
                self._started[name] = engine
            self._started.move_to_end(name)
            if len(self._started) > MAX_ENGINES:
                _, oldest = self._started.popitem(last=False)
                await oldest.stop()
        return self._started[name]

    async def stop(self) -> None:
        """Stop all engines."""
        for engine in self._started.values():
            await engine.stop()
        self._started.clear()


class MarketMiddleware:
    """Middleware that sends a request under ``/v1/markets/{name}`` to the engine of that market."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Choose the engine, and take the market out of the path."""
        match = _PATH.fullmatch(scope["path"]) if scope["type"] == "http" else None
        if match is not None:
            path = f"{match['root']}/v1{match['rest']}"
            engines: MarketEngines = scope["app"].state.markets
            engine = await engines.get(match["name"])
            scope = {**scope, "path": path, "raw_path": path.encode(), "engine": engine}
        await self.app(scope, receive, send)


router = APIRouter()


@router.get(
    "/v1/markets",
    tags=["model"],
    summary="The markets, each with its routes under /v1/markets/{name}",
    responses={200: {"model": list[MarketOut]}, **error_responses()},
)
async def markets(request: Request) -> Response:
    """List the markets of this service; the first one answers without a market in the path."""
    engines: MarketEngines = request.app.state.markets
    own = engines.own.contract.market
    folders = await asyncio.to_thread(market_folders, engines.settings.markets)
    others = [load_contract(folder).market for name, folder in folders.items() if name != own.name]
    return json_response(
        [
            {"name": market.name, "title": market.title, "currency": market.price.currency}
            for market in (own, *others)
        ]
    )
