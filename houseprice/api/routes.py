"""The routes of the service: values, what-if questions, the model and its market, and probes."""

from __future__ import annotations

import asyncio
from dataclasses import asdict, replace
from datetime import UTC, date, datetime
from functools import partial
from typing import Any

import pandas as pd
from fastapi import APIRouter, Request, Response
from fastapi.responses import PlainTextResponse
from pydantic import BaseModel, Field

from houseprice.api.active_model import ServedModel
from houseprice.api.bodies import (
    ADDRESS,
    REFERENCE,
    EffectsRequest,
    NextFactsRequest,
    ValuationRequest,
    WhatIfRequest,
    document_body,
    invalid_request,
    json_response,
    key_faults,
    large_json_response,
    parse_as_of,
    parse_request,
    read_json_body,
    take_texts,
)
from houseprice.api.engine import THREAD_ROWS, Engine, get_engine, house_frame
from houseprice.api.openapi import row_schema
from houseprice.api.problem_details import ApiError, error_responses
from houseprice.api.records import Visitor, records_header, save_valuations
from houseprice.backend.base import Backend, ValuationResult
from houseprice.backend.schemas import (
    API_VERSION,
    ChangeOut,
    EffectsOut,
    ImportanceOut,
    ModelOut,
    NextFactsOut,
    StudyOut,
    ValuationsOut,
    VersionOut,
    valuations_response,
)
from houseprice.errors import ModelError
from houseprice.market.contract import Contract
from houseprice.market.parsing import is_blank, shorten
from houseprice.market.sales import days_of_cells
from houseprice.market.validation import suggest_field
from houseprice.model.report import to_records
from houseprice.tables.scoring import written_columns
from houseprice.tables.table import valuation_columns
from houseprice.tables.writer import csv_line, csv_lines

MAX_EXPLAINED_ROWS = 200
"""Houses with an explanation or comparable sales in one request; they take the most time."""

router = APIRouter()


# ------------------------------------------------------------------------------------------ values


@router.post(
    "/v1/valuations",
    tags=["values"],
    summary="Value houses",
    responses={200: {"model": ValuationsOut}, **error_responses(403, 406, body=True)},
    openapi_extra=document_body(ValuationRequest),
)
async def valuations(request: Request) -> Response:
    """Value each row: as many entries as rows, in their order, null for a row with an error.

    The errors of rows are listed under `errors`, with row numbers from 1; imputed values and
    warnings are listed under `notes`. A `reference` of a row is returned with all that concerns it,
    and so is `record`, the number of a saved row. With `Accept: text/csv` the response is a table,
    and the header `X-Records` has the numbers of the first and the last saved row.
    """
    engine = get_engine(request)
    options = parse_request(ValuationRequest, await read_json_body(request))
    rows, contract = options.rows, engine.contract
    as_csv = _prefers_csv(request.headers.get("accept", ""))
    if as_csv and (options.explain or options.comparables):
        detail = "A CSV table has no explanations and no comparable sales: accept application/json."
        raise ApiError(406, "not_acceptable", detail)
    visitor = Visitor(request) if options.save else None
    references, faults = take_texts(rows, REFERENCE, contract)
    addresses = dict[int, Any]()
    if options.save:
        addresses, others = take_texts(rows, ADDRESS, contract)
        faults += [*others, *key_faults(rows, contract)]
    if (options.explain or options.comparables) and len(rows) > MAX_EXPLAINED_ROWS:
        detail = (
            f"A request with explanations or comparable sales may have {MAX_EXPLAINED_ROWS:,} "
            f"houses, and this one has {len(rows):,}."
        )
        raise ApiError(413, "too_many_rows", detail)
    model = engine.model
    dated = _with_dates(options, contract)
    result = await engine.value(
        dated.rows,
        interval=options.interval,
        evidence=options.evidence,
        model=model,
        faults=faults,
    )
    days = _valuation_days(rows, contract, options.as_of or model.info.as_of)
    details: list[dict[str, Any]] = [{"as_of": day} for day in days]
    if options.explain or options.comparables:
        more = await _details(engine, model, dated, result)
        details = [own | others for own, others in zip(details, more, strict=True)]
    # Last, so that nothing fails after it.
    valued_at, records = datetime.now(UTC), list[int]()
    if visitor is not None:
        numbers = range(1, len(rows) + 1)
        records = await save_valuations(
            visitor,
            rows,
            result,
            replace(model.info, as_of=options.as_of or model.info.as_of),
            contract,
            [(str(references.get(i, "")), options.note, addresses.get(i, "")) for i in numbers],
            valued_at,
        )
    if as_csv:
        response = await asyncio.to_thread(_csv_response, rows, result, days, references, contract)
        response.headers.update(records_header(records))
        return response
    currency = contract.market.price.currency
    identities = {number: {"reference": each} for number, each in references.items()}
    for number, entry in enumerate(records, start=1):
        identities.setdefault(number, {})["record"] = entry

    def write() -> Response:
        return json_response(
            valuations_response(result, model.info, currency, valued_at, details, identities)
        )

    return await asyncio.to_thread(write) if len(rows) > THREAD_ROWS else write()


