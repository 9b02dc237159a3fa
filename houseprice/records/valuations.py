"""Saved valuations: facts as given, value, range, model version, who and when."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pandas as pd
from sqlalchemy import Column, CompoundSelect, Select, func, or_, select, union

from houseprice.backend.base import NUMBER_COLUMNS, BackendInfo, ValuationResult
from houseprice.errors import RecordNotFound
from houseprice.formatting import plural
from houseprice.market.contract import Contract
from houseprice.market.parsing import is_blank, parse_cell
from houseprice.market.problems import Problem
from houseprice.market.sales import valuation_days
from houseprice.records.database import Database
from houseprice.records.ledger import Author, append, delete_personal, to_json
from houseprice.records.schema import entries, valuations
from houseprice.records.texts import not_savable, text_fault

PAGE_ROWS = 50
"""Saved valuations in one page of the list."""
SEARCHED_ROWS = 10_000
"""Newest entries in which any part of a text is found."""
PREFIX_ROWS = 1_000
"""Entries that are found by one beginning of a text."""
_MAX_DIGITS = 15
_LAST_CHAR = "\U0010ffff"


@dataclass(frozen=True)
class OwnTexts:
    """What people add to a house of theirs; each may be empty."""

    reference: str = ""
    note: str = ""
    address: str = ""


def save(
    database: Database,
    author: Author,
    rows: pd.DataFrame,
    result: ValuationResult,
    info: BackendInfo,
    contract: Contract,
    *,
    texts: Sequence[OwnTexts] = (),
    valued_at: datetime | None = None,
) -> list[int]:
    """Save the valuations of raw rows, also of those without a value; return their numbers.

    ``texts`` are those of each row. ``valued_at`` is when the values were given, if not now: the
    record shows that it was added later.
    """
    now = datetime.now(UTC)
    records = to_records(rows, result, info, contract, texts=texts, valued_at=valued_at or now)
    return append(database, author, valuations, records, now)


def to_records(
    rows: pd.DataFrame,
    result: ValuationResult,
    info: BackendInfo,
    contract: Contract,
    *,
    texts: Sequence[OwnTexts] = (),
    valued_at: datetime,
) -> list[dict[str, Any]]:
    """Return the valuations of raw rows as they are appended to the table of them.

    Texts that can't be saved are left out: :func:`text_problems` names them.
    """
    texts = texts or [OwnTexts()] * len(rows)
    days = valuation_days(rows, contract, info.as_of)
    given = [None] * len(rows) if result.facts_given is None else result.facts_given.tolist()
    houses, answers = rows.to_dict("records"), result.valuations.to_dict("records")
    return [
        {
            **identify(cells, own, contract),
            **{name: _number(answer[name]) for name in NUMBER_COLUMNS},
            "status": answer["status"],
            "facts_given": n_given,
            "reason_codes": answer["reason_codes"],
            "area": area_of(cells, contract),
            "as_of": day,
            "model_version": answer["model_version"] or info.model_version,
            "valued_at": valued_at,
        }
        for cells, own, answer, day, n_given in zip(
            houses, texts, answers, days, given, strict=True
        )
    ]


def identify(cells: Mapping[Any, Any], own: OwnTexts, contract: Contract) -> dict[str, str | None]:
    """Return what a house is recognised by, its note, and its facts as given."""
    texts = {
        name: "" if text_fault(name, text) else text
        for name, text in _texts(cells.get(contract.property_key), own).items()
    }
    address = normalize_address(texts["address"])
    return {
        "reference": texts["reference"] or None,
        "note": texts["note"] or None,
        "property_key": texts["property_key"] or None,
        "address": address or None,
        "address_block": address_block(address) or None,
        "facts": to_json(facts_of(cells, contract)),
    }


def text_problems(
    rows: pd.DataFrame, texts: Sequence[OwnTexts], contract: Contract
) -> list[Problem]:
    """Return an error for each text of raw rows, and each property key, that can't be saved."""
    column = contract.property_key
    keys = rows[column].tolist() if column in rows else [None] * len(rows)
    return [
        not_savable(number, column if name == "property_key" else name, fault, text)
        for number, (key, own) in enumerate(zip(keys, texts, strict=True), start=1)
        for name, text in _texts(key, own).items()
        if (fault := text_fault(name, text))
    ]


def _texts(key: object, own: OwnTexts) -> dict[str, str]:
    texts = {**vars(own), "property_key": "" if is_blank(key) else str(key)}
    return {name: text.strip() for name, text in texts.items()}


def facts_of(cells: Mapping[Any, Any], contract: Contract) -> dict[str, str]:
    """Return the fields of a house as given, without empty cells; "NA" may be a level."""
    texts = {
        name: str(cell) if isinstance(cell, str) or not is_blank(cell) else ""
        for name, cell in cells.items()
        if name in contract.columns
    }
    return {name: text for name, text in texts.items() if text.strip()}


def is_entry_number(text: str) -> bool:
    """Whether a text can be the number of an entry."""
    return text.isdecimal() and len(text) <= _MAX_DIGITS


def normalize_address(text: str) -> str:
    """Return the words of an address in lower case, without punctuation."""
    words = "".join(char if char.isalnum() else " " for char in text.casefold()).split()
    return " ".join(words)


def address_block(address: str) -> str:
    """Return what a normalised address shares with all that may be the same: number and letter.

    These are its first word with a digit, and the first letter of its first word of letters.
    """
    words = address.split()
    number = next((word for word in words if any(map(str.isdigit, word))), "")
    word = next((word for word in words if len(word) > 1 and word.isalpha()), "")
    return f"{number} {word[:1]}".strip()


