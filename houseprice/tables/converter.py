"""The other process: it reads a workbook or a Parquet file and writes it as CSV.

:mod:`houseprice.tables.conversion` starts it. The file is its standard input, the CSV its
standard output, what was asked its one argument, and what it has to say the last line of standard
error.
"""

from __future__ import annotations

import errno
import json
import sys

from houseprice.errors import InputError
from houseprice.tables.conversion import MEMORY, ConversionRequest

__all__ = ["main"]

_NO_ROOM = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO})


def main() -> None:
    """Do what the argument asks."""
    _limit_memory()
    asked = json.loads(sys.argv[1])
    wish = ConversionRequest(**{**asked, "known": tuple(asked["known"])})
    error, notes = "", list[str]()
    try:
        notes = _convert(wish)
        sys.stdout.buffer.flush()
    except InputError as refusal:
        error = str(refusal)
    except MemoryError:
        error = str(wish.too_hungry())
    except OSError as failure:
        # A damaged file sends its reader to places that it does not have.
        error = "disk" if failure.errno in _NO_ROOM else str(wish.damaged())
    sys.stderr.write("\n" + json.dumps({"error": error, "notes": notes}))


def _convert(wish: ConversionRequest) -> list[str]:
    if wish.kind == "workbook":
        from houseprice.tables.workbook import workbook_to_csv

        return workbook_to_csv(sys.stdin.buffer, sys.stdout.buffer, wish)
    from houseprice.tables.parquet import parquet_to_csv

    return parquet_to_csv(sys.stdin.buffer, sys.stdout.buffer, wish)


def _limit_memory() -> None:
    """Hold this process to its memory, where the system can."""
    try:
        import resource
    except ImportError:
        return
    most = resource.getrlimit(resource.RLIMIT_AS)[1]
    limit = MEMORY if most == resource.RLIM_INFINITY else min(MEMORY, most)
    resource.setrlimit(resource.RLIMIT_AS, (limit, most))
