"""Values of houses: the route that everything else is about."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from functools import partial
from typing import Any

from fastapi import APIRouter, Request, Response

from houseprice.api.answers import engine_of, json_answer, problems
from houseprice.api.asking import VALUATIONS_IN, Asked, asked, body_of
from houseprice.api.engine import MANY, Engine
from houseprice.api.reading import json_of
from houseprice.api.rows import house_frame
from houseprice.api.serving import Serving
from houseprice.backend.base import About, Answer, Backend
from houseprice.backend.wire import ValuationsOut, records, valuations_out
from houseprice.market.contract import Contract

__all__ = ["router"]

router = APIRouter(prefix="/v1", tags=["values"])


@router.post(
    "/valuations",
    summary="Value houses",
    responses={200: {"model": ValuationsOut}, **problems(body=True)},
    openapi_extra=body_of(VALUATIONS_IN, None),
)
async def valuations(request: Request) -> Response:
    """Value each row: as many entries as rows, in their order, null at a row with a fault.

    What is wrong with a row stands under `errors`, counted from row 1; what was filled in or read
    with a caution stands under `notes`.
    """
    engine = engine_of(request)
    wanted = asked(await json_of(request), engine.settings)
    serving = engine.serving
    answer = await engine.value(
        wanted.rows, interval=wanted.interval, evidence=wanted.evidence, serving=serving
    )
    told = await _told(engine, serving, wanted, answer)
    currency = engine.contract.market.price.currency
    write = partial(_written, answer, serving.about, currency, told)
    return await asyncio.to_thread(write) if len(wanted.rows) > MANY else write()


def _written(
    answer: Answer, about: About, currency: str, told: list[dict[str, Any]] | None
) -> Response:
    return json_answer(valuations_out(answer, about, currency, datetime.now(UTC), told))


async def _told(
    engine: Engine, serving: Serving, wanted: Asked, answer: Answer
) -> list[dict[str, Any]] | None:
    """What else is to be said of each row that has a value."""
    if not (wanted.explain or wanted.comparables):
        return None
    valued = (answer.valuations["status"] != "error").tolist()
    works = [
        partial(_told_of, engine.contract, row, wanted.explain, wanted.comparables)
        for row, fine in zip(wanted.rows, valued, strict=True)
        if fine
    ]
    found = iter(await engine.run_all(works, serving=serving))
    return [next(found) if fine else {} for fine in valued]


def _told_of(
    contract: Contract, row: dict[str, Any], explain: bool, comparables: int, backend: Backend
) -> dict[str, Any]:
    house = house_frame(row, contract)
    told: dict[str, Any] = {}
    if explain:
        explanation = backend.explain(house)
        told["explanation"] = {
            "base_price": explanation.base_price,
            "price": explanation.price,
            "contributions": records(explanation.contributions),
        }
    if comparables:
        told["comparables"] = records(backend.comparables(house, comparables))
    return told
