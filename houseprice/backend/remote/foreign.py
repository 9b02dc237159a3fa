"""The backend of a server with a foreign protocol, which returns prices, and ranges if it has them.

Rows are validated here, and invalid ones are not sent. The others are sent as they were given: a
blank is a blank, whatever the contract would fill in. Each number of an answer is assigned to its
house and converted to money; one that is no price of this market costs its own house only.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
import pandas as pd
from numpy.typing import NDArray

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
from houseprice.backend.remote.foreign_table import (
    SentColumn,
    as_sent,
    foreign_table,
    padding_row,
    sent_columns,
)
from houseprice.backend.remote.parity import Parity, compare_prices
from houseprice.backend.remote.protocols import (
    ForeignTable,
    Prediction,
    Reply,
    ServerInfo,
    codec_for,
    describe,
)
from houseprice.backend.remote.server_map import ServerMap, read_server_map
from houseprice.backend.remote.transport import REQUEST_ROWS, Transport
from houseprice.errors import BackendError, BackendInvalidResponse
from houseprice.formatting import join_words
from houseprice.market.contract import Contract
from houseprice.market.problems import Problem
from houseprice.market.validation import ValidationResult, validate
from houseprice.model.conformal import check_level
from houseprice.model.store.artefact import NO_GOLDEN_ROWS, GoldenRows
from houseprice.progress import Progress
from houseprice.settings import Settings

_PRICES_ONLY = "This server gives predicted prices only: no ranges, reasons or comparable sales."
_RANGES = "The ranges of this server cover {:.0%} of prices, by its own account."
_UNMAPPED = (
    "Nothing says what a blank is to its model, which may make every value wrong: run houseprice "
    "check-server, and set HOUSEPRICE_API_MAP."
)
_PARITY_REMARKS: dict[Parity, str] = {
    "same": "It gives the same values as the model of this computer.",
    "other": "It gives other values than the model of this computer.",
    "log": 'It seems to answer in log prices: put target = "log" into HOUSEPRICE_API_MAP.',
    "log1p": 'It seems to answer in log prices: put target = "log1p" into HOUSEPRICE_API_MAP.',
}


class ForeignBackend(Backend):
    """Values houses with a server of a foreign protocol, as its template and mapping file say."""

    def __init__(
        self,
        transport: Transport,
        protocol: str,
        contract: Contract,
        settings: Settings,
        golden: GoldenRows = NO_GOLDEN_ROWS,
        *,
        request_rows: int = REQUEST_ROWS,
        server_map: ServerMap | None = None,
    ) -> None:
        self._transport = transport
        self._contract = contract
        self.server_map = server_map or read_server_map(settings, contract)
        self._request_rows = self.server_map.max_houses or request_rows
        self._codec = codec_for(protocol, self.server_map)
        self._golden = golden
        self._is_unmapped = (
            protocol in {"mlflow", "oip"}
            and settings.api_map is None
            and protocol not in contract.dialects
        )
        self._version = ""
        self._description: ServerInfo | None = None
        self._remarks: tuple[str, ...] | None = None

    def describe(self) -> ServerInfo:
        """Return what the server says about its model, requested once."""
        if self._description is None:
            self._description = describe(self._transport, self.server_map)
            self._version = self._version or self._description.version
        return self._description

    def info(self) -> BackendInfo:
        """Return which model answers, as far as the server reports it."""
        if self._remarks is None:
            self.describe()
            answers = _RANGES.format(self.server_map.interval) if self._has_range else _PRICES_ONLY
            is_secure = self._transport.address.is_secure
            security = () if is_secure else ("The connection is not encrypted.",)
            unmapped = (_UNMAPPED,) if self._is_unmapped else ()
            self._remarks = (answers, *security, *unmapped, *self._parity_remarks())
        return BackendInfo(
            backend=f"the server at {self._transport.host}",
            model_version=self._version,
            package_version="",
            market_title=self._contract.market.title,
            as_of=None,
            trained_at=None,
            n_sales=None,
            capabilities=frozenset({"range"} if self._has_range else ()),
            remarks=self._remarks,
            configuration=self._codec.path + self.server_map.digest,
        )

    def value(
        self,
        rows: pd.DataFrame,
        *,
        interval: float = DEFAULT_INTERVAL,
        evidence: bool = False,
        progress: Progress | None = None,
    ) -> ValuationResult:
        """Validate rows here, and value the valid ones on the server.

        Its ranges have a coverage of their own, which the answer reports.
        """
        check_level(interval)
        if evidence:
            raise not_supported("evidence")
        checked = validate(rows, self._contract)
        valid = checked.valid.copy()
        valid_rows = np.flatnonzero(valid)
        problems = as_sent(checked.problems, self._contract)
        values: list[dict[str, float]] = []
        aligner = Aligner(self._request)
        for chunk in chunks(len(valid_rows), self._request_rows):
            positions = valid_rows[chunk]
            predictions = aligner.align(self.table(rows, checked, positions))
            for position, prediction in zip(positions.tolist(), predictions, strict=True):
                value = self._value(prediction)
                if isinstance(value, str):
                    valid[position] = False
                    refused = checked.houses.iloc[position], prediction.refusal
                    problems.append(self._problem(position + 1, *refused, value))
                else:
                    values.append(value)
            report_valued(progress, chunk.stop, len(valid_rows))
        columns = ["predicted_price", "price_low", "price_high", "interval"]
        frame = valuation_frame(
            valid,
            problems,
            pd.DataFrame(values, columns=columns, dtype=np.float64),
            self._version,
            datetime.now(UTC),
        )
        return ValuationResult(
            frame,
            tuple(sorted(problems, key=lambda problem: problem.row or 0)),
            checked.facts_given,
        )

    def table(
        self, rows: pd.DataFrame, checked: ValidationResult, positions: NDArray[np.intp]
    ) -> ForeignTable:
        """Return rows at some positions as they are sent."""
        return foreign_table(rows, checked, positions, self._columns())

    def answer(self, table: ForeignTable) -> str:
        """Return the answer to a table as text."""
        text = self._transport.post(self._codec.path, self._body(table), non_finite=True)
        return text.decode("utf-8", "replace")

    def _problem(self, row: int, house: pd.Series, refusal: str, reason: str) -> Problem:
        """Return the problem of a house without a value; unknown fields may be the cause."""
        if not refusal:
            message = f"The server's value of this house can't be used. {reason}"
            return Problem(row, None, "unusable_value", "error", message)
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
        rows = self._golden.frame
        checked = validate(rows, self._contract)
        results = Aligner(self._request).align(self.table(rows, checked, np.arange(len(rows))))
        prices = [None if r.number is None else self._to_money(r.number) for r in results]
        return (_PARITY_REMARKS[compare_prices(prices, self._golden.prices)],)

    @property
    def _has_range(self) -> bool:
        return bool(self.server_map.low and self.server_map.high)

    def _request(self, table: ForeignTable) -> Reply:
        answer = self._transport.post_json(self._codec.path, self._body(table), non_finite=True)
        reply = self._codec.decode(answer)
        self._version = reply.version or self._version
        return without_last(reply, len(table)) if self.server_map.padding else reply

    def _body(self, table: ForeignTable) -> object:
        if self.server_map.padding:
            table = replace(table, rows=[*table.rows, padding_row(self._columns())])
        return self._codec.encode(table)

    def _columns(self) -> tuple[SentColumn, ...]:
        inputs = self.describe().inputs if self.server_map.info_inputs else ()
        return sent_columns(self._contract, self.server_map, inputs)

    def _value(self, prediction: Prediction) -> dict[str, float] | str:
        """Return the price and its range in money, or why they can't be used."""
        if prediction.refusal or prediction.fault or prediction.number is None:
            return prediction.refusal or prediction.fault or _NO_REASON
        price = self._to_money(prediction.number)
        lower, upper = self._contract.market.price.limits
        if not lower <= price <= upper:
            hint = (
                'If it answers in log prices, put target = "log" or "log1p" into '
                "HOUSEPRICE_API_MAP."
                if self.server_map.target == "price"
                else 'If it answers in plain prices, put target = "price" into HOUSEPRICE_API_MAP.'
            )
            return (
                f"It answered {prediction.number:,.6g}, which is outside the price limits of this "
                f"market ({self._contract.money(lower)} to {self._contract.money(upper)}). {hint}"
            )
        if not self._has_range:
            return {"predicted_price": price}
        if prediction.low is None or prediction.high is None:
            return "It gave a value without its range."
        low, high = self._to_money(prediction.low), self._to_money(prediction.high)
        if not 0 < low <= price <= high < math.inf:
            return f"The value {price:,.6g} is not within its range, {low:,.6g} to {high:,.6g}."
        return {
            "predicted_price": price,
            "price_low": low,
            "price_high": high,
            "interval": self.server_map.interval,
        }

    def _to_money(self, number: float) -> float:
        try:
            match self.server_map.target:
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

    def align(self, table: ForeignTable) -> list[Prediction]:
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
            results = [Prediction(refusal=str(error))] if n == 1 else None
        if results is None:
            return [*self.align(table[: n // 2]), *self.align(table[n // 2 :])]
        self._n_valued += sum(not result.refusal for result in results)
        self._n_refused += sum(bool(result.refusal) for result in results)
        return results

    def _is_hopeless(self, reason: str) -> bool:
        """Whether a failure on one house means that every house will fail."""
        return reason == "too_large" or (self._n_valued == 0 and self._n_refused >= MAX_REFUSALS)


def without_last(reply: Reply, n: int) -> Reply:
    """Return a reply to n houses and a last one without the latter; empty where that is unclear."""
    predictions, refusals = reply.predictions, dict(reply.refusals)
    is_omitted = len(predictions) + len(refusals) == n + 1
    if len(predictions) != n + 1 and not is_omitted:
        return replace(reply, predictions=[], refusals={})
    last_refused = refusals.pop(n, None) is not None
    if len(predictions) == n + 1 or not last_refused:
        predictions = predictions[:-1]
    return replace(reply, predictions=predictions, refusals=refusals)


def _align_reply(reply: Reply, n: int) -> list[Prediction] | None:
    """Return one result per house, or None if the assignment is ambiguous."""
    predictions, refusals = reply.predictions, reply.refusals
    if len(predictions) == n:
        return [_result(each, refusals.get(row, "")) for row, each in enumerate(predictions)]
    if len(predictions) + len(refusals) == n and all(0 <= row < n for row in refusals):
        left = iter(predictions)
        return [
            _result(Prediction() if row in refusals else next(left), refusals.get(row, ""))
            for row in range(n)
        ]
    if n > 1:
        return None
    if not predictions:
        message = f"The server did not value a house. {_NO_REASON}"
        raise BackendInvalidResponse(message, reason="silent")
    raise BackendInvalidResponse(
        f"The server gave {len(predictions)} values for one house, so none is used.",
        reason="wrong_shape",
    )


def _result(prediction: Prediction, refusal: str) -> Prediction:
    if refusal:
        return Prediction(refusal=f"It reports: {refusal.rstrip('.')}.")
    if prediction.number is None and not prediction.fault:
        return Prediction(refusal=_NO_REASON)
    return prediction
