"""A CSV body put aside in a file without a name, which is gone when it is closed.

Nobody else can open such a file, and nothing is left of it, even if the process is killed.
"""

from __future__ import annotations

import asyncio
import tempfile
from contextlib import ExitStack
from typing import BinaryIO, cast

from fastapi import Request

from houseprice.api.bodies import MEGABYTE, BodyLimits, incoming
from houseprice.api.faults import Fault
from houseprice.batch.reading.opened import open_csv
from houseprice.batch.reading.pieces import CsvFile
from houseprice.errors import InputError
from houseprice.market.contract import Contract
from houseprice.settings import Settings

__all__ = ["spooled", "unreadable"]

_AT_ONCE = MEGABYTE


async def spooled(
    request: Request, settings: Settings, contract: Contract, stack: ExitStack
) -> CsvFile:
    """Take in the body of a request, and look it through.

    Parameters
    ----------
    request : Request
    settings : Settings
        ``serve_max_csv_mb`` and what :func:`houseprice.batch.reading.opened.open_csv` needs.
    contract : Contract
    stack : ExitStack
        Closes the file.

    Raises
    ------
    Fault
        If the body is too large, too slow, or no CSV file with houses.
    """
    nameless = tempfile.TemporaryFile()  # noqa: SIM115 - the stack closes it
    file = cast(BinaryIO, stack.enter_context(nameless))
    most = settings.serve_max_csv_mb
    waiting = bytearray()
    limits = BodyLimits(most, most, settings.serve_timeout_s)
    async for piece in incoming(request.scope, request.receive, limits):
        waiting += piece
        if len(waiting) >= _AT_ONCE:
            await _write(file, waiting)
    await _write(file, waiting)
    opening = open_csv(file, "the file", settings, contract, most * MEGABYTE, only_text=True)
    try:
        return await asyncio.to_thread(stack.enter_context, opening)
    except InputError as error:
        raise unreadable(error) from None


def unreadable(error: InputError) -> Fault:
    """Tell what is wrong with a file as a whole."""
    text = str(error)
    detail = text[:1].upper() + text[1:]
    return Fault(422, "invalid_csv", detail, title="This file can't be valued")


async def _write(file: BinaryIO, waiting: bytearray) -> None:
    try:
        await asyncio.to_thread(file.write, bytes(waiting))
    except OSError:
        detail = "The server has no room for the file. Try again later, or send it in parts."
        raise Fault(507, "no_room", detail) from None
    waiting.clear()
