"""Saved valuations, later prices and what follows from both, in SQLite or PostgreSQL.

``schema`` has the tables, ``database`` opens them, ``ledger`` appends to them and verifies the
chain of hashes. The other modules are each about one kind of record.
"""
