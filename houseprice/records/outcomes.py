"""Prices of later sales: added, matched with saved valuations, corrected and decided about.

A valuation is matched only if it was given before the day of the sale. Of the same sale (reference,
property key or address, and date) the newest price counts; adding an equal one again adds nothing.
"""

from __future__ import annotations

import json
import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

import pandas as pd
from sqlalchemy import ColumnElement, Connection, FromClause, Row, Select, and_, exists, or_, select

from houseprice.errors import InputError, RecordsError
from houseprice.market.parsing import is_blank
from houseprice.records.database import Database
from houseprice.records.ledger import Author, append_in, lock, to_json
from houseprice.records.matching import Match, Sale, find_matches
from houseprice.records.schema import entries, matches, outcomes, valuations
from houseprice.records.texts import text_fault
from houseprice.records.valuations import PAGE_ROWS, address_block, normalize_address, page

CHUNK_ROWS = 1_000
"""Outcomes in one transaction: others write between two of them."""

SALE_COLUMNS = ("reference", "property_key", "address", "sold_on", "price", "facts")
"""The columns of sales to add; sold_on and price are compulsory."""

_IDENTITY = ("reference", "property_key", "address")
_COUNTED = {
    "added": "added", "correction": "corrected", "known": "known already",
    "repeated": "repeated", "accepted": "matched", "unsure": "unsure",
    "unmatched": "without a valuation",
}  # fmt: skip
_PAIR_COLUMNS = (
    "predicted_price", "price_low", "price_high", "interval", "fsd", "confidence", "area",
    "model_version",
)  # fmt: skip


@dataclass(frozen=True)
class AddedOutcomes:
    """What became of each row of sales.

    ``rows`` has for each one, in order: ``outcome`` (its number), ``status`` ("added",
    "correction", "known" or "repeated": a later row has the same sale), ``state`` ("accepted",
    "unsure" or "unmatched") and ``valuation`` (the number of the accepted one, or missing).
    """

    rows: pd.DataFrame

    @property
    def counts(self) -> dict[str, int]:
        """How many rows have each status and, of those that are not repeated, each state."""
        states = self.rows.loc[self.rows["status"] != "repeated", "state"]
        both = pd.concat([self.rows["status"], states]).value_counts()
        return {name: int(both.get(name, 0)) for name in _COUNTED}

    @property
    def summary(self) -> str:
        """The counts, in a sentence."""
        counts = self.counts
        parts = [f"{counts[name]:,} {words}" for name, words in _COUNTED.items() if counts[name]]
        return ", ".join(parts) + "." if parts else "There are no later prices."


def add(
    database: Database, author: Author, sales: pd.DataFrame, *, person: str | None = None
) -> AddedOutcomes:
    """Add prices of later sales and match them with the valuations of a person, or of all.

    ``sales`` has the columns of :data:`SALE_COLUMNS`, and may have ``corrects``, the number of an
    outcome that a row replaces. Each chunk is written as a whole; if a later one fails, adding the
    same sales again adds the rest.

    Raises InputError if a price or a date is missing or impossible, or a text is too long.
    """
    given = [_prepare(position, row) for position, row in enumerate(_records(sales), start=1)]
    last = {_sale_key(row): position for position, row in enumerate(given)}
    # Rows with similar addresses meet in one chunk, so that each block is read once.
    order = sorted(last.values(), key=lambda i: address_block(given[i]["address"] or ""))
    results: dict[int, dict[str, Any]] = {}
    for start in range(0, len(order), CHUNK_ROWS):
        positions = order[start : start + CHUNK_ROWS]
        with database.write() as connection:
            lock(connection)
            added = _add_chunk(connection, author, [given[i] for i in positions], person)
        results |= dict(zip(positions, added, strict=True))
    rows = []
    for position, row in enumerate(given):
        result = results[last[_sale_key(row)]]
        is_repeated = last[_sale_key(row)] != position
        rows.append({**result, "status": "repeated"} if is_repeated else result)
    frame = pd.DataFrame(rows, columns=["outcome", "status", "state", "valuation"])
    return AddedOutcomes(frame.astype({"valuation": "Int64"}))


