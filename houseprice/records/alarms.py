"""Alarms: accuracy below that expected, and requests that are unlike the sales.

Expected are the level of each interval, and the median absolute error on held-out sales. In all
tests of all versions together, and however often they are made, the probability that a model that
is as accurate as expected causes an alarm is at most :data:`ALARM_RATE`. An alarm is an event that
is added once; what was done about it is another one.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import norm
from sqlalchemy import Connection, select

from houseprice.errors import InputError, RecordsError
from houseprice.formatting import list_some, percent, plural, signed_percent
from houseprice.market.profile.drift import detect_drift
from houseprice.market.sales import Market
from houseprice.model.report import to_records
from houseprice.records.database import Database
from houseprice.records.ledger import Author, lock, log_event, log_event_in
from houseprice.records.schema import entries, events, valuations
from houseprice.records.sequential import excess_evidence
from houseprice.records.track_record import ExpectedAccuracy, PairErrors, by_group

Floats = NDArray[np.float64]

ALARM_RATE = 0.01
"""Largest probability of any false alarm about accuracy."""
DRIFT_ROWS, MIN_DRIFT_ROWS = 1_000, 300
"""Newest requests that are compared with the sales, and how many of them are needed. From so many
on, the limits of drift are at least three standard errors away from the sales."""

_MAX_EXPECTED = 0.95
_RETRAIN = "Retrain with the later prices: houseprice records retrain."

Kind = Literal["coverage", "median_ape", "drift"]


@dataclass(frozen=True)
class Alarm:
    """An alarm about a version: what was found, and what to do about it.

    ``fields`` are those that drifted. ``evidence`` is an e-value, and ``limit`` the one from which
    there is an alarm (see :func:`~houseprice.records.sequential.excess_evidence`).
    """

    kind: Kind
    version: str
    message: str
    advice: tuple[str, ...]
    fields: tuple[str, ...] = ()
    evidence: float | None = None
    limit: float | None = None


def accuracy_alarms(
    pairs: pd.DataFrame, expectations: Mapping[str, ExpectedAccuracy]
) -> list[Alarm]:
    """Return an alarm for each expected value that the later prices contradict.

    Of :data:`ALARM_RATE`, each of the two tests has a half. Version number k, in the order of
    the first outcomes, has 1 / (k (k + 1)) of that, which sums to 1. Half of its part is for the
    test, and half for the sampling error of an expected value that is an estimate: an exceedance
    within it, by the normal approximation, is not held against the model.
    """
    found = []
    order = pairs.groupby("model_version")["outcome"].min().sort_values().index
    for number, version in enumerate(order, start=1):
        rate = ALARM_RATE / 4.0 / (number * (number + 1))
        part = pairs[pairs["model_version"] == version]
        expectation = expectations.get(str(version))
        found += [
            alarm
            for alarm in (
                _coverage_alarm(str(version), part, expectation, rate),
                _error_alarm(str(version), part, expectation, rate),
            )
            if alarm is not None
        ]
    return found


def drift_alarm(database: Database, market: Market, version: str) -> Alarm | None:
    """Return an alarm if the newest requests are unlike the sales, in fields beyond their limit."""
    query = (
        select(valuations.c.facts)
        .join(entries, entries.c.id == valuations.c.entry)
        .where(
            entries.c.kind == valuations.name,
            entries.c.market == market.contract.market.name,
            valuations.c.facts.is_not(None),
        )
        .order_by(entries.c.id.desc())
        .limit(DRIFT_ROWS)
    )
    with database.read() as connection:
        facts = [json.loads(each) for each in connection.scalars(query)]
    if len(facts) < MIN_DRIFT_ROWS:
        return None
    report = detect_drift(pd.DataFrame(facts).fillna("").astype("str"), market)
    if not report.sentences:
        return None
    drifted = report.fields.loc[report.fields["verdict"] == "drifted", "column"]
    return Alarm(
        "drift",
        version,
        f"The newest {plural(len(facts), 'request')} differ from the sales. "
        + " ".join(report.sentences[:3]),
        (
            "Check whether these facts are what people mean.",
            "Add sales of such houses and retrain, or trust their values less.",
        ),
        tuple(drifted),
    )


def record_alarms(database: Database, author: Author, found: Sequence[Alarm]) -> None:
    """Append the alarms that are new: one of each kind and version, for drift of each field."""
    if not found or not _new(known_alarms(database, author.market), found):
        return
    with database.write() as connection:
        lock(connection)
        for alarm in _new(_known(connection, author.market), found):
            log_event_in(connection, author, "alarm", f"{alarm.kind} {alarm.version}", vars(alarm))


def respond(database: Database, author: Author, number: int, what: str) -> int:
    """Append what was done about an alarm; return the number of that event.

    Raises RecordsError if there is no such alarm, InputError if nothing is said.
    """
    if not what.strip():
        raise InputError("Say what was done about the alarm.")
    if number not in set(known_alarms(database, author.market)["entry"]):
        raise RecordsError(f"There is no alarm {number:,}.")
    return log_event(database, author, "alarm_response", str(number), {"what": what.strip()})


def known_alarms(database: Database, market: str) -> pd.DataFrame:
    """Return all alarms, newest first, with what was done.

    The columns are entry, created_at, kind, version, message, advice, fields, evidence, limit and
    responses, a list of dicts with person, at and what; it is empty while nothing was done.
    """
    with database.read() as connection:
        return _known(connection, market)


_COLUMNS = ("entry", "created_at", "kind", "version", "message", "advice", "fields", "evidence",
            "limit", "responses")  # fmt: skip


def _known(connection: Connection, market: str) -> pd.DataFrame:
    query = (
        select(events, entries.c.person, entries.c.created_at)
        .join(entries, entries.c.id == events.c.entry)
        .where(events.c.action.in_(["alarm", "alarm_response"]), entries.c.market == market)
        .order_by(events.c.entry)
    )
    rows: dict[int, dict[str, Any]] = {}
    for event in connection.execute(query):
        detail = json.loads(event.detail)
        if event.action == "alarm":
            own = {"entry": event.entry, "created_at": event.created_at, "responses": []}
            rows[event.entry] = {**detail, **own}
        else:
            answer = {"person": event.person, "at": event.created_at, "what": detail["what"]}
            rows[int(event.subject)]["responses"].append(answer)
    return pd.DataFrame([*rows.values()][::-1], columns=list(_COLUMNS))


def _new(known: pd.DataFrame, found: Sequence[Alarm]) -> list[Alarm]:
    new = []
    for alarm in found:
        same = known[(known["kind"] == alarm.kind) & (known["version"] == alarm.version)]
        reported = {name for fields in same["fields"] for name in fields}
        if same.empty or not set(alarm.fields) <= reported:
            new.append(alarm)
    return new


def _coverage_alarm(
    version: str, pairs: pd.DataFrame, expectation: ExpectedAccuracy | None, rate: float
) -> Alarm | None:
    errors = PairErrors(pairs)
    ranged = np.flatnonzero(~np.isnan(errors.inside))
    level, inside = errors.level[ranged], errors.inside[ranged]
    outside = 1.0 - level + _slack(level, expectation, rate)
    evidence = _evidence(pairs.iloc[ranged], inside == 0.0, outside)
    if evidence < 1.0 / rate:
        return None
    factor = float(np.quantile(_needed_factors(pairs.iloc[ranged]), level.mean()))
    return Alarm(
        "coverage",
        version,
        f"The ranges of {version} contain {percent(inside.mean())} of "
        f"{plural(len(ranged), 'later price')}, and {percent(level.mean())} were expected.",
        (
            f"Widen: ranges {factor:.2f} times as wide would have contained the expected share.",
            *_advice(pairs),
        ),
        evidence=evidence,
        limit=1.0 / rate,
    )


def _error_alarm(
    version: str, pairs: pd.DataFrame, expectation: ExpectedAccuracy | None, rate: float
) -> Alarm | None:
    if expectation is None or math.isnan(expectation.median_ape):
        return None
    ape = PairErrors(pairs).ape
    half = np.full(len(ape), 0.5)
    evidence = _evidence(
        pairs, ape > expectation.median_ape, half + _slack(half, expectation, rate)
    )
    if evidence < 1.0 / rate:
        return None
    return Alarm(
        "median_ape",
        version,
        f"The median absolute error of {version} on {plural(len(ape), 'later sale')} is "
        f"{percent(float(np.median(ape)))}, and {percent(expectation.median_ape)} was expected.",
        _advice(pairs),
        evidence=evidence,
        limit=1.0 / rate,
    )


def _slack(share: Floats, expectation: ExpectedAccuracy | None, rate: float) -> Floats:
    """Return the sampling error of an expected share that is exceeded at the rate."""
    n_sales = expectation.n_sales if expectation else None
    if not n_sales:
        return np.zeros_like(share)
    return float(norm.isf(rate)) * np.sqrt(share * (1.0 - share) / n_sales)


def _evidence(pairs: pd.DataFrame, failed: NDArray[np.bool_], expected: Floats) -> float:
    if pairs.empty:
        return 1.0
    sold_on = pd.DatetimeIndex(pairs["sold_on"])
    quarter = sold_on.year * 4 + sold_on.quarter
    return excess_evidence(failed, np.minimum(expected, _MAX_EXPECTED), quarter - quarter.min())


def _needed_factors(pairs: pd.DataFrame) -> Floats:
    """Return how many times as wide each range had to be to contain the price, on a log scale."""
    price, value, low, high = (
        np.log(pairs[name].to_numpy(np.float64))
        for name in ("price", "predicted_price", "price_low", "price_high")
    )
    with np.errstate(divide="ignore", invalid="ignore"):  # of a range without a width
        above, below = (price - value) / (high - value), (value - price) / (value - low)
    factors: Floats = np.where(price > value, above, below)
    return factors


def _advice(pairs: pd.DataFrame) -> tuple[str, ...]:
    errors = PairErrors(pairs)
    overall = errors.figures(slice(None))
    advice = [_RETRAIN]
    if overall["bias_low"] > 0 or overall["bias_high"] < 0:
        direction = "too high" if overall["bias"] > 0 else "too low"
        advice.append(
            f"Values are {direction} as a whole (median error {signed_percent(overall['bias'])}): "
            "prices have moved since the sales of the model."
        )
    areas = by_group(errors, {"area": pairs["area"]})
    is_worse = (areas["median_ape_low"] > overall["median_ape"]) | (
        areas["coverage_high"] < overall["coverage"]
    )
    worse = areas[is_worse].sort_values("median_ape", ascending=False)
    if len(worse):
        names = [
            f"{row['group']} (median absolute error {percent(row['median_ape'])})"
            for row in to_records(worse)
        ]
        advice.append(f"Look at these areas first: {list_some(names, 3)}.")
    return tuple(advice)
