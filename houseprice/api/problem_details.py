"""Errors of a whole request as problem details (RFC 9457).

An error of one row is not one of them: it is listed in the response, and the other rows get their
values.
"""

from __future__ import annotations

import logging
import secrets
import traceback
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request, Response
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.routing import Match

from houseprice.backend.strict_json import write_json
from houseprice.errors import InputError, ModelError, StoreError

Responses = dict[int | str, dict[str, Any]]

PROBLEMS: dict[str, tuple[int, str]] = {
    "broken_gzip": (400, "The body is declared as gzip, but it can't be decompressed."),
    "cut_off": (400, "The connection ended before the request was complete."),
    "invalid_json": (400, "The body is not JSON, or it is ambiguous: NaN, a key given twice."),
    "no_key": (401, "The server requires a key, and the request has none."),
    "wrong_key": (401, "The key is not one of the server's."),
    "no_person": (403, "The server can't tell its clients apart, so it keeps no records."),
    "not_allowed": (403, "The role of the person of the key does not allow this."),
    "no_model": (404, "There is no model, or no version of it, of this name."),
    "not_found": (404, "There is nothing at this address, or no version of this name."),
    "unknown_market": (404, "The server has no market of this name."),
    "method_not_allowed": (405, "The address has other methods; the header Allow lists them."),
    "not_acceptable": (406, "What was requested can't be in the media type that is accepted."),
    "body_too_slow": (408, "The body did not arrive in time."),
    "too_large": (413, "The body is larger than the server accepts; send several."),
    "too_many_rows": (413, "The request has more houses than the server accepts; send several."),
    "unknown_encoding": (415, "The body is compressed in another way than with gzip."),
    "wrong_charset": (415, "JSON in another encoding than UTF-8."),
    "wrong_type": (415, "The route reads other media types than that of the body."),
    "wrong_host": (421, "The request is for a name that is not this server's."),
    "invalid_csv": (422, "The file is not a table with houses; the detail says why."),
    "invalid_house": (422, "A question about one house that can't be valued."),
    "invalid_request": (422, "A member of the body or of the query is wrong; `field` names it."),
    "no_output": (422, "The model has no output tensor of this name."),
    "not_possible": (422, "The model can't answer this question."),
    "too_many_at_once": (429, "The client has as many requests at once as one may have."),
    "too_many_requests": (429, "The key has used up its requests per minute."),
    "too_many_wrong_keys": (429, "Too many wrong keys came from the address of the client."),
    "unexpected": (500, "An error of the server; `number` finds it in its log."),
    "busy": (503, "The server has as many requests as it can answer."),
    "no_records": (503, "The database of the records can't be used; nothing was saved."),
    "not_ready": (503, "The model is not ready; the detail says why."),
    "starting": (503, "There is no model yet: it is being opened or trained."),
    "stopping": (503, "The server is stopping."),
    "timeout": (504, "The request took longer than one may take; send fewer houses."),
    "http_too_old": (505, "HTTP/1.0 can't mark a response as complete; use HTTP/1.1."),
    "no_room": (507, "The server has no room for the file."),
}
"""The kinds of problems of a whole request by their codes: status and meaning."""

PROBLEMS_PATH = "/docs/problems"
"""Where the service describes them, with an anchor for each code."""

PROBLEM_JSON = "application/problem+json"

logger = logging.getLogger(__name__)