def area_of(cells: Mapping[Any, Any], contract: Contract) -> str | None:
    """Return the area of the market that a house is in, if it says so in a way that is known."""
    field = contract.field_of("location")
    if field is None:
        return None
    value = parse_cell(field, cells.get(contract.market.roles.location)).value
    return None if math.isnan(value) else field.levels[int(value)].label


def listing(
    database: Database,
    market: str,
    *,
    person: str | None = None,
    search: str = "",
    before: int | None = None,
    limit: int = PAGE_ROWS,
    n_searched: int = SEARCHED_ROWS,
) -> pd.DataFrame:
    """Return saved valuations, newest first: those of a person, or of all.

    ``search`` is the number of an entry, the beginning of a reference, a key or an address, or, in
    the newest ``n_searched`` entries, any part of a reference, a note or an address. The next page
    has the entries ``before`` the last one of this page.
    """
    # An index finds the numbers of a page; with all columns, others may be read and left out.
    numbers = _numbers_of_market(market, person)
    found = page(numbers, entries.c.id, before, limit)
    if text := search.strip():
        newest = page(numbers, entries.c.id, None, n_searched)
        found = found.where(entries.c.id.in_(_found(text, newest)))
    query = _of_market(market, person).where(entries.c.id.in_(found))
    return _frame(database, query.order_by(entries.c.id.desc()))


def page(query: Select[Any], number: Column[Any], before: int | None, limit: int) -> Select[Any]:
    """Limit a query to one page of a list, newest entries first."""
    query = query.order_by(number.desc()).limit(limit)
    return query if before is None else query.where(number < before)


def _found(text: str, newest: Select[Any]) -> CompoundSelect[Any]:
    """Select the entries that a text finds: by an index in all, by reading in the newest ones."""
    columns = valuations.c
    address = normalize_address(text) or text
    inside = or_(
        columns.reference.icontains(text, autoescape=True),
        columns.note.icontains(text, autoescape=True),
        columns.address.contains(address, autoescape=True),
    )
    parts = [select(columns.entry).where(columns.entry.in_(newest), inside)]
    if is_entry_number(text):
        parts.append(select(columns.entry).where(columns.entry == int(text)))
    beginnings = [
        (column, spelling)
        for column in (columns.reference, columns.property_key)
        for spelling in {text, text.lower(), text.upper(), text.capitalize()}
    ]
    for column, beginning in [*beginnings, (columns.address, address)]:
        some = select(columns.entry).where(column >= beginning, column < beginning + _LAST_CHAR)
        parts.append(select(some.limit(PREFIX_ROWS).subquery().c.entry))
    return union(*parts)


def count(
    database: Database,
    market: str,
    *,
    person: str | None = None,
    valued_at: datetime | None = None,
) -> int:
    """Return how many valuations are saved: of a person, or given at one time."""
    query = (
        select(func.count())
        .select_from(entries)
        .where(entries.c.kind == valuations.name, entries.c.market == market)
    )
    if person is not None:
        query = query.where(entries.c.person == person)
    if valued_at is not None:
        query = query.join(valuations, valuations.c.entry == entries.c.id)
        query = query.where(valuations.c.valued_at == valued_at)
    with database.read() as connection:
        return int(connection.scalar(query) or 0)


def get(database: Database, market: str, number: int, *, person: str | None = None) -> pd.Series:
    """Return one saved valuation, with its facts as a dict.

    Raises RecordNotFound if there is none of that number, or it is that of another person.
    """
    frame = _frame(database, _of_market(market, person).where(entries.c.id == number))
    if frame.empty:
        raise RecordNotFound(f"There is no saved valuation {number:,}.")
    saved = frame.iloc[0]
    saved["facts"] = json.loads(saved["facts"] or "{}")
    return saved


def delete(
    database: Database,
    author: Author,
    numbers: Sequence[int],
    reason: str,
    *,
    person: str | None = None,
) -> None:
    """Delete what is personal in saved valuations; value and range stay, as evidence.

    Raises RecordNotFound if one of them is missing, or is that of another person.
    """
    for number in numbers:
        get(database, author.market, number, person=person)
    delete_personal(database, author, numbers, reason)


def delete_old(database: Database, author: Author, days: int) -> int:
    """Delete what is personal in valuations that are older than so many days; return how many."""
    oldest = datetime.now(UTC) - timedelta(days=days)
    query = select(entries.c.id).where(
        entries.c.kind == valuations.name,
        entries.c.market == author.market,
        entries.c.created_at < oldest,
        entries.c.salt.is_not(None),
    )
    with database.read() as connection:
        numbers = list(connection.scalars(query))
    if numbers:
        delete_personal(database, author, numbers, f"older than {plural(days, 'day')}")
    return len(numbers)


def _of_market(market: str, person: str | None) -> Select[Any]:
    return (
        _numbers_of_market(market, person)
        .with_only_columns(entries.c.person, entries.c.source, entries.c.created_at, valuations)
        .join(valuations, valuations.c.entry == entries.c.id)
    )


def _numbers_of_market(market: str, person: str | None) -> Select[Any]:
    query = select(entries.c.id).where(
        entries.c.kind == valuations.name, entries.c.market == market
    )
    return query if person is None else query.where(entries.c.person == person)


def _frame(database: Database, query: Select[Any]) -> pd.DataFrame:
    return database.frame(query).astype(dict.fromkeys(NUMBER_COLUMNS, float))


def _number(value: float) -> float | None:
    return None if math.isnan(value) else float(value)
