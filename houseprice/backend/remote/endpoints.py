"""The endpoints of a houseprice server: requests as JSON, answers checked before use.

An answer counts only if it fits the request: one valuation per house in their order, finite
positive prices within their ranges, at the requested coverage, in the market's currency, and a
reason for each house without a value.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from functools import lru_cache
from typing import Any, TypeVar

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pydantic import TypeAdapter, ValidationError

from houseprice.backend.base import (
    DEFAULT_INTERVAL,
    NUMBER_COLUMNS,
    ValuationResult,
    valuation_frame,
)
from houseprice.backend.remote.responses import HttpStatusError, parse_json, single_line
from houseprice.backend.remote.transport import Transport
from houseprice.backend.schemas import ValuationOut, ValuationsOut
from houseprice.errors import BackendInvalidResponse, InputError, ModelError
from houseprice.market.contract import Contract
from houseprice.market.parsing import integer_text
from houseprice.market.problems import Problem, concat_problems
from houseprice.market.validation import problem_order, validate

T = TypeVar("T")


@dataclass(frozen=True, eq=False)
class ValuedChunk:
    """A checked answer to some rows; `valued` has the valid rows only."""

    valid: NDArray[np.bool_]
    valued: pd.DataFrame
    problems: tuple[Problem, ...]
    model_version: str
    valued_at: datetime


def concat(chunks: Sequence[ValuedChunk], problems: Sequence[Problem]) -> ValuationResult:
    """Concatenate chunks of one table (at least one) and add problems of the whole table."""
    all_problems = concat_problems((len(chunk.valid), chunk.problems) for chunk in chunks)
    all_problems = sorted([*all_problems, *problems], key=lambda problem: problem.row or 0)
    frame = valuation_frame(
        np.concatenate([chunk.valid for chunk in chunks]),
        all_problems,
        chunks[0].valued
        if len(chunks) == 1
        else pd.concat([chunk.valued for chunk in chunks], ignore_index=True),
        chunks[0].model_version,
        chunks[-1].valued_at,
    )
    return ValuationResult(frame, tuple(all_problems))


class Endpoints:
    """Calls the endpoints of a server for houses of one market.

    An invalid house raises InputError and an impossible request ModelError, as in this process.
    """

    def __init__(self, transport: Transport, contract: Contract) -> None:
        self._transport = transport
        self._contract = contract
        self.host = transport.host
        self._column_problems = lru_cache(maxsize=16)(
            # A table without rows has problems only of its columns.
            lambda names: (
                validate(pd.DataFrame(columns=pd.Index(names, dtype=object)), contract).problems
            )
        )

    def get(self, path: str, schema: type[T]) -> T:
        """GET a path, and check the answer against its schema."""
        return self._parse(self._transport.get(path), schema)

    def post(self, path: str, body: object, schema: type[T]) -> T:
        """POST a body, and check the answer against its schema."""
        try:
            text = self._transport.post(path, body, compress=True)
        except HttpStatusError as error:
            if error.status == 422 and error.code == "invalid_house":
                raise InputError(error.detail) from None
            if error.status == 422 and error.code == "not_possible":
                raise ModelError(error.detail) from None
            raise
        return self._parse(text, schema)

    def value(
        self, rows: pd.DataFrame, options: dict[str, Any], *, check_limits: bool
    ) -> ValuedChunk:
        """Value as many rows as fit in a request.

        `options` has ``interval`` and ``evidence``. With `check_limits` a price outside the limits
        of the contract is an invalid answer; a server with another contract has other limits.
        """
        answer = self._valuations(rows, options)
        interval = options.get("interval", DEFAULT_INTERVAL)
        return self._checked(answer, len(rows), interval, check_limits=check_limits)

    def value_one(self, rows: pd.DataFrame, options: dict[str, Any]) -> ValuationOut:
        """Value one house with ``explain`` or ``comparables``."""
        self._check_single(rows)
        answer = self._valuations(rows, options)
        chunk = self._checked(answer, 1, DEFAULT_INTERVAL, check_limits=False)
        valuation = answer.valuations[0]
        if valuation is None:
            errors = [each.sentence for each in chunk.problems if each.severity == "error"]
            raise InputError(" ".join(errors))
        return valuation

    def column_problems(self, rows: pd.DataFrame) -> tuple[Problem, ...]:
        """Return the problems of a table's columns, without a request.

        Raises InputError if two columns have the same name.
        """
        return self._column_problems(tuple(rows.columns))

    def house(self, rows: pd.DataFrame) -> dict[str, Any]:
        """Return one house as the server reads it; raises InputError for several."""
        self._check_single(rows)
        return json_rows(rows, self._contract)[0]

    def missing_part(self, name: str) -> BackendInvalidResponse:
        """Return the error for an answer without a requested part."""
        message = f"The answer of the server at {self.host} lacks {name}. Try again."
        return BackendInvalidResponse(message, reason="shape")

    def _valuations(self, rows: pd.DataFrame, options: dict[str, Any]) -> ValuationsOut:
        body = {"rows": json_rows(rows, self._contract), **options}
        return self.post("/v1/valuations", body, ValuationsOut)

    def _check_single(self, rows: pd.DataFrame) -> None:
        if len(rows) != 1:
            raise InputError(f"This is available for one house at a time, not for {len(rows)}.")
        self.column_problems(rows)

    def _parse(self, text: bytes, schema: type[T]) -> T:
        parse_json(text, self.host)
        try:
            return TypeAdapter(schema).validate_json(text, strict=True)
        except ValidationError as error:
            first = error.errors(include_url=False, include_input=False)[0]
            path = ".".join(str(part) for part in first["loc"])
            message = first["msg"].removeprefix("Value error, ")
            raise self._invalid(f"{path}: {message}" if path else message) from None

    def _checked(
        self, answer: ValuationsOut, n_rows: int, interval: float, *, check_limits: bool
    ) -> ValuedChunk:
        """Check an answer against its request."""
        problems = [
            Problem(**each.model_dump(exclude={"reference", "record"}))
            for each in answer.errors + answer.notes
        ]
        limits = self._contract.market.price.limits if check_limits else (-math.inf, math.inf)
        error_rows = {each.row for each in problems if each.severity == "error"}
        row_faults = (
            _row_fault(valuation, row, interval, limits, has_error=row in error_rows)
            for row, valuation in enumerate(answer.valuations, start=1)
        )
        fault = self._table_fault(answer, problems, n_rows) or next(filter(None, row_faults), None)
        if fault:
            raise self._invalid(fault)
        valued = [each for each in answer.valuations if each is not None]
        columns: dict[str, Any] = {
            name: [getattr(v, name) for v in valued] for name in NUMBER_COLUMNS
        }
        columns["comparables"] = [tuple(v.comparable_ids or ()) for v in valued]
        columns["top_drivers"] = [tuple(v.top_drivers or ()) for v in valued]
        return ValuedChunk(
            np.array([each is not None for each in answer.valuations], dtype=bool),
            pd.DataFrame(columns),
            tuple(sorted(problems, key=problem_order(self._contract.columns))),
            answer.model_version,
            answer.valued_at,
        )

    def _table_fault(
        self, answer: ValuationsOut, problems: Sequence[Problem], n_rows: int
    ) -> str | None:
        n_answers = len(answer.valuations)
        if n_answers != n_rows:
            return f"{n_rows:,} houses were sent and {n_answers:,} answers came back"
        currency = self._contract.market.price.currency
        if answer.currency != currency:
            return f"its prices are in {answer.currency}, not in {currency}"
        if not all(each.row is None or 1 <= each.row <= n_rows for each in problems):
            return "it reports problems of houses that were not sent"
        return None

    def _invalid(self, reason: str) -> BackendInvalidResponse:
        message = (
            f"The server at {self.host} gave an invalid answer, so none of it is shown "
            f"({single_line(reason)}). Contact its operator."
        )
        return BackendInvalidResponse(message, reason="shape")


def _row_fault(
    valuation: ValuationOut | None,
    row: int,
    interval: float,
    limits: tuple[float, float],
    *,
    has_error: bool,
) -> str | None:
    if valuation is None:
        return None if has_error else f"house {row:,} has no value and no reason"
    if has_error:
        return f"house {row:,} has a value and an error"
    if valuation.row != row:
        return f"the answer to house {row:,} is numbered {valuation.row:,}"
    if abs(valuation.interval - interval) > 1e-9:
        return f"the coverage of the range is {valuation.interval:.0%} instead of {interval:.0%}"
    lower, upper = limits
    if not lower <= valuation.price_low <= valuation.price_high <= upper:
        return f"{valuation.predicted_price:,.6g} is outside the price limits of this market"
    return None


_MAX_EXACT_INTEGER = 2**53
"""Up to here every JSON reader reads an integer exactly."""


def json_rows(rows: pd.DataFrame, contract: Contract) -> list[dict[str, Any]]:
    """Convert raw rows so that the server reads the same values: numbers, texts, null.

    Only the columns of the contract leave this computer, and the id of a house, so that it is not
    its own comparable sale.
    """
    names = [name for name in contract.columns if name in rows.columns]
    # For few rows, one block of objects is much faster than eighty columns.
    block = rows[names].to_numpy(dtype=object)
    objects = [
        {
            name: None if is_missing else _json_value(value)
            for name, value, is_missing in zip(names, values, missing, strict=True)
        }
        for values, missing in zip(block.tolist(), pd.isna(block).tolist(), strict=True)
    ]
    id_column = contract.market.id
    if id_column in rows.columns and id_column not in names:
        # Ids are compared as text: 7.0 differs from 7.
        column = rows[id_column]
        texts = zip(column.astype(str), pd.isna(column), strict=True)
        for each, (text, is_missing) in zip(objects, texts, strict=True):
            each[id_column] = None if is_missing else _encodable(str(text))
    return objects


def _json_value(value: object) -> str | int | float | bool:
    """Convert one cell; numbers without an exact JSON form become text."""
    if isinstance(value, str):
        return _encodable(value)
    if hasattr(value, "item"):  # a numpy scalar
        value = value.item()
    if isinstance(value, bool):
        return value
    if isinstance(value, int):
        return value if abs(value) <= _MAX_EXACT_INTEGER else integer_text(value)
    if isinstance(value, float):
        return value if math.isfinite(value) else repr(value)
    if isinstance(value, Decimal):
        return str(value)
    return _encodable(str(value))


def _encodable(text: str) -> str:
    """Replace lone surrogates by "?", which UTF-8 can't encode."""
    return text if text.isascii() else text.encode("utf-8", "replace").decode("utf-8")