def match_again(database: Database, author: Author, *, person: str | None = None) -> AddedOutcomes:
    """Match the outcomes that have no valuation yet with those that were saved meanwhile."""
    waiting = (
        _current_outcomes(author.market)
        .where(~exists().where(_is_current_match(), matches.c.outcome == outcomes.c.entry,
                               matches.c.state != "rejected"))
        .order_by(outcomes.c.entry)
    )  # fmt: skip
    with database.read() as connection:
        found = [row._asdict() for row in connection.execute(waiting)]
    rows = []
    for start in range(0, len(found), CHUNK_ROWS):
        with database.write() as connection:
            lock(connection)
            chunk = found[start : start + CHUNK_ROWS]
            numbers = [row["entry"] for row in chunk]
            known = _current_matches(connection, numbers)
            made = _match(connection, author, chunk, known, person)
            rows += [_result(number, "known", made) for number in numbers]
    frame = pd.DataFrame(rows, columns=["outcome", "status", "state", "valuation"])
    return AddedOutcomes(frame.astype({"valuation": "Int64"}))


def decide(
    database: Database,
    author: Author,
    outcome: int,
    valuation: int,
    *,
    accept: bool,
    person: str | None = None,
) -> None:
    """Accept or reject that an outcome belongs to a valuation; accepting replaces an earlier one.

    Raises RecordsError if one of them does not exist, is that of another person, or the valuation
    was not given before the sale.
    """
    with database.write() as connection:
        lock(connection)
        sale = connection.execute(
            _current_outcomes(author.market).where(outcomes.c.entry == outcome)
        ).one_or_none()
        if sale is None:
            raise RecordsError(f"There is no later price {outcome:,}, or it was corrected.")
        query = (
            select(valuations.c.valued_at, entries.c.person)
            .join(entries, entries.c.id == valuations.c.entry)
            .where(valuations.c.entry == valuation, entries.c.market == author.market)
        )
        valued = connection.execute(query).one_or_none()
        if valued is None or person not in {None, valued.person}:
            raise RecordsError(f"There is no saved valuation {valuation:,}.")
        if accept and valued.valued_at.date() >= sale.sold_on:
            raise RecordsError(
                f"Valuation {valuation:,} was given on {valued.valued_at:%Y-%m-%d}, not before the "
                f"sale of {sale.sold_on}. Only a value given before a sale can be checked by it."
            )
        made = []
        if accept:
            made = [
                Match(outcome, row.valuation, "person", 100.0, "rejected")
                for row in _current_matches(connection, [outcome])[outcome]
                if row.state == "accepted" and row.valuation != valuation
            ]
        made.append(
            Match(outcome, valuation, "person", 100.0, "accepted" if accept else "rejected")
        )
        append_in(connection, author, matches, [match._asdict() for match in made])


def unsure(database: Database, market: str, *, person: str | None = None) -> pd.DataFrame:
    """Return the matches that wait for a decision, a row for each candidate of an outcome.

    ``person`` limits them to the valuations of a person.
    """
    other = matches.alias()
    is_decided = exists().where(
        other.c.outcome == matches.c.outcome,
        other.c.state == "accepted",
        _is_current_match(other),
    )
    query = (
        select(
            matches.c.outcome, outcomes.c.reference, outcomes.c.property_key, outcomes.c.address,
            outcomes.c.sold_on, outcomes.c.price, matches.c.valuation,
            valuations.c.reference.label("valuation_reference"),
            valuations.c.property_key.label("valuation_property_key"),
            valuations.c.address.label("valuation_address"),
            valuations.c.predicted_price, valuations.c.valued_at, entries.c.person,
            matches.c.method, matches.c.score,
        )
        .join(outcomes, outcomes.c.entry == matches.c.outcome)
        .join(valuations, valuations.c.entry == matches.c.valuation)
        .join(entries, entries.c.id == matches.c.valuation)
        .where(entries.c.market == market, matches.c.state == "unsure", _is_current_match(),
               _is_current_outcome(), ~is_decided)
        .order_by(matches.c.outcome, matches.c.entry)
    )  # fmt: skip
    return database.frame(query if person is None else query.where(entries.c.person == person))


