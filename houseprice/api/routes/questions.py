"""Questions about one house or one field: what if, and what a field does to the price."""

from __future__ import annotations

from dataclasses import asdict
from functools import partial
from typing import Any

import pandas as pd
from fastapi import APIRouter, Request, Response

from houseprice.api.answers import engine_of, json_answer, problems
from houseprice.api.asking import EFFECTS_IN, WHAT_IF_IN, body_of
from houseprice.api.reading import a_house, json_of, members, unusable
from houseprice.api.rows import house_frame
from houseprice.backend.base import Backend
from houseprice.backend.wire import ChangeOut, EffectsOut, records
from houseprice.market.cells import shown
from houseprice.market.contract import Contract
from houseprice.market.strays import likely

__all__ = ["router"]

router = APIRouter(prefix="/v1", tags=["questions"])


@router.post(
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


@router.post(
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
    return json_answer({"points": records(points)})


def _column(name: object, contract: Contract) -> str:
    if isinstance(name, str) and name in contract.fields:
        return name
    if not isinstance(name, str):
        raise unusable("«field» must be the name of a column.", field="field")
    near = likely(name, contract)
    hint = f" Did you mean {near} ({contract.fields[near].label})?" if near else ""
    raise unusable(f"There is no field «{shown(name)}».{hint}", field="field")


def _change(
    contract: Contract, before: dict[str, Any], after: dict[str, Any], backend: Backend
) -> dict[str, Any]:
    return asdict(backend.what_if(house_frame(before, contract), house_frame(after, contract)))


def _curve(
    contract: Contract, column: str, house: dict[str, Any] | None, backend: Backend
) -> pd.DataFrame:
    return backend.effect(column, None if house is None else house_frame(house, contract))
