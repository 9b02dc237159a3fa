"""What goes over the network between our server and our client, both ways, field by field.

The server documents its answers with these models, and the client takes nothing that breaks one:
as many rows as were sent, in their order, finite and positive prices, each inside its range.

What goes over the network of the model behind the answers: its facts, versions and study.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import date, datetime
from typing import Annotated, Any, Self

import pandas as pd
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, model_validator

from houseprice.backend.base import (
    CAPABILITIES,
    VALUATION_COLUMNS,
    BackendInfo,
    Capability,
    ValuationResult,
    VersionInfo,
)
from houseprice.market.problems import Problem, Severity
from houseprice.model.explanation import Explanation
from houseprice.model.study import Study
from houseprice.model.what_if import ValueChange

__all__ = [
    "API_VERSION",
    "ChangeOut",
    "ComparableOut",
    "ContributionOut",
    "EffectPointOut",
    "EffectsOut",
    "ExplanationOut",
    "ImportanceOut",
    "ModelOut",
    "Number",
    "ProblemOut",
    "ResponseModel",
    "StudyOut",
    "ValuationOut",
    "ValuationsOut",
    "VersionOut",
    "capabilities_known",
    "records",
    "valuations_out",
]

API_VERSION = "1"

_NUMBERS = ("row", "predicted_price", "price_low", "price_high", "interval", "fsd", "confidence")

Number = Annotated[float, Field(allow_inf_nan=False)]
Money = Annotated[float, Field(gt=0, allow_inf_nan=False)]


class ResponseModel(BaseModel):
    """What all of them share: what a later release of the server adds breaks no client."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class ProblemOut(ResponseModel):
    """One finding about a row, or, without a row, about all of them."""

    row: int | None = Field(description="Counted from 1; null for the whole request")
    field: str | None = Field(description="The column it is about")
    code: str = Field(description="Stable name of the kind of finding")
    severity: Severity
    message: str = Field(description="What is wrong, in words")
    read: str | None = Field(description="What was read")
    expected: str | None = Field(description="What would do")

    def problem(self) -> Problem:
        """The same as the checks give it."""
        return Problem(**self.model_dump())


class ContributionOut(ResponseModel):
    """What one fact does to a value."""

    column: str
    label: str
    told: str
    base: str
    contribution: Number
    sentence: str


class ExplanationOut(ResponseModel):
    """From the typical house to this one: the base price plus all contributions is the price."""

    base_price: Money
    price: Money
    contributions: list[ContributionOut]

    def explanation(self) -> Explanation:
        """The same as a model gives it."""
        columns = list(ContributionOut.model_fields)
        frame = pd.DataFrame([each.model_dump() for each in self.contributions], columns=columns)
        return Explanation(self.base_price, self.price, frame)


class ComparableOut(ResponseModel):
    """A sale that is like the house; see :mod:`houseprice.model.comparables`."""

    row: int
    id: str
    similarity: Number
    price: Money
    price_per_area: Number | None
    sold: str
    same_location: bool
    circumstances: str
    differences: str


class ValuationOut(ResponseModel):
    """The value of one house; what was not asked for is null."""

    row: int
    predicted_price: Money
    price_low: Money
    price_high: Money
    interval: float = Field(ge=0.5, le=0.95)
    fsd: Number = Field(description="Half the 68 % range over the value")
    confidence: Number = Field(description="100 x (1 - fsd)")
    comparable_ids: list[str] | None = None
    top_drivers: list[str] | None = None
    explanation: ExplanationOut | None = None
    comparables: list[ComparableOut] | None = None

    @model_validator(mode="after")
    def _inside(self) -> Self:
        if not self.price_low <= self.predicted_price <= self.price_high:
            raise ValueError("the price lies outside its range")
        return self


class ValuationsOut(ResponseModel):
    """The answer to rows: one entry a row, in their order, null where a row has no value."""

    valuations: list[ValuationOut | None]
    errors: list[ProblemOut] = Field(description="Why rows have no value")
    notes: list[ProblemOut] = Field(description="Cautions, and what was worked out")
    model_version: str
    as_of: date = Field(description="The day that the values stand for")
    valued_at: AwareDatetime
    currency: str = Field(description="Of all prices, which are plain amounts, not logarithms")


