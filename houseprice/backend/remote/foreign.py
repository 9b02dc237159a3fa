"""The backend of a server with a foreign protocol, which returns predicted prices only.

Rows are validated here, and invalid ones are not sent. Each number of an answer is assigned to its
house, converted to money, and refused if it is outside the price limits of the market.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np
import pandas as pd

from houseprice.backend.base import (
    DEFAULT_INTERVAL,
    Backend,
    BackendInfo,
    ValuationResult,
    chunks,
    not_supported,
    report_valued,
    valuation_frame,
)
from houseprice.backend.remote.parity import Parity, compare_prices
from houseprice.backend.remote.protocols import (
    Cell,
    ColumnKind,
    ForeignTable,
    Reply,
    codec_for,
)
from houseprice.backend.remote.transport import REQUEST_ROWS, Transport
from houseprice.errors import BackendError, BackendInvalidResponse
from houseprice.formatting import join_words
from houseprice.market.contract import Contract
from houseprice.market.fields import Field
from houseprice.market.metadata import Dialect
from houseprice.market.problems import Problem
from houseprice.market.validation import validate
from houseprice.model.conformal import check_level
from houseprice.model.store.artefact import NO_GOLDEN_ROWS, GoldenRows
from houseprice.progress import Progress
from houseprice.settings import Settings

_PRICES_ONLY = "This server gives predicted prices only: no ranges, reasons or comparable sales."
_PARITY_REMARKS: dict[Parity, str] = {
    "same": "It gives the same values as the model of this computer.",
    "other": "It gives other values than the model of this computer.",
    "log": "It seems to answer in log prices: set HOUSEPRICE_API_TARGET to log.",
    "log1p": "It seems to answer in log prices: set HOUSEPRICE_API_TARGET to log1p.",
}


class ForeignBackend(Backend):
    """Values houses with a server of a foreign protocol (regression, inputs, mlflow or oip)."""

    def __init__(
        self,
        transport: Transport,
        protocol: str,
        contract: Contract,
        settings: Settings,
        golden: GoldenRows = NO_GOLDEN_ROWS,
        *,
        request_rows: int = REQUEST_ROWS,
    ) -> None:
        self._transport = transport
        self._request_rows = request_rows
        self._contract = contract
        self._target = settings.api_target
        self._codec = codec_for(protocol, settings.api_model)
        self._dialect = contract.dialects.get(protocol, Dialect())
        self._golden = golden
        self._version = ""
        self._remarks: tuple[str, ...] | None = None

    def info(self) -> BackendInfo:
        """Return which model answers, as far as the server reports it."""
        if self._remarks is None:
            self._version = self._codec.version(self._transport)
            self._remarks = (_PRICES_ONLY, *self._parity_remarks())
        return BackendInfo(
            backend=f"the server at {self._transport.host}",
            model_version=self._version,
            package_version="",
            market_title=self._contract.market.title,
            as_of=None,
            trained_at=None,
            n_sales=None,
            capabilities=frozenset(),
            remarks=self._remarks,
        )

    def value(
        self,
        rows: pd.DataFrame,
        *,
        interval: float = DEFAULT_INTERVAL,
        evidence: bool = False,
        progress: Progress | None = None,
    ) -> ValuationResult:
        """Validate rows here, and value the valid ones on the server."""
        check_level(interval)
        if evidence:
            raise not_supported("evidence")
        checked = validate(rows, self._contract)
        valid = checked.valid.copy()
        valid_rows = np.flatnonzero(valid)
        problems = list(checked.problems)
        prices: list[float] = []
        aligner = Aligner(self._request)
        for chunk in chunks(len(valid_rows), self._request_rows):
            positions = valid_rows[chunk]
            results = aligner.align(self._table(checked.houses.iloc[positions]))
            for position, result in zip(positions.tolist(), results, strict=True):
                if result.number is None:
                    valid[position] = False
                    house = checked.houses.iloc[position]
                    problems.append(self._refusal(position + 1, house, result.refusal))
                else:
                    prices.append(self._price(result.number))
            report_valued(progress, chunk.stop, len(valid_rows))
        values = pd.DataFrame({"predicted_price": prices})
        frame = valuation_frame(valid, problems, values, self._version, datetime.now(UTC))
        return ValuationResult(frame, tuple(sorted(problems, key=lambda problem: problem.row or 0)))

    def _refusal(self, row: int, house: pd.Series, reason: str) -> Problem:
        """Return the problem of a refused house; it names unknown fields that may be the cause."""
        required = [field for field in self._contract.fields.values() if field.required]
        unknown = [field for field in required if math.isnan(house[field.column])]
        cause = ""
        if unknown:
            cause = f"; it may need {join_words([field.label for field in unknown])}"
        message = f"The server did not value this house{cause}. {reason}"
        fields = tuple(field.column for field in unknown)
        return Problem(row, None, "refused_by_server", "error", message, fields=fields)

    def _parity_remarks(self) -> tuple[str, ...]:
        """Return a remark on whether the server has the model of this computer, if there is one."""
        if not self._golden.rows:
            return ()
        houses = validate(self._golden.frame, self._contract).houses
        results = Aligner(self._request).align(self._table(houses))
        prices = [None if r.number is None else self._to_money(r.number) for r in results]
        return (_PARITY_REMARKS[compare_prices(prices, self._golden.prices)],)

    def _table(self, houses: pd.DataFrame) -> ForeignTable:
        return foreign_table(houses, self._contract, self._dialect)

    def _request(self, table: ForeignTable) -> Reply:
        body = self._transport.post_json(self._codec.path, self._codec.encode(table))
        reply = self._codec.decode(body)
        if reply.version:
            self._version = reply.version
        return reply

    def _price(self, number: float) -> float:
        """Convert a number to money; raises BackendInvalidResponse outside the price limits."""
        price = self._to_money(number)
        lower, upper = self._contract.market.price.limits
        if lower <= price <= upper:
            return price
        hint = (
            "If it answers in log prices, set HOUSEPRICE_API_TARGET to log or log1p."
            if self._target == "price"
            else "If it answers in plain prices, set HOUSEPRICE_API_TARGET to price."
        )
        raise BackendInvalidResponse(
            f"The server answered {number:,.6g}, which is outside the price limits of this market "
            f"({self._contract.money(lower)} to {self._contract.money(upper)}). {hint}",
            reason="no_price",
        )

    def _to_money(self, number: float) -> float:
        try:
            match self._target:
                case "log":
                    return math.exp(number)
                case "log1p":
                    return math.expm1(number)
        except OverflowError:
            return math.inf
        return number


MAX_REFUSALS = 8
"""Single houses that a server may refuse, without valuing any, before valuation stops."""

_ROW_REASONS = frozenset({"invalid", "rejected", "server_error", "silent", "too_large"})
"""Reasons of failures that may not occur with fewer or other houses."""

_NO_REASON = "It gave no value and no reason."


@dataclass(frozen=True)
class AlignedResult:
    """The server's answer for one house: a number, or a sentence on why there is none."""

    number: float | None
    refusal: str = ""


