"""The backend of a houseprice server: the same answers as in this process, over HTTP."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime
from functools import partial
from pathlib import Path
from typing import BinaryIO
from urllib.parse import quote

import numpy as np
import pandas as pd
from pydantic import BaseModel

from houseprice.backend.base import (
    CAPABILITIES,
    DEFAULT_INTERVAL,
    Backend,
    BackendInfo,
    Capability,
    ValuationResult,
    VersionInfo,
    not_supported,
    report_valued,
    valuation_frame,
)
from houseprice.backend.remote.endpoints import Endpoints, ValuedChunk, concat
from houseprice.backend.remote.parity import check_same_market, compare_golden_rows, parity_remarks
from houseprice.backend.remote.responses import HttpStatusError
from houseprice.backend.remote.transport import REQUEST_ROWS, Message, Transport
from houseprice.backend.schemas import (
    ChangeOut,
    ComparableOut,
    EffectPointOut,
    EffectsOut,
    ImportanceOut,
    ModelOut,
    NextFactOut,
    NextFactsOut,
    StudyOut,
    VersionOut,
)
from houseprice.errors import BackendUnavailable, InputError, ModelError
from houseprice.market.contract import Contract
from houseprice.model.card import Card
from houseprice.model.conformal import check_level
from houseprice.model.explanation import Explanation
from houseprice.model.store.artefact import NO_GOLDEN_ROWS, GoldenRows
from houseprice.model.study import Study
from houseprice.model.what_if import ValueChange
from houseprice.progress import Progress

MAX_STARTS = 3
"""How often the valuation of a table starts, if the server changes its model meanwhile."""
MIN_BYTES_PER_S = 50_000
"""The rate of a file that is waited for, in addition to the timeout of other requests."""
MAX_GROWTH = 50
"""The size of the answer relative to the file: a short row may get a long message."""


class RemoteBackend(Backend):
    """Values houses with a server; only columns of the contract leave this computer.

    The golden rows are the predictions of the local model, to compare the server's model with.
    Raises BackendError if the server does not answer, or values another market.
    """

    def __init__(
        self,
        transport: Transport,
        contract: Contract,
        request_rows: int = REQUEST_ROWS,
        golden: GoldenRows = NO_GOLDEN_ROWS,
    ) -> None:
        self._transport = transport
        self._endpoints = Endpoints(transport, contract)
        self._contract = contract
        self._request_rows = request_rows
        self._golden = golden
        self._refresh()

    def info(self) -> BackendInfo:
        """Return which model answers, and how accurate it is."""
        model = self._current_model()
        return BackendInfo(
            backend=f"the server at {self._endpoints.host}",
            model_version=model.model_version,
            package_version=model.package_version,
            market_title=model.market_title,
            as_of=model.as_of,
            trained_at=model.trained_at,
            n_sales=model.n_sales,
            metrics=dict(model.metrics),
            # A newer server may have capabilities that this release does not know.
            capabilities=CAPABILITIES.intersection(model.capabilities),
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
        """Validate and value raw rows."""
        if evidence:
            self._require("evidence")
        column_problems = self._endpoints.column_problems(rows)
        if not len(rows):
            none = np.zeros(0, dtype=bool)
            frame = valuation_frame(none, (), pd.DataFrame(), "", datetime.now(UTC))
            return ValuationResult(frame, column_problems)
        check_level(interval)
        value_chunk = partial(
            self._endpoints.value,
            options={"interval": float(interval), "evidence": evidence},
            check_limits=self._model.contract_sha256 == self._contract.sha256,
        )
        size = max(1, min(self._request_rows, self._model.max_rows))
        chunks = _value_in_chunks(rows, size, value_chunk, progress)
        self._latest_version = chunks[0].model_version
        # The server does not see the columns that were not sent.
        unsent = [each for each in column_problems if each.code == "unknown_columns"]
        return concat(chunks, unsent)

    def value_csv(
        self,
        source: Path,
        sink: BinaryIO,
        interval: float = DEFAULT_INTERVAL,
        *,
        evidence: bool = False,
        as_of: date | None = None,
    ) -> None:
        """Value a CSV file of any size, with all its columns; see :func:`value_csv`."""
        check_level(interval)
        value_csv(self._transport, source, sink, interval, evidence=evidence, as_of=as_of)

    def explain(self, rows: pd.DataFrame) -> Explanation:
        """Explain the value of one house in money."""
        self._require("explain")
        explanation = self._endpoints.value_one(rows, {"explain": True}).explanation
        if explanation is None:
            raise self._endpoints.missing_part("the explanation")
        return explanation.explanation()

    def comparables(self, rows: pd.DataFrame, k: int = 5) -> pd.DataFrame:
        """Return the k sales most similar to one house, with adjusted prices."""
        self._require("comparables")
        if k < 1:
            raise ModelError(f"the number of comparable sales must be 1 or more, not {k}")
        sales = self._endpoints.value_one(rows, {"comparables": k}).comparables
        if sales is None:
            raise self._endpoints.missing_part("the comparable sales")
        # Null without an area or dates, and from a server that does not adjust prices.
        optional = ("price_per_area", "time_adjusted_price", "adjustment", "adjusted_price")
        return _to_frame(sales, ComparableOut).astype(dict.fromkeys(optional, np.float64))

    def what_if(self, before: pd.DataFrame, after: pd.DataFrame) -> ValueChange:
        """Return how the value changes between two states of one house."""
        self._require("what_if")
        body = {"before": self._endpoints.house(before), "after": self._endpoints.house(after)}
        return ValueChange(**self._endpoints.post("/v1/what-if", body, ChangeOut).model_dump())

    def effect(self, column: str, rows: pd.DataFrame | None = None) -> pd.DataFrame:
        """Return the price along the values of a field: market average, or for one house."""
        self._require("effect")
        if column not in self._contract.fields:
            raise ModelError(f"there is no field {column}")
        house = None if rows is None else self._endpoints.house(rows)
        body = {"field": column, "house": house}
        answer = self._endpoints.post("/v1/effects", body, EffectsOut)
        points = _to_frame(answer.points, EffectPointOut)
        if rows is None:
            return points.drop(columns="is_own")
        return points.drop(columns="each").astype({"is_own": bool})

    def next_facts(self, rows: pd.DataFrame, k: int = 5) -> pd.DataFrame:
        """Return the unknown fields of one house that would narrow its range most."""
        self._require("next_facts")
        if k < 1:
            raise ModelError(f"the number of fields must be 1 or more, not {k}")
        body = {"house": self._endpoints.house(rows), "k": k}
        answer = self._endpoints.post("/v1/next-facts", body, NextFactsOut)
        return _to_frame(answer.facts, NextFactOut)

    def importance(self) -> pd.DataFrame:
        """Return the permutation importance of each field on held-out sales."""
        self._require("importance")
        answer = self._endpoints.get("/v1/importance", list[ImportanceOut])
        return _to_frame(answer, ImportanceOut)

    def card(self) -> Card:
        """Return the model card."""
        self._require("card")
        model = self._current_model()
        return Card(copy.deepcopy(model.card), model.card_markdown)

    def versions(self) -> tuple[VersionInfo, ...]:
        """Return the model versions that have a study, newest first."""
        self._require("study")
        answer = self._endpoints.get("/v1/versions", list[VersionOut])
        return tuple(VersionInfo(**version.model_dump()) for version in answer)

    def study(self, version: str | None = None) -> Study:
        """Return the diagnostics of a version, by default the one that answers."""
        self._require("study")
        version = version or self._current_model().model_version
        try:
            path = f"/v1/study?version={quote(version, safe='')}"
            return self._endpoints.get(path, StudyOut).study()
        except HttpStatusError as error:
            if error.status == 404:
                raise ModelError(error.detail) from None
            raise

    def _require(self, capability: Capability) -> None:
        if capability not in self._model.capabilities:
            raise not_supported(capability, f"The server at {self._endpoints.host}")

    def _current_model(self) -> ModelOut:
        """Return the description of the model, requested again if another one has answered."""
        if self._latest_version != self._model.model_version:
            self._refresh()
        return self._model

    def _refresh(self) -> None:
        model = self._endpoints.get("/v1/model", ModelOut)
        check_same_market(model, self._contract, self._endpoints.host)
        self._remarks = (
            *parity_remarks(model, self._contract, is_secure=self._transport.address.is_secure),
            *compare_golden_rows(self._endpoints, self._golden),
        )
        self._model, self._latest_version = model, model.model_version


def _value_in_chunks(
    rows: pd.DataFrame,
    size: int,
    value_chunk: Callable[[pd.DataFrame], ValuedChunk],
    progress: Progress | None = None,
) -> list[ValuedChunk]:
    """Value rows (at least one) in chunks, all by the same model version.

    `size` is reduced while the server refuses a chunk as too large.
    """
    for _ in range(MAX_STARTS):
        chunks = _value_until_change(rows, size, value_chunk, progress)
        if len({chunk.model_version for chunk in chunks}) == 1:
            return chunks
    message = "The server changed its model while it valued these houses. Try again."
    raise BackendUnavailable(message, reason="changing")


def _value_until_change(
    rows: pd.DataFrame,
    size: int,
    value_chunk: Callable[[pd.DataFrame], ValuedChunk],
    progress: Progress | None,
) -> list[ValuedChunk]:
    """Value rows up to the end, or up to the first answer of another model version."""
    chunks: list[ValuedChunk] = []
    done = 0
    while done < len(rows):
        part = rows.iloc[done : done + size]
        try:
            chunks.append(value_chunk(part))
        except HttpStatusError as error:
            if error.reason != "too_large" or len(part) == 1:
                raise
            size = (len(part) + 1) // 2
            continue
        if chunks[-1].model_version != chunks[0].model_version:
            break
        done += len(part)
        report_valued(progress, done, len(rows))
    return chunks


def value_csv(
    transport: Transport,
    source: Path,
    sink: BinaryIO,
    interval: float,
    *,
    evidence: bool,
    as_of: date | None = None,
) -> None:
    """Stream a CSV file to the server and its valuations to a seekable file.

    Raises InputError if the file is not a table. After an error the sink is unusable.
    """
    size = source.stat().st_size
    query = f"interval={float(interval)!r}&evidence={str(evidence).lower()}"
    if as_of is not None:
        query += f"&as_of={as_of.isoformat()}"
    headers = {"Content-Type": "text/csv", "Accept": "text/csv"}
    with source.open("rb") as body:
        message = Message("POST", f"/v1/valuations.csv?{query}", body, headers)
        try:
            transport.stream_csv(
                message, sink, extra_s=size / MIN_BYTES_PER_S, extra_bytes=size * MAX_GROWTH
            )
        except HttpStatusError as error:
            if error.status == 422 and error.detail:
                raise InputError(error.detail) from None
            raise


def _to_frame(entries: Sequence[BaseModel], schema: type[BaseModel]) -> pd.DataFrame:
    columns = list(schema.model_fields)
    return pd.DataFrame([entry.model_dump() for entry in entries], columns=columns)
