"""The body of a request: strict JSON, and nothing in it that would be left unread."""

from __future__ import annotations

import asyncio
import difflib
from collections.abc import Collection
from email.message import Message
from typing import Any

from fastapi import Request

from houseprice.api.engine import Engine
from houseprice.api.faults import Fault
from houseprice.backend.strict_json import NotStrictError, read_json
from houseprice.market.cells import shown

__all__ = ["LARGE", "a_house", "json_of", "members"]

LARGE = 32_768
"""Bytes from which a body is read beside the event loop, so that other requests go on."""

_OBJECTS = 3  # a house; more only where houses have objects for cells, or columns have them
_CELLS = 2  # of each column of a house
_ANYWAY = 200_000  # however few the houses may be: what takes no memory worth a word


async def json_of(request: Request) -> Any:  # noqa: ANN401 - JSON may hold anything
    """Read the body of a request.

    Raises
    ------
    Fault
        If it is not said to be JSON in UTF-8 (415), is no strict JSON (400), or holds far more than
        the houses of one request have (413).
    TimeoutError
        If others have their large bodies read for too long.
    """
    _refuse_other_types(request.headers.get("content-type", ""))
    body = await request.body()
    try:
        return read_json(body) if len(body) <= LARGE else await _large(request, body)
    except NotStrictError as error:
        detail = f"The body can't be read: {error}."
        raise Fault(400, "invalid_json", detail, title="This is no valid JSON") from None


def members(body: object, known: Collection[str], required: Collection[str]) -> dict[str, Any]:
    """Take a body for an object of known members.

    Raises
    ------
    Fault
        If it is none (422), naming the member that was likely meant.
    """
    if not isinstance(body, dict):
        raise unusable(f"The body must be an object with {_listed(required)}.")
    for name in body:
        if name not in known:
            near = difflib.get_close_matches(name[:40].casefold(), known, n=1)
            hint = f" Did you mean «{near[0]}»?" if near else f" There are: {_listed(known)}."
            raise unusable(f"There is no «{shown(name)}» to ask for.{hint}", field=shown(name))
    for name in required:
        if name not in body:
            raise unusable(f"«{name}» is missing from the body.", field=name)
    return body


def a_house(value: object, name: str) -> dict[str, Any]:
    """Take a member for a house.

    Raises
    ------
    Fault
        If it is none (422).
    """
    if not isinstance(value, dict):
        raise unusable(f"«{name}» must be an object: one house by its fields.", field=name)
    return value


def unusable(detail: str, *, field: str | None = None) -> Fault:
    """Say that JSON does not ask for anything that can be answered."""
    extras = {} if field is None else {"field": field}
    return Fault(422, "invalid_request", detail, title="This can't be answered", extras=extras)


async def _large(request: Request, body: bytes) -> Any:  # noqa: ANN401 - JSON may hold anything
    """Read a large body, one at a time: read, it takes many times its size."""
    engine: Engine = request.app.state.engine
    columns = len(engine.contract.columns)
    _refuse_too_much(body, engine.settings.serve_max_rows, columns)
    async with asyncio.timeout(engine.settings.serve_timeout_s), engine.reading:
        return await asyncio.to_thread(read_json, body)


def _refuse_too_much(body: bytes, most_rows: int, columns: int) -> None:
    """Refuse what can't be the houses of one request, by its signs, before it is in memory.

    Signs within texts count too: no house has so many of them.
    """
    objects = body.count(b"{")
    values = objects + body.count(b"[") + body.count(b",")
    most_values = _CELLS * most_rows * (columns + 1) + _ANYWAY
    if objects > _OBJECTS * most_rows + _ANYWAY or values > most_values:
        detail = f"One request may have {most_rows:,} houses, and this one holds far more."
        raise Fault(413, "too_many_rows", f"{detail} Send them in pieces.")


def _refuse_other_types(header: str) -> None:
    if header == "application/json":  # what nearly all say, and takes no reading
        return
    said = Message()
    said["content-type"] = header or "application/octet-stream"
    charset = said.get_param("charset", "utf-8")
    if said.get_content_type() != "application/json":
        got = f"not {shown(header)}" if header else "and the request names no type"
        raise Fault(415, "wrong_type", f"Send application/json: {got}.")
    if not isinstance(charset, str) or charset.casefold() not in {"utf-8", "utf8"}:
        raise Fault(415, "wrong_charset", "JSON is always UTF-8: say no charset, or utf-8.")


def _listed(names: Collection[str]) -> str:
    return ", ".join(f"«{name}»" for name in names)
