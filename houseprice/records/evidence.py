"""The evidence pack: one HTML page and the tables behind it, for a period of a market.

Its sections answer the five points of the quality control rule for automated valuation models of
the United States (12 U.S.C. 3354; 89 FR 64538, in force since 1 October 2025): confidence in the
estimates, protection against manipulation, no conflicts of interest, random sample testing and
reviews, and nondiscrimination.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta

import pandas as pd
from sqlalchemy import func, select

from houseprice.errors import StoreError
from houseprice.formatting import percent, plural
from houseprice.market.contract import Contract
from houseprice.market.sales import Market
from houseprice.model.card import Card
from houseprice.model.ratio_study import MIN_GROUP_SIZE
from houseprice.model.standards import format_metric, metric_label
from houseprice.model.store.manifest import Manifest
from houseprice.model.store.store import ModelStore
from houseprice.records import ledger, outcomes
from houseprice.records.alarms import ALARM_RATE, known_alarms
from houseprice.records.database import Database
from houseprice.records.evidence_page import (
    NOT_SHOWN,
    Evidence,
    EvidenceTable,
    Section,
)
from houseprice.records.fairness import fairness
from houseprice.records.people import access_log, detail_text
from houseprice.records.reviews import open_reviews, review_results
from houseprice.records.schema import entries, valuations
from houseprice.records.text_tables import (
    equity_text,
    figures_text,
    groups_text,
    levels_text,
    shares_text,
    tests_text,
)
from houseprice.records.track_record import (
    ExpectedAccuracy,
    TrackRecord,
    count_requests,
    during,
    track_record,
)


@dataclass(frozen=True)
class Period:
    """The days that an evidence pack is about, both included."""

    since: date
    until: date

    def __str__(self) -> str:
        return f"{self.since:%-d %B %Y} to {self.until:%-d %B %Y}"

    @property
    def times(self) -> tuple[datetime, datetime]:
        """The first moment, and the first one after it, in UTC."""
        start = datetime.combine(self.since, time(), UTC)
        return start, datetime.combine(self.until + timedelta(days=1), time(), UTC)


def collect(
    database: Database,
    market: Market,
    store: ModelStore,
    period: Period,
    attributes: pd.DataFrame | None = None,
) -> Evidence:
    """Collect the evidence of a period: valuations given, sales, reviews and events of its days.

    ``attributes`` is the table for :func:`~houseprice.records.fairness.fairness`.
    """
    contract, name = market.contract, market.contract.market.name
    pairs = outcomes.pairs(database, name, since=period.since, until=period.until)
    saved, versions = _saved_section(database, name, period)
    described, missing = _described(store, [*versions, *pairs["model_version"]])
    record = track_record(
        pairs,
        count_requests(database, name, since=period.since, until=period.until),
        {manifest.model_version: ExpectedAccuracy.of(manifest.metrics, manifest.rows)
         for manifest, _ in described},
        symbol=contract.market.price.symbol,
    )  # fmt: skip
    track = _track_section(record, pairs)
    fair = _fairness_section(database, contract, pairs, attributes)
    reviewed = _reviews_section(database, name, period)
    alarms = _alarms_section(database, name, period)
    lineage, tests, cards = _model_sections(described, missing, contract.market.price.symbol)
    log, chain = _log_section(database, name, period), _chain_section(database)
    answers = (
        ("Confidence in the estimates", record.sentence, (track, tests, alarms)),
        ("Protection against manipulation of data", chain.sentences[0], (chain, lineage)),
        (
            "No conflicts of interest",
            (
                "The values are calculated. Who saved, added prices, decided and reviewed is on "
                "record; reviews of one's own valuations are counted apart."
            ),
            (log, reviewed),
        ),
        ("Random sample testing and reviews", reviewed.sentences[0], (reviewed, tests)),
        ("Nondiscrimination", fair.sentences[0], (fair, cards)),
    )
    return Evidence(
        f"Evidence pack: {contract.market.title}",
        f"{period}, made on {datetime.now(UTC):%-d %B %Y}; times are in UTC",
        answers,
        (saved, track, fair, reviewed, alarms, lineage, tests, cards, log, chain),
    )


def _track_section(record: TrackRecord, pairs: pd.DataFrame) -> Section:
    sentences = [record.sentence]
    if record.n_added_later:
        sentences.append(
            f"{plural(record.n_added_later, 'valuation')} of these sales were saved on the day of "
            "the sale or later, with an earlier day of valuation."
        )
    tables = [
        EvidenceTable(
            "track_record", "Compared with the expected accuracy", record.figures,
            figures_text(record.figures),
        ),
        EvidenceTable("groups", f"Groups of {MIN_GROUP_SIZE} sales or more", record.groups,
                      groups_text(record.groups.dropna(subset=["median_ape"]))),
        EvidenceTable("ratio_study", "Ratio study", record.equity, equity_text(record.equity)),
        EvidenceTable("pairs", "Each later price and the value given before", pairs, NOT_SHOWN),
    ]  # fmt: skip
    return Section("track", "Track record", sentences, tables)


def _fairness_section(
    database: Database, contract: Contract, pairs: pd.DataFrame, attributes: pd.DataFrame | None
) -> Section:
    if attributes is None:
        sentence = (
            "No attribute was compared: this pack was made without a table of attributes (option "
            "--attributes of houseprice records evidence)."
        )
        return Section("fairness", "Fairness", [sentence])
    found = fairness(database, pairs, attributes, contract)
    tables = [
        EvidenceTable("fairness_groups", "By attribute", found.groups,
                      groups_text(found.groups.dropna(subset=["median_ape"]))),
        EvidenceTable("fairness_tests", "Comparisons with all others", found.tests,
                      tests_text(found.tests)),
        EvidenceTable("fairness_ratio_study", "Ratio study by attribute", found.equity,
                      levels_text(found.equity)),
        EvidenceTable("attributes", "The attributes that were compared", attributes, NOT_SHOWN),
    ]  # fmt: skip
    return Section("fairness", "Fairness", [found.sentence, *found.remarks], tables)


def _reviews_section(database: Database, market: str, period: Period) -> Section:
    found = review_results(database, market, since=period.since, until=period.until)
    agree = found.shares.set_index("verdict").loc["agree"]
    waiting = len(open_reviews(database, market))
    first = (
        f"{plural(found.n_reviews, 'review')} of valuations that were drawn at random: the "
        f"reviewer agrees with {agree['share'] * agree['cases']:,.0f} of them."
        if found.n_reviews
        else "No valuation was reviewed in this period: houseprice records sample draws some."
    )
    sentences = [first, "Each draw is on record with its seed, so that it can be repeated."]
    if waiting:
        sentences.append(f"{plural(waiting, 'sampled valuation')} have no review yet.")
    tables = [
        EvidenceTable("reviews", "Verdicts", found.shares, shares_text(found.shares)),
        EvidenceTable("reviewers", "Share that agrees, by reviewer", found.reviewers,
                      shares_text(found.reviewers)),
    ]  # fmt: skip
    return Section("reviews", "Random reviews", sentences, tables if found.n_reviews else [])


def _alarms_section(database: Database, market: str, period: Period) -> Section:
    start, end = period.times
    found = known_alarms(database, market)
    found = found[(found["created_at"] >= start) & (found["created_at"] < end)]
    unanswered = sum(not responses for responses in found["responses"])
    first = "No alarm in this period." if found.empty else f"{plural(len(found), 'alarm')}."
    meaning = (
        "An alarm means accuracy below that expected, by a test that is valid at any time: the "
        f"probability of any false alarm is at most {percent(ALARM_RATE, 0)}."
    )
    sentences = [first, meaning]
    if unanswered:
        sentences.append(f"Nothing is on record as done about {plural(unanswered, 'of them', '')}.")
    frame = pd.DataFrame(
        {
            "Alarm": found["entry"],
            "Time": found["created_at"],
            "Model version": found["version"],
            "What was found": found["message"],
            "Advice": [" ".join(advice) for advice in found["advice"]],
            "What was done": [
                "; ".join(f"{each['person']}: {each['what']}" for each in responses)
                for responses in found["responses"]
            ],
        }
    )
    table = EvidenceTable("alarms", "Alarms", frame)
    return Section("alarms", "Alarms and what was done", sentences, [table])


def _saved_section(database: Database, market: str, period: Period) -> tuple[Section, list[str]]:
    """How many valuations were saved, by model version, entrance and status; the versions."""
    given = valuations.join(entries, entries.c.id == valuations.c.entry)
    in_period = during(valuations.c.valued_at, period.since, period.until)
    groups = {
        "Model version": valuations.c.model_version,
        "Entrance": entries.c.source,
        "Status": valuations.c.status,
    }
    query = (
        select(
            *(column.label(name) for name, column in groups.items()),
            func.count().label("Valuations"),
            func.min(valuations.c.valued_at).label("First"),
            func.max(valuations.c.valued_at).label("Last"),
        )
        .select_from(given)
        .where(entries.c.market == market, *in_period)
        .group_by(*groups.values())
        .order_by(*groups.values())
    )
    frame = database.frame(query)
    is_later = (
        entries.c.created_at > valuations.c.valued_at,
        func.date(entries.c.created_at) != func.date(valuations.c.valued_at),
    )
    counted = select(func.count()).select_from(given)
    with database.read() as connection:
        later = connection.scalar(counted.where(entries.c.market == market, *in_period, *is_later))
    total = int(frame["Valuations"].sum())
    sentences = [
        f"{plural(total, 'valuation')} of this period are saved.",
        (
            "Status “warning”: the value has remarks on its fields, such as blank ones that are "
            "estimated. Status “error”: there is no value."
        ),
    ]
    if later:
        sentences.append(
            f"{plural(later, 'valuation')} were entered on a later day than that of the value, by "
            "their own account: the chain of hashes proves the later day only."
        )
    table = EvidenceTable("valuations_by_version", "Saved valuations", frame)
    section = Section("saved", "Valuations of the period", sentences, [table])
    return section, frame["Model version"].tolist()


def _model_sections(
    described: Sequence[tuple[Manifest, Card]], missing: Sequence[str], symbol: str
) -> tuple[Section, Section, Section]:
    """The lineage of the data, the tests before use, and the cards of the versions."""
    note = [f"Not in this store, and not described here: {name}." for name in missing]
    lineage = pd.DataFrame(
        {
            "Model version": [manifest.model_version for manifest, _ in described],
            "Trained": [manifest.created_at for manifest, _ in described],
            "Sales": [manifest.rows for manifest, _ in described],
            "Set aside": [card.data["data"].get("set_aside") for _, card in described],
            "Values as of": [manifest.as_of for manifest, _ in described],
            "SHA-256 of the sales": [manifest.data_sha256 for manifest, _ in described],
            "SHA-256 of the contract": [manifest.contract_sha256 for manifest, _ in described],
            "SHA-256 of the code": [manifest.code_sha256 for manifest, _ in described],
            "Software": [manifest.package_version for manifest, _ in described],
            "Signed with": [manifest.signing_key or "not signed" for manifest, _ in described],
        }
    )
    shown = lineage.set_index("Model version").T.rename_axis("").reset_index()
    tests = pd.DataFrame(
        [
            {
                "Model version": manifest.model_version,
                "Metric": metric_label(name),
                "Value": value,
                "Text": format_metric(name, value, symbol),
            }
            for manifest, _ in described
            for name, value in manifest.metrics.items()
        ],
        columns=["Model version", "Metric", "Value", "Text"],
    )
    by_version = (
        tests.pivot_table("Text", "Metric", "Model version", "first", sort=False)
        .rename_axis(columns=None)
        .reset_index()
    )
    origin = (
        "What each version learned from. The checksums are those of the files; a version is loaded "
        "only if all of its own checksums hold."
    )
    method = (
        "Measured by cross-validation: each sale was valued by a model that had not seen it. "
        "Everything that is fitted, ranges included, was fitted without it."
    )
    versions = EvidenceTable("versions", "Versions of the model and their data", lineage, shown)
    accuracy = EvidenceTable("tests_before_use", "Accuracy on held-out sales",
                             tests.drop(columns="Text"), by_version)  # fmt: skip
    cards = "\n\n".join(card.markdown for _, card in described)
    return (
        Section("lineage", "Data lineage", [origin, *note], [versions]),
        Section("tests", "Tests before use", [method], [accuracy]),
        Section("card", "Model card", [], markdown=cards),
    )


def _described(
    store: ModelStore, versions: Iterable[str]
) -> tuple[list[tuple[Manifest, Card]], list[str]]:
    described, missing = [], []
    for name in dict.fromkeys(versions):
        try:
            described.append(store.description(name))
        except StoreError:
            missing.append(name)
    return described, missing


def _log_section(database: Database, market: str, period: Period) -> Section:
    """Who changed or looked at what, from the log."""
    since, until = period.times
    log = access_log(database, market=market, since=since, until=until).iloc[::-1]
    frame = pd.DataFrame(
        {
            "Time": log["created_at"],
            "Person": log["person"],
            "Entrance": log["source"],
            "Action": log["action"],
            "Subject": log["subject"],
            "Detail": [json.dumps(detail, ensure_ascii=False) for detail in log["detail"]],
        }
    )
    shown = frame.assign(Detail=log["detail"].map(detail_text))
    sentence = (
        "Who looked at saved valuations of others, exported them, or changed a model, a market or "
        "a role."
    )
    table = EvidenceTable("log", "Log", frame, shown)
    return Section("log", "Access and changes", [sentence], [table])


def _chain_section(database: Database) -> Section:
    """Whether any record was changed or removed."""
    found = ledger.verify(database)
    result = (
        "No record was changed or removed."
        if not found.faults
        else f"{plural(len(found.faults), 'fault')}: the records of this pack can't be relied on."
    )
    verified = (
        f"All {plural(found.n_entries, 'entry', 'entries')} of the database were verified on "
        f"{datetime.now(UTC):%-d %B %Y}. {result}"
    )
    advice = (
        "Keep it outside of the database: with it, houseprice records verify --link shows whether "
        "the chain was written anew."
    )
    sentences = [verified, f"Last link of the chain: {found.link}.", advice]
    faults = EvidenceTable("faults", "Faults", pd.DataFrame({"Fault": list(found.faults)}))
    return Section("chain", "Protection of the records", sentences, [faults])
