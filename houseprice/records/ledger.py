"""Appending records, and the chain of hashes that makes a changed or missing one visible.

Each entry has the SHA-256 of its record, and a link: the SHA-256 of the link before it, its own
number and what the entry says. A person with write access to the database can write a new chain;
the last link, noted elsewhere (``houseprice records verify`` prints it), shows that, too.
"""

from __future__ import annotations

import hashlib
import json
import secrets
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import Any, Literal

from sqlalchemy import Connection, Table, insert, select, update

from houseprice.records.database import Database
from houseprice.records.schema import (
    RECORD_TABLES,
    entries,
    events,
    head,
    personal_columns,
    public_columns,
)

FIRST_LINK = "0" * 64
"""What the first entry is linked to."""
BLOCK_ROWS = 10_000
"""Entries that are verified at a time."""

Row = Mapping[Any, Any]
Source = Literal["form", "table", "command", "api"]


@dataclass(frozen=True)
class Author:
    """Who adds records, to which market, and through which entrance."""

    person: str
    market: str
    source: Source


def append(
    database: Database,
    author: Author,
    table: Table,
    rows: Sequence[Row],
    now: datetime | None = None,
) -> list[int]:
    """Append records to a table, all or none; return their numbers."""
    with database.write() as connection:
        return append_in(connection, author, table, rows, now)


def lock(connection: Connection) -> tuple[int, str]:
    """Keep others from appending until the transaction ends; return the end of the chain."""
    end = connection.execute(select(head.c.n_entries, head.c.chain).with_for_update()).one()
    return end.n_entries, end.chain


def append_in(
    connection: Connection,
    author: Author,
    table: Table,
    rows: Sequence[Row],
    now: datetime | None = None,
) -> list[int]:
    """Append records within a transaction of :meth:`Database.write`."""
    if not rows:
        return []
    n_entries, link = lock(connection)
    now = now or datetime.now(UTC)
    personal, public = personal_columns(table), public_columns(table)
    new_entries, new_rows = [], []
    for number, row in enumerate(rows, start=n_entries + 1):
        salt = secrets.token_hex(16) if personal else None
        personal_digest = _personal_digest(salt, row, personal)
        entry = {
            "id": number,
            "kind": table.name,
            "market": author.market,
            "person": author.person,
            "source": author.source,
            "created_at": now,
            "salt": salt,
            "personal_digest": personal_digest,
            "digest": _digest(row, public, personal_digest),
        }
        link = entry["chain"] = _link(link, entry)
        new_entries.append(entry)
        new_rows.append({"entry": number, **{name: row.get(name) for name in (*personal, *public)}})
    connection.execute(insert(entries), new_entries)
    connection.execute(insert(table), new_rows)
    connection.execute(update(head).values(n_entries=n_entries + len(rows), chain=link))
    return list(range(n_entries + 1, n_entries + len(rows) + 1))


def log_event(
    database: Database, author: Author, action: str, subject: str, detail: Mapping[str, Any] = {}
) -> int:
    """Append an event; return its number."""
    with database.write() as connection:
        return log_event_in(connection, author, action, subject, detail)


def log_event_in(
    connection: Connection,
    author: Author,
    action: str,
    subject: str,
    detail: Mapping[str, Any] = {},
) -> int:
    """Append an event within a transaction of :meth:`Database.write`."""
    row = {"action": action, "subject": subject, "detail": to_json(detail)}
    return append_in(connection, author, events, [row])[0]


def delete_personal(
    database: Database, author: Author, numbers: Sequence[int], reason: str
) -> None:
    """Blank the personal columns of records, and log that they were.

    The digests stay, so that the chain still holds; without the salt they say nothing of the text.
    """
    with database.write() as connection:
        for start in range(0, len(numbers), 500):
            part = numbers[start : start + 500]
            for table in RECORD_TABLES.values():
                blank = dict.fromkeys(personal_columns(table))
                if blank:
                    connection.execute(update(table).where(table.c.entry.in_(part)).values(blank))
            connection.execute(update(entries).where(entries.c.id.in_(part)).values(salt=None))
            log_event_in(
                connection, author, "delete", reason, {"entries": [int(each) for each in part]}
            )


def last_entry(database: Database) -> int:
    """Return the number of the newest entry; 0 without one."""
    with database.read() as connection:
        return int(connection.scalar(select(head.c.n_entries)) or 0)


