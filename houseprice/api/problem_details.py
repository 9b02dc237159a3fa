"""What is wrong with a whole request, told as problem details (RFC 9457).

A fault of one row is none of these: it stands in the answer, and the other rows get their values.
"""

from __future__ import annotations

import logging
import secrets
import traceback
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request, Response
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from houseprice.backend.strict_json import write_json
from houseprice.errors import InputError, ModelError, StoreError

__all__ = ["ApiError", "ServerBusy", "Unexpected", "error_from", "install_error_handlers"]

PROBLEM_JSON = "application/problem+json"

logger = logging.getLogger(__name__)


class ApiError(Exception):
    """A request that is not answered as it was asked.

    Parameters
    ----------
    status : int
        The HTTP status.
    code : str
        Stable name of the kind of fault, for programs.
    detail : str
        What is wrong and what would do, in words.
    title : str, optional
        The kind of fault in words; by default what HTTP calls the status.
    headers : mapping of str to str, optional
    extras : mapping, optional
        More members of the answer.
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

    def response(self, instance: str | None = None) -> Response:
        """Write the answer; ``instance`` is the id of the request."""
        members: dict[str, Any] = {
            "type": f"urn:houseprice:problem:{self.code}",
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
    """More is waiting than should; ``seconds`` says when to come back."""

    def __init__(self, detail: str, seconds: int = 1, code: str = "busy") -> None:
        super().__init__(503, code, detail, headers={"Retry-After": str(seconds)})


class Unexpected:
    """Middleware that answers what nobody foresaw with a number, and logs the rest under it.

    Neither the answer nor the log holds the text of the error: it may quote a house.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        started = False

        async def noticing(message: Message) -> None:
            nonlocal started
            started = started or message["type"] == "http.response.start"
            await send(message)

        try:
            await self._app(scope, receive, noticing)
        except Exception as error:
            if scope["type"] != "http":
                raise
            fault = _numbered(error)
            if not started:
                await fault.response(_instance(Request(scope)))(scope, receive, send)


def install_error_handlers(app: FastAPI) -> None:
    """Make an app answer every error with problem details."""
    for kind in (ApiError, HTTPException, InputError, ModelError, TimeoutError, ClientDisconnect):
        app.add_exception_handler(kind, _answer)
    app.add_middleware(Unexpected)


async def _answer(request: Request, error: Exception) -> Response:
    return error_from(error).response(_instance(request))


def error_from(error: Exception) -> ApiError:
    """Say as a fault what went wrong with a request."""
    match error:
        case ApiError():
            return error
        case HTTPException():
            return _of_http(error)
        case InputError():
            return ApiError(422, "invalid_house", str(error), title="This house can't be valued")
        case ModelError() if not isinstance(error, StoreError):
            return ApiError(422, "not_possible", str(error))
        case TimeoutError():
            return ApiError(504, "timeout", "This took too long. Send fewer houses, or try later.")
        case ClientDisconnect():
            return ApiError(400, "cut_off", "The request ended before it was complete.")
    return _numbered(error)


def _of_http(error: HTTPException) -> ApiError:
    code, detail = {
        404: ("not_found", "There is nothing at this address. What there is: /docs."),
        405: ("method_not_allowed", "This address does not take this method."),
        413: ("too_large", "The body is too large."),
    }.get(error.status_code, (HTTPStatus(error.status_code).name.lower(), str(error.detail)))
    return ApiError(error.status_code, code, detail, headers=error.headers)


def _numbered(error: Exception) -> ApiError:
    number = secrets.token_hex(4)
    places = "".join(traceback.format_list(traceback.extract_tb(error.__traceback__)))
    logger.error("unexpected error %s: %s\n%s", number, type(error).__name__, places)
    detail = f"This server made a mistake. Tell whoever runs it the number {number}."
    return ApiError(500, "unexpected", detail, extras={"number": number})


def _instance(request: Request) -> str | None:
    found = getattr(request.state, "request_id", None)
    return None if found is None else str(found)
