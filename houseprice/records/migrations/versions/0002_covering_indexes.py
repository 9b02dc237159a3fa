"""Add indexes that have all that the track record reads of a valuation."""

from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Add the index of the figures, and replace that of the status."""
    op.create_index(
        "ix_valuations_figures",
        "valuations",
        ["entry", "predicted_price", "price_low", "price_high", "interval", "fsd", "confidence",
         "area", "model_version", "valued_at", "as_of"],
    )  # fmt: skip
    op.create_index("ix_valuations_status_entry", "valuations", ["status", "entry"])
    op.drop_index("ix_valuations_status", "valuations")
