"""People: their roles, and the log of who saw and changed what."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Literal

import pandas as pd
from sqlalchemy import Connection, func, select

from houseprice.errors import AccessDenied, InputError, RecordsError, StoreError
from houseprice.formatting import list_some
from houseprice.model.store.manifest import Manifest
from houseprice.model.store.versions import MANIFEST_FILE, version_names
from houseprice.records.database import Database, parse_url
from houseprice.records.ledger import Author, Source, lock, log_event, log_event_in
from houseprice.records.roles import ROLES, Permission, Role, may, normalize_person
from houseprice.records.schema import entries, events
from houseprice.settings import Settings

logger = logging.getLogger(__name__)

AUTOMATIC = "automatic"
"""Who logs a training that no one has asked for: the program itself."""
VIEW_HOURS = 1
"""The same view of the same person is logged once within this time."""
_LOG_COLUMNS = (entries.c.id, entries.c.created_at, entries.c.person, entries.c.market,
                entries.c.source, events.c.action, events.c.subject, events.c.detail)  # fmt: skip
MAX_PERSON_CHARS = 320
"""The longest name of a person: that of an e-mail address."""


def require_permission(database: Database, person: str, permission: Permission) -> Role | None:
    """Return the role of a person; raises AccessDenied if it may not do this."""
    role = role_of(database, person)
    if not may(role, permission):
        needed = next(each for each in ROLES if may(each, permission))
        has = f"has the role {role}" if role else "has no role"
        raise AccessDenied(
            f"{person} {has}, and this needs the role {needed}. An owner gives roles."
        )
    return role


def role_of(database: Database, person: str) -> Role | None:
    """Return the role of a person; None for those without one."""
    query = (
        select(events.c.detail)
        .where(events.c.action == "role", events.c.subject == person)
        .order_by(events.c.entry.desc())
        .limit(1)
    )
    with database.read() as connection:
        return _role_in(connection.scalar(query))


def set_role(database: Database, author: Author, person: str, role: Role | None) -> None:
    """Give a person a role in all markets, or take it away with None."""
    name = normalize_person(person)
    if not name or len(name) > MAX_PERSON_CHARS:
        raise InputError(f"A person has a name of 1 to {MAX_PERSON_CHARS} characters.")
    log_event(database, author, "role", name, {"role": role})


def people(database: Database) -> pd.DataFrame:
    """Return everyone with a role, by name: person, role, since when, given by whom."""
    query = (
        select(events.c.subject, events.c.detail, entries.c.created_at, entries.c.person)
        .join(entries, entries.c.id == events.c.entry)
        .where(events.c.action == "role")
        .order_by(events.c.entry)
    )
    with database.read() as connection:
        newest = {
            person: (person, _role_in(detail), since, given_by)
            for person, detail, since, given_by in connection.execute(query)
        }
    rows = [row for _, row in sorted(newest.items()) if row[1] is not None]
    return pd.DataFrame(rows, columns=["person", "role", "since", "given_by"])


def log_view(
    database: Database,
    author: Author,
    page: str,
    detail: Mapping[str, Any] = {},
    now: datetime | None = None,
) -> None:
    """Log that someone saw saved values of others; once an hour for a person and a page."""
    since = (now or datetime.now(UTC)) - timedelta(hours=VIEW_HOURS)
    with database.read() as connection:
        if _has_seen(connection, author, page, since):
            return
    with database.write() as connection:
        if not _has_seen(connection, author, page, since):
            log_event_in(connection, author, "view", page, detail)


def log_change(
    settings: Settings,
    author: Author,
    kind: Literal["model", "market"],
    subject: str,
    change: str,
    detail: Mapping[str, Any] = {},
) -> None:
    """Log a change of a model or a market, where records are kept.

    Without a database nothing is logged, and none is made. Raises RecordsError if the change, which
    was made already, can't be logged.
    """
    if not _is_kept(settings):
        return
    try:
        database = Database.open(settings)
        try:
            log_event(database, author, kind, subject, {"change": change, **detail})
        finally:
            database.engine.dispose()
    except RecordsError as error:
        raise RecordsError(f"{subject} is {change}, but this is not in the log. {error}") from error


def open_records(settings: Settings, source: Source) -> Database:
    """Open the database of the settings, and add the trainings that its log does not have yet.

    These are the ones before there was a database, and those that could not be logged.
    """
    database = Database.open(settings)
    try:
        _log_trainings(database, settings.model_dir, source)
    except (RecordsError, StoreError) as error:
        logger.warning("A training may be missing in the log: %s", error)
    return database


def log_training(settings: Settings, source: Source) -> None:
    """Log that the program trained a version because none was usable; a failure is no error.

    Without a database, :func:`open_records` logs it later.
    """
    if _is_kept(settings):
        try:
            open_records(settings, source).engine.dispose()
        except RecordsError as error:
            logger.warning("A training is not in the log yet: %s", error)


def _is_kept(settings: Settings) -> bool:
    """Whether records are kept: a database of SQLite is made by the first one."""
    url = parse_url(settings.database_url.get_secret_value())
    return url.get_backend_name() != "sqlite" or Path(url.database or "").is_file()


def _log_trainings(database: Database, store: Path, source: Source) -> None:
    """Log the versions of a model store whose training is not in the log."""
    stored = []
    for name in version_names(store):
        with suppress(StoreError):
            stored.append(Manifest.read(store / name / MANIFEST_FILE))
    with database.read() as connection:
        if not _unlogged(connection, stored):
            return
    with database.write() as connection:
        lock(connection)
        for manifest in _unlogged(connection, stored):
            author = Author(AUTOMATIC, manifest.market_name, source)
            log_event_in(connection, author, "model", manifest.model_version,
                         {"change": "trained", **training_detail(manifest)})  # fmt: skip


def training_detail(manifest: Manifest) -> dict[str, Any]:
    """Return what the log says of a training."""
    return {"trained_at": manifest.created_at, "sales": manifest.rows,
            "data_sha256": manifest.data_sha256}  # fmt: skip


def _unlogged(connection: Connection, stored: Sequence[Manifest]) -> list[Manifest]:
    """Return the versions without a line since their training, oldest first.

    The name of a version is given again after the store was deleted.
    """
    query = (
        select(events.c.subject, events.c.detail, entries.c.created_at)
        .join(entries, entries.c.id == events.c.entry)
        .where(events.c.action == "model")
        .order_by(events.c.entry)
    )
    logged = {
        name: at
        for name, detail, at in connection.execute(query)
        if json.loads(detail)["change"] == "trained"
    }
    missing = [
        each
        for each in stored
        if each.model_version not in logged or logged[each.model_version] < each.created_at
    ]
    return sorted(missing, key=lambda each: each.created_at)


def access_log(
    database: Database,
    *,
    since: datetime | None = None,
    until: datetime | None = None,
    market: str | None = None,
    limit: int | None = None,
) -> pd.DataFrame:
    """Return the events, newest first: who did what, when; ``detail`` is a dict.

    Those of one market are with the changes of roles, which count in all markets.
    """
    query = select(*_LOG_COLUMNS).join(events, events.c.entry == entries.c.id)
    query = query.where(entries.c.kind == events.name).order_by(entries.c.id.desc())
    query = query.limit(limit)
    if since is not None:
        query = query.where(entries.c.created_at >= since)
    if until is not None:
        query = query.where(entries.c.created_at < until)
    if market is not None:
        query = query.where((entries.c.market == market) | (events.c.action == "role"))
    frame = database.frame(query).rename(columns={"id": "entry"})
    frame["detail"] = [json.loads(detail) for detail in frame["detail"]]
    return frame


def detail_text(detail: Mapping[str, Any]) -> str:
    """Return the detail of an event as a line for readers; of a list, the first items."""
    known = {name: value for name, value in detail.items() if value not in (None, [], "")}
    return ", ".join(
        f"{name.removeprefix('n_').replace('_', ' ')} "
        f"{list_some([*map(str, value)], 3) if isinstance(value, list) else value}"
        for name, value in known.items()
    )


def _has_seen(connection: Connection, author: Author, page: str, since: datetime) -> bool:
    query = (
        select(func.count())
        .select_from(entries)
        .join(events, events.c.entry == entries.c.id)
        .where(
            entries.c.kind == events.name,
            entries.c.market == author.market,
            entries.c.person == author.person,
            entries.c.created_at >= since,
            events.c.action == "view",
            events.c.subject == page,
        )
    )
    return bool(connection.scalar(query))


def _role_in(detail: str | None) -> Role | None:
    """Return the role that the detail of an event names."""
    name = None if detail is None else json.loads(detail)["role"]
    return next((role for role in ROLES if role == name), None)