class ChangeOut(ResponseModel):
    """What other facts do to a value."""

    before: Money
    after: Money
    delta: Number
    low: Number
    high: Number
    is_clear: bool
    note: str

    def change(self) -> ValueChange:
        """The same as a model gives it."""
        return ValueChange(**self.model_dump())


class EffectPointOut(ResponseModel):
    """The price at one value of a field; ``is_own`` only for one house, ``each`` for the market."""

    value: Number
    label: str
    price: Money
    low: Money
    high: Money
    is_own: bool | None = None
    each: list[Money] | None = Field(
        None, description="The prices of some of the market's houses, the same at every value"
    )


class EffectsOut(ResponseModel):
    """The price along the values of one field."""

    points: list[EffectPointOut]


def records(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """Write a table as one object a row, null where nothing is known."""
    return [
        {
            str(name): value if isinstance(value, list) or not pd.isna(value) else None
            for name, value in row.items()
        }
        for row in frame.to_dict("records")
    ]


def valuations_out(
    answer: ValuationResult,
    info: BackendInfo,
    currency: str,
    valued_at: datetime,
    told: Sequence[Mapping[str, Any]] | None = None,
) -> dict[str, Any]:
    """Write an answer as :class:`ValuationsOut` describes it.

    Parameters
    ----------
    answer : Answer
    about : About
        Of the backend that gave it.
    currency : str
    valued_at : datetime
    told : sequence of mapping, optional
        What else to say of each row: ``explanation``, ``comparables``.
    """
    entries = [_entry(cells) for cells in answer.valuations.to_numpy(dtype=object).tolist()]
    for place, more in enumerate(told or []):
        if (valued := entries[place]) is not None:
            valued.update(more)
    problems = [asdict(problem) for problem in answer.problems]
    return {
        "valuations": entries,
        "errors": [each for each in problems if each["severity"] == "error"],
        "notes": [each for each in problems if each["severity"] != "error"],
        "model_version": info.model_version,
        "as_of": info.as_of,
        "valued_at": valued_at,
        "currency": currency,
    }


def _entry(cells: list[Any]) -> dict[str, Any] | None:
    """Write a row of valuations; read as a row, for a column costs more than one row is worth."""
    row = dict(zip(VALUATION_COLUMNS, cells, strict=True))
    if row["status"] == "error":
        return None
    entry = {name: row[name] for name in _NUMBERS}
    if row["comparables"]:
        entry["comparable_ids"] = row["comparables"]
    if row["top_drivers"]:
        entry["top_drivers"] = row["top_drivers"]
    return entry


class ImportanceOut(ResponseModel):
    """How much one field matters, in % of the price and in money."""

    column: str
    label: str
    importance_pct: Number
    spread_pct: Number
    importance_money: Number
    spread_money: Number


class ModelOut(ResponseModel):
    """What stands behind the answers."""

    model_version: str
    package_version: str
    api_version: str
    market_name: str
    market_title: str
    contract_sha256: str
    as_of: date
    trained_at: AwareDatetime
    n_sales: int
    currency: str
    metrics: dict[str, Number]
    capabilities: list[str]
    max_rows: int = Field(description="Most houses in one request")
    card: dict[str, Any]
    card_markdown: str


class VersionOut(ResponseModel):
    """A version of the model whose study can be read."""

    model_version: str
    trained_at: AwareDatetime
    n_sales: int
    is_answering: bool
    metrics: dict[str, Number]

    def version(self) -> VersionInfo:
        """The same as the backend gives it."""
        return VersionInfo(**self.model_dump())


class StudyOut(ResponseModel):
    """What was worked out at training: each table as its columns, by name; see the docs."""

    held_out: dict[str, list[Any]]
    calibration: dict[str, list[Any]]
    contributions: dict[str, list[Any]]
    groups: dict[str, list[Any]]
    fewer: dict[str, list[Any]]
    chosen: dict[str, list[Any]]
    interactions: dict[str, list[Any]]

    @model_validator(mode="after")
    def _is_study(self) -> Self:
        Study.from_dict(self.model_dump())
        return self

    def study(self) -> Study:
        """The same as the model has it."""
        return Study.from_dict(self.model_dump())


def capabilities_known(names: Sequence[str]) -> frozenset[Capability]:
    """Those of a server's capabilities that this release knows."""
    return frozenset(name for name in CAPABILITIES if name in names)