def _prefers_csv(accept: str) -> bool:
    """Whether a client names CSV among the media types that it accepts, and JSON not before it."""
    types = [part.partition(";")[0].strip().lower() for part in accept.split(",")]
    first = next((each for each in types if each in ("text/csv", "application/json")), "")
    return first == "text/csv"


def _csv_response(
    rows: list[dict[str, Any]],
    result: ValuationResult,
    days: list[date | None],
    references: dict[int, str | int],
    contract: Contract,
) -> Response:
    """Write the fields of the rows and their valuations as a table."""
    given = [name for name in contract.columns if any(name in row for row in rows)]
    frame = pd.DataFrame(
        [[_cell(row.get(name)) for name in given] for row in rows], columns=given, dtype=object
    )
    if references:
        numbers = range(1, len(rows) + 1)
        frame.insert(0, REFERENCE, [str(references.get(number, "")) for number in numbers])
    written = written_columns(result.valuations, contract.market.price.cents)
    frame = pd.concat([frame, written], axis=1)
    if "as_of" in valuation_columns(contract):
        has_value = (result.valuations["status"] != "error").tolist()
        frame["as_of"] = [str(day) if ok else "" for day, ok in zip(days, has_value, strict=True)]
    lines = [csv_line([*map(str, frame.columns)], ","), *csv_lines(frame, ",")]
    return Response("".join(f"{line}\r\n" for line in lines), media_type="text/csv")


def _cell(value: object) -> str:
    return "" if value is None else str(value)


def _with_dates(options: ValuationRequest, contract: Contract) -> ValuationRequest:
    """Put the requested day into the rows that have no date of sale."""
    if options.as_of is None:
        return options
    cells = parse_as_of(options.as_of, contract)
    rows = [
        row | cells if all(is_blank(row.get(name)) for name in cells) else row
        for row in options.rows
    ]
    return options.model_copy(update={"rows": rows})


def _valuation_days(
    rows: list[dict[str, Any]], contract: Contract, as_of: date | None
) -> list[date | None]:
    names = [name for name in contract.market.roles.dates if any(name in row for row in rows)]
    if not names:
        return [as_of] * len(rows)
    cells = (tuple(row.get(name) for name in names) for row in rows)
    return days_of_cells(names, cells, contract, as_of)


async def _details(
    engine: Engine, model: ServedModel, options: ValuationRequest, result: ValuationResult
) -> list[dict[str, Any]]:
    """The explanation and comparable sales of each row that has a value."""
    valued = (result.valuations["status"] != "error").tolist()
    calls = [
        partial(_explain, engine.contract, row, options)
        for row, has_value in zip(options.rows, valued, strict=True)
        if has_value
    ]
    details = iter(await engine.run_all(calls, model=model))
    return [next(details) if has_value else {} for has_value in valued]


