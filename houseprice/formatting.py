"""Numbers and lists as text: the one place for plurals, money, percentages, units and durations."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Sequence

_ADDRESS = r"https?:(?=//)|www(?=\.)|@(?=[-\w]+\.)"
_MARKUP = r"\](?=[(\[:])|<(?=[a-z/!?])|&(?=#|[a-z]\w*;)|\\(?=[!-/:-@\[-`{-~])"
_LINK = re.compile(rf"{_ADDRESS}|{_MARKUP}", re.IGNORECASE | re.ASCII)
_WORD_JOINER = "\u2060"


def without_links(text: str) -> str:
    """Keep a text from becoming a link in Markdown or HTML, by an invisible mark.

    The browser makes links of bare addresses too, also of escaped ones.
    """
    return _LINK.sub(rf"\g<0>{_WORD_JOINER}", text)


def plural(count: int, noun: str, plural_noun: str | None = None) -> str:
    """Format a count with its noun: "1 house", "1,200 houses"; by default the plural adds an s."""
    return f"{count:,} {noun if count == 1 else plural_noun or f'{noun}s'}"


def join_words(words: Iterable[str], conjunction: str = "and") -> str:
    """Join words as in a sentence: "a", "a and b", "a, b and c"."""
    *others, last = list(words) or [""]
    return f"{', '.join(others)} {conjunction} {last}" if others else last


def list_some(words: Sequence[str], most: int = 5) -> str:
    """List the first words and count the others: "a, b and 66 more"."""
    n_more = len(words) - most
    return ", ".join(words[:most]) + (f" and {n_more:,} more" if n_more > 0 else "")


def money(amount: float, symbol: str, step: float | None = None) -> str:
    """Format an amount with its currency, rounded to a multiple of ``step``: "$181,000", "$2.55".

    By default to three digits or the whole number; from 100 on, an amount has no decimals.
    """
    size = abs(amount)
    finest = 10.0 ** min(math.floor(math.log10(size)) - 2, 0) if size else 1.0
    step = finest if step is None else max(step, 1.0) if size >= 100 else step
    rounded = round(amount / step) * step
    sign = "−" if rounded < 0 else ""
    return f"{sign}{symbol}{abs(rounded):,.{decimal_places(step)}f}"


def decimal_places(step: float) -> int:
    """The decimal places that multiples of a step need: none for 500 or 1, two for 0.05."""
    return max(0, -math.floor(math.log10(step)))


def percent(share: float, digits: int = 1) -> str:
    """Format a share as a percentage: 0.0512 is "5.1 %"."""
    return f"{decimal(100 * share, digits)} %"


def signed_percent(share: float, digits: int = 1) -> str:
    """Format a relative change with its sign: 0.021 is "+2.1 %"."""
    return f"{round(100 * share, digits) + 0.0:+.{digits}f} %".replace("-", "−")


def decimal(value: float, digits: int) -> str:
    """Format a number with fixed decimal places; a number that rounds to zero has no minus sign."""
    return f"{round(value, digits) + 0.0:.{digits}f}"


def distance_text(metres: float) -> str:
    """Format a distance to two digits or 10 m: "10 m", "430 m", "1.2 km", "35 km"."""
    if metres < 995:
        return f"{max(math.ceil(metres / 10), 1) * 10} m"
    return f"{metres / 1000:,.{1 if metres < 9_950 else 0}f} km"


def quantity(value: float, unit: str = "") -> str:
    """Format a number with its unit: "1,710 sq ft", "1 car"."""
    return f"{value:,.10g} {unit.removesuffix('s') if value == 1 else unit}".strip()


def field_value(
    value: float, unit: str = "", labels: Sequence[str] = (), *, is_year: bool = False
) -> str:
    """Format a value of a field: the label of a level, a year, or a number with its unit."""
    if math.isnan(value):
        return "not known"
    if labels:
        return labels[int(value)]
    return f"{value:.0f} {unit}".strip() if is_year else quantity(value, unit)


def duration(seconds: float) -> str:
    """Format a duration in its largest suitable unit: "40 seconds", "3 minutes", "2 hours"."""
    for size, unit in ((3600, "hour"), (60, "minute")):
        if seconds > 1.5 * size:
            return plural(round(seconds / size), unit)
    return plural(max(math.ceil(seconds), 1), "second")


def rounding_step(half_width: float) -> float:
    """The step to round a value to, given the half-width of its 68 % interval.

    It is at most a tenth of it: no digit claims more than is known.
    """
    return round_down(half_width / 10) if half_width > 0 else 1.0


def difference_step(price: float) -> float:
    """The step to round differences from a price to: its fourth digit, or cents.

    >>> difference_step(166_000.0), difference_step(2.5)
    (100.0, 0.01)
    """
    return float(10.0 ** max(math.floor(math.log10(price)) - 3, -2))


def round_down(amount: float) -> float:
    """Round a positive number down to 1, 2 or 5 times a power of ten."""
    power = 10.0 ** math.floor(math.log10(amount))
    return max(step * power for step in (1, 2, 5) if step * power <= amount)


def display_step(value: float, fsd: float) -> float:
    """The step to round a value to, given its relative spread; an unknown one counts as 0.1."""
    return rounding_step(value * (0.1 if math.isnan(fsd) else fsd))