class ApiError(Exception):
    """An error that is the response to a request.

    ``code`` is a stable name for programs, ``title`` names the kind of error (by default the phrase
    of the HTTP status), ``detail`` says what is wrong and what is expected, and ``extras`` are more
    members of the problem details.
    """

    def __init__(
        self,
        status: int,
        code: str,
        detail: str,
        *,
        title: str | None = None,
        headers: Mapping[str, str] | None = None,
        extras: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.code = code
        self.detail = detail
        self.title = title or HTTPStatus(status).phrase
        self.headers = dict(headers or {})
        self.extras = dict(extras or {})

    def response(self, instance: str | None = None, root_path: str = "") -> Response:
        """Serialize the error; ``instance`` is the id of the request.

        ``root_path`` is where the service is mounted.
        """
        known = self.code in PROBLEMS
        members: dict[str, Any] = {
            "type": f"{root_path}{PROBLEMS_PATH}#{self.code}" if known else "about:blank",
            "title": self.title,
            "status": self.status,
            "detail": self.detail,
            "code": self.code,
        }
        if instance:
            members["instance"] = instance
        body = write_json(members | self.extras)
        return Response(body, self.status, self.headers, media_type=PROBLEM_JSON)


class ServerBusy(ApiError):
    """The server can't answer now; ``seconds`` says when to try again."""

    def __init__(self, detail: str, seconds: int = 1, code: str = "busy") -> None:
        super().__init__(503, code, detail, headers={"Retry-After": str(seconds)})


def install_error_handlers(app: FastAPI) -> None:
    """Make an app answer the errors that are expected with problem details."""
    for kind in (ApiError, HTTPException, InputError, ModelError, TimeoutError, ClientDisconnect):
        app.add_exception_handler(kind, _handle)


async def _handle(request: Request, error: Exception) -> Response:
    instance = getattr(request.state, "request_id", None)
    problem = to_api_error(error)
    if problem.status == HTTPStatus.METHOD_NOT_ALLOWED:
        # Starlette names the methods of the first route with this path only.
        problem.headers["Allow"] = ", ".join(_methods(request))
    return problem.response(instance, request.scope.get("root_path", ""))


def _methods(request: Request) -> list[str]:
    """Return the methods of all routes of the path of a request, sorted."""
    return [
        method
        for method in ("DELETE", "GET", "HEAD", "PATCH", "POST", "PUT")
        if any(
            route.matches({**request.scope, "method": method})[0] == Match.FULL
            for route in request.app.routes
        )
    ]


def to_api_error(error: Exception) -> ApiError:
    """Convert any error of a request."""
    match error:
        case ApiError():
            return error
        case HTTPException():
            code, detail = {
                404: ("not_found", "There is nothing at this address. What there is: /docs."),
                405: ("method_not_allowed", "This address does not take this method."),
                413: ("too_large", "The body is too large."),
            }.get(
                error.status_code, (HTTPStatus(error.status_code).name.lower(), str(error.detail))
            )
            return ApiError(error.status_code, code, detail, headers=error.headers)
        case InputError():
            return ApiError(422, "invalid_house", str(error), title="This house can't be valued")
        case ModelError() if not isinstance(error, StoreError):
            return ApiError(422, "not_possible", str(error))
        case TimeoutError():
            return ApiError(504, "timeout", "This took too long. Send fewer houses, or try later.")
        case ClientDisconnect():
            return ApiError(400, "cut_off", "The request ended before it was complete.")
    return unexpected_error(error)


def unexpected_error(error: Exception) -> ApiError:
    """Log an error under a random number and report the number.

    Neither the response nor the log holds the text of the error: it may quote a house.
    """
    number = secrets.token_hex(4)
    frames = "".join(traceback.format_list(traceback.extract_tb(error.__traceback__)))
    logger.error("unexpected error %s: %s\n%s", number, type(error).__name__, frames)
    detail = f"The server made a mistake. Give its operator the number {number}."
    return ApiError(500, "unexpected", detail, extras={"number": number})


class ProblemDetails(BaseModel):
    """What is wrong with a request as a whole (RFC 9457)."""

    type: str = Field(
        description="Address of the description of this kind of problem",
        json_schema_extra={"format": "uri-reference"},
    )
    title: str
    status: int
    detail: str = Field(description="What is wrong and what is expected")
    code: str = Field(
        description="Stable name of the kind of problem",
        json_schema_extra={"examples": [*PROBLEMS]},
    )
    instance: str = Field(description="The id of the request")
    field: str | None = Field(None, description="The member that is wrong, if it is one")
    number: str | None = Field(None, description="Finds an unexpected error in the log")


def error_responses(*statuses: int, body: bool = False) -> Responses:
    """Document the errors of a route, with those that every route or every body can have."""
    documented = {401, 421, 429, 500, 503, *statuses}
    if body:
        documented |= {400, 408, 413, 415, 422, 504}
    content = {PROBLEM_JSON: {"schema": {"$ref": "#/components/schemas/ProblemDetails"}}}
    return {
        status: {"description": _description(status), "content": content}
        for status in sorted(documented)
    }


def _description(status: int) -> str:
    return " ".join(
        f"`{code}`: {meaning}" for code, (each, meaning) in PROBLEMS.items() if each == status
    )