def pairs(
    database: Database,
    market: str,
    *,
    person: str | None = None,
    since: date | None = None,
    until: date | None = None,
) -> pd.DataFrame:
    """Return each current outcome with its accepted valuation, if that has a value.

    ``since`` and ``until`` are days of sale, both included; ``person`` is who saved the valuation.
    """
    query = (
        select(
            matches.c.valuation, matches.c.outcome, entries.c.person, entries.c.source,
            valuations.c.valued_at, entries.c.created_at, valuations.c.as_of, outcomes.c.sold_on,
            outcomes.c.price, *(valuations.c[name] for name in _PAIR_COLUMNS),
        )
        .select_from(outcomes)
        .join(matches, matches.c.outcome == outcomes.c.entry)
        .join(valuations, valuations.c.entry == matches.c.valuation)
        .join(entries, entries.c.id == matches.c.valuation)
        .where(entries.c.market == market, matches.c.state == "accepted", _is_current_match(),
               _is_current_outcome(), valuations.c.predicted_price.is_not(None))
        .order_by(outcomes.c.sold_on, outcomes.c.entry)
    )  # fmt: skip
    if person is not None:
        query = query.where(entries.c.person == person)
    if since is not None:
        query = query.where(outcomes.c.sold_on >= since)
    if until is not None:
        query = query.where(outcomes.c.sold_on <= until)
    frame = database.frame(query)
    numbers = ["price", *(name for name in _PAIR_COLUMNS if name not in {"area", "model_version"})]
    return frame.astype(dict.fromkeys(numbers, float))


def sold_houses(database: Database, market: str) -> pd.DataFrame:
    """Return each current outcome with its facts: its own, over those of its accepted valuation.

    The columns are outcome, valuation (missing without one), property_key, sold_on, price, facts (a
    dict) and model_version (of the valuation).
    """
    accepted = and_(matches.c.outcome == outcomes.c.entry, matches.c.state == "accepted",
                    _is_current_match())  # fmt: skip
    query = (
        select(
            outcomes.c.entry.label("outcome"), matches.c.valuation, outcomes.c.property_key,
            valuations.c.property_key.label("valued_key"), outcomes.c.sold_on, outcomes.c.price,
            outcomes.c.facts, valuations.c.facts.label("valued_facts"),
            valuations.c.model_version,
        )
        .join(entries, entries.c.id == outcomes.c.entry)
        .outerjoin(matches, accepted)
        .outerjoin(valuations, valuations.c.entry == matches.c.valuation)
        .where(entries.c.market == market, _is_current_outcome())
        .order_by(outcomes.c.entry)
    )  # fmt: skip
    frame = database.frame(query)
    frame["property_key"] = frame["property_key"].fillna(frame.pop("valued_key"))
    facts = zip(frame["facts"], frame.pop("valued_facts"), strict=True)
    merged = [{**json.loads(valued or "{}"), **json.loads(own or "{}")} for own, valued in facts]
    frame["facts"] = pd.Series(merged, index=frame.index, dtype=object)
    return frame.astype({"valuation": "Int64", "price": float})


def listing(
    database: Database,
    market: str,
    *,
    person: str | None = None,
    search: str = "",
    before: int | None = None,
    limit: int = PAGE_ROWS,
) -> pd.DataFrame:
    """Return current outcomes, newest first, each with the state of its match.

    ``person`` is who added them; ``search`` is part of a reference or an address, or a property
    key. The next page has the entries ``before`` the last one of this page.
    """
    query = page(_current_outcomes(market, person), outcomes.c.entry, before, limit)
    if text := search.strip():
        query = query.where(
            or_(
                outcomes.c.reference.icontains(text, autoescape=True),
                outcomes.c.address.contains(normalize_address(text) or text, autoescape=True),
                outcomes.c.property_key == text,
            )
        )
    frame = database.frame(query)
    with database.read() as connection:
        known = _current_matches(connection, frame["entry"].tolist())
    states = pd.DataFrame(
        [_result(number, "known", known[number]) for number in frame["entry"]],
        columns=["state", "valuation"],
    )
    return frame.join(states.astype({"valuation": "Int64"})).astype({"price": float})


