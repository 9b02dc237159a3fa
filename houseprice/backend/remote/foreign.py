"""The backend behind a server of another maker: bare values, and what can be checked of them.

Such a server knows neither our checks nor our ranges. So houses are checked here first, and one
that is wrong never leaves this computer; what comes back is put to the right house, brought into
money and refused where it can be no price.
"""

from __future__ import annotations

import math
from datetime import UTC, datetime

import numpy as np
import pandas as pd

from houseprice.backend.base import DEFAULT_INTERVAL, About, Answer, Progress
from houseprice.backend.remote.aligning import Asking, Placed
from houseprice.backend.remote.bare import BareValues, not_offered
from houseprice.backend.remote.parity import Likeness, likeness
from houseprice.backend.remote.protocols import JsonTransport, Reply, Table, speech_of
from houseprice.backend.remote.sending import table_of
from houseprice.backend.valuations import valuation_frame
from houseprice.errors import BackendGarbled
from houseprice.market.checks import check
from houseprice.market.contract import Contract, Dialect
from houseprice.market.problems import Problem
from houseprice.model.ranges.intervals import check_level
from houseprice.model.storing.golden import NONE_GOLDEN, Golden
from houseprice.settings import Settings

__all__ = ["ForeignBackend"]

_VALUES_ALONE = "This server gives values alone: no ranges, reasons or comparable sales."
_LIKENESS: dict[Likeness, str] = {
    "same": "It gives the same values as the model of this computer.",
    "other": "It gives other values than the model of this computer.",
    "log": "It seems to answer in logarithms of the price: set HOUSEPRICE_API_TARGET to log.",
    "log1p": "It seems to answer in logarithms of the price: set HOUSEPRICE_API_TARGET to log1p.",
}


class ForeignBackend(BareValues):
    """Values houses with a server of another maker; see :class:`houseprice.backend.base.Backend`.

    Parameters
    ----------
    transport : JsonTransport
    protocol : {"regression", "inputs", "mlflow", "oip"}
    contract : Contract
        Of the market that the server values.
    settings : Settings
        What the server answers in, the model's name there, and how many houses it takes at once.
    golden : Golden
        What the model of this computer says, to tell whether the server has the same.
    """

    def __init__(
        self,
        transport: JsonTransport,
        protocol: str,
        contract: Contract,
        settings: Settings,
        golden: Golden = NONE_GOLDEN,
    ) -> None:
        self._transport = transport
        self._contract = contract
        self._settings = settings
        self._speech = speech_of(protocol, settings.api_model)
        self._dialect = contract.dialects.get(protocol, Dialect())
        self._golden = golden
        self._version = ""
        self._remarks: tuple[str, ...] | None = None

    def about(self) -> About:
        """Tell which model answers, as far as the server does."""
        if self._remarks is None:
            self._version = self._speech.version(self._transport)
            self._remarks = (_VALUES_ALONE, *self._compared())
        market = self._contract.market
        return About(
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
    ) -> Answer:
        """Check rows here, and have the good ones valued there."""
        check_level(interval)
        if evidence:
            not_offered("reasons or comparable sales")
        checked = check(rows, self._contract)
        valid = checked.valid.copy()
        places = np.flatnonzero(valid)
        problems = list(checked.problems)
        prices: list[float] = []
        asking = Asking(self._ask)
        step = self._settings.api_piece_rows
        for start in range(0, len(places), step):
            piece = places[start : start + step]
            found = asking.all(self._table(checked.houses.iloc[piece]))
            for row, placed in zip(piece.tolist(), found, strict=True):
                if placed.number is None:
                    valid[row] = False
                    problems.append(_without_value(row, placed))
                else:
                    prices.append(self._price(placed.number))
            if progress:
                done = min(start + step, len(places))
                progress(done / len(places), f"{done:,} of {len(places):,} houses valued")
        values = pd.DataFrame({"predicted_price": prices})
        frame = valuation_frame(valid, problems, values, self._version, datetime.now(UTC))
        return Answer(frame, tuple(sorted(problems, key=lambda problem: problem.row or 0)))

    def _compared(self) -> tuple[str, ...]:
        """Say whether the server has the model of this computer, if there is one."""
        if not self._golden.rows:
            return ()
        houses = check(self._golden.frame, self._contract).houses
        placed = Asking(self._ask).all(self._table(houses))
        prices = [None if p.number is None else self._in_money(p.number) for p in placed]
        return (_LIKENESS[likeness(prices, self._golden.prices)],)

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
        BackendGarbled
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
        raise BackendGarbled(
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


def _without_value(row: int, placed: Placed) -> Problem:
    message = f"The server did not value this house. {placed.refusal}"
    return Problem(row + 1, None, "refused_by_server", "error", message)
