"""Create the tables of the records."""

import sqlalchemy as sa
from alembic import op

from houseprice.records.schema import UtcDateTime

revision = "0001"
down_revision = None

_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_KEY = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def upgrade() -> None:
    """Create all tables, and the row that ends the chain."""
    op.create_table(
        "entries",
        sa.Column("id", _ID, autoincrement=False, nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("market", sa.Text(), nullable=False),
        sa.Column("person", sa.Text(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("salt", sa.CHAR(length=32)),
        sa.Column("personal_digest", sa.CHAR(length=64), nullable=False),
        sa.Column("digest", sa.CHAR(length=64), nullable=False),
        sa.Column("chain", sa.CHAR(length=64), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_entries"),
    )
    op.create_index("ix_entries_kind_market_id", "entries", ["kind", "market", "id"])
    op.create_index(
        "ix_entries_kind_market_person_id", "entries", ["kind", "market", "person", "id"]
    )
    head = op.create_table(
        "head",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("n_entries", _ID, nullable=False),
        sa.Column("chain", sa.CHAR(length=64), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_head"),
    )
    op.create_table(
        "events",
        sa.Column("entry", _ID, autoincrement=False, nullable=False),
        sa.Column("action", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["entry"], ["entries.id"], name="fk_events_entry_entries"),
        sa.PrimaryKeyConstraint("entry", name="pk_events"),
    )
    op.create_index("ix_events_action", "events", ["action"])
    op.create_table(
        "matches",
        sa.Column("entry", _ID, autoincrement=False, nullable=False),
        sa.Column("outcome", _ID, nullable=False),
        sa.Column("valuation", _ID, nullable=False),
        sa.Column("method", sa.Text(), nullable=False),
        sa.Column("score", sa.Double(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["entry"], ["entries.id"], name="fk_matches_entry_entries"),
        sa.ForeignKeyConstraint(["outcome"], ["entries.id"], name="fk_matches_outcome_entries"),
        sa.ForeignKeyConstraint(["valuation"], ["entries.id"], name="fk_matches_valuation_entries"),
        sa.PrimaryKeyConstraint("entry", name="pk_matches"),
    )
    op.create_index("ix_matches_outcome", "matches", ["outcome"])
    op.create_index("ix_matches_valuation", "matches", ["valuation"])
    op.create_table(
        "outcomes",
        sa.Column("entry", _ID, autoincrement=False, nullable=False),
        sa.Column("reference", _KEY),
        sa.Column("property_key", _KEY),
        sa.Column("address", _KEY),
        sa.Column("facts", sa.Text()),
        sa.Column("sold_on", sa.Date(), nullable=False),
        sa.Column("price", sa.Double(), nullable=False),
        sa.Column("corrects", _ID),
        sa.ForeignKeyConstraint(["corrects"], ["entries.id"], name="fk_outcomes_corrects_entries"),
        sa.ForeignKeyConstraint(["entry"], ["entries.id"], name="fk_outcomes_entry_entries"),
        sa.PrimaryKeyConstraint("entry", name="pk_outcomes"),
    )
    op.create_index("ix_outcomes_address", "outcomes", ["address"])
    op.create_index("ix_outcomes_corrects", "outcomes", ["corrects"])
    op.create_index("ix_outcomes_property_key", "outcomes", ["property_key"])
    op.create_index("ix_outcomes_reference", "outcomes", ["reference"])
    op.create_table(
        "reviews",
        sa.Column("entry", _ID, autoincrement=False, nullable=False),
        sa.Column("valuation", _ID, nullable=False),
        sa.Column("sample", _ID),
        sa.Column("verdict", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text()),
        sa.ForeignKeyConstraint(["entry"], ["entries.id"], name="fk_reviews_entry_entries"),
        sa.ForeignKeyConstraint(["sample"], ["entries.id"], name="fk_reviews_sample_entries"),
        sa.ForeignKeyConstraint(["valuation"], ["entries.id"], name="fk_reviews_valuation_entries"),
        sa.PrimaryKeyConstraint("entry", name="pk_reviews"),
    )
    op.create_index("ix_reviews_sample", "reviews", ["sample"])
    op.create_index("ix_reviews_valuation", "reviews", ["valuation"])
    op.create_table(
        "valuations",
        sa.Column("entry", _ID, autoincrement=False, nullable=False),
        sa.Column("reference", _KEY),
        sa.Column("note", sa.Text()),
        sa.Column("facts", sa.Text()),
        sa.Column("property_key", _KEY),
        sa.Column("address", _KEY),
        sa.Column("address_block", sa.Text()),
        sa.Column("area", sa.Text()),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("predicted_price", sa.Double()),
        sa.Column("price_low", sa.Double()),
        sa.Column("price_high", sa.Double()),
        sa.Column("interval", sa.Double()),
        sa.Column("fsd", sa.Double()),
        sa.Column("confidence", sa.Double()),
        sa.Column("facts_given", sa.Integer()),
        sa.Column("reason_codes", sa.Text(), nullable=False),
        sa.Column("as_of", sa.Date()),
        sa.Column("model_version", sa.Text(), nullable=False),
        sa.Column("valued_at", UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(["entry"], ["entries.id"], name="fk_valuations_entry_entries"),
        sa.PrimaryKeyConstraint("entry", name="pk_valuations"),
    )
    op.create_index("ix_valuations_address_block", "valuations", ["address_block"])
    op.create_index("ix_valuations_address", "valuations", ["address"])
    op.create_index("ix_valuations_status", "valuations", ["status"])
    op.create_index("ix_valuations_property_key", "valuations", ["property_key"])
    op.create_index("ix_valuations_reference", "valuations", ["reference"])
    op.bulk_insert(head, [{"id": 1, "n_entries": 0, "chain": "0" * 64}])
