"""The service as an ASGI app: its routes, error handlers and middleware, and its lifespan."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI

from houseprice.api import (
    csv_stream,
    markets,
    openapi,
    outcomes,
    records,
    routes,
    telemetry,
    track_record,
)
from houseprice.api.compat import mlflow, oip, tutorial
from houseprice.api.engine import Engine
from houseprice.api.markets import MarketEngines
from houseprice.api.middleware import add_middleware
from houseprice.api.problem_details import install_error_handlers
from houseprice.backend.schemas import API_VERSION
from houseprice.settings import Settings

SWITCH_INTERVAL_S = 0.0005
"""How long the thread of the model may block the event loop: a tenth of Python's default."""


def create_app(settings: Settings, engine: Engine | None = None) -> FastAPI:
    """Create the service; raise MarketError or SettingsError if the settings can't be used.

    The engine, by default a new one, is started and stopped with the app.
    """
    engine = engine or Engine(settings)
    app = FastAPI(
        title=f"houseprice: {engine.contract.market.title}",
        version=API_VERSION,
        description=engine.contract.market.description,
        lifespan=_lifespan,
        openapi_url=None,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        generate_unique_id_function=openapi.operation_id,
    )
    app.state.engine = engine
    app.state.markets = MarketEngines(settings, engine)
    app.state.records = records.RecordStore(settings)
    app.state.document = openapi.document_writer(app, engine.market, settings)
    for module in (
        routes,
        records,
        outcomes,
        track_record,
        markets,
        csv_stream,
        tutorial,
        mlflow,
        oip,
        openapi,
        telemetry,
    ):
        app.include_router(module.router)
    install_error_handlers(app)
    add_middleware(app, settings)
    return app


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    interval = sys.getswitchinterval()
    sys.setswitchinterval(SWITCH_INTERVAL_S)
    await app.state.engine.start()
    try:
        yield
    finally:
        await app.state.markets.stop()
        await app.state.engine.stop()
        app.state.records.stop()
        sys.setswitchinterval(interval)
