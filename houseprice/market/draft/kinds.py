"""What kind of field a column is, with the options that its values suggest."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

import numpy as np

from houseprice.market.draft.column import Column
from houseprice.market.draft.words import (
    AT_SALE,
    NO,
    PLACES,
    QUALITY,
    RENOVATED,
    SCALES,
    SENTINELS,
    TEXTS,
    YEARS,
    YES,
)
from houseprice.market.fields import Kind

Sure = Literal["sure", "likely", "check"]

NO_FIELDS = ("price", "id", "property_id", "left out")
"""Uses of columns that are no fields of a house."""
ROLE_KINDS: Mapping[str, Kind] = {
    "location": "nominal",
    "built": "year",
    "sale_year": "year",
    "sale_month": "count",
    "sale_date": "date",
}
"""The kinds of fields with a role; those of all others are numbers."""
MAX_TEXTS = 0.4
"""Different texts per known cell from which they are free text or keys."""
MAX_COUNT = 60
FIRST_YEAR, LAST_YEAR = 1500, 2100
_CODE_WORDS = ("code", "class", "type", "zone", "zoning", "id")


@dataclass(frozen=True)
class Guess:
    """What one column is taken for.

    ``use`` is a role, "field" or "left out"; ``kind`` is None for what becomes no field, and
    ``options`` are further keys of the field in the contract.
    """

    column: str
    use: str
    kind: Kind | None
    reason: str
    sure: Sure = "sure"
    check: str = ""
    options: Mapping[str, object] = field(default_factory=dict)

    def edited(self, use: str, kind: Kind | None) -> Guess:
        """Return the guess with what the owner chose instead."""
        if use in NO_FIELDS:
            kind = None
        elif kind is None:
            kind = ROLE_KINDS.get(use, "number")
        if (use, kind) == (self.use, self.kind):
            return self
        options = self.options if kind == self.kind else {}
        return Guess(self.column, use, kind, "you chose it", options=options)


def guess_field(column: Column) -> Guess:
    """Guess the kind of a column that has no role."""
    guess = _guess(column)
    if guess.kind is not None and column.has(*AT_SALE):
        guess = replace(guess, options={**guess.options, "at_sale": True})
    return guess


def _guess(column: Column) -> Guess:
    name, n_texts = column.name, len(column.distinct)
    is_free = not column.is_numeric and n_texts > 20 and n_texts > MAX_TEXTS * column.n_known
    is_key = column.is_padded and n_texts == column.n_known
    if is_free or is_key or (column.has(*TEXTS) and n_texts > 20):
        return Guess(name, "left out", None, "free text, an address or a key", "likely")
    if _is_flag(column):
        return Guess(name, "field", "flag", "two values: no and yes")
    if column.has(*PLACES) and not column.has("count", "distance", "dist"):
        return Guess(name, "field", "nominal", f"{n_texts:,} places", "likely")
    if column.is_numeric:
        return _guess_number(column)
    if (scale := _scale(column)) is not None:
        levels = sorted(column.distinct, key=lambda text: scale.index(_plain(text)))
        reason, check = "a known scale", "from worst to best?"
        return Guess(name, "field", "ordinal", reason, "likely", check, {"levels": levels})
    return Guess(name, "field", "nominal", f"{n_texts:,} texts without an order")


def _guess_number(column: Column) -> Guess:
    name, unknown = column.name, _sentinels(column)
    options: dict[str, object] = {"unknown": unknown} if unknown else {}
    if is_sure_year(column):
        options |= year_options(column)
        return Guess(name, "field", "year", "whole numbers that are years", "likely", "", options)
    numbers = column.known_numbers[~np.isin(column.known_numbers, unknown)]
    n_distinct = np.unique(numbers).size
    if column.is_whole and numbers.min() >= 0 and numbers.max() <= MAX_COUNT:
        if column.has(*QUALITY):
            options["sign"] = "+"
        return Guess(name, "field", "count", "few whole numbers", "sure", "", options)
    if column.is_whole and column.has(*_CODE_WORDS) and n_distinct < 200:
        reason, check = "numbers that are codes", "codes, or amounts?"
        return Guess(name, "field", "nominal", reason, "check", check)
    median = float(np.median(numbers))
    if numbers.min() >= 0 and median > 0 and numbers.max() > 8 * median:
        options["scale"] = "log"
    if unit := size_unit(column):
        options["unit"] = unit
    return Guess(name, "field", "number", "numbers", "sure", "", options)


def is_sure_year(column: Column) -> bool:
    """Whether a column has years, and at most two other numbers, which are no years."""
    numbers = column.known_numbers
    is_year = (numbers > FIRST_YEAR) & (numbers < LAST_YEAR)
    if not (column.is_numeric and column.is_whole and is_year.any()):
        return False
    n_years, n_others = np.unique(numbers[is_year]).size, np.unique(numbers[~is_year]).size
    if n_others > 2:
        return False
    return column.has(*YEARS) or (bool(is_year.mean() > 0.9) and n_years > 10)


def year_options(column: Column) -> dict[str, object]:
    """Return how numbers that are no years are meant: never renovated, else not known."""
    numbers = np.unique(column.known_numbers)
    others = numbers[(numbers <= FIRST_YEAR) | (numbers >= LAST_YEAR)].astype(int).tolist()
    if not others:
        return {}
    return {"none" if column.has(*RENOVATED) else "unknown": others}


def size_unit(column: Column) -> str:
    """Return the unit that the name of a size says, or an empty text."""
    if column.has("sf", "feet") or re.search("sqr?ft|sqfeet", _plain(column.name)):
        return "sq ft"
    if column.has("sqm", "qm", "m2", "metres", "meters") or column.words >= {"m", "2"}:
        return "sq m"
    return "acres" if column.has("acre", "acres", "acreage") else ""


def area_unit(column: Column) -> str:
    """Return the unit of a living area by its name, else by its numbers."""
    unit, median = size_unit(column), float(np.median(column.known_numbers))
    if median < 4:
        return "thousand sq ft"
    if unit == "sq ft" and median < 100:
        return "hundred sq ft"
    return unit or ("sq ft" if median > 400 else "sq m")


def _is_flag(column: Column) -> bool:
    if column.is_numeric and column.n_numbers == 2:
        return bool(np.isin(column.known_numbers, (0, 1)).all())
    spellings = column.spellings
    return len(spellings) == 2 and len(spellings & NO) == 1 and len(spellings & YES) == 1


def _scale(column: Column) -> list[str] | None:
    """Return the known scale that the texts of a column are of."""
    plain = {_plain(text) for text in column.distinct}
    if len(plain) < 3 or len(plain) != len(column.distinct):
        return None
    scales = (scale.split() for scale in SCALES)
    return next((scale for scale in scales if plain <= set(scale)), None)


def _sentinels(column: Column) -> list[int]:
    """Return codes for "not known": repeated numbers of nines far beyond all others."""
    found = []
    for sentinel in SENTINELS:
        is_it = column.known_numbers == sentinel
        others = column.known_numbers[~is_it]
        if is_it.sum() < 3 or not others.size:
            continue
        is_beyond = sentinel > 3 * others.max() if sentinel > 0 else others.min() >= 0
        if is_beyond:
            found.append(int(sentinel))
    return found


def _plain(text: str) -> str:
    return re.sub(r"[\W_]", "", text.casefold())
