"""Migrations of the schema, in Alembic's layout."""
