"""A stranger's text shown as it is: Streamlit reads most texts as Markdown, files hold anything."""

from __future__ import annotations

__all__ = ["plain"]

_MARKS = frozenset(r"\`*_{}[]()#+-!$:<>|~&.")


def plain(text: str) -> str:
    """Keep a text from being read as Markdown: no image is fetched, no link or formula made."""
    return "".join(f"\\{mark}" if mark in _MARKS else mark for mark in " ".join(text.split()))
