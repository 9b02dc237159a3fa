"""Dates of sales: any common notation read as a decimal year, and back.

A decimal year makes ages plain differences and keeps the day: 1 July 2014 is 2014.4959.
"""

from __future__ import annotations

import calendar
import re
from collections.abc import Iterable
from datetime import date, timedelta
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Order = Literal["ymd", "mdy", "dmy", "yymmdd"]
"""The order of year, month and day; "yymmdd" are six digits, which else are a year and a month."""

_MONTHS = {name.lower(): number for number, name in enumerate(calendar.month_abbr) if name}
_COMPACT = re.compile(r"(?P<year>\d{4})(?P<month>\d{2})(?P<day>\d{2})(T?\d{6}\D*)?")
_SHORT = re.compile(r"(?P<year>\d{2})(?P<month>\d{2})(?P<day>\d{2})")
_PARTS = re.compile(r"(\d{1,4})[/.\- ](\d{1,2})[/.\- ](\d{1,4})([T ].*)?")
_YEAR_MONTH = re.compile(r"(?P<year>\d{4})[/.\- ]?(?P<month>\d{2})")
_FRACTION = re.compile(r"(1[5-9]|2[01])\d\d(\.\d+)?")
_NAMED = re.compile(
    r"(?:(?P<day>\d{1,2})[ .\-]+)?(?P<month>[A-Za-z]{3,9})\.?[ \-]+"
    r"(?:(?P<day2>\d{1,2}),?[ \-]+)?(?P<year>\d{4}|\d{2})([T ].*)?"
)
_UNIX = re.compile(
    r"(?:[A-Za-z]{3,9},? )?(?P<month>[A-Za-z]{3,9}) (?P<day>\d{1,2}) \d\d?:\d\d(?::\d\d)? "
    r"(?:[A-Z]{2,5} )?(?P<year>\d{4})"
)
_MONTH_ENDS = np.cumsum([calendar.monthrange(2001, month)[1] for month in range(1, 13)])
_FIRST_CENTURY = 70  # a year of two digits from 70 on is of the last century


def parse_date(text: str, order: Order = "ymd", missing_day: str = "15") -> float | None:
    """Return the decimal year of a date, or None if it is none; a month gets the missing day.

    >>> parse_date("20141013T000000"), parse_date("3/12/2016", "dmy"), parse_date("2013.5")
    (2014.7808219178082, 2016.9207650273224, 2013.5)
    """
    text = text.strip()
    if match := _FRACTION.fullmatch(text):
        return float(text)
    if order == "yymmdd" and (match := _SHORT.fullmatch(text)):
        return _of_parts(*match.group("year", "month", "day"))
    if match := _YEAR_MONTH.fullmatch(text):
        return _of_parts(match["year"], match["month"], missing_day)
    if match := _COMPACT.fullmatch(text):
        return _of_parts(match["year"], match["month"], match["day"])
    if match := _PARTS.fullmatch(text):
        first, second, third = match.group(1, 2, 3)
        if len(first) == 4:
            return _of_parts(first, second, third)
        day, month = (first, second) if order == "dmy" else (second, first)
        return _of_parts(third, month, day) if order != "ymd" else _of_parts(first, second, third)
    if match := _NAMED.fullmatch(text) or _UNIX.fullmatch(text):
        month = _MONTHS.get(match["month"][:3].lower())
        day = match["day"] or match.groupdict().get("day2")
        if month is not None:
            return _of_parts(match["year"], str(month), day or missing_day)
    return None


def date_order(texts: Iterable[str]) -> Order:
    """Return the order in which most of the texts are dates; ambiguous ones count for all."""
    samples = list(texts)
    orders: tuple[Order, ...] = ("ymd", "mdy", "dmy", "yymmdd")
    return max(
        orders, key=lambda order: sum(parse_date(text, order) is not None for text in samples)
    )


def date_of(value: float) -> date:
    """Return the day of a decimal year."""
    year = int(value)
    days = 366 if calendar.isleap(year) else 365
    return date(year, 1, 1) + timedelta(days=min(round((value - year) * days), days - 1))


def month_numbers(years: NDArray[np.float64]) -> NDArray[np.int64]:
    """Return the months since the year 0 of decimal years."""
    numbers = np.floor(years).astype(np.int64)
    is_leap = (numbers % 4 == 0) & ((numbers % 100 != 0) | (numbers % 400 == 0))
    days = np.round((years - numbers) * np.where(is_leap, 366, 365))
    # A day of a leap year counts from the start of March as in other years.
    days -= is_leap & (days >= 59)
    months = np.searchsorted(_MONTH_ENDS, days, side="right")
    return 12 * numbers + np.minimum(months, 11)


def _of_parts(year: str, month: str, day: str) -> float | None:
    number = int(year)
    if len(year) == 2:
        number += 1900 if number >= _FIRST_CENTURY else 2000
    elif not 1500 <= number < 2200:
        return None
    try:
        passed = date(number, int(month), int(day)) - date(number, 1, 1)
    except ValueError:
        return None
    return number + passed.days / (366 if calendar.isleap(number) else 365)
