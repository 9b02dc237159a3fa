"""Plain facts written as Markdown that shows them as they are."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from datetime import date

__all__ = ["above", "day", "fixed", "money", "percent", "safe", "table"]

# A dollar sign would open a formula where Markdown with formulas is shown, as in the app.
_MARKS = re.compile(r"([\\`*_\[\]<>$|~])")


def safe(text: str) -> str:
    """Keep a text from being read as Markdown, and on one line."""
    return _MARKS.sub(r"\\\1", " ".join(text.split()))


def money(symbol: str, value: float) -> str:
    """Write an amount with its currency before it, without digits after the point."""
    return f"{safe(symbol)}{value:,.0f}"


def percent(share: float) -> str:
    """Write a share as a percentage: 0.0512 is "5.1 %"."""
    return f"{fixed(100 * share, 1)} %"


def fixed(value: float, digits: int) -> str:
    """Write a number with so many digits, and no minus before nothing but zeros."""
    return f"{round(value, digits) + 0.0:.{digits}f}"


def day(text: str) -> str:
    """Write a day of the form 2010-07-31 in words: "31 July 2010"."""
    when = date.fromisoformat(text)
    return f"{when.day} {when:%B %Y}"


def above(ratio: float) -> str:
    """Say how a value lies to a price: 1.027 is "2.7 % above the price"."""
    share = percent(abs(ratio - 1.0))
    if share == percent(0.0):
        return "at the price"
    return f"{share} {'above' if ratio > 1 else 'below'} the price"


def table(headers: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Lay cells out as a table, the first column to the left, figures to the right."""
    sides = [":--", *["--:"] * (len(headers) - 1)]
    lines = [[safe(header) for header in headers], sides, *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
