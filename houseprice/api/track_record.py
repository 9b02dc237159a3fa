"""``GET /v1/track-record``: saved values beside the prices of later sales."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from fastapi import APIRouter, Request, Response
from pydantic import AwareDatetime, BaseModel, Field

from houseprice.api.bodies import (
    Day,
    RequestModel,
    large_json_response,
    parse_query,
    query_parameters,
)
from houseprice.api.engine import get_engine
from houseprice.api.problem_details import error_responses
from houseprice.api.records import Visitor
from houseprice.backend.schemas import Number, ResponseModel

if TYPE_CHECKING:
    from houseprice.records.database import Database
    from houseprice.records.ledger import Author


class TrackRecordQuery(BaseModel):
    """Query parameters of the track record."""

    model_config = RequestModel.model_config | {"strict": False}

    since: Day = Field(
        None,
        description="First day: of the sale, for the hit rate of the valuation, for reviews of the "
        "review.",
    )
    until: Day = Field(None, description="Last day, likewise.")


class FigureOut(ResponseModel):
    """A figure with its 95 % interval and its expected value."""

    figure: str = Field(description="`hit_rate`, `median_ape`, `within_10`, `bias`, `coverage_90`")
    cases: int
    value: Number | None
    low: Number | None
    high: Number | None
    expected: Number | None = Field(description="Null if it is not known")
    finding: Literal["as expected", "better", "worse", "too few", ""]


class GroupOut(ResponseModel):
    """The figures of a group of later sales; null if it has too few."""

    by: Literal["version", "month", "area", "price", "source"]
    group: str
    cases: int
    median_ape: Number | None
    median_ape_low: Number | None
    median_ape_high: Number | None
    within_10: Number | None
    within_10_low: Number | None
    within_10_high: Number | None
    coverage: Number | None
    coverage_low: Number | None
    coverage_high: Number | None
    bias: Number | None
    bias_low: Number | None
    bias_high: Number | None
    expected_coverage: Number | None = Field(description="The mean level of the ranges")


class RatioOut(ResponseModel):
    """A figure of the ratio study with its 90 % interval, and what the standard accepts."""

    group: str
    sales: int
    figure: str
    value: Number | None
    low: Number | None
    high: Number | None
    accepted_low: Number | None
    accepted_high: Number | None
    met: bool | None


class AlarmResponseOut(ResponseModel):
    """What was done about an alarm."""

    person: str
    at: AwareDatetime
    what: str


class AlarmOut(ResponseModel):
    """Accuracy below that expected, or requests that differ from the sales."""

    entry: int = Field(description="Number of the alarm")
    created_at: AwareDatetime
    kind: Literal["coverage", "median_ape", "drift"]
    version: str = Field(description="Version of the model")
    message: str
    advice: list[str]
    fields: list[str] = Field(description="Fields that drifted")
    evidence: Number | None = Field(description="E-value of the sequential test")
    limit: Number | None = Field(description="E-value from which there is an alarm")
    responses: list[AlarmResponseOut] = Field(description="Empty while nothing was done")


class VerdictOut(ResponseModel):
    """How many reviews came to a verdict; the interval of the share is of 95 %."""

    verdict: Literal["agree", "too_high", "too_low"]
    cases: int
    share: Number | None
    low: Number | None
    high: Number | None


class ReviewerOut(ResponseModel):
    """How often a reviewer agrees; the interval of the share is of 95 %."""

    reviewer: str
    cases: int
    share: Number | None
    low: Number | None
    high: Number | None
    own: int = Field(description="Valuations that the reviewer had saved, who is not independent")


class ReviewsOut(ResponseModel):
    """What reviewers found."""

    reviews: int
    verdicts: list[VerdictOut]
    reviewers: list[ReviewerOut]


class TrackRecordOut(ResponseModel):
    """The accuracy of saved values on later sales, and the expected accuracy."""

    sentence: str
    notes: list[str] = Field(description="What is missing, and why")
    saved: int = Field(description="Saved requests")
    valued: int = Field(description="Those of them with a value")
    sales: int = Field(description="Later sales whose house was valued before")
    saved_after_the_sale: int = Field(description="Those whose value was saved only afterwards")
    figures: list[FigureOut]
    groups: list[GroupOut]
    ratio_study: list[RatioOut]
    alarm_rate: Number = Field(description="Largest probability of any false alarm about accuracy")
    alarms: list[AlarmOut] = Field(description="All alarms, the newest first")
    reviews: ReviewsOut


router = APIRouter(tags=["records"])


@router.get(
    "/v1/track-record",
    summary="Saved values beside the prices of later sales",
    responses={200: {"model": TrackRecordOut}, **error_responses(403, 422)},
    openapi_extra={"parameters": query_parameters(TrackRecordQuery)},
)
async def track_record(request: Request) -> Response:
    """Report hit rate, errors, coverage and bias, by group, with alarms and reviews.

    Without a period, new alarms are added to the records.
    """
    query, visitor = parse_query(TrackRecordQuery, request), Visitor(request)
    engine = get_engine(request)
    market, backend = engine.market, engine.model.backend

    def report(database: Database, author: Author, _: str | None) -> dict[str, Any]:
        from houseprice.records.report import live_report

        return live_report(
            database, author, market, lambda: backend, since=query.since, until=query.until
        ).to_dict()

    return await large_json_response(await visitor.run("see track record", report))