@dataclass(frozen=True)
class Verification:
    """The result of a verification: how many entries, the last link, and what is wrong."""

    n_entries: int
    link: str
    faults: tuple[str, ...] = field(default=())


def verify(database: Database, *, known_link: str | None = None) -> Verification:
    """Compute all digests and links again, and report entries that were changed or are missing.

    ``known_link`` is one that was noted earlier; it must be part of the chain.
    """
    faults: list[str] = []
    last, link, found_known = 0, FIRST_LINK, known_link in {None, FIRST_LINK}
    with database.read() as connection:
        deleted = _deleted_entries(connection)
        for entry, record in _all_entries(connection):
            number = entry["id"]
            is_next = number == last + 1
            if not is_next:
                faults.append(f"{_numbers(last + 1, number - 1)}: missing.")
            fault = _fault_of(entry, record, is_deleted=number in deleted)
            if not fault and is_next and _link(link, entry) != entry["chain"]:
                fault = "it was changed, or is not linked to the entry before it."
            if fault:
                faults.append(f"{_numbers(number, number)} ({entry['kind']}): {fault}")
            last, link = number, entry["chain"]
            found_known = found_known or link == known_link
        counted, end = connection.execute(select(head.c.n_entries, head.c.chain)).one()
    if counted > last:
        faults.append(f"{_numbers(last + 1, counted)}: missing at the end.")
    elif counted < last or end != link:
        faults.append("The end of the chain was changed.")
    if not found_known:
        faults.append("The link that was noted earlier is not part of the chain.")
    return Verification(last, link, tuple(faults))


def to_json(value: object) -> str:
    """Write JSON in one way only, so that equal values have equal digests."""
    return json.dumps(
        value, sort_keys=True, ensure_ascii=False, separators=(",", ":"), default=_text
    )


def _text(value: object) -> str:
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat(timespec="microseconds")
    if isinstance(value, date):
        return value.isoformat()
    raise TypeError(f"{type(value).__name__} can't be part of a record")


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _personal_digest(salt: str | None, row: Row, personal: Sequence[str]) -> str:
    return _sha256(to_json([salt, {name: row.get(name) for name in personal}]))


def _digest(row: Row, public: Sequence[str], personal_digest: str) -> str:
    return _sha256(to_json([personal_digest, {name: row.get(name) for name in public}]))


def _link(before: str, entry: Row) -> str:
    names = ("id", "kind", "market", "person", "source", "created_at", "digest")
    return _sha256(to_json([before, *(entry[name] for name in names)]))


def _fault_of(entry: Row, record: Row | None, *, is_deleted: bool) -> str:
    """Return what is wrong with one record by itself; empty if nothing is."""
    if record is None:
        return "its record is missing."
    table = RECORD_TABLES[entry["kind"]]
    personal, salt = personal_columns(table), entry["salt"]
    if is_deleted and salt is None:
        if any(record[name] is not None for name in personal):
            return "it was deleted on request, and has personal data again."
    elif _personal_digest(salt, record, personal) != entry["personal_digest"]:
        return "it was changed."
    if _digest(record, public_columns(table), entry["personal_digest"]) != entry["digest"]:
        return "it was changed."
    return ""


def _deleted_entries(connection: Connection) -> set[int]:
    details = connection.scalars(select(events.c.detail).where(events.c.action == "delete"))
    return {number for detail in details for number in json.loads(detail)["entries"]}


def _all_entries(connection: Connection) -> Iterator[tuple[Row, Row | None]]:
    """Yield each entry with its record, in order, a block at a time."""
    start = 0
    while True:
        block = connection.execute(
            select(entries).where(entries.c.id > start).order_by(entries.c.id).limit(BLOCK_ROWS)
        )
        rows = block.mappings().all()
        if not rows:
            return
        first, start = rows[0]["id"], rows[-1]["id"]
        records: dict[int, Row] = {}
        for kind in {row["kind"] for row in rows} & RECORD_TABLES.keys():
            table = RECORD_TABLES[kind]
            within = select(table).where(table.c.entry.between(first, start))
            records |= {row["entry"]: row for row in connection.execute(within).mappings()}
        for row in rows:
            yield row, records.get(row["id"])


def _numbers(first: int, last: int) -> str:
    return f"Entry {first:,}" if first == last else f"Entries {first:,} to {last:,}"