class Aligner:
    """Assigns each number of a reply to its house.

    A server may omit the houses that it refuses without naming them, or refuse all houses because
    of one. A number is accepted only where it can belong to a single house; otherwise the table is
    requested again in halves, down to single houses.
    """

    def __init__(self, request: Callable[[ForeignTable], Reply]) -> None:
        self._request = request
        self._n_valued = 0
        self._n_refused = 0

    def align(self, table: ForeignTable) -> list[AlignedResult]:
        """Return one result per house, in order.

        Raises BackendInvalidResponse if a single house gets several numbers, and any BackendError
        of the request that is not about some of the houses.
        """
        n = len(table)
        try:
            results = _align_reply(self._request(table), n)
        except BackendError as error:
            if error.reason not in _ROW_REASONS or (n == 1 and self._is_hopeless(error.reason)):
                raise
            results = [AlignedResult(None, str(error))] if n == 1 else None
        if results is None:
            return [*self.align(table[: n // 2]), *self.align(table[n // 2 :])]
        self._n_valued += sum(result.number is not None for result in results)
        self._n_refused += sum(result.number is None for result in results)
        return results

    def _is_hopeless(self, reason: str) -> bool:
        """Whether a failure on one house means that every house will fail."""
        return reason == "too_large" or (self._n_valued == 0 and self._n_refused >= MAX_REFUSALS)


def _align_reply(reply: Reply, n: int) -> list[AlignedResult] | None:
    """Return one result per house, or None if the assignment is ambiguous."""
    numbers, refusals = reply.numbers, reply.refusals
    if len(numbers) == n:
        return [_result(number, refusals.get(row, "")) for row, number in enumerate(numbers)]
    if len(numbers) + len(refusals) == n and all(0 <= row < n for row in refusals):
        left = iter(numbers)
        return [
            _result(None if row in refusals else next(left), refusals.get(row, ""))
            for row in range(n)
        ]
    if n > 1:
        return None
    if not numbers:
        message = f"The server did not value a house. {_NO_REASON}"
        raise BackendInvalidResponse(message, reason="silent")
    raise BackendInvalidResponse(
        f"The server gave {len(numbers)} values for one house, so none is used.",
        reason="wrong_shape",
    )


def _result(number: float | None, refusal: str) -> AlignedResult:
    if refusal:
        return AlignedResult(None, f"It reports: {refusal.rstrip('.')}.")
    return AlignedResult(None, _NO_REASON) if number is None else AlignedResult(number)


def foreign_table(houses: pd.DataFrame, contract: Contract, dialect: Dialect) -> ForeignTable:
    """Convert validated houses to the names, levels and blanks of a dialect, with all fields.

    Levels with numeric codes become numbers, as in any file that is read as a table.
    """
    names, kinds, columns = [], [], []
    for name, field in contract.fields.items():
        kind = _column_kind(field, dialect)
        names.append(dialect.columns.get(name, name))
        kinds.append(kind)
        columns.append(_cells(houses[name].to_numpy(np.float64).tolist(), field, kind, dialect))
    rows = [list(cells) for cells in zip(*columns, strict=True)]
    return ForeignTable(tuple(names), tuple(kinds), rows)


def _column_kind(field: Field, dialect: Dialect) -> ColumnKind:
    if field.is_numeric:
        return "number" if field.kind == "number" else "integer"
    codes = [code for code in field.codes if code not in dialect.blanks]
    return "integer" if all(_is_integer(code) for code in codes) else "text"


def _is_integer(code: str) -> bool:
    return code.isdecimal() and str(int(code)) == code


def _cells(values: list[float], field: Field, kind: ColumnKind, dialect: Dialect) -> list[Cell]:
    if field.is_numeric:
        return [
            dialect.missing if math.isnan(value) else int(value) if value.is_integer() else value
            for value in values
        ]
    levels: list[Cell] = [
        dialect.missing if code in dialect.blanks else int(code) if kind == "integer" else code
        for code in field.codes
    ]
    return [dialect.missing if math.isnan(value) else levels[int(value)] for value in values]
