"""The backend behind a server of our own: the same answers as in this process, over a network.

A CSV file to a server and back, streamed both ways, so that memory does not grow with it.

A table of any length valued by a server that takes so many houses at once.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import BinaryIO

import numpy as np
import pandas as pd
from pydantic import BaseModel

from houseprice.backend.base import (
    DEFAULT_INTERVAL,
    Backend,
    BackendInfo,
    Capability,
    Progress,
    ValuationResult,
    VersionInfo,
    not_supported,
    report_valued,
    valuation_frame,
)
from houseprice.backend.remote.endpoints import Chunk, Service, concat
from houseprice.backend.remote.failures import Refused
from houseprice.backend.remote.parity import check_same_market, compare_golden_rows, parity_remarks
from houseprice.backend.remote.transport import REQUEST_ROWS, Message, Transport
from houseprice.backend.schemas import (
    ComparableOut,
    EffectPointOut,
    ImportanceOut,
    ModelOut,
    capabilities_known,
)
from houseprice.errors import BackendUnavailable, InputError, ModelError
from houseprice.market.contract import Contract
from houseprice.model.card import Card
from houseprice.model.conformal import check_level
from houseprice.model.explanation import Explanation
from houseprice.model.store.artefact import NO_GOLDEN_ROWS, GoldenRows
from houseprice.model.study import Study
from houseprice.model.what_if import ValueChange

__all__ = ["RemoteBackend", "in_pieces", "value_csv"]

PATH = "/v1/valuations.csv"
SLOWEST = 50_000
"""Bytes a second that are waited for, beside the time that any answer has."""
GROWTH = 50
"""How many times as large as the file the answer may be: a short row gets a long reason."""


def value_csv(
    transport: Transport, source: Path, sink: BinaryIO, interval: float, *, evidence: bool
) -> None:
    """Send a file and write what comes back.

    Raises
    ------
    InputError
        If the file can't be read as a table.
    BackendError
        Also if the answer was cut short: then what the sink holds is of no use.
    """
    size = source.stat().st_size
    path = f"{PATH}?interval={float(interval)!r}&evidence={str(evidence).lower()}"
    with source.open("rb") as body:
        message = Message("POST", path, body, {"Content-Type": "text/csv", "Accept": "text/csv"})
        try:
            transport.stream_csv(message, sink, extra_s=size / SLOWEST, extra_bytes=size * GROWTH)
        except Refused as error:
            if error.status == 422 and error.detail:
                raise InputError(error.detail) from None
            raise


STARTS = 3
"""How often a table is begun, if the server changes its model in the middle of it."""


def in_pieces(
    rows: pd.DataFrame,
    most: int,
    ask: Callable[[pd.DataFrame], Chunk],
    progress: Progress | None = None,
) -> list[Chunk]:
    """Have all rows valued by one and the same model.

    Parameters
    ----------
    rows : DataFrame
        One row at least.
    most : int
        Rows in one request, to begin with: fewer where the server finds that too large.
    ask : callable
        Values some rows.
    progress : callable, optional

    Raises
    ------
    BackendError
        What `ask` raises, or that the model changed again and again.
    """
    for _ in range(STARTS):
        pieces = _once(rows, most, ask, progress)
        if len({piece.model_version for piece in pieces}) == 1:
            return pieces
    message = "The server changed its model while it valued these houses. Try again."
    raise BackendUnavailable(message, reason="changing")


def _once(
    rows: pd.DataFrame,
    most: int,
    ask: Callable[[pd.DataFrame], Chunk],
    progress: Progress | None,
) -> list[Chunk]:
    """Value rows up to where the model changes."""
    pieces: list[Chunk] = []
    done = 0
    while done < len(rows):
        part = rows.iloc[done : done + most]
        try:
            pieces.append(ask(part))
        except Refused as error:
            if error.reason != "too_large" or len(part) == 1:
                raise
            most = (len(part) + 1) // 2
            continue
        if pieces[-1].model_version != pieces[0].model_version:
            break
        done += len(part)
        report_valued(progress, done, len(rows))
    return pieces


class RemoteBackend(Backend):
    """Values houses with a server; see :class:`houseprice.backend.base.Backend`.

    Columns that are not the contract's never leave this computer.

    Parameters
    ----------
    transport : Transport
    contract : Contract
        Of the market that is to be valued.
    piece_rows : int
        Most houses in one request; fewer where the server says so.
    golden : Golden
        What the model of this computer says, to tell whether the server has the same.

    Raises
    ------
    BackendError
        If the server does not answer, or can't be the one that is meant.
    """

    def __init__(
        self,
        transport: Transport,
        contract: Contract,
        piece_rows: int = REQUEST_ROWS,
        golden: GoldenRows = NO_GOLDEN_ROWS,
    ) -> None:
        self._transport = transport
        self._service = Service(transport, contract)
        self._contract = contract
        self._piece_rows = piece_rows
        self._golden = golden
        self._learn()

    def info(self) -> BackendInfo:
        """Tell which model answers, and how good it is."""
        told = self._current()
        return BackendInfo(
            backend=f"the server at {self._service.place}",
            model_version=told.model_version,
            package_version=told.package_version,
            market_title=told.market_title,
            as_of=told.as_of,
            trained_at=told.trained_at,
            n_sales=told.n_sales,
            metrics=dict(told.metrics),
            capabilities=capabilities_known(told.capabilities),
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
        """Have rows checked and valued as they came."""
        if evidence:
            self._need("evidence")
        of_columns = self._service.told_of_columns(rows)
        if not len(rows):
            none = np.zeros(0, dtype=bool)
            frame = valuation_frame(none, (), pd.DataFrame(), "", datetime.now(UTC))
            return ValuationResult(frame, of_columns)
        check_level(interval)
        wanted = {"interval": float(interval), "evidence": evidence}
        same = self._told.contract_sha256 == self._contract.sha256
        ask = partial(self._service.values, wanted=wanted, legal_only=same)
        most = max(1, min(self._piece_rows, self._told.max_rows))
        pieces = in_pieces(rows, most, ask, progress)
        self._newest = pieces[0].model_version
        # The server can't tell of columns that it was not sent.
        unsent = [each for each in of_columns if each.code == "unknown_columns"]
        return concat(pieces, unsent)

    def value_csv(
        self,
        source: Path,
        sink: BinaryIO,
        interval: float = DEFAULT_INTERVAL,
        *,
        evidence: bool = False,
    ) -> None:
        """Have a CSV file of any size valued, sent and received as a stream.

        Parameters
        ----------
        source : Path
            Goes to the server as it is, with all its columns.
        sink : binary file
            Open for writing, with a place to go back to; of no use after an error.
        interval, evidence
            See :meth:`value`.

        Raises
        ------
        InputError
            If the file can't be read as a table.
        ModelError, BackendError
        """
        check_level(interval)
        value_csv(self._transport, source, sink, interval, evidence=evidence)

    def explain(self, rows: pd.DataFrame) -> Explanation:
        """Have said in money how the value of one house comes about."""
        self._need("explain")
        told = self._service.value_of_one(rows, {"explain": True}).explanation
        return told.explanation() if told else self._service.left_out("reasons")

    def comparables(self, rows: pd.DataFrame, k: int = 5) -> pd.DataFrame:
        """Have the k sales found that are most like one house."""
        self._need("comparables")
        if k < 1:
            raise ModelError(f"{k} comparable sales can't be found: ask for 1 or more")
        told = self._service.value_of_one(rows, {"comparables": k}).comparables
        if told is None:
            self._service.left_out("comparable sales")
        return _table(told, ComparableOut).astype({"price_per_area": np.float64})

    def what_if(self, before: pd.DataFrame, after: pd.DataFrame) -> ValueChange:
        """Have said what the difference between two states of one house does to its value."""
        self._need("what_if")
        return self._service.what_if(before, after).change()

    def effect(self, column: str, rows: pd.DataFrame | None = None) -> pd.DataFrame:
        """Have the price along the values of one field, over the market or for one house."""
        self._need("effect")
        if column not in self._contract.fields:
            raise ModelError(f"there is no field {column}")
        points = _table(self._service.effect(column, rows), EffectPointOut)
        if rows is None:
            return points.drop(columns="is_own")
        return points.drop(columns="each").astype({"is_own": bool})

    def importance(self) -> pd.DataFrame:
        """Importance of each field on held-out sales, as measured at training."""
        self._need("importance")
        return _table(self._service.importance(), ImportanceOut)

    def card(self) -> Card:
        """The model card."""
        self._need("card")
        told = self._current()
        return Card(copy.deepcopy(told.card), told.card_markdown)

    def versions(self) -> tuple[VersionInfo, ...]:
        """The versions of the model whose studies can be read, the newest first."""
        self._need("study")
        return tuple(told.version() for told in self._service.versions())

    def study(self, version: str | None = None) -> Study:
        """What was worked out when a version was trained; by default the one that answers."""
        self._need("study")
        return self._service.study(version or self._current().model_version).study()

    def _need(self, capability: Capability) -> None:
        if capability not in self._told.capabilities:
            raise not_supported(capability, f"The server at {self._service.place}")

    def _current(self) -> ModelOut:
        """What the server said of itself, asked again if another model has answered since."""
        if self._newest != self._told.model_version:
            self._learn()
        return self._told

    def _learn(self) -> None:
        told = self._service.model()
        check_same_market(told, self._contract, self._service.place)
        remarks = parity_remarks(told, self._contract, not self._transport.address.is_secure)
        remarks += compare_golden_rows(self._service, self._golden)
        self._told, self._newest, self._remarks = told, told.model_version, remarks


def _table(entries: Sequence[BaseModel], kind: type[BaseModel]) -> pd.DataFrame:
    columns = list(kind.model_fields)
    return pd.DataFrame([entry.model_dump() for entry in entries], columns=columns)