def _explain(
    contract: Contract, row: dict[str, Any], options: ValuationRequest, backend: Backend
) -> dict[str, Any]:
    house = house_frame(row, contract)
    details: dict[str, Any] = {}
    if options.explain:
        explanation = backend.explain(house)
        details["explanation"] = {
            "base_price": explanation.base_price,
            "price": explanation.price,
            "contributions": to_records(explanation.contributions),
            "nearby": asdict(explanation.nearby) if explanation.nearby else None,
        }
    if options.comparables:
        details["comparables"] = to_records(backend.comparables(house, options.comparables))
    return details


@router.post(
    "/v1/what-if",
    tags=["questions"],
    summary="What a change of fields does to the value of one house",
    responses={200: {"model": ChangeOut}, **error_responses(body=True)},
    openapi_extra=document_body(WhatIfRequest),
)
async def what_if(request: Request) -> Response:
    """Value a house before and after a change, with the range of the difference."""
    engine = get_engine(request)
    body = parse_request(WhatIfRequest, await read_json_body(request))

    def compare(backend: Backend) -> dict[str, Any]:
        before, after = (house_frame(row, engine.contract) for row in (body.before, body.after))
        return asdict(backend.what_if(before, after))

    return json_response(await engine.run(compare))


@router.post(
    "/v1/effects",
    tags=["questions"],
    summary="The price along the values of one field",
    responses={200: {"model": EffectsOut}, **error_responses(body=True)},
    openapi_extra=document_body(EffectsRequest),
)
async def effects(request: Request) -> Response:
    """Set one field to each of its values, for one house or on average over the sales."""
    engine = get_engine(request)
    contract = engine.contract
    body = parse_request(EffectsRequest, await read_json_body(request))
    if body.field not in contract.fields:
        similar = suggest_field(body.field, contract)
        hint = f" Did you mean {similar} ({contract.fields[similar].label})?" if similar else ""
        raise invalid_request(f"There is no field «{shorten(body.field)}».{hint}", field="field")

    def vary(backend: Backend) -> list[dict[str, Any]]:
        house = None if body.house is None else house_frame(body.house, contract)
        points = to_records(backend.effect(body.field, house))
        return [{"is_own": None, "each": None, **point} for point in points]

    return json_response({"points": await engine.run(vary)})


@router.post(
    "/v1/next-facts",
    tags=["questions"],
    summary="The unknown fields that would narrow the range of one house most",
    responses={200: {"model": NextFactsOut}, **error_responses(body=True)},
    openapi_extra=document_body(NextFactsRequest),
)
async def next_facts(request: Request) -> Response:
    """Return the width of the 90 % range now, and as expected once each field is known."""
    engine = get_engine(request)
    body = parse_request(NextFactsRequest, await read_json_body(request))

    def rank(backend: Backend) -> list[dict[str, Any]]:
        return to_records(backend.next_facts(house_frame(body.house, engine.contract), body.k))

    return json_response({"facts": await engine.run(rank)})


# ---------------------------------------------------------------------- the model and its market


@router.get(
    "/v1/model",
    tags=["model"],
    summary="The model: version, accuracy, capabilities and card",
    responses={200: {"model": ModelOut}, **error_responses()},
)
async def model(request: Request) -> Response:
    """Describe the model that answers, its accuracy and its intended use."""
    engine = get_engine(request)
    active, contract = engine.model, engine.contract
    info, card = active.backend.info(), active.backend.card()
    return json_response(
        {
            "model_version": info.model_version,
            "package_version": info.package_version,
            "api_version": API_VERSION,
            "market_name": contract.market.name,
            "market_title": info.market_title,
            "contract_sha256": contract.sha256,
            "as_of": info.as_of,
            "trained_at": info.trained_at,
            "n_sales": info.n_sales,
            "currency": contract.market.price.currency,
            "metrics": info.metrics,
            "capabilities": sorted(info.capabilities),
            "study": active.backend.study().state,
            "max_rows": engine.settings.serve_max_rows,
            "card": card.data,
            "card_markdown": card.markdown,
        }
    )


