"""Ask Kaggle's own client for files: a program that the module beside it runs; nobody imports it.

It is a process of its own because the client sets up logging for everybody, prints on both streams
(in one of its modes, the key), and waits for an answer without a limit. Nothing that it prints or
that its errors say goes on: the outcome is one JSON object on standard output, made of names of
files and of errors alone. It ends when its standard input does: with the process that started it.

    python -P kaggle_client.py COMPETITION FILE ...
"""

from __future__ import annotations

import json
import os
import re
import sys
import threading
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import TextIO


def main(competition: str, names: list[str]) -> dict[str, object]:
    """Download the files one by one, and say where they are or what went wrong.

    One by one, because an archive of all of them would be unpacked under the names that it gives.
    """
    try:
        import kagglehub

        return {
            "files": {name: kagglehub.competition_download(competition, name) for name in names}
        }
    except Exception as error:  # noqa: BLE001 - whatever it is, its text may not go on
        return described(error)


def described(error: Exception) -> dict[str, object]:
    """Name an error and what it came from, without a word of their texts."""
    chain = list(_chain(error))
    return {
        "kinds": [kind.__name__ for each in chain for kind in type(each).__mro__],
        "errno": next((e.errno for e in chain if isinstance(e, OSError) and e.errno), None),
        "status": next(filter(None, map(_status, chain)), None),
        "tunnel": next(filter(None, map(_tunnel, chain)), None),
        "at": [
            f"{Path(frame.filename).name}:{frame.lineno} {frame.name}"
            for frame in traceback.extract_tb(error.__traceback__)
        ],
    }


def _chain(error: BaseException) -> Iterator[BaseException]:
    """An error, then what caused it: the client's libraries keep that in several places."""
    waiting, seen = [error], set()
    while waiting:
        each = waiting.pop(0)
        if id(each) in seen:
            continue
        seen.add(id(each))
        yield each
        causes = (*each.args, getattr(each, "reason", None), each.__cause__, each.__context__)
        waiting += [cause for cause in causes if isinstance(cause, BaseException)]


def _status(error: BaseException) -> int | None:
    """What the server answered: it may say so in the body alone, under a status of 200."""
    response = getattr(error, "response", None)
    status: int | None = getattr(response, "status_code", None)
    if response is not None and status == 200:
        told = re.search(r'"code":\s*(\d{3})\b', response.text)
        return int(told[1]) if told else None
    return status


def _tunnel(error: BaseException) -> int | None:
    """What a proxy answered when it was asked to pass the connection on."""
    told = re.search(r"Tunnel connection failed: (\d{3})", str(error))
    return int(told[1]) if told else None


def _silenced() -> TextIO:
    """Leave nothing to print on but what we keep."""
    outcome = os.fdopen(os.dup(sys.stdout.fileno()), "w", encoding="utf-8")
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for stream in (sys.stdout, sys.stderr):
        os.dup2(nowhere, stream.fileno())
    return outcome


def _end_with_parent() -> None:
    # Past Python's own buffer, which must not be in use when Python ends before our parent does.
    while os.read(sys.stdin.fileno(), 1):
        pass
    os._exit(1)


if __name__ == "__main__":
    threading.Thread(target=_end_with_parent, daemon=True).start()
    with _silenced() as answer:
        json.dump(main(sys.argv[1], sys.argv[2:]), answer)
