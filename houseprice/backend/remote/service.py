"""The questions that our own server answers, each with the one shape that its answer may have."""

from __future__ import annotations

from functools import lru_cache
from typing import Any, NoReturn, TypeVar
from urllib.parse import quote

import pandas as pd
from pydantic import TypeAdapter

from houseprice.backend.base import DEFAULT_INTERVAL
from houseprice.backend.remote.answers import Asked, Piece, piece_of, validated
from houseprice.backend.remote.json_rows import json_rows
from houseprice.backend.remote.reading import json_of
from houseprice.backend.remote.statuses import Refused
from houseprice.backend.remote.transport import Transport
from houseprice.backend.wire import (
    ChangeOut,
    EffectPointOut,
    EffectsOut,
    ValuationOut,
    ValuationsOut,
)
from houseprice.backend.wire_model import ImportanceOut, ModelOut, StudyOut, VersionOut
from houseprice.errors import BackendGarbled, InputError, ModelError
from houseprice.market.checks import check
from houseprice.market.contract import Contract
from houseprice.market.problems import Problem

__all__ = ["Service"]

T = TypeVar("T")


_MODEL = TypeAdapter(ModelOut)
_VALUATIONS = TypeAdapter(ValuationsOut)
_CHANGE = TypeAdapter(ChangeOut)
_EFFECTS = TypeAdapter(EffectsOut)
_IMPORTANCE = TypeAdapter(list[ImportanceOut])
_VERSIONS = TypeAdapter(list[VersionOut])
_STUDY = TypeAdapter(StudyOut)


class Service:
    """Puts questions to a server about houses of one market.

    Each raises BackendError; what is wrong with a house or a question raises InputError or
    ModelError, as it does in this process.
    """

    def __init__(self, transport: Transport, contract: Contract) -> None:
        self._transport = transport
        self._contract = contract
        self.place = transport.place
        self._told_of_columns = lru_cache(maxsize=16)(
            # All that can be wrong with a table without rows is wrong with its columns.
            lambda names: (
                check(pd.DataFrame(columns=pd.Index(names, dtype=object)), contract).problems
            )
        )

    def model(self) -> ModelOut:
        """Ask who answers."""
        return self._read(self._transport.get("/v1/model"), _MODEL)

    def importance(self) -> list[ImportanceOut]:
        """Ask how much each field matters."""
        return self._read(self._transport.get("/v1/importance"), _IMPORTANCE)

    def versions(self) -> list[VersionOut]:
        """Ask which versions have a study."""
        return self._read(self._transport.get("/v1/versions"), _VERSIONS)

    def study(self, version: str) -> StudyOut:
        """Ask for the study of a version.

        Raises
        ------
        ModelError
            If there is no such version.
        """
        try:
            text = self._transport.get(f"/v1/study?version={quote(version, safe='')}")
        except Refused as error:
            if error.status == 404:
                raise ModelError(error.detail) from None
            raise
        return self._read(text, _STUDY)

    def values(self, rows: pd.DataFrame, wanted: dict[str, Any], *, legal_only: bool) -> Piece:
        """Have houses valued.

        Parameters
        ----------
        rows : DataFrame
            As many as the server takes at once.
        wanted : dict
            ``interval`` and ``evidence``.
        legal_only : bool
            Whether a price that the contract does not allow can't be one.
        """
        answer = self._valuations(rows, wanted)
        interval = wanted.get("interval", DEFAULT_INTERVAL)
        asked = Asked(len(rows), interval, self._contract, legal_only, self.place)
        return piece_of(answer, asked)

    def value_of_one(self, rows: pd.DataFrame, wanted: dict[str, Any]) -> ValuationOut:
        """Have more said of one house than its value: ``explain``, ``comparables``."""
        self._refuse_others_than_one(rows)
        answer = self._valuations(rows, wanted)
        asked = Asked(1, DEFAULT_INTERVAL, self._contract, legal_only=False, place=self.place)
        piece = piece_of(answer, asked)
        if answer.valuations[0] is None:
            wrong = [each.sentence for each in piece.problems if each.severity == "error"]
            raise InputError(" ".join(wrong))
        return answer.valuations[0]

    def told_of_columns(self, rows: pd.DataFrame) -> tuple[Problem, ...]:
        """What there is to say of a table's columns, whatever its rows hold; asks nobody.

        Raises
        ------
        InputError
            If two columns share a name.
        """
        return self._told_of_columns(tuple(rows.columns))

    def what_if(self, before: pd.DataFrame, after: pd.DataFrame) -> ChangeOut:
        """Ask what the difference between two states of one house does."""
        body = {"before": self._house(before), "after": self._house(after)}
        return self._asked("/v1/what-if", body, _CHANGE)

    def effect(self, column: str, rows: pd.DataFrame | None) -> list[EffectPointOut]:
        """Ask for the price along the values of a field."""
        house = None if rows is None else self._house(rows)
        return self._asked("/v1/effects", {"field": column, "house": house}, _EFFECTS).points

    def left_out(self, what: str) -> NoReturn:
        """Refuse an answer that lacks what was asked for."""
        message = f"The server at {self.place} left out what was asked for ({what}). Try again."
        raise BackendGarbled(message, reason="shape")

    def _valuations(self, rows: pd.DataFrame, wanted: dict[str, Any]) -> ValuationsOut:
        body = {"rows": json_rows(rows, self._contract), **wanted}
        return self._asked("/v1/valuations", body, _VALUATIONS)

    def _house(self, rows: pd.DataFrame) -> dict[str, Any]:
        self._refuse_others_than_one(rows)
        return json_rows(rows, self._contract)[0]

    def _refuse_others_than_one(self, rows: pd.DataFrame) -> None:
        if len(rows) != 1:
            raise InputError(f"This is answered for one house at a time, not for {len(rows)}.")
        self.told_of_columns(rows)

    def _asked(self, path: str, body: object, shape: TypeAdapter[T]) -> T:
        try:
            text = self._transport.post(path, body, packed=True)
        except Refused as error:
            if error.status == 422 and error.code == "invalid_house":
                raise InputError(error.detail) from None
            if error.status == 422 and error.code == "not_possible":
                raise ModelError(error.detail) from None
            raise
        return self._read(text, shape)

    def _read(self, text: bytes, shape: TypeAdapter[T]) -> T:
        json_of(text, self.place)
        return validated(shape, text, self.place)
