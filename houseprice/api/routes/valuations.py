"""Values of houses: the route that everything else is about.

Questions about one house or one field: what if, and what a field does to the price.
"""

from __future__ import annotations

import asyncio
from dataclasses import asdict
from datetime import UTC, datetime
from functools import partial
from typing import Any

import pandas as pd
from fastapi import APIRouter, Request, Response

from houseprice.api.active_model import ServedModel
from houseprice.api.batching import house_frame
from houseprice.api.engine import MANY, Engine
from houseprice.api.openapi import engine_of, json_answer, problems
from houseprice.api.requests import (
    EFFECTS_IN,
    VALUATIONS_IN,
    WHAT_IF_IN,
    ValuationRequest,
    a_house,
    body_of,
    json_of,
    members,
    parse_valuation_request,
    unusable,
)
from houseprice.backend.base import Backend, BackendInfo, ValuationResult
from houseprice.backend.schemas import (
    ChangeOut,
    EffectsOut,
    ValuationsOut,
    to_records,
    valuations_response,
)
from houseprice.market.contract import Contract
from houseprice.market.parsing import shorten
from houseprice.market.validation import suggest_field

__all__ = ["questions_router", "router"]

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
    wanted = parse_valuation_request(await json_of(request))
    serving = engine.serving
    answer = await engine.value(
        wanted.rows, interval=wanted.interval, evidence=wanted.evidence, serving=serving
    )
    told = await _told(engine, serving, wanted, answer)
    currency = engine.contract.market.price.currency
    write = partial(_written, answer, serving.info, currency, told)
    return await asyncio.to_thread(write) if len(wanted.rows) > MANY else write()


def _written(
    answer: ValuationResult, info: BackendInfo, currency: str, told: list[dict[str, Any]] | None
) -> Response:
    return json_answer(valuations_response(answer, info, currency, datetime.now(UTC), told))


async def _told(
    engine: Engine, serving: ServedModel, wanted: ValuationRequest, answer: ValuationResult
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
            "contributions": to_records(explanation.contributions),
        }
    if comparables:
        told["comparables"] = to_records(backend.comparables(house, comparables))
    return told


questions_router = APIRouter(prefix="/v1", tags=["questions"])


@questions_router.post(
    "/what-if",
    summary="What other facts do to the value of one house",
    responses={200: {"model": ChangeOut}, **problems(body=True)},
    openapi_extra=body_of(WHAT_IF_IN, None),
)
async def what_if(request: Request) -> Response:
    """Value a house before and after, with the range of the difference."""
    engine = engine_of(request)
    body = members(await json_of(request), WHAT_IF_IN["properties"], WHAT_IF_IN["required"])
    before, after = (a_house(body[name], name) for name in ("before", "after"))
    work = partial(_change, engine.contract, before, after)
    return json_answer(await engine.run(work))


@questions_router.post(
    "/effects",
    summary="The price along the values of one field",
    responses={200: {"model": EffectsOut}, **problems(body=True)},
    openapi_extra=body_of(EFFECTS_IN, None),
)
async def effects(request: Request) -> Response:
    """Set one field to each of its values, for one house or on average over the sales."""
    engine = engine_of(request)
    body = members(await json_of(request), EFFECTS_IN["properties"], EFFECTS_IN["required"])
    column = _column(body["field"], engine.contract)
    house = None if body.get("house") is None else a_house(body["house"], "house")
    points = await engine.run(partial(_curve, engine.contract, column, house))
    return json_answer({"points": to_records(points)})


def _column(name: object, contract: Contract) -> str:
    if isinstance(name, str) and name in contract.fields:
        return name
    if not isinstance(name, str):
        raise unusable("«field» must be the name of a column.", field="field")
    near = suggest_field(name, contract)
    hint = f" Did you mean {near} ({contract.fields[near].label})?" if near else ""
    raise unusable(f"There is no field «{shorten(name)}».{hint}", field="field")


def _change(
    contract: Contract, before: dict[str, Any], after: dict[str, Any], backend: Backend
) -> dict[str, Any]:
    return asdict(backend.what_if(house_frame(before, contract), house_frame(after, contract)))


def _curve(
    contract: Contract, column: str, house: dict[str, Any] | None, backend: Backend
) -> pd.DataFrame:
    return backend.effect(column, None if house is None else house_frame(house, contract))
