"""``POST /v1/outcomes``: prices of later sales, row by row."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any, Literal

import pandas as pd
from fastapi import APIRouter, Request, Response
from pydantic import FailFast, Field, InstanceOf, WithJsonSchema

from houseprice.api.bodies import (
    ADDRESS_SCHEMA,
    REFERENCE,
    REFERENCE_SCHEMA,
    RequestModel,
    document_body,
    is_reference,
    json_response,
    parse_request,
    read_json_body,
)
from houseprice.api.engine import get_engine
from houseprice.api.problem_details import ApiError, error_responses
from houseprice.api.records import Visitor, json_frame
from houseprice.backend.schemas import ProblemOut, Reference, ResponseModel
from houseprice.market.contract import Contract
from houseprice.market.parsing import shorten
from houseprice.market.problems import Problem
from houseprice.market.validation import unknown_fields

if TYPE_CHECKING:
    from houseprice.records.database import Database
    from houseprice.records.ledger import Author

router = APIRouter(tags=["records"])

_OWN_COLUMNS = ("reference", "property_key", "address", "sold_on", "price", "corrects")
_SALE_SCHEMA: dict[str, Any] = {
    "title": "Sale",
    "description": "A sale. One of `reference`, `property_key` and `address` identifies the house.",
    "type": "object",
    "properties": {
        "reference": {**REFERENCE_SCHEMA, "description": "That of the saved valuation."},
        "property_key": {**REFERENCE_SCHEMA, "description": "Key of the house in the market."},
        "address": ADDRESS_SCHEMA,
        "sold_on": {"type": "string", "format": "date", "description": "Day of the sale."},
        "price": {"type": "number", "description": "In the currency of the market."},
        "corrects": {
            "type": ["integer", "null"],
            "description": "Number of a later price that this one replaces.",
        },
        "facts": {
            "type": ["object", "null"],
            "description": "Fields of the house when it was sold, if they are known.",
        },
    },
    "required": ["sold_on", "price"],
    "additionalProperties": False,
}
_ROW_SCHEMA = {
    "anyOf": [_SALE_SCHEMA, {"type": "object", "description": "Any other object: an error."}]
}
SaleRows = Annotated[
    list[Annotated[InstanceOf[dict[str, Any]], WithJsonSchema(_ROW_SCHEMA)]], FailFast()
]


class OutcomesRequest(RequestModel):
    """Prices of later sales."""

    rows: SaleRows = Field(description="Sales. A row with an error costs itself alone.")


class OutcomeOut(ResponseModel):
    """What became of one sale."""

    row: int = Field(description="Counted from 1")
    reference: Reference = Field(description="That of the row")
    state: Literal["matched", "unsure", "unmatched", "error"] = Field(
        description="Whether a valuation that was saved before the sale belongs to it"
    )
    status: Literal["added", "correction", "known", "repeated"] | None = Field(
        description="`repeated` if a later row has the same sale; null in a row with an error"
    )
    outcome: int | None = Field(description="Number of the later price")
    record: int | None = Field(description="Number of the saved valuation")


class OutcomesOut(ResponseModel):
    """One entry per row, in order."""

    outcomes: list[OutcomeOut]
    errors: list[ProblemOut] = Field(description="Why rows were not added")
    notes: list[ProblemOut] = Field(description="Facts that are not kept")


@router.post(
    "/v1/outcomes",
    summary="Add prices of later sales",
    responses={200: {"model": OutcomesOut}, **error_responses(403, body=True)},
    openapi_extra=document_body(
        OutcomesRequest,
        {"rows": [{"reference": "A-17", "sold_on": "2026-11-20", "price": 214000}]},
    ),
)
async def outcomes(request: Request) -> Response:
    """Add each sale, matched with the latest valuation that was saved before it.

    Adding the same sale again adds nothing; another price of it is a correction.
    """
    visitor, engine = Visitor(request), get_engine(request)
    rows = parse_request(OutcomesRequest, await read_json_body(request)).rows
    if len(rows) > engine.settings.serve_max_rows:
        detail = f"A request may have {engine.settings.serve_max_rows:,} sales."
        raise ApiError(413, "too_many_rows", f"{detail} Send them in several requests.")
    add = partial(_add_outcomes, rows, engine.contract)
    return json_response(await visitor.run("add outcomes", add))


def _add_outcomes(
    rows: Sequence[Mapping[str, Any]],
    contract: Contract,
    database: Database,
    author: Author,
    person: str | None,
) -> dict[str, Any]:
    if not rows:
        return {"outcomes": [], "errors": [], "notes": []}
    from houseprice.records.outcomes import add
    from houseprice.tables.outcomes import check_outcomes

    wrong = [problem for number, row in enumerate(rows, 1) for problem in _malformed(number, row)]
    facts = [each if isinstance(each := row.get("facts"), dict) else {} for row in rows]
    unkept = [replace(each, severity="warning") for each in unknown_fields(facts, contract)]
    cells = pd.concat(
        [
            json_frame(rows, _OWN_COLUMNS).reindex(columns=pd.Index(_OWN_COLUMNS, dtype=object)),
            json_frame(
                facts,
                [name for name in contract.columns if name not in _OWN_COLUMNS],
            ),
        ],
        axis=1,
    )
    table = check_outcomes(cells.where(cells.notna(), "").map(str), contract, wrong)
    added = add(database, author, table.sales, person=person)
    by_row = dict(zip(table.sales["row"].tolist(), added.rows.to_dict("records"), strict=True))
    return {
        "outcomes": [
            _outcome(number, row, by_row.get(number)) for number, row in enumerate(rows, start=1)
        ],
        "errors": [
            _problem(each, rows) for each in table.problems if each.severity == "error" and each.row
        ],
        "notes": [_problem(each, rows) for each in unkept],
    }


def _problem(problem: Problem, rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    reference = _reference(rows[problem.row - 1]) if problem.row else None
    return {**asdict(problem), "reference": reference, "record": None}


def _malformed(number: int, row: Mapping[str, Any]) -> list[Problem]:
    problems = []
    for name, cell in row.items():
        if name not in (*_OWN_COLUMNS, "facts"):
            text = f"«{shorten(name)}» is not a member of a sale."
            expected = ", ".join((*_OWN_COLUMNS, "facts"))
        elif name == "facts" and isinstance(cell, dict | None):
            continue
        elif isinstance(cell, bool | list | dict):
            text, expected = f"«{name}» has a value of another type.", "a text or a number"
        else:
            continue
        problems.append(Problem(number, None, "wrong_member", "error", text, None, expected))
    return problems


def _reference(row: Mapping[str, Any]) -> str | int | None:
    reference = row.get(REFERENCE)
    return reference if is_reference(reference) else None


def _outcome(
    number: int, row: Mapping[str, Any], added: Mapping[Any, Any] | None
) -> dict[str, Any]:
    entry = {"row": number, "reference": _reference(row)}
    if added is None:
        return {**entry, "state": "error", "status": None, "outcome": None, "record": None}
    state = "matched" if added["state"] == "accepted" else added["state"]
    valuation = None if pd.isna(added["valuation"]) else int(added["valuation"])
    return {**entry, "state": state, "status": added["status"],
            "outcome": int(added["outcome"]), "record": valuation}  # fmt: skip
