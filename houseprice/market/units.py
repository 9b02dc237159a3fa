"""Units in cells: "11,622 sqft", "$250", "1,080 m²".

A unit of the kind of the field is converted. A currency sign before a number that is no amount of
money comes from the format of a spreadsheet and means nothing.
"""

from __future__ import annotations

import re
from typing import NamedTuple

_QUANTITY = re.compile(
    r"(?P<sign>[+-]?)\s*(?P<before>[^\d.,+-]*?)\s*"
    r"(?P<number>[+-]?(?:\d+(?:[.,' \u00a0\u2009\u202f’]\d+)*[.,]?|[.,]\d+)(?:[eE][+-]?\d+)?)"
    r"\s*(?P<after>\D.*)?",
    re.ASCII | re.DOTALL,
)
# By kind and size in the base unit of the kind.
_SPELLINGS = {
    ("area", 1.0): "sqm m2 sqmetre squaremetre sqmeter squaremeter qm",
    ("area", 0.3048**2): "sqft sf ft2 ftsq sqfeet squarefeet sqfoot squarefoot",
    ("area", 100 * 0.3048**2): "hundredsqft",
    ("area", 1_000 * 0.3048**2): "thousandsqft",
    ("area", 0.9144**2): "sqyd yd2 squareyard",
    ("area", 10_000.0): "ha hectare",
    ("area", 43_560 * 0.3048**2): "acre ac",
    ("length", 1.0): "m metre meter",
    ("length", 0.3048): "ft feet foot lf linft linearft linearfeet linearfoot ' ′",
    ("length", 0.9144): "yd yard",
    ("length", 0.0254): 'in inch inche " ″',
    ("USD", 1.0): "usd $ us$ dollar",
    ("EUR", 1.0): "eur € euro",
    ("GBP", 1.0): "gbp £ pound",
    ("JPY", 1.0): "jpy ¥ yen",
    ("CHF", 1.0): "chf sfr",
}
_UNITS = {word: unit for unit, words in _SPELLINGS.items() for word in words.split()}


class Quantity(NamedTuple):
    """A number as written, and the text of its unit."""

    number: str
    unit: str


def split_quantity(text: str) -> Quantity:
    """Split a cell into its number and its unit, which may stand before or after it.

    >>> split_quantity("1 250 ft²")
    Quantity(number='1 250', unit='ft²')
    """
    match = _QUANTITY.fullmatch(text)
    if match is None or (match["before"] and match["after"]):
        return Quantity(text, "")
    return Quantity(match["sign"] + match["number"], match["before"] or match["after"] or "")


def conversion(unit: str, wanted: str) -> float | None:
    """Return the factor from a unit to the one wanted, or None if it is of another kind.

    What a field without a unit counts is a word of its label: "2 baths" are "Full baths".
    """
    word, wanted_word = _fold(unit), _fold(wanted)
    if word in ("", wanted_word):
        return 1.0
    if word not in _UNITS:
        is_counted = wanted_word not in _UNITS and word in map(_fold, wanted.split())
        return 1.0 if is_counted else None
    kind, size = _UNITS[word]
    wanted_kind, wanted_size = _UNITS.get(wanted_word, ("", 1.0))
    if kind == wanted_kind:
        return size / wanted_size
    is_format = kind.isupper() and not wanted_kind.isupper()
    return 1.0 if is_format else None


def is_unit(text: str) -> bool:
    """Whether a text is a spelling of a unit."""
    return _fold(text) in _UNITS


def _fold(unit: str) -> str:
    """Reduce a unit to the spelling of :data:`_SPELLINGS`: without blanks, marks and plural."""
    word = re.sub(r"[\s._()]", "", unit.casefold()).replace("²", "2").replace("^2", "2")
    return word.removesuffix("s") if len(word) > 2 else word
