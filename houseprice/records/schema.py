"""The tables of the records. Rows are only ever added; `entries` numbers and chains all of them.

A change here needs a migration in ``migrations/versions/``; a test compares the two.
"""

from __future__ import annotations

from datetime import UTC, datetime

from sqlalchemy import (
    CHAR,
    BigInteger,
    Column,
    Date,
    DateTime,
    Dialect,
    Double,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    Table,
    Text,
    TypeDecorator,
)

REVISION = "0002"
"""The newest revision of the schema: that of the last migration."""

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
        "pk": "pk_%(table_name)s",
    }
)

_Id = BigInteger().with_variant(Integer, "sqlite")
# An index of this finds the beginning of a text, which depends on the collation.
_Key = Text().with_variant(Text(collation="C"), "postgresql")


class UtcDateTime(TypeDecorator[datetime]):
    """A time in UTC, to the microsecond; SQLite keeps no time zone."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Convert to UTC; SQLite gets it without the zone."""
        if value is None:
            return None
        value = value.astimezone(UTC)
        return value.replace(tzinfo=None) if dialect.name == "sqlite" else value

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Return it with the zone."""
        del dialect
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


entries = Table(
    "entries",
    metadata,
    Column("id", _Id, primary_key=True, autoincrement=False),
    Column("kind", Text, nullable=False),  # name of the table that has the rest of it
    Column("market", Text, nullable=False),
    Column("person", Text, nullable=False),
    Column("source", Text, nullable=False),  # "form", "table", "command" or "api"
    Column("created_at", UtcDateTime, nullable=False),
    Column("salt", CHAR(32)),  # removed with the personal columns
    Column("personal_digest", CHAR(64), nullable=False),
    Column("digest", CHAR(64), nullable=False),
    Column("chain", CHAR(64), nullable=False),
    Index(None, "kind", "market", "id"),
    Index(None, "kind", "market", "person", "id"),
)
"""One row for each record, numbered from 1 without a gap."""

head = Table(
    "head",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("n_entries", _Id, nullable=False),
    Column("chain", CHAR(64), nullable=False),
)
"""The end of the chain, one row; writers lock it, so that they append one after the other."""


def _record_table(name: str, *columns: Column[object] | Index) -> Table:
    entry = Column("entry", _Id, ForeignKey("entries.id"), primary_key=True, autoincrement=False)
    return Table(name, metadata, entry, *columns)


def _entry(name: str) -> Column[object]:
    return Column(name, _Id, ForeignKey("entries.id"), index=True)


PERSONAL = {"personal": True}
"""Marks columns that are blanked when a record is deleted on request."""

valuations = _record_table(
    "valuations",
    Column("reference", _Key, index=True, info=PERSONAL),
    Column("note", Text, info=PERSONAL),
    Column("facts", Text, info=PERSONAL),  # JSON: the cells as given, by field
    Column("property_key", _Key, index=True, info=PERSONAL),
    Column("address", _Key, index=True, info=PERSONAL),  # normalised: lower case, single spaces
    Column("address_block", Text, index=True, info=PERSONAL),  # shared by similar addresses
    Column("area", Text),
    Column("status", Text, nullable=False),
    Column("predicted_price", Double),
    Column("price_low", Double),
    Column("price_high", Double),
    Column("interval", Double),
    Column("fsd", Double),
    Column("confidence", Double),
    Column("facts_given", Integer),
    Column("reason_codes", Text, nullable=False),
    Column("as_of", Date),
    Column("model_version", Text, nullable=False),
    Column("valued_at", UtcDateTime, nullable=False),
    Index(None, "status", "entry"),
    # Facts make a row large: the track record reads this index instead of the table.
    Index("ix_valuations_figures", "entry", "predicted_price", "price_low", "price_high",
          "interval", "fsd", "confidence", "area", "model_version", "valued_at", "as_of"),
)  # fmt: skip
"""Values as they were given. `valued_at` is before `created_at` where they were added later."""

outcomes = _record_table(
    "outcomes",
    Column("reference", _Key, index=True, info=PERSONAL),
    Column("property_key", _Key, index=True, info=PERSONAL),
    Column("address", _Key, index=True, info=PERSONAL),
    Column("facts", Text, info=PERSONAL),
    Column("sold_on", Date, nullable=False),
    Column("price", Double, nullable=False),
    _entry("corrects"),
)
"""Prices of later sales; one that corrects another replaces it."""

matches = _record_table(
    "matches",
    Column("outcome", _Id, ForeignKey("entries.id"), nullable=False, index=True),
    Column("valuation", _Id, ForeignKey("entries.id"), nullable=False, index=True),
    Column("method", Text, nullable=False),  # "reference", "property_key", "address", "person"
    Column("score", Double, nullable=False),
    Column("state", Text, nullable=False),  # "accepted", "unsure" or "rejected"
)
"""Which valuation an outcome belongs to; the newest row of a pair counts."""

reviews = _record_table(
    "reviews",
    Column("valuation", _Id, ForeignKey("entries.id"), nullable=False, index=True),
    Column("sample", _Id, ForeignKey("entries.id"), index=True),  # event that drew it
    Column("verdict", Text, nullable=False),  # "agree", "too_high" or "too_low"
    Column("reason", Text, info=PERSONAL),
)
"""What reviewers found; the newest row of a reviewer and a valuation counts."""

events = _record_table(
    "events",
    Column("action", Text, nullable=False, index=True),
    Column("subject", Text, nullable=False),
    Column("detail", Text, nullable=False),  # JSON
)
"""What people did: roles, model and market versions, samples, alarms, exports, deletions."""

RECORD_TABLES = {table.name: table for table in (valuations, outcomes, matches, reviews, events)}


def personal_columns(table: Table) -> tuple[str, ...]:
    """Return the columns that are blanked when a record is deleted on request."""
    return tuple(column.name for column in table.columns if column.info.get("personal"))


def public_columns(table: Table) -> tuple[str, ...]:
    """Return the other columns, without the number of the entry."""
    return tuple(
        column.name
        for column in table.columns
        if column.name != "entry" and not column.info.get("personal")
    )
