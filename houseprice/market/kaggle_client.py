"""Program that downloads files with Kaggle's own client; :mod:`houseprice.market.kaggle` runs it.

It is a separate process because the client configures logging globally, prints on both streams (in
one mode, the key), and waits for an answer without a timeout. The outcome is one JSON object on
standard output that contains only names of files and of errors, never their texts. The program ends
when its standard input closes, and so with its parent process.

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
    """Download the files one by one, and return their paths or what failed.

    An archive of all of them would be extracted under the names that it contains.
    """
    try:
        import kagglehub

        return {
            "files": {name: kagglehub.competition_download(competition, name) for name in names}
        }
    except Exception as error:  # noqa: BLE001 - its text may contain a key
        return describe(error)


def describe(error: Exception) -> dict[str, object]:
    """Describe an error and its causes by names and numbers, without their texts."""
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
    """Yield an error and its causes, which the client's libraries keep in several places."""
    queue, seen = [error], set()
    while queue:
        each = queue.pop(0)
        if id(each) in seen:
            continue
        seen.add(id(each))
        yield each
        causes = (*each.args, getattr(each, "reason", None), each.__cause__, each.__context__)
        queue += [cause for cause in causes if isinstance(cause, BaseException)]


def _status(error: BaseException) -> int | None:
    """The HTTP status; it may be in the body alone, under a status of 200."""
    response = getattr(error, "response", None)
    status: int | None = getattr(response, "status_code", None)
    if response is not None and status == 200:
        code = re.search(r'"code":\s*(\d{3})\b', response.text)
        return int(code[1]) if code else None
    return status


def _tunnel(error: BaseException) -> int | None:
    """The status of a proxy that refused a tunnel."""
    code = re.search(r"Tunnel connection failed: (\d{3})", str(error))
    return int(code[1]) if code else None


def _redirect_output() -> TextIO:
    """Send both streams to the null device, and return the original standard output."""
    output = os.fdopen(os.dup(sys.stdout.fileno()), "w", encoding="utf-8")
    null = os.open(os.devnull, os.O_WRONLY)
    for stream in (sys.stdout, sys.stderr):
        os.dup2(null, stream.fileno())
    return output


def _end_with_parent() -> None:
    # Bypass Python's own buffer: it must not be in use when the interpreter shuts down.
    while os.read(sys.stdin.fileno(), 1):
        pass
    os._exit(1)


if __name__ == "__main__":
    threading.Thread(target=_end_with_parent, daemon=True).start()
    with _redirect_output() as output:
        json.dump(main(sys.argv[1], sys.argv[2:]), output)
