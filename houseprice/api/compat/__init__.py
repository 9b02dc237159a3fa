"""The protocols of other model servers, so that their clients work unchanged.

Each module converts rows from the form of its protocol, has them valued like all others, and
converts the result back; no row is left out. This one holds what they share.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from fastapi import Request, Response
from fastapi.exceptions import HTTPException
from fastapi.routing import APIRoute
from pydantic import BaseModel

from houseprice.api.engine import THREAD_ROWS, get_engine
from houseprice.api.problem_details import ApiError, ServerBusy, error_responses, to_api_error
from houseprice.errors import HousePriceError
from houseprice.market.contract import Contract
from houseprice.market.metadata import Dialect
from houseprice.market.problems import Problem

TAG = "other protocols"

Handler = Callable[[Request], Coroutine[Any, Any, Response]]


@dataclass(frozen=True)
class RowError:
    """Why one row has no value; ``row`` is its position in the request, from 0."""

    row: int
    field: str | None
    code: str
    message: str


@dataclass(frozen=True)
class Predictions:
    """One entry per row, in order, None for a row without a value."""

    prices: list[float | None]
    lows: list[float | None]
    highs: list[float | None]
    errors: list[RowError]
    model_version: str


async def predict_rows(
    request: Request, rows: Sequence[Mapping[str, Any]], protocol: str
) -> Predictions:
    """Value rows whose columns have the names of the contract or of the protocol's dialect."""
    engine = get_engine(request)
    model = engine.model
    rename = partial(_rename_columns, rows, engine.contract, protocol)
    renamed = await asyncio.to_thread(rename) if len(rows) > THREAD_ROWS else rename()
    result = await engine.value(renamed, model=model)
    frame = result.valuations
    valued = (frame["status"] != "error").tolist()

    def column(name: str) -> list[float | None]:
        values = frame[name].tolist()
        return [value if ok else None for value, ok in zip(values, valued, strict=True)]

    by_row: defaultdict[int | None, list[Problem]] = defaultdict(list)
    for problem in result.problems:
        if problem.severity == "error":
            by_row[problem.row].append(problem)
    errors = [
        RowError(position, problem.field, problem.code, problem.sentence)
        for position, (row, ok) in enumerate(zip(frame["row"].tolist(), valued, strict=True))
        if not ok
        for problem in (*by_row[row], *by_row[None])
    ]
    prices, lows, highs = map(column, ("predicted_price", "price_low", "price_high"))
    return Predictions(prices, lows, highs, errors, model.version)


def _rename_columns(
    rows: Sequence[Mapping[str, Any]], contract: Contract, protocol: str
) -> Sequence[Mapping[str, Any]]:
    columns = contract.dialects.get(protocol, Dialect()).columns
    if not columns:
        return rows
    own_names = {theirs: own for own, theirs in columns.items()}
    # With both names in one row, the protocol's is left and reported as an unknown field.
    return [
        {
            own_names[name] if name in own_names and own_names[name] not in row else name: value
            for name, value in row.items()
        }
        for row in rows
    ]


async def check_ready(request: Request) -> None:
    """Raise ServerBusy unless the model is open, verified and reproduces its golden prices."""
    state = await get_engine(request).check_readiness()
    if not state.ok:
        raise ServerBusy(state.reason, seconds=2, code="not_ready")


def route_class(respond: Callable[[ApiError], Response]) -> type[APIRoute]:
    """Make a class of routes that report errors in the form of a protocol."""

    class ProtocolRoute(APIRoute):
        def get_route_handler(self) -> Handler:
            handle = super().get_route_handler()

            async def handle_errors(request: Request) -> Response:
                try:
                    return await handle(request)
                except (ApiError, HTTPException, HousePriceError, TimeoutError) as error:
                    return respond(to_api_error(error))

            return handle_errors

    return ProtocolRoute


def document_errors(
    model: type[BaseModel], *, body: bool = False, by_name: bool = False
) -> dict[int | str, dict[str, Any]]:
    """Document the errors of a route in the form of a protocol; ``by_name`` adds 404.

    The middleware refuses a request (no key, too large, too many) with problem details as usual.
    """
    documented = error_responses(body=body)
    if by_name:
        documented[404] = {"description": "There is nothing of this name.", "content": {}}
    own = {"application/json": {"schema": model.model_json_schema(mode="serialization")}}
    return {
        status: {**response, "content": {**response["content"], **own}}
        for status, response in documented.items()
    }
