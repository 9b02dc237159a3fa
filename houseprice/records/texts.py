"""The texts that are saved with a house, and how long each may be."""

from __future__ import annotations

from houseprice.market.parsing import shorten
from houseprice.market.problems import Problem

MAX_KEY_CHARS = 500
"""Characters that a reference, a property key or an address may have: as many as an index takes."""
MAX_TEXT_CHARS = 2_000
"""Characters that a note may have."""


def text_fault(name: str, text: str) -> str | None:
    """Return why a reference, a key, an address or a note can't be saved; None if it can."""
    words, most = name.replace("_", " "), MAX_TEXT_CHARS if name == "note" else MAX_KEY_CHARS
    if "\0" in text:
        return f"The {words} has a character that can't be saved."
    if len(text) > most:
        return f"The {words} has {len(text):,} characters; at most {most:,} are saved."
    return None


def not_savable(row: int, name: str, fault: str, text: object) -> Problem:
    """Return the error of a row whose text can't be saved."""
    read = shorten(text) if isinstance(text, str) else None
    return Problem(row, name, "not_savable", "error", fault, read)
