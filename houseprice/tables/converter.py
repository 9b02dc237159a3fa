"""The process that converts a workbook or a Parquet file to CSV.

:mod:`houseprice.tables.conversion` starts it. The file is its standard input, the CSV its standard
output, the request its argument, and the answer the last line of its standard error.
"""

from __future__ import annotations

import errno
import json
import sys

from houseprice.errors import InputError
from houseprice.tables.conversion import MAX_MEMORY, ConversionRequest

_NO_ROOM = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO})


def main() -> None:
    """Convert the file of the request, as this process."""
    _limit_memory()
    fields = json.loads(sys.argv[1])
    request = ConversionRequest(**{**fields, "known_names": tuple(fields["known_names"])})
    error, notes = "", list[str]()
    try:
        notes = _convert(request)
        sys.stdout.buffer.flush()
    except InputError as refusal:
        error = str(refusal)
    except MemoryError:
        error = str(request.out_of_memory())
    except OSError as failure:
        # A damaged file makes its reader seek to positions that it does not have.
        error = "disk" if failure.errno in _NO_ROOM else str(request.damaged())
    sys.stderr.write("\n" + json.dumps({"error": error, "notes": notes}))


def _convert(request: ConversionRequest) -> list[str]:
    if request.kind == "workbook":
        from houseprice.tables.excel import workbook_to_csv

        return workbook_to_csv(sys.stdin.buffer, sys.stdout.buffer, request)
    from houseprice.tables.parquet import parquet_to_csv

    return parquet_to_csv(sys.stdin.buffer, sys.stdout.buffer, request)


def _limit_memory() -> None:
    """Limit the memory of this process, where the system can."""
    try:
        import resource
    except ImportError:
        return
    most = resource.getrlimit(resource.RLIMIT_AS)[1]
    limit = MAX_MEMORY if most == resource.RLIM_INFINITY else min(MAX_MEMORY, most)
    resource.setrlimit(resource.RLIMIT_AS, (limit, most))