def _records(sales: pd.DataFrame) -> list[dict[Any, Any]]:
    return sales.reset_index(drop=True).to_dict("records")


def _prepare(position: int, row: Mapping[Any, Any]) -> dict[str, Any]:
    """Return a row of the table of outcomes."""
    texts = {
        name: None if is_blank(row.get(name)) else str(row[name]).strip() for name in _IDENTITY
    }
    for name, text in texts.items():
        if fault := text_fault(name, text or ""):
            raise InputError(f"Row {position:,}: {fault}")
    sold_on, price, facts = row.get("sold_on"), row.get("price"), row.get("facts")
    if isinstance(sold_on, datetime):
        sold_on = sold_on.date()
    if not isinstance(sold_on, date):
        raise InputError(f"Row {position:,} has no date of sale.")
    if not isinstance(price, int | float) or not 0.0 < price < math.inf:
        raise InputError(f"Row {position:,} has no price above 0.")
    corrects = row.get("corrects")
    return {
        **texts,
        "address": normalize_address(texts["address"] or "") or None,
        "facts": to_json(facts) if isinstance(facts, Mapping) and facts else None,
        "sold_on": sold_on,
        "price": float(price),
        "corrects": None if corrects is None or pd.isna(corrects) else int(corrects),
    }


def _sale_key(row: Mapping[str, Any]) -> tuple[object, ...]:
    """Return what two rows of the same sale have in common; rows without an identity differ."""
    identity = tuple(row[name] for name in _IDENTITY)
    return (*identity, row["sold_on"]) if any(identity) else (id(row),)


def _add_chunk(
    connection: Connection, author: Author, rows: Sequence[Mapping[str, Any]], person: str | None
) -> list[dict[str, Any]]:
    """Append rows of sales that are not known, and match what has no valuation yet."""
    earlier = _earlier(connection, author, rows)
    is_known = [
        old is not None and row["corrects"] is None and math.isclose(old.price, row["price"])
        for row, old in zip(rows, earlier, strict=True)
    ]
    new = [
        {**row, "corrects": None if old is None else old.entry}
        for row, old, known in zip(rows, earlier, is_known, strict=True)
        if not known
    ]
    numbers = iter(append_in(connection, author, outcomes, new))
    current: list[dict[str, Any]] = []
    statuses: list[str] = []
    for row, old, known in zip(rows, earlier, is_known, strict=True):
        if known and old is not None:
            current.append(old._asdict())
            statuses.append("known")
        else:
            current.append({**row, "entry": next(numbers)})
            statuses.append("added" if old is None else "correction")
    replaced = {
        old.entry: row["entry"]
        for row, old, known in zip(current, earlier, is_known, strict=True)
        if old is not None and not known
    }
    known_matches = _current_matches(connection, [row["entry"] for row in current])
    inherited = _inherit(connection, author, replaced, current)
    for match in inherited:
        known_matches[match.outcome].append(match)
    open_rows = [
        row
        for row in current
        if all(match.state == "rejected" for match in known_matches[row["entry"]])
    ]
    for match in _match(connection, author, open_rows, known_matches, person):
        known_matches[match.outcome].append(match)
    return [
        _result(row["entry"], status, known_matches[row["entry"]])
        for row, status in zip(current, statuses, strict=True)
    ]


