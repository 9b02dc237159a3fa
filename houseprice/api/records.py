"""Saving valuations, and ``/v1/records``: reading and deleting what was saved.

The database works in threads of its own, which wait for other writers without stopping anything
else. A request that saves has no time limit: its client must learn whether it was saved.
"""

from __future__ import annotations

import asyncio
import getpass
import json
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import date, datetime
from functools import cached_property
from threading import Lock
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeVar
from urllib.parse import urlsplit

import pandas as pd
from fastapi import APIRouter, Request, Response
from pydantic import AwareDatetime, BaseModel, Field, WithJsonSchema

from houseprice.api.bodies import (
    RequestModel,
    json_response,
    large_json_response,
    parse_query,
    query_parameters,
)
from houseprice.api.engine import get_engine
from houseprice.api.limits import is_for_this_computer
from houseprice.api.problem_details import ApiError, error_responses
from houseprice.backend.schemas import Number, ResponseModel
from houseprice.errors import AccessDenied, RecordNotFound, RecordsError
from houseprice.market.contract import Contract
from houseprice.market.parsing import shorten
from houseprice.settings import Settings, is_forwarded, is_loopback

if TYPE_CHECKING:
    from houseprice.backend.base import BackendInfo, ValuationResult
    from houseprice.records.database import Database
    from houseprice.records.ledger import Author
    from houseprice.records.roles import Permission
    from houseprice.tables.saving import RecordRow

N_THREADS = 4
"""Requests that use the database at once; the others wait."""

MAX_PAGE_ROWS = 500
"""Longest page of saved valuations."""

T = TypeVar("T")


class RecordStore:
    """The database of the records, opened by the first request that needs it."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._lock = Lock()

    @cached_property
    def _threads(self) -> ThreadPoolExecutor:
        return ThreadPoolExecutor(N_THREADS, thread_name_prefix="records")

    @cached_property
    def _database(self) -> Database:
        from houseprice.records.people import open_records

        return open_records(self._settings, "api")

    async def run(self, work: Callable[[Database], T]) -> T:
        """Run work in a thread; raise ApiError 503 if the database can't be used."""

        def run() -> T:
            with self._lock:
                database = self._database
            return work(database)

        try:
            return await asyncio.get_running_loop().run_in_executor(self._threads, run)
        except RecordNotFound as error:
            raise ApiError(404, "not_found", str(error)) from None
        except RecordsError as error:
            headers = {"Retry-After": "5"}
            raise ApiError(503, "no_records", str(error), headers=headers) from error

    def stop(self) -> None:
        """Finish what is running."""
        if "_threads" in vars(self):
            self._threads.shutdown()


class Visitor:
    """Who makes a request, for the records."""

    def __init__(self, request: Request) -> None:
        self._store: RecordStore = request.app.state.records
        self._market = get_engine(request).contract.market.name
        self.key: str | None = request.scope["state"].get("key_name")
        self._person = self.key or _local_person(request)

    async def run(
        self, permission: Permission, work: Callable[[Database, Author, str | None], T]
    ) -> T:
        """Run work with the author and the person whose records are seen; None sees all.

        The user of this computer may do everything; a key may do what the role of its name allows.
        Raises ApiError 403 if that is not enough.
        """

        def run(database: Database) -> T:
            from houseprice.records.ledger import Author
            from houseprice.records.people import require_permission
            from houseprice.records.roles import may

            author = Author(self._person, self._market, "api")
            if self.key is None:
                return work(database, author, None)
            role = require_permission(database, self._person, permission)
            return work(database, author, None if may(role, "see all") else self._person)

        try:
            return await self._store.run(run)
        except AccessDenied as error:
            raise ApiError(403, "not_allowed", str(error)) from None

    def log_view(self, database: Database, author: Author, person: str | None) -> None:
        """Log that a key saw the records of all."""
        from houseprice.records.people import log_view

        if self.key is not None and person is None:
            log_view(database, author, "Saved valuations")


def _local_person(request: Request) -> str:
    """Return the user of this computer; raise ApiError 403 if others might make the request."""
    headers = request.headers
    if not is_for_this_computer(get_engine(request).settings) or is_forwarded(headers):
        raise ApiError(
            403,
            "no_person",
            "The server can't tell its clients apart, so it keeps no records. Its operator can "
            "give each of them a key.",
        )
    # A form of a page on the internet is sent without a question to the server.
    origin = headers.get("origin")
    if origin is not None and not is_loopback(urlsplit(origin).hostname or ""):
        raise ApiError(403, "no_person", "Pages of other origins can't use the records.")
    return getpass.getuser()


async def save_valuations(
    visitor: Visitor,
    rows: Sequence[Mapping[str, Any]],
    result: ValuationResult,
    info: BackendInfo,
    contract: Contract,
    texts: Sequence[tuple[str, str, str]],
    valued_at: datetime,
) -> list[int]:
    """Save rows of JSON and their valuations; ``texts`` are reference, note, address of each."""

    def save(database: Database, author: Author, _: str | None) -> list[int]:
        from houseprice.records import valuations

        return valuations.save(
            database,
            author,
            json_frame(rows, (*contract.columns, *contract.keys)),
            result,
            info,
            contract,
            texts=[valuations.OwnTexts(*each) for each in texts],
            valued_at=valued_at,
        )

    return await visitor.run("save", save)


async def save_rows(visitor: Visitor, rows: Sequence[RecordRow]) -> list[int]:
    """Save the rows of a table, all or none."""

    def save(database: Database, author: Author, _: str | None) -> list[int]:
        from houseprice.records.ledger import append
        from houseprice.records.schema import valuations

        return append(database, author, valuations, rows)

    return await visitor.run("save", save)


