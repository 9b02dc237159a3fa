"""Random reviews: samples of saved valuations, and what reviewers say about each.

A draw is an event with its seed, its period and its result, so that it can be repeated: no one can
choose which valuations are looked at. Price and area are kept when personal data are deleted, so
that it can be repeated then, too.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import date
from typing import Any, Literal, get_args

import numpy as np
import pandas as pd
from sqlalchemy import select

from houseprice.errors import InputError, RecordsError
from houseprice.formatting import join_words, plural
from houseprice.model.metrics import share_interval
from houseprice.model.report import to_records
from houseprice.records.database import Database
from houseprice.records.ledger import Author, append, log_event
from houseprice.records.schema import entries, events, reviews, valuations
from houseprice.records.texts import MAX_TEXT_CHARS
from houseprice.records.track_record import during
from houseprice.records.valuations import get

Verdict = Literal["agree", "too_high", "too_low"]
VERDICTS: tuple[Verdict, ...] = get_args(Verdict)

MAX_SAMPLE = 1_000
"""Valuations in one sample."""
_PRICE_BANDS = 5


@dataclass(frozen=True)
class Sample:
    """A sample that was drawn: its event, and the valuations in the order of the draw."""

    number: int
    valuations: tuple[int, ...]
    n_eligible: int


@dataclass(frozen=True)
class ReviewResults:
    """What reviewers found.

    ``shares`` has, for each verdict, cases, share, low and high (95 % interval); ``reviewers`` the
    same for the share that agrees, by reviewer, with ``own``: how many were saved by the reviewer,
    who is not independent there.
    """

    n_reviews: int
    shares: pd.DataFrame
    reviewers: pd.DataFrame

    def to_dict(self) -> dict[str, Any]:
        """Return the results as plain data for JSON."""
        return {
            "reviews": self.n_reviews,
            "verdicts": to_records(self.shares),
            "reviewers": to_records(self.reviewers),
        }


def draw_sample(
    database: Database,
    author: Author,
    size: int,
    *,
    seed: int = 0,
    since: date | None = None,
    until: date | None = None,
) -> Sample:
    """Draw valuations that were given in a period, both days included, and log the draw.

    The sample is systematic: the valuations are put in the order of price band (fifths of the
    value) and area, at random within, and every n-th is taken from a random start, so that each
    stratum is represented in proportion and each valuation has the same probability (Cochran 1977,
    section 8.1).

    Raises InputError for a size that can't be drawn, RecordsError if there are no valuations.
    """
    if not 1 <= size <= MAX_SAMPLE:
        raise InputError(f"A sample has 1 to {MAX_SAMPLE:,} valuations.")
    frame = _eligible(database, author.market, since, until)
    if frame.empty:
        raise RecordsError("There are no saved valuations with a value in this period.")
    drawn = _draw(frame, size, seed)
    detail = {
        "size": size,
        "seed": seed,
        "since": since,
        "until": until,
        "last_entry": int(frame["entry"].max()),
        "n_eligible": len(frame),
        "valuations": drawn,
    }
    number = log_event(database, author, "sample", plural(len(drawn), "valuation"), detail)
    return Sample(number, tuple(drawn), len(frame))


def repeat_draw(database: Database, market: str, number: int) -> bool:
    """Draw a sample again, and return whether the same valuations are drawn."""
    detail = _samples(database, market, number)[number]
    days = (None if detail[name] is None else date.fromisoformat(detail[name])
            for name in ("since", "until"))  # fmt: skip
    frame = _eligible(database, market, *days)
    frame = frame[frame["entry"] <= detail["last_entry"]]
    drawn: list[int] = detail["valuations"]
    return _draw(frame, detail["size"], detail["seed"]) == drawn


def add_review(
    database: Database,
    author: Author,
    valuation: int,
    verdict: str,
    reason: str = "",
    *,
    sample: int | None = None,
) -> int:
    """Record what a reviewer says about a saved valuation; a newer review replaces an older one.

    Without ``sample``, the review belongs to the newest sample that has the valuation. Raises
    InputError for an unknown verdict, or if a value is not agreed with and no reason is given.
    """
    if verdict not in VERDICTS:
        raise InputError(f"A verdict is {join_words(VERDICTS, 'or')}.")
    if verdict != "agree" and not reason.strip():
        raise InputError("Give the reason why the value is too high or too low.")
    if len(reason) > MAX_TEXT_CHARS:
        raise InputError(f"A reason has at most {MAX_TEXT_CHARS:,} characters.")
    get(database, author.market, valuation)
    samples = _samples(database, author.market, sample)
    drawn = [number for number, detail in samples.items() if valuation in detail["valuations"]]
    if sample is not None and not drawn:
        raise RecordsError(f"Valuation {valuation:,} is not part of sample {sample:,}.")
    row = {
        "valuation": valuation,
        "sample": max(drawn, default=None),
        "verdict": verdict,
        "reason": reason.strip() or None,
    }
    return append(database, author, reviews, [row])[0]


def open_reviews(
    database: Database, market: str, *, sample: int | None = None, reviewer: str | None = None
) -> pd.DataFrame:
    """Return the sampled valuations without a review, or without one of a reviewer.

    The columns are sample, valuation, reference, predicted_price, price_low, price_high, area,
    valued_at and model_version, in the order of the draw.
    """
    drawn = [
        (number, valuation)
        for number, detail in _samples(database, market, sample).items()
        for valuation in detail["valuations"]
    ]
    query = select(reviews.c.valuation).join(entries, entries.c.id == reviews.c.entry)
    query = query.where(entries.c.kind == reviews.name, entries.c.market == market)
    if reviewer is not None:
        query = query.where(entries.c.person == reviewer)
    with database.read() as connection:
        done = set(connection.scalars(query))
    waiting = [(number, valuation) for number, valuation in drawn if valuation not in done]
    columns = ["entry", "reference", "predicted_price", "price_low", "price_high", "area",
               "valued_at", "model_version"]  # fmt: skip
    query_rows = select(*(valuations.c[name] for name in columns)).where(
        valuations.c.entry.in_({valuation for _, valuation in waiting})
    )
    frame = pd.DataFrame(waiting, columns=["sample", "valuation"])
    details = database.frame(query_rows).rename(columns={"entry": "valuation"})
    return frame.merge(details, on="valuation", how="left")


def review_results(
    database: Database,
    market: str,
    *,
    since: date | None = None,
    until: date | None = None,
) -> ReviewResults:
    """Return what reviewers found in a period: the newest review of each person and valuation."""
    saved = entries.alias()
    query = (
        select(entries.c.id, entries.c.person, reviews.c.valuation, reviews.c.verdict,
               saved.c.person.label("saved_by"))
        .join(reviews, reviews.c.entry == entries.c.id)
        .join(saved, saved.c.id == reviews.c.valuation)
        .where(
            entries.c.kind == reviews.name,
            entries.c.market == market,
            *during(entries.c.created_at, since, until),
        )
        .order_by(entries.c.id)
    )  # fmt: skip
    frame = database.frame(query).drop_duplicates(["person", "valuation"], keep="last")
    shares = [_share(verdict, frame["verdict"] == verdict) for verdict in VERDICTS]
    reviewers = [
        {
            **_share(person, part["verdict"] == "agree"),
            "own": int((part["saved_by"] == person).sum()),
        }
        for person, part in frame.groupby("person")
    ]
    columns = ["group", "cases", "share", "low", "high"]
    return ReviewResults(
        len(frame),
        pd.DataFrame(shares, columns=columns).rename(columns={"group": "verdict"}),
        pd.DataFrame(reviewers, columns=[*columns, "own"]).rename(columns={"group": "reviewer"}),
    )


def _share(group: object, is_so: pd.Series) -> dict[str, object]:
    n = len(is_so)
    share = float(is_so.mean()) if n else float("nan")
    low, high = share_interval(share, max(n, 1))
    return {"group": group, "cases": n, "share": share, "low": float(low), "high": float(high)}


def _eligible(
    database: Database, market: str, since: date | None, until: date | None
) -> pd.DataFrame:
    query = (
        select(valuations.c.entry, valuations.c.predicted_price, valuations.c.area)
        .join(entries, entries.c.id == valuations.c.entry)
        .where(
            entries.c.kind == valuations.name,
            entries.c.market == market,
            valuations.c.predicted_price.is_not(None),
            *during(valuations.c.valued_at, since, until),
        )
        .order_by(valuations.c.entry)
    )
    return database.frame(query)


def _draw(frame: pd.DataFrame, size: int, seed: int) -> list[int]:
    """Return the numbers of a systematic sample of the strata, in random order."""
    random = np.random.default_rng(seed)
    price = frame["predicted_price"].to_numpy(np.float64)
    limits = np.quantile(price, np.arange(1, _PRICE_BANDS) / _PRICE_BANDS)
    area, _ = pd.factorize(frame["area"].fillna(""), sort=True)
    order = np.lexsort((random.random(len(frame)), area, np.searchsorted(limits, price)))
    n_drawn = min(size, len(frame))
    places = (np.arange(n_drawn) + random.random()) * len(frame) / n_drawn
    drawn = frame["entry"].to_numpy()[order[places.astype(np.intp)]]
    return [int(number) for number in random.permutation(drawn)]


def _samples(
    database: Database, market: str, number: int | None = None
) -> dict[int, dict[str, Any]]:
    """Return what was logged of all samples by number, or of one."""
    query = (
        select(events.c.entry, events.c.detail)
        .join(entries, entries.c.id == events.c.entry)
        .where(events.c.action == "sample", entries.c.market == market)
        .order_by(events.c.entry)
    )
    if number is not None:
        query = query.where(events.c.entry == number)
    with database.read() as connection:
        found = {row.entry: json.loads(row.detail) for row in connection.execute(query)}
    if number is not None and not found:
        raise RecordsError(f"There is no sample {number:,}.")
    return found
