"""The answers of our own server, taken only where they are what was asked for and nothing else.

As many values as houses, in their order, finite, positive, inside their ranges, at the level that
was asked for, in the market's currency, and a reason for each house without one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, TypeVar

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pydantic import TypeAdapter, ValidationError

from houseprice.backend.base import Answer
from houseprice.backend.remote.reading import on_one_line
from houseprice.backend.valuations import valuation_frame
from houseprice.backend.wire import ValuationOut, ValuationsOut
from houseprice.errors import BackendGarbled
from houseprice.market.contract import Contract
from houseprice.market.problems import Problem

__all__ = ["Asked", "Piece", "joined", "piece_of", "validated"]

NUMBERS = ("predicted_price", "price_low", "price_high", "interval", "fsd", "confidence")
_SEVERITIES = ("error", "warning", "note")

T = TypeVar("T")


@dataclass(frozen=True)
class Asked:
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
class Piece:
    """The answer to some houses.

    Attributes
    ----------
    valid : bool ndarray of shape (n,)
        Which houses have a value.
    valued : DataFrame, shape (n_valid, 8)
        What ``ValuationModel.value`` gives, and comparables and top_drivers as texts.
    problems : tuple of Problem
        In the order of :func:`houseprice.market.checks.check`; rows from 1.
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
    BackendGarbled
        If it is something else.
    """
    try:
        return shape.validate_json(text, strict=True)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        said = first["msg"].removeprefix("Value error, ")
        raise _unusable(place, f"{where}: {said}" if where else said) from None


def piece_of(answer: ValuationsOut, asked: Asked) -> Piece:
    """Take an answer for what was asked.

    Raises
    ------
    BackendGarbled
        If it can't be.
    """
    told = [each.problem() for each in answer.errors + answer.notes]
    fault = _fault_of_all(answer, told, asked)
    if fault:
        raise _unusable(asked.place, fault)
    entries = [each for each in answer.valuations if each is not None]
    columns: dict[str, Any] = {name: [getattr(v, name) for v in entries] for name in NUMBERS}
    columns["comparables"] = [";".join(v.comparable_ids or ()) for v in entries]
    columns["top_drivers"] = ["; ".join(v.top_drivers or ()) for v in entries]
    valid = np.array([each is not None for each in answer.valuations], dtype=bool)
    problems = _in_order(told, asked.contract)
    return Piece(valid, pd.DataFrame(columns), problems, answer.model_version, answer.valued_at)


def joined(pieces: Sequence[Piece], own: Sequence[Problem]) -> Answer:
    """Put the answers to the pieces of one table together.

    Parameters
    ----------
    pieces : sequence of Piece
        One at least, all of one model.
    own : sequence of Problem
        Of the whole table, which only this side knows of.
    """
    # Pieces of one table have the same columns, so each tells the same of the table as a whole.
    problems = [each for each in pieces[0].problems if each.row is None]
    problems.extend(own)
    before = 0
    for piece in pieces:
        problems.extend(
            replace(each, row=each.row + before) for each in piece.problems if each.row is not None
        )
        before += len(piece.valid)
    frame = valuation_frame(
        np.concatenate([piece.valid for piece in pieces]),
        problems,
        pieces[0].valued
        if len(pieces) == 1
        else pd.concat([piece.valued for piece in pieces], ignore_index=True),
        pieces[0].model_version,
        pieces[-1].valued_at,
    )
    return Answer(frame, tuple(problems))


def _fault_of_all(answer: ValuationsOut, told: Sequence[Problem], asked: Asked) -> str | None:
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


def _fault(entry: ValuationOut | None, row: int, is_wrong: bool, asked: Asked) -> str | None:
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


def _in_order(problems: list[Problem], contract: Contract) -> tuple[Problem, ...]:
    position = {name: number for number, name in enumerate(contract.columns)}

    def key(each: Problem) -> tuple[int, int, int]:
        field = position.get(each.field or "", -1)
        return each.row or 0, field, _SEVERITIES.index(each.severity)

    return tuple(sorted(problems, key=key))


def _unusable(place: str, why: str) -> BackendGarbled:
    message = (
        f"The server at {place} gave an answer that can't be right, so none of it is shown "
        f"({on_one_line(why)}). Tell whoever runs it."
    )
    return BackendGarbled(message, reason="shape")