def records_header(numbers: Sequence[int]) -> dict[str, str]:
    """Return the header of a response in CSV whose rows are saved: they are numbered in order."""
    return {"X-Records": f"{numbers[0]}-{numbers[-1]}"} if numbers else {}


def json_frame(rows: Sequence[Mapping[str, Any]], columns: Sequence[str]) -> pd.DataFrame:
    """Return the columns that rows of JSON have; nested values are left out."""
    present = set().union(*rows)
    names = [name for name in dict.fromkeys(columns) if name in present]
    cells = [[_plain(row.get(name)) for name in names] for row in rows]
    return pd.DataFrame(cells, range(len(rows)), pd.Index(names, dtype=object), dtype=object)


def _plain(cell: object) -> object:
    return None if isinstance(cell, list | dict) else cell


# ------------------------------------------------------------------------------- saved valuations


class RecordOut(ResponseModel):
    """A saved valuation; what was deleted on request is null."""

    record: int = Field(description="Number of the entry")
    created_at: AwareDatetime
    valued_at: AwareDatetime
    person: str = Field(description="Who saved it: the name of a key, or of a user")
    source: Literal["form", "table", "command", "api"]
    reference: str | None
    note: str | None
    address: str | None
    property_key: str | None
    facts: dict[str, str] = Field(description="The fields as given; empty if they were deleted")
    facts_given: int | None
    area: str | None
    status: Literal["ok", "warning", "error"]
    predicted_price: Number | None
    price_low: Number | None
    price_high: Number | None
    interval: Number | None
    fsd: Number | None
    confidence: Number | None
    reason_codes: str
    as_of: date | None
    model_version: str


class RecordsOut(ResponseModel):
    """A page of saved valuations, the newest first."""

    records: list[RecordOut]
    before: int | None = Field(description="Requests the next page; null on the last one")


class RecordsQuery(BaseModel):
    """Query parameters of a page of saved valuations."""

    model_config = RequestModel.model_config | {"strict": False}

    search: str = Field(
        "", max_length=200, description="Part of a reference, a note or an address, or a number."
    )
    before: int = Field(
        2**53 - 1, ge=1, le=2**53 - 1, description="Entries with a smaller number only."
    )
    limit: int = Field(50, ge=1, le=MAX_PAGE_ROWS, description="Longest page.")


class DeletionQuery(BaseModel):
    """Query parameters of a deletion."""

    model_config = RequestModel.model_config | {"strict": False}

    reason: str = Field("requested", min_length=1, max_length=200, description="For the log.")


RecordNumber = Annotated[
    str, WithJsonSchema({"type": "integer", "minimum": 1, "maximum": 2**53 - 1})
]

router = APIRouter(tags=["records"])


@router.get(
    "/v1/records",
    summary="Saved valuations, newest first",
    responses={200: {"model": RecordsOut}, **error_responses(403, 422)},
    openapi_extra={"parameters": query_parameters(RecordsQuery)},
)
async def records(request: Request) -> Response:
    """List what the person of the key saved, page by page; an owner sees the records of all."""
    query, visitor = parse_query(RecordsQuery, request), Visitor(request)

    def read(database: Database, author: Author, person: str | None) -> list[dict[str, Any]]:
        from houseprice.records.valuations import listing

        visitor.log_view(database, author, person)
        found = listing(
            database,
            author.market,
            person=person,
            search=query.search,
            before=query.before,
            limit=query.limit + 1,
        )
        return [_record(row) for row in found.to_dict("records")]

    found = await visitor.run("save", read)
    shown = found[: query.limit]
    before = shown[-1]["record"] if len(found) > len(shown) else None
    return await large_json_response({"records": shown, "before": before})


@router.get(
    "/v1/records/{number}",
    summary="One saved valuation",
    responses={200: {"model": RecordOut}, **error_responses(403, 404)},
)
async def record(request: Request, number: RecordNumber) -> Response:
    """Return a saved valuation of the person of the key; an owner sees those of all."""
    visitor = Visitor(request)

    def read(database: Database, author: Author, person: str | None) -> dict[str, Any]:
        from houseprice.records.valuations import get

        visitor.log_view(database, author, person)
        saved = get(database, author.market, _parse_number(number), person=person)
        return _record(saved.to_dict())

    return json_response(await visitor.run("save", read))


@router.delete(
    "/v1/records/{number}",
    status_code=204,
    summary="Delete what is personal in a saved valuation",
    responses={204: {"description": "It is deleted."}, **error_responses(403, 404, 422)},
    openapi_extra={"parameters": query_parameters(DeletionQuery)},
)
async def delete_record(request: Request, number: RecordNumber) -> Response:
    """Delete facts, reference, note, address and key; value and range stay, as evidence."""
    reason = parse_query(DeletionQuery, request).reason

    def delete(database: Database, author: Author, person: str | None) -> None:
        from houseprice.records import valuations

        valuations.delete(database, author, [_parse_number(number)], reason, person=person)

    await Visitor(request).run("save", delete)
    return Response(status_code=204)


def _parse_number(text: str) -> int:
    if not (text.isascii() and text.isdecimal() and 0 < int(text[:17]) < 2**53):
        raise RecordNotFound(f"There is no saved valuation {shorten(text)}.")
    return int(text[:17])


def _record(row: Mapping[Any, Any]) -> dict[str, Any]:
    """Return a row of the list as :class:`RecordOut`."""
    values = {
        str(name): None if not isinstance(value, dict) and pd.isna(value) else value
        for name, value in row.items()
    }
    facts, given = values["facts"], values["facts_given"]
    values |= {
        "record": values.pop("entry"),
        "facts": facts if isinstance(facts, dict) else json.loads(facts or "{}"),
        "facts_given": None if given is None else int(given),
    }
    return {name: values[name] for name in RecordOut.model_fields}
