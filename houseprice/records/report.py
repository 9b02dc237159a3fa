"""The live report: track record, alarms and reviews, as page, command and API show them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from typing import Any

import pandas as pd

from houseprice.backend.base import Backend
from houseprice.errors import HousePriceError
from houseprice.market.sales import Market
from houseprice.model.report import to_records
from houseprice.records.alarms import (
    ALARM_RATE,
    accuracy_alarms,
    drift_alarm,
    known_alarms,
    record_alarms,
)
from houseprice.records.database import Database
from houseprice.records.ledger import Author
from houseprice.records.outcomes import pairs
from houseprice.records.reviews import ReviewResults, review_results
from houseprice.records.track_record import (
    TrackRecord,
    count_requests,
    expected_accuracies,
    track_record,
)


@dataclass(frozen=True)
class LiveReport:
    """The track record of ``pairs``, all alarms (:func:`known_alarms`), and reviews.

    ``notes`` say what is missing, and why.
    """

    pairs: pd.DataFrame
    record: TrackRecord
    alarms: pd.DataFrame
    reviews: ReviewResults
    notes: tuple[str, ...] = ()

    @property
    def n_open_alarms(self) -> int:
        """How many alarms have no response."""
        return sum(not responses for responses in self.alarms["responses"])

    def to_dict(self) -> dict[str, Any]:
        """Return the report as plain data for JSON."""
        return {
            **self.record.to_dict(),
            "notes": list(self.notes),
            "alarm_rate": ALARM_RATE,
            "alarms": to_records(self.alarms),
            "reviews": self.reviews.to_dict(),
        }


def live_report(
    database: Database,
    author: Author,
    market: Market,
    open_backend: Callable[[], Backend],
    *,
    person: str | None = None,
    since: date | None = None,
    until: date | None = None,
) -> LiveReport:
    """Report on the valuations of a person, or of all.

    The days, both included, are those of the sale for figures, of the valuation for the hit rate,
    and of the review for reviews. A report on everything also looks for alarms, and adds new ones
    to the events. Without a backend, or its versions, the rest is reported, and no alarm is looked
    for.
    """
    name, price = author.market, market.contract.market.price
    found = pairs(database, name, person=person, since=since, until=until)
    requests = count_requests(database, name, person=person, since=since, until=until)
    try:
        backend = open_backend()
        version = backend.info().model_version
        expectations, notes = expected_accuracies(backend)
    except HousePriceError as error:
        version, expectations, notes = "", {}, (f"The expected accuracy is not known: {error}",)
    if person is None and since is None and until is None:
        if notes:
            notes = (*notes, "No alarm was looked for.")
        else:
            drift = drift_alarm(database, market, version)
            alarms = accuracy_alarms(found, expectations) + ([drift] if drift else [])
            record_alarms(database, author, alarms)
    return LiveReport(
        found,
        track_record(found, requests, expectations, symbol=price.symbol),
        known_alarms(database, name),
        review_results(database, name, since=since, until=until),
        notes,
    )
