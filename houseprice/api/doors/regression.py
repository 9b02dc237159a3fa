"""The tutorial's first API: ``POST /v1/predict/regression`` with a list of houses at the root."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, Field

from houseprice.api.answers import large_json_answer, problems
from houseprice.api.asking import HOUSE, body_of
from houseprice.api.doors.answering import Refusal, valued
from houseprice.api.doors.describing import TAG
from houseprice.api.doors.rows import objects_of
from houseprice.api.reading import json_of

__all__ = ["router"]

router = APIRouter(tags=[TAG])

_OF_THE_ROW = "_schema"
"""What its clients' library calls an error of a row as a whole."""


class Predictions(BaseModel):
    """The answer, always as long as the list that was sent."""

    predictions: list[float | None] = Field(description="null where a row has no value")
    version: str = Field(description="Of the model")
    errors: dict[str, dict[str, list[str]]] | None = Field(
        description="By row, counted from 0, and by field: what is wrong with it"
    )


@router.post(
    "/v1/predict/regression",
    summary="Values, as the tutorial's Flask API gives them",
    responses={200: {"model": Predictions}, **problems(body=True)},
    openapi_extra=body_of({"type": "array", "items": HOUSE}, []),
)
async def regression(request: Request) -> Response:
    """Value a list of houses; nothing is left out, and a house without a value is null."""
    rows = objects_of(await json_of(request), "The body")
    found = await valued(request, rows, "regression")
    return await large_json_answer(
        {
            "predictions": found.prices,
            "version": found.model_version,
            "errors": _by_row(found.refusals),
        }
    )


def _by_row(refusals: Sequence[Refusal]) -> dict[str, Any] | None:
    errors: dict[str, dict[str, list[str]]] = {}
    for refusal in refusals:
        row = errors.setdefault(str(refusal.row), {})
        row.setdefault(refusal.field or _OF_THE_ROW, []).append(refusal.message)
    return errors or None
