"""The questions that our own server answers, each with the one shape that its answer may have.

The answers of our own server, taken only where they are what was asked for and nothing else.

As many values as houses, in their order, finite, positive, inside their ranges, at the level that
was asked for, in the market's currency, and a reason for each house without one.

Rows as they came, written as JSON so that a server reads in them what this process would.

Numbers stay numbers and text stays text; what is not known is null. Only what the contract asks for
leaves this computer, and the key of a house, so that it is not compared with itself.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from functools import lru_cache
from typing import Any, NoReturn, TypeVar
from urllib.parse import quote

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pydantic import TypeAdapter, ValidationError

from houseprice.backend.base import DEFAULT_INTERVAL, ValuationResult, valuation_frame
from houseprice.backend.remote.failures import Refused
from houseprice.backend.remote.transport import Transport
from houseprice.backend.schemas import (
    ChangeOut,
    EffectPointOut,
    EffectsOut,
    ImportanceOut,
    ModelOut,
    StudyOut,
    ValuationOut,
    ValuationsOut,
    VersionOut,
)
from houseprice.backend.strict_json import parse_json, single_line
from houseprice.errors import BackendInvalidResponse, InputError, ModelError
from houseprice.market.contract import Contract
from houseprice.market.problems import Problem, concat_problems, problem_order
from houseprice.market.validation import validate

__all__ = ["Chunk", "Service", "ValuationRequest", "chunk_of", "concat", "json_rows", "validated"]

NUMBERS = ("predicted_price", "price_low", "price_high", "interval", "fsd", "confidence")

T = TypeVar("T")


@dataclass(frozen=True)
class ValuationRequest:
    """What an answer is held against.

    Attributes
    ----------
    houses : int
        How many were sent.
    interval : float
        Level of the ranges.
    contract : Contract
    legal_only : bool
        Whether a price that the contract does not allow can't be one: a server that works by
        another contract may give others.
    place : str
        Host and port of the server, for sentences.
    """

    houses: int
    interval: float
    contract: Contract
    legal_only: bool
    place: str


@dataclass(frozen=True, eq=False)
class Chunk:
    """The answer to some houses.

    Attributes
    ----------
    valid : bool ndarray of shape (n,)
        Which houses have a value.
    valued : DataFrame, shape (n_valid, 8)
        What ``ValuationModel.value`` gives, and comparables and top_drivers as texts.
    problems : tuple of Problem
        In the order of :func:`houseprice.market.validation.validate`; rows from 1.
    model_version : str
    valued_at : datetime
    """

    valid: NDArray[np.bool_]
    valued: pd.DataFrame
    problems: tuple[Problem, ...]
    model_version: str
    valued_at: datetime


def validated(shape: TypeAdapter[T], text: bytes, place: str) -> T:
    """Take the text of an answer for what it should be.

    Parameters
    ----------
    shape : TypeAdapter
    text : bytes
        Strict JSON (:func:`houseprice.backend.strict_json.read_json` has read it).
    place : str
        Host and port of the server, for sentences.

    Raises
    ------
    BackendInvalidResponse
        If it is something else.
    """
    try:
        return shape.validate_json(text, strict=True)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        said = first["msg"].removeprefix("Value error, ")
        raise _unusable(place, f"{where}: {said}" if where else said) from None


def chunk_of(answer: ValuationsOut, asked: ValuationRequest) -> Chunk:
    """Take an answer for what was asked.

    Raises
    ------
    BackendInvalidResponse
        If it can't be.
    """
    told = [each.problem() for each in answer.errors + answer.notes]
    fault = _fault_of_all(answer, told, asked)
    if fault:
        raise _unusable(asked.place, fault)
    entries = [each for each in answer.valuations if each is not None]
    columns: dict[str, Any] = {name: [getattr(v, name) for v in entries] for name in NUMBERS}
    columns["comparables"] = [tuple(v.comparable_ids or ()) for v in entries]
    columns["top_drivers"] = [tuple(v.top_drivers or ()) for v in entries]
    valid = np.array([each is not None for each in answer.valuations], dtype=bool)
    problems = tuple(sorted(told, key=problem_order(asked.contract.columns)))
    return Chunk(valid, pd.DataFrame(columns), problems, answer.model_version, answer.valued_at)


def concat(pieces: Sequence[Chunk], own: Sequence[Problem]) -> ValuationResult:
    """Put the answers to the pieces of one table together.

    Parameters
    ----------
    pieces : sequence of Piece
        One at least, all of one model.
    own : sequence of Problem
        Of the whole table, which only this side knows of.
    """
    found = concat_problems((len(piece.valid), piece.problems) for piece in pieces)
    problems = sorted([*found, *own], key=lambda problem: problem.row or 0)
    frame = valuation_frame(
        np.concatenate([piece.valid for piece in pieces]),
        problems,
        pieces[0].valued
        if len(pieces) == 1
        else pd.concat([piece.valued for piece in pieces], ignore_index=True),
        pieces[0].model_version,
        pieces[-1].valued_at,
    )
    return ValuationResult(frame, tuple(problems))


def _fault_of_all(
    answer: ValuationsOut, told: Sequence[Problem], asked: ValuationRequest
) -> str | None:
    """The first thing that is wrong with an answer, if anything is."""
    entries, n = answer.valuations, asked.houses
    if len(entries) != n:
        return f"{n:,} houses were sent and {len(entries):,} answers came back"
    currency = asked.contract.market.price.currency
    if answer.currency != currency:
        return f"its prices are in {answer.currency}, not in {currency}"
    if not all(each.row is None or 1 <= each.row <= n for each in told):
        return "it tells of houses that were not sent"
    wrong = {each.row for each in told if each.severity == "error"}
    for row, entry in enumerate(entries, start=1):
        fault = _fault(entry, row, row in wrong, asked)
        if fault:
            return fault
    return None


def _fault(
    entry: ValuationOut | None, row: int, is_wrong: bool, asked: ValuationRequest
) -> str | None:
    if entry is None:
        return None if is_wrong else f"house {row:,} has no value, and no reason is given"
    if is_wrong:
        return f"house {row:,} has a value, and a reason for having none"
    if entry.row != row:
        return f"the answer to house {row:,} says that it is to house {entry.row:,}"
    if abs(entry.interval - asked.interval) > 1e-9:
        return f"the range is one of {entry.interval:.0%} and not of {asked.interval:.0%}"
    lower, upper = asked.contract.market.price.range
    if asked.legal_only and not lower <= entry.price_low <= entry.price_high <= upper:
        return f"{entry.predicted_price:,.6g} is no price of this market"
    return None


def _unusable(place: str, why: str) -> BackendInvalidResponse:
    message = (
        f"The server at {place} gave an answer that can't be right, so none of it is shown "
        f"({single_line(why)}). Tell whoever runs it."
    )
    return BackendInvalidResponse(message, reason="shape")


_EXACT = 2**53  # whole numbers up to here are the same in every reader of JSON


def json_rows(rows: pd.DataFrame, contract: Contract) -> list[dict[str, Any]]:
    """Write one object a row.

    Parameters
    ----------
    rows : DataFrame, shape (n_rows, any columns)
        Values of any type; no two columns of one name.
    contract : Contract

    Returns
    -------
    list of dict, length n_rows
        All with the same keys: the columns that are the contract's, in its order, and the key of
        the houses. A column that is missing here is missing there.
    """
    names = [name for name in contract.columns if name in rows.columns]
    # One block of objects costs a fraction of eighty columns, where there are few rows.
    block = rows[names].to_numpy(dtype=object)
    found = [
        {
            name: None if absent else _cell(value)
            for name, value, absent in zip(names, values, unknown, strict=True)
        }
        for values, unknown in zip(block.tolist(), pd.isna(block).tolist(), strict=True)
    ]
    key = contract.market.id
    if key in rows.columns and key not in names:
        for row, text in zip(found, _keys(rows[key]), strict=True):
            row[key] = text
    return found


def _keys(column: pd.Series) -> list[str | None]:
    """Keys as text, for that is how they are compared: 7.0 is another one than 7."""
    return [
        None if absent else _text(str(text))
        for text, absent in zip(column.astype(str), pd.isna(column), strict=True)
    ]


def _cell(value: object) -> str | int | float | bool:
    """Write one value so that it reads the same: text as it is, odd numbers as text."""
    if isinstance(value, str):
        return _text(value)
    if hasattr(value, "item"):  # a number of numpy's own
        value = value.item()
    if isinstance(value, bool):
        return value
    if isinstance(value, int):
        return value if abs(value) <= _EXACT else _digits(value)
    if isinstance(value, float):
        return value if math.isfinite(value) else repr(value)
    if isinstance(value, Decimal):
        return str(value)
    return _text(str(value))


def _digits(value: int) -> str:
    # Python writes no integer of thousands of digits; it is beyond every limit all the same.
    return str(value) if abs(value) < 10**400 else "inf"


def _text(text: str) -> str:
    """Text that can be written in UTF-8: half a character, which no file can hold, becomes a ?."""
    return text if text.isascii() else text.encode("utf-8", "replace").decode("utf-8")


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
                validate(pd.DataFrame(columns=pd.Index(names, dtype=object)), contract).problems
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

    def values(self, rows: pd.DataFrame, wanted: dict[str, Any], *, legal_only: bool) -> Chunk:
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
        asked = ValuationRequest(len(rows), interval, self._contract, legal_only, self.place)
        return chunk_of(answer, asked)

    def value_of_one(self, rows: pd.DataFrame, wanted: dict[str, Any]) -> ValuationOut:
        """Have more said of one house than its value: ``explain``, ``comparables``."""
        self._refuse_others_than_one(rows)
        answer = self._valuations(rows, wanted)
        asked = ValuationRequest(
            1, DEFAULT_INTERVAL, self._contract, legal_only=False, place=self.place
        )
        piece = chunk_of(answer, asked)
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
        raise BackendInvalidResponse(message, reason="shape")

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
        parse_json(text, self.place)
        return validated(shape, text, self.place)
