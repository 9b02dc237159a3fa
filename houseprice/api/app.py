"""The service as an app: the routes, what holds them together, and when it starts and stops."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI

from houseprice.api import middleware
from houseprice.api.compat import routers as doors
from houseprice.api.engine import Engine
from houseprice.api.openapi import document_of
from houseprice.api.problem_details import install_error_handlers
from houseprice.api.routes import csv_stream, routers
from houseprice.backend.schemas import API_VERSION
from houseprice.settings import Settings

__all__ = ["create_app"]

SWITCH_S = 0.0005
"""For how long the model's thread may keep the event loop waiting (Python's own: ten times it)."""


def create_app(settings: Settings, engine: Engine | None = None) -> FastAPI:
    """Make the service.

    Parameters
    ----------
    settings : Settings
    engine : Engine, optional
        By default one of the settings; it is started and stopped with the app.

    Raises
    ------
    MarketError
        If the market can't be used.
    SettingsError
        If the keys can't be read.
    """
    works = engine or Engine(settings)
    app = FastAPI(
        title=f"houseprice: {works.contract.market.title}",
        version=API_VERSION,
        description=works.contract.market.description,
        lifespan=_lifespan,
        openapi_url=None,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
    )
    app.state.engine, app.state.settings = works, settings
    app.state.document = document_of(app, works.market, settings)
    for router in (*routers, csv_stream.router, *doors):
        app.include_router(router)
    install_error_handlers(app)
    middleware.install(app, settings)
    return app


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    interval = sys.getswitchinterval()
    sys.setswitchinterval(SWITCH_S)
    await app.state.engine.start()
    try:
        yield
    finally:
        await app.state.engine.stop()
        sys.setswitchinterval(interval)