@router.get(
    "/v1/market",
    tags=["model"],
    summary="The market's contract: every field with its unit, range or levels",
    responses={
        200: {
            "description": "The contract and its checksum.",
            "content": {"application/json": {"schema": {"type": "object"}}},
        },
        **error_responses(),
    },
)
async def market(request: Request) -> Response:
    """Return the contract."""
    return json_response(get_engine(request).contract)


@router.get(
    "/v1/market/schema",
    tags=["model"],
    summary="A house as JSON Schema",
    response_class=Response,
    responses={
        200: {
            "description": "A schema of draft 2020-12.",
            "content": {"application/schema+json": {"schema": {"type": "object"}}},
        },
        **error_responses(),
    },
)
async def market_schema(request: Request) -> Response:
    """Describe a house by its fields, for a validator or to generate a form."""
    response = json_response(row_schema(get_engine(request).contract))
    response.headers["Content-Type"] = "application/schema+json"
    return response


@router.get(
    "/v1/importance",
    tags=["model"],
    summary="Feature importance, most important first",
    responses={200: {"model": list[ImportanceOut]}, **error_responses()},
)
async def importance(request: Request) -> Response:
    """Return the loss of accuracy without each field, measured on sales not used in training."""
    return json_response(to_records(get_engine(request).model.backend.importance()))


@router.get(
    "/v1/versions",
    tags=["model"],
    summary="The versions of the model, newest first",
    responses={200: {"model": list[VersionOut]}, **error_responses()},
)
async def versions(request: Request) -> Response:
    """List the versions whose studies can be read."""
    known = await get_engine(request).run(lambda backend: backend.versions())
    return json_response([asdict(version) for version in known])


@router.get(
    "/v1/study",
    tags=["model"],
    summary="The diagnostics of a version",
    responses={200: {"model": StudyOut}, **error_responses(404)},
)
async def study(request: Request, version: str | None = None) -> Response:
    """Return the tables of a study: held-out values, calibration, the effect of missing fields.

    It is that of the active version by default. Most tables are empty until they are computed,
    which takes a few minutes after a training.
    """
    try:
        result = await get_engine(request).run(lambda backend: backend.study(version))
    except ModelError as error:
        raise ApiError(404, "not_found", str(error)) from None
    return await large_json_response({**result.to_dict(), "progress": result.progress})


# ------------------------------------------------------------------------------------------ probes


class ReadyOut(BaseModel):
    """Whether requests can be answered."""

    ready: bool
    reason: str = Field(description="Why not, or what an operator should know; often empty")
    model_version: str | None


class PackageVersionOut(BaseModel):
    """The versions that answer."""

    model_version: str | None
    api_version: str


@router.get(
    "/health",
    tags=["state"],
    summary="Whether the process is alive",
    response_class=PlainTextResponse,
    responses={200: {"description": "ok"}, **error_responses()},
)
async def health() -> Response:
    """Return ok. It needs no model, so a busy model does not delay it."""
    return PlainTextResponse("ok")


@router.get(
    "/ready",
    tags=["state"],
    summary="Whether requests can be answered",
    responses={
        **error_responses(),
        200: {"model": ReadyOut, "description": "The service is ready."},
        503: {"model": ReadyOut, "description": "The service is not ready; `reason` says why."},
    },
)
async def ready(request: Request) -> Response:
    """Check that a model is open, verified, and reproduces the prices of its golden rows."""
    state = await get_engine(request).check_readiness()
    body = {"ready": state.ok, "reason": state.reason, "model_version": state.model_version}
    return json_response(body) if state.ok else json_response(body, 503, {"Retry-After": "2"})


@router.get(
    "/version",
    tags=["state"],
    summary="The versions of the model and of the API",
    responses={200: {"model": PackageVersionOut}, **error_responses()},
)
async def version(request: Request) -> Response:
    """Return the version of the model, null while there is none, and that of this API."""
    model_version = get_engine(request).readiness().model_version
    return json_response({"model_version": model_version, "api_version": API_VERSION})
