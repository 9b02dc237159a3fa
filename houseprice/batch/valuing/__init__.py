"""Rows of a table valued, and what came of them."""
