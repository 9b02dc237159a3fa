"""The backend behind a server of another maker: bare values, and what can be checked of them.

Such a server knows neither our checks nor our ranges. So houses are checked here first, and one
that is wrong never leaves this computer; what comes back is put to the right house, brought into
money and refused where it can be no price.

Which house each number of an answer belongs to.

A server may leave out houses that it refuses, and not say which; or refuse all for the sake of one.
So a number is only taken where it can belong to one house alone; everything else is asked again in
halves, in the end house by house.

Clean houses written as a server of another maker reads them.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from math import isnan

import numpy as np
import pandas as pd

from houseprice.backend.base import (
    DEFAULT_INTERVAL,
    Backend,
    BackendInfo,
    Progress,
    ValuationResult,
    chunks,
    not_supported,
    report_valued,
    valuation_frame,
)
from houseprice.backend.remote.parity import Parity, parity
from houseprice.backend.remote.protocols import Cell, JsonTransport, Kind, Reply, Table, codec_for
from houseprice.backend.remote.transport import REQUEST_ROWS
from houseprice.errors import BackendError, BackendInvalidResponse
from houseprice.market.contract import Contract, Dialect
from houseprice.market.fields import Field
from houseprice.market.problems import Problem
from houseprice.market.validation import validate
from houseprice.model.conformal import check_level
from houseprice.model.store.artefact import NO_GOLDEN_ROWS, GoldenRows
from houseprice.settings import Settings

__all__ = ["AlignedResult", "Asking", "ForeignBackend", "table_of"]

PATIENCE = 8
"""Houses that a server may refuse one by one, and value none, before it refuses for good."""

OF_THE_HOUSES = frozenset({"invalid", "rejected", "server_error", "silent", "too_large"})
"""Reasons of failures that fewer or other houses may not meet."""

SILENCE = "It gave no value, and no reason."


@dataclass(frozen=True)
class AlignedResult:
    """What a server said of one house: a number, or a sentence on why there is none."""

    number: float | None
    refusal: str = ""


class Asking:
    """Asks for numbers as often as it takes to know whose they are.

    Parameters
    ----------
    ask : callable
        From a table to a reply; it may raise errors of the kind BackendError.
    """

    def __init__(self, ask: Callable[[Table], Reply]) -> None:
        self._ask = ask
        self._valued = 0
        self._refused = 0

    def all(self, table: Table) -> list[AlignedResult]:
        """Ask for the numbers of a table.

        Returns
        -------
        list of Placed
            One a house, in order.

        Raises
        ------
        BackendInvalidResponse
            If the server gives several numbers for one house.
        BackendError
            As `ask` does, if it is not about some of the houses.
        """
        n = len(table)
        try:
            placed = _place(self._ask(table), n)
        except BackendError as error:
            if error.reason not in OF_THE_HOUSES or (n == 1 and self._is_hopeless(error.reason)):
                raise
            placed = [AlignedResult(None, str(error))] if n == 1 else None
        if placed is None:
            return [*self.all(table.part(0, n // 2)), *self.all(table.part(n // 2, n))]
        self._valued += sum(each.number is not None for each in placed)
        self._refused += sum(each.number is None for each in placed)
        return placed

    def _is_hopeless(self, reason: str) -> bool:
        """Whether the failure on one house says nothing of this house."""
        return reason == "too_large" or (self._valued == 0 and self._refused >= PATIENCE)


def _place(reply: Reply, n: int) -> list[AlignedResult] | None:
    """Give each house its number, or None where that would be a guess."""
    numbers, refusals = reply.numbers, reply.refusals
    if len(numbers) == n:
        return [_one(number, refusals.get(row, "")) for row, number in enumerate(numbers)]
    if len(numbers) + len(refusals) == n and all(0 <= row < n for row in refusals):
        left = iter(numbers)
        return [
            _one(None if row in refusals else next(left), refusals.get(row, "")) for row in range(n)
        ]
    if n > 1:
        return None
    if not numbers:
        raise BackendInvalidResponse(f"The server was asked for values. {SILENCE}", reason="silent")
    raise BackendInvalidResponse(
        f"The server gave {len(numbers)} values for one house, so none can be trusted.",
        reason="wrong_shape",
    )


def _one(number: float | None, refusal: str) -> AlignedResult:
    if refusal:
        return AlignedResult(None, f"It says: {refusal.rstrip('.')}.")
    return AlignedResult(None, SILENCE) if number is None else AlignedResult(number)


def table_of(houses: pd.DataFrame, contract: Contract, dialect: Dialect) -> Table:
    """Write houses with the names, levels and blanks of a dialect.

    Parameters
    ----------
    houses : DataFrame, shape (n, n_fields)
        Clean houses (see :func:`houseprice.market.validation.validate`): a number that was typed as
        "1,250" goes out as 1250, and what the contract fills is filled.
    contract : Contract
    dialect : Dialect

    Returns
    -------
    Table
        A row a house and a column a field, always all of them. Levels with figures for codes go
        out as numbers, as they do wherever a file with them was read as a table.
    """
    names, kinds, columns = [], [], []
    for name, field in contract.fields.items():
        names.append(dialect.columns.get(name, name))
        kind = _kind(field, dialect)
        kinds.append(kind)
        columns.append(_cells(houses[name].to_numpy(np.float64).tolist(), field, kind, dialect))
    rows = [list(cells) for cells in zip(*columns, strict=True)]
    return Table(tuple(names), tuple(kinds), rows)


def _kind(field: Field, dialect: Dialect) -> Kind:
    if field.is_numeric:
        return "number" if field.kind == "number" else "whole"
    codes = [code for code in field.codes if code not in dialect.blanks]
    return "whole" if all(_is_whole(code) for code in codes) else "text"


def _cells(values: list[float], field: Field, kind: Kind, dialect: Dialect) -> list[Cell]:
    if field.is_numeric:
        return [
            dialect.missing if isnan(value) else int(value) if value.is_integer() else value
            for value in values
        ]
    levels: list[Cell] = [
        dialect.missing if code in dialect.blanks else int(code) if kind == "whole" else code
        for code in field.codes
    ]
    return [dialect.missing if isnan(value) else levels[int(value)] for value in values]


def _is_whole(code: str) -> bool:
    return code.isdecimal() and str(int(code)) == code


_VALUES_ALONE = "This server gives values alone: no ranges, reasons or comparable sales."
_LIKENESS: dict[Parity, str] = {
    "same": "It gives the same values as the model of this computer.",
    "other": "It gives other values than the model of this computer.",
    "log": "It seems to answer in logarithms of the price: set HOUSEPRICE_API_TARGET to log.",
    "log1p": "It seems to answer in logarithms of the price: set HOUSEPRICE_API_TARGET to log1p.",
}


class ForeignBackend(Backend):
    """Values houses with a server of another maker; see :class:`houseprice.backend.base.Backend`.

    Parameters
    ----------
    transport : JsonTransport
    protocol : {"regression", "inputs", "mlflow", "oip"}
    contract : Contract
        Of the market that the server values.
    settings : Settings
        What the server answers in, and the model's name there.
    golden : Golden
        What the model of this computer says, to tell whether the server has the same.
    """

    def __init__(
        self,
        transport: JsonTransport,
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
        self._settings = settings
        self._speech = codec_for(protocol, settings.api_model)
        self._dialect = contract.dialects.get(protocol, Dialect())
        self._golden = golden
        self._version = ""
        self._remarks: tuple[str, ...] | None = None

    def info(self) -> BackendInfo:
        """Tell which model answers, as far as the server does."""
        if self._remarks is None:
            self._version = self._speech.version(self._transport)
            self._remarks = (_VALUES_ALONE, *self._compared())
        market = self._contract.market
        return BackendInfo(
            backend=f"the server at {self._transport.place}",
            model_version=self._version,
            package_version="",
            market_title=market.title,
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
        """Check rows here, and have the good ones valued there."""
        check_level(interval)
        if evidence:
            raise not_supported("evidence")
        checked = validate(rows, self._contract)
        valid = checked.valid.copy()
        places = np.flatnonzero(valid)
        problems = list(checked.problems)
        prices: list[float] = []
        asking = Asking(self._ask)
        for chunk in chunks(len(places), self._request_rows):
            piece = places[chunk]
            found = asking.all(self._table(checked.houses.iloc[piece]))
            for row, placed in zip(piece.tolist(), found, strict=True):
                if placed.number is None:
                    valid[row] = False
                    problems.append(_without_value(row, placed))
                else:
                    prices.append(self._price(placed.number))
            report_valued(progress, chunk.stop, len(places))
        values = pd.DataFrame({"predicted_price": prices})
        frame = valuation_frame(valid, problems, values, self._version, datetime.now(UTC))
        return ValuationResult(frame, tuple(sorted(problems, key=lambda problem: problem.row or 0)))

    def _compared(self) -> tuple[str, ...]:
        """Say whether the server has the model of this computer, if there is one."""
        if not self._golden.rows:
            return ()
        houses = validate(self._golden.frame, self._contract).houses
        placed = Asking(self._ask).all(self._table(houses))
        prices = [None if p.number is None else self._in_money(p.number) for p in placed]
        return (_LIKENESS[parity(prices, self._golden.prices)],)

    def _table(self, houses: pd.DataFrame) -> Table:
        return table_of(houses, self._contract, self._dialect)

    def _ask(self, table: Table) -> Reply:
        body = self._transport.post_json(self._speech.path, self._speech.encode(table))
        reply = self._speech.decode(body)
        if reply.version:
            self._version = reply.version
        return reply

    def _price(self, number: float) -> float:
        """Bring a number into money.

        Raises
        ------
        BackendInvalidResponse
            If it can be no price of this market.
        """
        price = self._in_money(number)
        facts = self._contract.market.price
        lower, upper = facts.range
        if lower <= price <= upper:
            return price
        hint = (
            "If it answers in logarithms of the price, set HOUSEPRICE_API_TARGET to log or log1p."
            if self._settings.api_target == "price"
            else "Does it answer in plain prices? HOUSEPRICE_API_TARGET says otherwise."
        )
        raise BackendInvalidResponse(
            f"The server answered {number:,.6g}, which is no price of this market "
            f"({facts.symbol}{lower:,.0f} to {facts.symbol}{upper:,.0f}). {hint}",
            reason="no_price",
        )

    def _in_money(self, number: float) -> float:
        try:
            match self._settings.api_target:
                case "log":
                    return math.exp(number)
                case "log1p":
                    return math.expm1(number)
        except OverflowError:
            return math.inf
        return number


def _without_value(row: int, placed: AlignedResult) -> Problem:
    message = f"The server did not value this house. {placed.refusal}"
    return Problem(row + 1, None, "refused_by_server", "error", message)
