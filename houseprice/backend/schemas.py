"""The answers of the HTTP API as pydantic models, for the server and for its client.

The server documents its answers with these models, and the client validates answers against them.
The names of their fields are part of the API and do not change.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields, replace
from datetime import date, datetime
from typing import Annotated, Any, Self

import pandas as pd
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, model_validator

from houseprice.backend.base import NUMBER_COLUMNS, VALUATION_COLUMNS, BackendInfo, ValuationResult
from houseprice.market.problems import Problem, Severity
from houseprice.model.explanation import Explanation
from houseprice.model.nearby import NearbyPrices
from houseprice.model.study import NO_STUDY, Study, StudyState

API_VERSION = "1"

Number = Annotated[float, Field(allow_inf_nan=False)]
Reference = str | int | None
Money = Annotated[float, Field(gt=0, allow_inf_nan=False)]


class ResponseModel(BaseModel):
    """Base of all answers: unknown fields of a newer server are ignored.

    A field with a default is one that an older server lacks; this one always sends it.
    """

    model_config = ConfigDict(
        frozen=True, extra="ignore", json_schema_serialization_defaults_required=True
    )


class ProblemOut(ResponseModel):
    """A problem of one row, or of the whole request."""

    row: int | None = Field(description="Counted from 1; null for the whole request")
    field: str | None = Field(description="Column of the problem")
    code: str = Field(description="Stable name of the kind of problem")
    severity: Severity
    message: str = Field(description="What is wrong, as a sentence")
    read: str | None = Field(description="What was read")
    expected: str | None = Field(description="What would be accepted")
    fields: tuple[str, ...] = Field((), description="All columns, where it concerns several")
    reference: Reference = Field(None, description="The reference of the row, if it has one")
    record: int | None = Field(None, description="The number of the saved row")


class ContributionOut(ResponseModel):
    """The contribution of one field to a value."""

    column: str
    label: str
    told: str
    base: str
    contribution: Number
    sentence: str


class NearbyPricesOut(ResponseModel):
    """What the sales nearest to a house sold for, compared with the market's median."""

    sales: int
    distance_m: float = Field(ge=0, allow_inf_nan=False, description="To the farthest of them")
    difference: float = Field(ge=-1, allow_inf_nan=False, description="0.12 is 12 % more")
    sentence: str


class ExplanationOut(ResponseModel):
    """From the typical house to this one: base price plus contributions equals price."""

    base_price: Money
    price: Money
    contributions: list[ContributionOut]
    nearby: NearbyPricesOut | None = Field(None, description="Only where coordinates are known")

    def explanation(self) -> Explanation:
        """Return it as the model does."""
        columns = list(ContributionOut.model_fields)
        frame = pd.DataFrame([each.model_dump() for each in self.contributions], columns=columns)
        nearby = NearbyPrices(**self.nearby.model_dump()) if self.nearby else None
        return Explanation(self.base_price, self.price, frame, nearby)


class ComparableOut(ResponseModel):
    """A comparable sale; see :mod:`houseprice.model.comparables`."""

    row: int = Field(description="Position of the sale in the market, counted from 0")
    id: str
    similarity: Number
    price: Money
    price_per_area: Number | None
    sold: str
    same_location: bool
    circumstances: str
    differences: str
    time_adjusted_price: Money | None = Field(
        None, description="The price moved to the valuation date by the price index of the market"
    )
    adjustment: Number | None = Field(None, description="What turns price into adjusted_price")
    adjusted_price: Money | None = Field(
        None, description="Price times the value of the house over the value of the sale"
    )


class ValuationOut(ResponseModel):
    """The value of one house; parts that were not requested are null."""

    row: int = Field(description="Counted from 1")
    reference: Reference = Field(None, description="The reference of the row, if it has one")
    record: int | None = Field(None, description="The number of the saved row")
    predicted_price: Money
    price_low: Money
    price_high: Money
    interval: float = Field(ge=0.5, le=0.95)
    fsd: Number = Field(description="Half-width of the 68 % range, relative to the value")
    confidence: Number = Field(
        description="100 x (1 - fsd), at most 84 outside of what the sales cover"
    )
    as_of: date | None = Field(None, description="The valuation date")
    facts_given: int | None = Field(None, description="How many fields of the house are known")
    comparable_ids: list[str] | None = None
    top_drivers: list[str] | None = None
    explanation: ExplanationOut | None = None
    comparables: list[ComparableOut] | None = None

    @model_validator(mode="after")
    def _price_is_within_range(self) -> Self:
        if not self.price_low <= self.predicted_price <= self.price_high:
            raise ValueError("the price is outside its range")
        return self


class ValuationsOut(ResponseModel):
    """One valuation per row, in order; null where a row has no value."""

    valuations: list[ValuationOut | None]
    errors: list[ProblemOut] = Field(description="Why rows have no value")
    notes: list[ProblemOut] = Field(description="Warnings, and what was derived or imputed")
    model_version: str
    as_of: date | None = Field(description="The valuation date")
    valued_at: AwareDatetime
    currency: str = Field(description="Of all prices, which are amounts, not logarithms")


