"""The time of each parser of foreign input grows with its size, and not with the square of it."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Any

import pytest

from houseprice.api.bodies import check_content_type
from houseprice.api.compat.tensors import read_rows
from houseprice.api.problem_details import ApiError
from houseprice.backend.strict_json import StrictJsonError, read_json
from houseprice.errors import InputError
from houseprice.market.contract import Contract, load_contract
from houseprice.market.dates import parse_date
from houseprice.market.parsing import parse_cell
from houseprice.market.validation import unknown_fields
from houseprice.settings import Settings
from houseprice.tables.reader import open_csv
from tests.hamlet import write_hamlet

SIZE = 2_000
FACTOR = 16
MAX_RATIO = 80
"""A linear parser takes 16 times as long, one of the square 256 times."""


Case = tuple[Callable[[Any, Contract], object], Callable[[int], Any]]


def members(n: int) -> str:
    return ",".join(f'"{i}":0' for i in range(n))


def parse_json(text: str, _: Contract) -> None:
    read_json(text.encode())


def parse_csv(text: str, contract: Contract) -> None:
    with open_csv(text.encode(), "houses.csv", Settings(), contract) as source:
        for _ in source.chunks():
            pass


def parse_cells(text: str, contract: Contract) -> None:
    for field in contract.fields.values():
        parse_cell(field, text)
    parse_date(text, "ymd")


def parse_tensors(inputs: list[dict[str, Any]], _: Contract) -> None:
    read_rows(inputs, b"", 10)


def parse_fields(row: dict[str, Any], contract: Contract) -> None:
    unknown_fields([row], contract)


def parse_media_type(text: str, _: Contract) -> None:
    check_content_type(text)


CASES: dict[str, Case] = {
    "JSON: duplicate key": (parse_json, lambda n: f'{{{members(n)},"{n - 1}":0}}'),
    "JSON: objects": (parse_json, lambda n: f"[{','.join(['{}'] * n)}]"),
    "JSON: escapes": (parse_json, lambda n: json.dumps('\\"\u00e9' * n)),
    "JSON: numbers": (parse_json, lambda n: f"[{','.join(['0.1'] * n)}]"),
    "JSON: nested": (parse_json, lambda n: "[" * n),
    "JSON: blanks": (parse_json, lambda n: " " * n + "x"),
    "JSON: surrogates": (parse_json, lambda n: '["' + "\\ud83d\\ude00" * n + '"]'),
    "CSV: columns": (parse_csv, lambda n: ",".join(map(str, range(n))) + "\n" + "1," * n + "\n"),
    "CSV: rows": (parse_csv, lambda n: "size,quarter\n" + "120,N\n" * n),
    "CSV: marks": (parse_csv, lambda n: "size,quarter\n" + '"' * n + ",N\n"),
    "CSV: open mark": (parse_csv, lambda n: 'size,quarter\n"' + "x\n" * n),
    "CSV: separators": (parse_csv, lambda n: "size;quarter\n" + ";,\t|" * n + "\n"),
    "cell: digits": (parse_cells, lambda n: "1" * n),
    "cell: groups": (parse_cells, lambda n: "1,000" * n),
    "cell: blanks": (parse_cells, lambda n: f"1{' ' * n}1"),
    "cell: dates": (parse_cells, lambda n: "2014-" * n),
    "cell: marks": (parse_cells, lambda n: "'" * n),
    "cell: words": (parse_cells, lambda n: "ab " * n),
    "tensors": (
        parse_tensors,
        lambda n: [
            {"name": str(i), "shape": [1], "datatype": "INT8", "data": [1]} for i in range(n)
        ],
    ),
    "fields": (parse_fields, lambda n: {str(i): 0 for i in range(n)}),
    "media type": (parse_media_type, lambda n: "a/b" + ";" * n + '"'),
}


def seconds(call: Callable[[], object]) -> float:
    """The CPU time of the fastest of three calls, refused or not."""
    times = []
    for _ in range(3):
        started = time.process_time()
        with suppress(StrictJsonError, ApiError, InputError):
            call()
        times.append(time.process_time() - started)
    return max(min(times), 1e-3)


@pytest.fixture(scope="module")
def contract(tmp_path_factory: pytest.TempPathFactory) -> Contract:
    return load_contract(write_hamlet(tmp_path_factory.mktemp("hamlet")))


@pytest.mark.parametrize("case", CASES)
def test_sixteen_times_the_input_takes_about_sixteen_times_as_long(
    contract: Contract, case: str
) -> None:
    parse, make = CASES[case]
    small, large = (seconds(partial(parse, make(n), contract)) for n in (SIZE, SIZE * FACTOR))
    assert large / small < MAX_RATIO