def _earlier(
    connection: Connection, author: Author, rows: Sequence[Mapping[str, Any]]
) -> list[Row[Any] | None]:
    """Return the current outcome that each row repeats or corrects."""
    query = _current_outcomes(author.market)
    named = [row["corrects"] for row in rows if row["corrects"] is not None]
    by_number = {
        old.entry: old for old in connection.execute(query.where(outcomes.c.entry.in_(named)))
    }
    for number in named:
        if number not in by_number:
            raise RecordsError(f"There is no later price {number:,}, or it was corrected already.")
    by_identity: dict[tuple[str, str | None, date], Row[Any]] = {}
    for name in _IDENTITY:
        texts = {row[name] for row in rows if row[name]}
        if texts:
            found = query.where(outcomes.c[name].in_(sorted(texts)))
            by_identity |= {
                (name, getattr(old, name), old.sold_on): old for old in connection.execute(found)
            }
    earlier = []
    for row in rows:
        same = [by_identity.get((name, row[name], row["sold_on"])) for name in _IDENTITY]
        guess = next((old for old in same if old is not None and _may_be_same(old, row)), None)
        earlier.append(by_number.get(row["corrects"], guess))
    return earlier


def _may_be_same(old: Row[Any], row: Mapping[str, Any]) -> bool:
    """Whether no part of the identity that both have differs."""
    return all(
        getattr(old, name) is None or row[name] is None or getattr(old, name) == row[name]
        for name in _IDENTITY
    )


def _inherit(
    connection: Connection,
    author: Author,
    replaced: Mapping[int, int],
    current: Iterable[Mapping[str, Any]],
) -> list[Match]:
    """Give corrected outcomes the matches of those that they replace, unless valued too late."""
    sold_on = {row["entry"]: row["sold_on"] for row in current}
    old = [match for each in _current_matches(connection, [*replaced]).values() for match in each]
    query = select(valuations.c.entry, valuations.c.valued_at).where(
        valuations.c.entry.in_({match.valuation for match in old})
    )
    valued = {row.entry: row.valued_at.date() for row in connection.execute(query)}
    made = [
        match._replace(outcome=replaced[match.outcome])
        for match in old
        if valued[match.valuation] < sold_on[replaced[match.outcome]]
    ]
    append_in(connection, author, matches, [match._asdict() for match in made])
    return made


def _match(
    connection: Connection,
    author: Author,
    rows: Sequence[Mapping[str, Any]],
    known: Mapping[int, Sequence[Match]],
    person: str | None,
) -> list[Match]:
    sales = [
        Sale(
            row["entry"], row["sold_on"], row["reference"], row["property_key"], row["address"],
            frozenset(match.valuation for match in known[row["entry"]]),
        )
        for row in rows
    ]  # fmt: skip
    made = find_matches(connection, author.market, sales, uploader=author.person, person=person)
    append_in(connection, author, matches, [match._asdict() for match in made])
    return made


def _result(outcome: int, status: str, found: Iterable[Match]) -> dict[str, Any]:
    valuation = {match.state: match.valuation for match in found if match.outcome == outcome}
    state = next((state for state in ("accepted", "unsure") if state in valuation), "unmatched")
    return {"outcome": outcome, "status": status, "state": state,
            "valuation": valuation.get("accepted")}  # fmt: skip


def _current_outcomes(market: str, person: str | None = None) -> Select[Any]:
    query = (
        select(entries.c.person, entries.c.source, entries.c.created_at, outcomes)
        .join(outcomes, outcomes.c.entry == entries.c.id)
        .where(entries.c.market == market, _is_current_outcome())
    )
    return query if person is None else query.where(entries.c.person == person)


def _is_current_outcome() -> ColumnElement[bool]:
    later = outcomes.alias()
    return ~exists().where(later.c.corrects == outcomes.c.entry)


def _is_current_match(table: FromClause = matches) -> ColumnElement[bool]:
    """Whether a match is the newest of its outcome and valuation."""
    newer = matches.alias()
    return ~exists().where(
        newer.c.outcome == table.c.outcome,
        newer.c.valuation == table.c.valuation,
        newer.c.entry > table.c.entry,
    )


def _current_matches(connection: Connection, numbers: Sequence[int]) -> dict[int, list[Match]]:
    found: dict[int, list[Match]] = defaultdict(list)
    query = select(*(matches.c[name] for name in Match._fields)).where(
        matches.c.outcome.in_(list(numbers)), _is_current_match()
    )
    for row in connection.execute(query):
        found[row.outcome].append(Match(*row))
    return found
