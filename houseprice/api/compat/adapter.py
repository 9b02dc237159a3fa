"""What all doors do: rows in a dialect in, prices and refusals out, faults in their own words.

How the doors stand in the OpenAPI document.
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

from houseprice.api.engine import MANY
from houseprice.api.openapi import engine_of, problems
from houseprice.api.problem_details import ApiError, ServerBusy, error_from
from houseprice.backend.base import ValuationResult
from houseprice.errors import HousePriceError
from houseprice.market.contract import Contract, Dialect
from houseprice.market.problems import Problem

__all__ = ["TAG", "Refusal", "Valued", "faults_of", "refuse_unready", "speaking", "valued"]

PATIENCE_S = 5.0

Handler = Callable[[Request], Coroutine[Any, Any, Response]]


@dataclass(frozen=True)
class Refusal:
    """Why one row has no value; ``row`` is counted from 0, as programs do."""

    row: int
    field: str | None
    code: str
    message: str


@dataclass(frozen=True)
class Valued:
    """As many entries as there were rows, in their order; None where a row has no value."""

    prices: list[float | None]
    lows: list[float | None]
    highs: list[float | None]
    refusals: list[Refusal]
    model_version: str


async def valued(request: Request, rows: Sequence[Mapping[str, Any]], protocol: str) -> Valued:
    """Value rows that name columns as the contract does, or as the protocol's servers do.

    Raises
    ------
    Fault, TimeoutError
        If the request as a whole can't be answered.
    """
    engine = engine_of(request)
    serving = engine.serving
    named = partial(_in_our_names, rows, engine.contract, protocol)
    ours = await asyncio.to_thread(named) if len(rows) > MANY else named()
    answer = await engine.value(ours, serving=serving)
    frame = answer.valuations
    good = (frame["status"] != "error").tolist()

    def column(name: str) -> list[float | None]:
        numbers = frame[name].tolist()
        return [each if fine else None for each, fine in zip(numbers, good, strict=True)]

    return Valued(
        column("predicted_price"),
        column("price_low"),
        column("price_high"),
        _refusals(answer, good),
        serving.version,
    )


async def refuse_unready(request: Request) -> None:
    """Go on only while the model is open, verified and gives its golden prices.

    Raises
    ------
    Fault
        With status 503, saying why not.
    """
    try:
        async with asyncio.timeout(PATIENCE_S):
            state = await engine_of(request).prove()
    except TimeoutError:
        raise ServerBusy("The model is too busy to be checked.", seconds=2) from None
    if not state.ok:
        raise ServerBusy(state.reason, seconds=2, code="not_ready")


def speaking(said: Callable[[ApiError], Response]) -> type[APIRoute]:
    """Make a kind of route that tells its faults in a protocol's own shape."""

    class SpeakingRoute(APIRoute):
        def get_route_handler(self) -> Handler:
            answer = super().get_route_handler()

            async def answered(request: Request) -> Response:
                try:
                    return await answer(request)
                except (ApiError, HTTPException, HousePriceError, TimeoutError) as error:
                    return said(error_from(error))

            return answered

    return SpeakingRoute


def _in_our_names(
    rows: Sequence[Mapping[str, Any]], contract: Contract, protocol: str
) -> Sequence[Mapping[str, Any]]:
    columns = contract.dialects.get(protocol, Dialect()).columns
    if not columns:
        return rows
    ours = {theirs: own for own, theirs in columns.items()}
    # Who sends a column under both names is told that one of them does not exist.
    return [
        {ours[name] if name in ours and ours[name] not in row else name: row[name] for name in row}
        for row in rows
    ]


def _refusals(answer: ValuationResult, good: Sequence[bool]) -> list[Refusal]:
    by_row: defaultdict[int | None, list[Problem]] = defaultdict(list)
    for problem in answer.problems:
        if problem.severity == "error":
            by_row[problem.row].append(problem)
    return [
        Refusal(row, problem.field, problem.code, problem.sentence)
        for row, fine in enumerate(good)
        if not fine
        for problem in (*by_row[row + 1], *by_row[None])
    ]


TAG = "doors of other protocols"

_MISSING = "There is nothing of this name."


def faults_of(
    shape: type[BaseModel], *, body: bool = False, named: bool = False
) -> dict[int | str, dict[str, Any]]:
    """Describe the faults of a door that tells its own in a protocol's shape.

    What is refused before a request comes to its door (no key, too large, too many) is told as
    everywhere.

    Parameters
    ----------
    shape : type of BaseModel
        How the protocol tells a fault.
    body, named : bool
        Whether a body can be wrong, and whether something asked for by name can be missing.
    """
    told = problems(body=body)
    if named:
        told[404] = {"description": _MISSING, "content": {}}
    own = {"application/json": {"schema": shape.model_json_schema()}}
    return {
        status: {**facts, "content": {**facts["content"], **own}} for status, facts in told.items()
    }