class ChangeOut(ResponseModel):
    """The change of a value between two states of a house."""

    before: Money
    after: Money
    delta: Number
    low: Number
    high: Number
    is_clear: bool
    note: str


class EffectPointOut(ResponseModel):
    """The price at one value of a field; `is_own` for one house, `each` for the market."""

    value: Number
    label: str
    price: Money
    low: Money
    high: Money
    is_own: bool | None = None
    each: list[Money] | None = Field(
        None, description="Prices of a fixed sample of the market's houses"
    )


class EffectsOut(ResponseModel):
    """The price along the values of one field."""

    points: list[EffectPointOut]


class NextFactOut(ResponseModel):
    """An unknown field, and the width of the 90 % range over the value without and with it."""

    field: str
    width_now: Number = Field(gt=0)
    width_then: Number = Field(gt=0, description="Expected width once the field is known")


class NextFactsOut(ResponseModel):
    """The unknown fields that would narrow the range most, first the one that narrows it most."""

    facts: list[NextFactOut]


_PROBLEM_FIELDS = tuple(field.name for field in fields(Problem))


def valuations_response(
    result: ValuationResult,
    info: BackendInfo,
    currency: str,
    valued_at: datetime,
    extras: Sequence[Mapping[str, Any]] | None = None,
    identities: Mapping[int, Mapping[str, Any]] = {},
) -> dict[str, Any]:
    """Return a result in the shape of :class:`ValuationsOut`.

    `extras` has per row what else was requested: ``explanation``, ``comparables``. `identities`
    has by row number what is returned with all that concerns a row: ``reference``, ``record``.
    """
    valuations = [_valuation(cells) for cells in result.valuations.to_numpy(dtype=object).tolist()]
    for valuation, extra in zip(valuations, extras or [], strict=False):
        if valuation is not None:
            valuation.update(extra)
    if result.facts_given is not None:
        for valuation, n_given in zip(valuations, result.facts_given.tolist(), strict=True):
            if valuation is not None:
                valuation["facts_given"] = n_given
    problems = [
        {
            **{name: getattr(problem, name) for name in _PROBLEM_FIELDS},
            "reference": None,
            "record": None,
        }
        for problem in result.problems
    ]
    if identities:
        for each in filter(None, (*valuations, *problems)):
            each.update(identities.get(each["row"], {}))
    return {
        "valuations": valuations,
        "errors": [each for each in problems if each["severity"] == "error"],
        "notes": [each for each in problems if each["severity"] != "error"],
        "model_version": info.model_version,
        "as_of": info.as_of,
        "valued_at": valued_at,
        "currency": currency,
    }


def _valuation(cells: list[Any]) -> dict[str, Any] | None:
    """Return one row of valuations; for a single house, cells are faster than columns."""
    row = dict(zip(VALUATION_COLUMNS, cells, strict=True))
    if row["status"] == "error":
        return None
    return {
        "row": row["row"],
        "reference": None,
        "record": None,
        **{name: row[name] for name in NUMBER_COLUMNS},
        "as_of": None,
        "facts_given": None,
        "comparable_ids": row["comparables"] or None,
        "top_drivers": row["top_drivers"] or None,
        "explanation": None,
        "comparables": None,
    }


class MarketOut(ResponseModel):
    """A market of the service."""

    name: str
    title: str
    currency: str = Field(description="Code of the currency; empty if the contract names none")


class ImportanceOut(ResponseModel):
    """The permutation importance of one field, in % of the price and in money."""

    column: str
    label: str
    importance_pct: Number
    spread_pct: Number
    importance_money: Number
    spread_money: Number


class ModelOut(ResponseModel):
    """The model that answers."""

    model_version: str
    package_version: str
    api_version: str
    market_name: str
    market_title: str
    contract_sha256: str
    as_of: date | None
    trained_at: AwareDatetime
    n_sales: int
    currency: str
    metrics: dict[str, Number]
    capabilities: list[str]
    study: StudyState = Field("complete", description="Whether its diagnostics are computed")
    max_rows: int = Field(description="Limit of houses per request")
    card: dict[str, Any]
    card_markdown: str


class VersionOut(ResponseModel):
    """A model version that has a study."""

    model_version: str
    trained_at: AwareDatetime
    n_sales: int
    is_answering: bool
    metrics: dict[str, Number]


class StudyOut(ResponseModel):
    """The diagnostics of a version: each table as its columns, by name; see the docs."""

    held_out: dict[str, list[Any]]
    calibration: dict[str, list[Any]]
    contributions: dict[str, list[Any]]
    groups: dict[str, list[Any]]
    fewer: dict[str, list[Any]]
    chosen: dict[str, list[Any]]
    interactions: dict[str, list[Any]]
    samples: dict[str, list[Any]] = Field(
        default_factory=lambda: NO_STUDY.to_dict()["samples"],
        description="Tables that are computed from a part of the sales only",
    )
    progress: float | None = Field(
        None, ge=0, le=1, description="Share done, while the other tables are being computed"
    )

    @model_validator(mode="after")
    def _is_valid_study(self) -> Self:
        self.study()
        return self

    def study(self) -> Study:
        """Return it as the model has it."""
        return replace(Study.from_dict(self.model_dump()), progress=self.progress)
