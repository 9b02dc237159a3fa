"""The track record: how the values that were given compare with the prices of later sales.

All functions take `pairs`, as :func:`houseprice.records.outcomes.pairs` returns them: a row per
outcome with the valuation that was given before the sale.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from typing import Any, Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sqlalchemy import Column, ColumnElement, FromClause, func, select

from houseprice.backend.base import Backend, BackendInfo, VersionInfo
from houseprice.errors import HousePriceError
from houseprice.formatting import join_words, percent, plural
from houseprice.model.metrics import median_interval, share_interval
from houseprice.model.ratio_study import MIN_GROUP_SIZE, ratio_study
from houseprice.model.report import price_quintiles, to_records
from houseprice.model.standards import metric_label
from houseprice.records.database import Database
from houseprice.records.schema import entries, valuations

Floats = NDArray[np.float64]

WITHIN = 0.10
"""The error of the share "within 10 %"."""
N_RESAMPLES, N_DRAWN = 200, 2_000
"""Of the bootstrap intervals of the ratio study."""


@dataclass(frozen=True)
class ExpectedAccuracy:
    """The accuracy of a version on held-out sales, measured at training.

    ``n_sales`` is None where the backend does not say on how many.
    """

    median_ape: float
    within_10: float
    bias: float
    n_sales: int | None

    @classmethod
    def of(cls, metrics: Mapping[str, float], n_sales: int | None) -> Self:
        """Read it from the metrics of a version."""
        median_ape, within_10, bias = (
            metrics.get(name, math.nan) for name in ("median_ape", "within_10", "bias")
        )
        return cls(median_ape, within_10, bias, n_sales)


@dataclass(frozen=True)
class Requests:
    """How many valuations were saved, and how many of them have a value."""

    n_saved: int
    n_valued: int


@dataclass(frozen=True)
class TrackRecord:
    """The accuracy of saved values on later sales, and the expected accuracy.

    Attributes
    ----------
    requests : Requests
    n_sales : int
        Later sales whose house was valued before.
    n_added_later : int
        Those whose valuation was saved on the day of the sale or later.
    figures : DataFrame, one row per figure
        figure (hit_rate, median_ape, within_10, bias, and coverage_90 for each level of intervals),
        cases, value, low, high (95 % interval), expected (NaN if unknown), and finding: "as
        expected", "better", "worse" (the expected value is outside the interval), "too few" or "".
    groups : DataFrame, one row per group
        by (version, month, area, price, source), group, cases, and for each of
        :data:`GROUP_FIGURES` its value and interval ("median_ape", "median_ape_low",
        "median_ape_high"); expected_coverage is the mean level of the intervals. Groups below
        :data:`~houseprice.model.ratio_study.MIN_GROUP_SIZE` cases have no figures.
    equity : DataFrame
        The ratio study; empty below as many sales.
    """

    requests: Requests
    n_sales: int
    n_added_later: int
    figures: pd.DataFrame
    groups: pd.DataFrame
    equity: pd.DataFrame

    @property
    def sentence(self) -> str:
        """The track record in one sentence."""
        if not self.requests.n_saved:
            return "No valuation is saved yet."
        rows = {row["figure"]: row for row in to_records(self.figures)}
        saved = plural(self.requests.n_saved, "saved request")
        hit = f"{percent(rows['hit_rate']['value'])} of {saved} got a value"
        if self.n_sales < MIN_GROUP_SIZE:
            known = plural(self.n_sales, "later price")
            return f"{hit}. Figures need {MIN_GROUP_SIZE} later prices, and {known} can be used."
        error = rows["median_ape"]
        expected, verdict = "", "the expected accuracy is not known"
        if error["expected"] is not None:
            expected = f" ({percent(error['expected'])} expected)"
            worse = [
                metric_label(name)[0].lower() + metric_label(name)[1:]
                for name, row in rows.items()
                if row["finding"] == "worse"
            ]
            verdict = f"worse than expected: {join_words(worse)}" if worse else "as expected"
        return (
            f"{hit}. The median absolute error on {plural(self.n_sales, 'later sale')} is "
            f"{percent(error['value'])}{expected}: {verdict}."
        )

    def to_dict(self) -> dict[str, Any]:
        """Return the track record as plain data for JSON."""
        return {
            "sentence": self.sentence,
            "saved": self.requests.n_saved,
            "valued": self.requests.n_valued,
            "sales": self.n_sales,
            "saved_after_the_sale": self.n_added_later,
            "figures": to_records(self.figures),
            "groups": to_records(self.groups),
            "ratio_study": to_records(self.equity),
        }


def track_record(
    pairs: pd.DataFrame,
    requests: Requests,
    expectations: Mapping[str, ExpectedAccuracy],
    *,
    symbol: str = "",
) -> TrackRecord:
    """Compute the track record.

    `expectations` are by model version, `symbol` is that of the currency.

    Intervals of shares are those of :func:`~houseprice.model.metrics.share_interval`, those of
    medians of :func:`~houseprice.model.metrics.median_interval`.
    """
    errors = PairErrors(pairs)
    enough = len(pairs) >= MIN_GROUP_SIZE
    return TrackRecord(
        requests,
        len(pairs),
        int((pairs["created_at"].dt.date >= pairs["sold_on"]).sum()) if len(pairs) else 0,
        _figures(errors, pairs, requests, expectations),
        by_group(errors, _groupings(pairs, symbol)),
        study(pairs) if enough else pd.DataFrame(),
    )


def study(pairs: pd.DataFrame, groups: pd.Series | None = None, level: float = 0.9) -> pd.DataFrame:
    """Return the ratio study of pairs, whose intervals take a moment for any number of them."""
    return ratio_study(
        pairs["price"],
        pairs["predicted_price"],
        groups,
        level=level,
        n_resamples=N_RESAMPLES,
        n_drawn=N_DRAWN,
    )


def count_requests(
    database: Database,
    market: str,
    *,
    person: str | None = None,
    since: date | None = None,
    until: date | None = None,
) -> Requests:
    """Count the saved valuations, and those of them with a value, of a person or of all.

    The days are those on which they were given, both included.
    """
    own = [entries.c.market == market]
    if person is not None:
        own.append(entries.c.person == person)
    joined: FromClause = entries
    if since is not None or until is not None:
        joined = entries.join(valuations, valuations.c.entry == entries.c.id)
        own += during(valuations.c.valued_at, since, until)
    kind = entries.c.kind == valuations.name
    total = select(func.count()).select_from(joined).where(kind, *own)
    # Few requests have no value, and an index finds those; by kind, all entries would be read.
    failed = (
        select(func.count())
        .select_from(valuations)
        .join(entries, entries.c.id == valuations.c.entry)
        .where(valuations.c.status == "error", *own)
    )
    with database.read() as connection:
        n_saved = connection.scalar(total) or 0
        return Requests(n_saved, n_saved - (connection.scalar(failed) or 0))


def during(
    column: Column[Any], since: date | None, until: date | None
) -> list[ColumnElement[bool]]:
    """Return the conditions that a time is on one of the days (UTC), both included."""
    conditions = []
    if since is not None:
        conditions.append(column >= datetime.combine(since, time(), UTC))
    if until is not None:
        conditions.append(column <= datetime.combine(until, time.max, UTC))
    return conditions


def expected_accuracies(backend: Backend) -> tuple[dict[str, ExpectedAccuracy], tuple[str, ...]]:
    """Return the accuracy at training of the versions that a backend knows, and what is missing."""
    info, notes = backend.info(), []
    known: list[BackendInfo | VersionInfo] = [info]
    if "study" in info.capabilities:
        try:
            known += backend.versions()
        except HousePriceError as error:
            notes.append(f"Of other versions than {info.model_version}, the expected accuracy is "
                         f"not known: {error}")  # fmt: skip
    accuracies = {each.model_version: ExpectedAccuracy.of(each.metrics, each.n_sales)
                  for each in known}  # fmt: skip
    return accuracies, tuple(notes)


class PairErrors:
    """The errors of pairs as arrays: what all figures are computed from."""

    def __init__(self, pairs: pd.DataFrame) -> None:
        price, value = (pairs[name].to_numpy(np.float64) for name in ("price", "predicted_price"))
        low, high = (pairs[name].to_numpy(np.float64) for name in ("price_low", "price_high"))
        self.error = value / price - 1.0
        self.ape = np.abs(self.error)
        self.level = np.where(np.isnan(low), np.nan, pairs["interval"].to_numpy(np.float64))
        self.inside = np.where(np.isnan(self.level), np.nan, (low <= price) & (price <= high))

    def figures(self, which: slice | NDArray[np.intp]) -> dict[str, float]:
        """Return :data:`GROUP_FIGURES` of some pairs with their intervals."""
        error, ape, inside = self.error[which], self.ape[which], self.inside[which]
        ranged = inside[~np.isnan(inside)]
        row = _with_interval("median_ape", float(np.median(ape)), median_interval(ape))
        row |= _share("within_10", ape <= WITHIN)
        row |= _share("coverage", ranged)
        row["expected_coverage"] = _mean(self.level[which])
        return row | _with_interval("bias", float(np.median(error)), median_interval(error))


GROUP_FIGURES = ("median_ape", "within_10", "coverage", "bias")
"""The figures of a group."""


def by_group(errors: PairErrors, groupings: Mapping[str, pd.Series]) -> pd.DataFrame:
    """Return the figures of each group of each grouping: see :attr:`TrackRecord.groups`."""
    rows: list[dict[str, Any]] = []
    for by, labels in groupings.items():
        codes, groups = pd.factorize(labels, sort=True)
        order = np.argsort(codes, kind="stable")
        ends = np.searchsorted(codes[order], np.arange(len(groups) + 1))
        for group, start, end in zip(groups, ends[:-1], ends[1:], strict=True):
            row = {"by": by, "group": str(group), "cases": end - start}
            if end - start >= MIN_GROUP_SIZE:
                row |= errors.figures(order[start:end])
            rows.append(row)
    names = [f"{name}{end}" for name in GROUP_FIGURES for end in ("", "_low", "_high")]
    columns = ["by", "group", "cases", *names, "expected_coverage"]
    return pd.DataFrame(rows, columns=columns)


def _groupings(pairs: pd.DataFrame, symbol: str) -> dict[str, pd.Series]:
    sold_on = pd.DatetimeIndex(pairs["sold_on"])
    months = pd.Series(sold_on.year * 12 + sold_on.month - 1, dtype=int)
    names = {month: f"{month // 12}-{month % 12 + 1:02d}" for month in months.unique()}
    bands = price_quintiles(pairs["price"], symbol) if len(pairs) else pairs["price"]
    return {
        "version": pairs["model_version"],
        "month": months.map(names),
        "area": pairs["area"],
        "price": bands,
        "source": pairs["source"],
    }


def _figures(
    errors: PairErrors,
    pairs: pd.DataFrame,
    requests: Requests,
    expectations: Mapping[str, ExpectedAccuracy],
) -> pd.DataFrame:
    hit = requests.n_valued / requests.n_saved if requests.n_saved else math.nan
    low, high = share_interval(hit, max(requests.n_saved, 1))
    rows = [_figure("hit_rate", requests.n_saved, hit, (float(low), float(high)), math.nan, 0)]
    if len(pairs) < MIN_GROUP_SIZE:
        return pd.DataFrame(rows)
    found = errors.figures(slice(None))
    mixed = mean_expectation(pairs, expectations)
    for name, worse in (("median_ape", 1), ("within_10", -1), ("bias", 0)):
        ends = found[f"{name}_low"], found[f"{name}_high"]
        expected = math.nan if mixed is None else getattr(mixed, name)
        rows.append(_figure(name, len(pairs), found[name], ends, expected, worse))
    percents = np.round(100 * errors.level)
    for level in np.unique(percents[~np.isnan(percents)]):
        inside = errors.inside[percents == level]
        share = _share("", inside)
        rows.append(
            _figure(
                f"coverage_{level:.0f}",
                len(inside),
                share[""],
                (share["_low"], share["_high"]),
                level / 100,
                -1,
            )
        )
    return pd.DataFrame(rows)


def mean_expectation(
    pairs: pd.DataFrame, expectations: Mapping[str, ExpectedAccuracy]
) -> ExpectedAccuracy | None:
    """Return the mean over the versions, weighted by their pairs; None if one is not known."""
    counts = pairs["model_version"].value_counts()
    if not counts.size or not set(counts.index) <= expectations.keys():
        return None
    weights = counts / counts.sum()

    def mean(name: str) -> float:
        each = [getattr(expectations[str(version)], name) for version in weights.index]
        return float(np.dot(weights, each))

    return ExpectedAccuracy(mean("median_ape"), mean("within_10"), mean("bias"), None)


def _figure(
    name: str, cases: int, value: float, ends: tuple[float, float], expected: float, worse: int
) -> dict[str, Any]:
    """Return a row of the figures; `worse` is the sign of a change for the worse, or 0."""
    low, high = ends
    if worse == 0 or math.isnan(expected):
        finding = ""
    elif cases < MIN_GROUP_SIZE:
        finding = "too few"
    elif low <= expected <= high:
        finding = "as expected"
    else:
        finding = "worse" if worse * (value - expected) > 0 else "better"
    return {"figure": name, "cases": cases, "value": value, "low": low, "high": high,
            "expected": expected, "finding": finding}  # fmt: skip


def _share(name: str, inside: NDArray[Any]) -> dict[str, float]:
    if not len(inside):
        return _with_interval(name, math.nan, (math.nan, math.nan))
    low, high = share_interval(float(np.mean(inside)), len(inside))
    return _with_interval(name, float(np.mean(inside)), (float(low), float(high)))


def _with_interval(name: str, value: float, ends: tuple[float, float]) -> dict[str, float]:
    return {name: value, f"{name}_low": ends[0], f"{name}_high": ends[1]}


def _mean(values: Floats) -> float:
    known = values[~np.isnan(values)]
    return float(known.mean()) if len(known) else math.nan
