"""A draft of a market from a file of sales alone: what each column is taken for, and why.

The price and the date are found first, because leaks of the price are found by them, and leaks
before the living area, which a price per area would be mistaken for.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from houseprice.errors import InputError, PriceNotFound
from houseprice.formatting import list_some
from houseprice.market.draft import words
from houseprice.market.draft.column import Column
from houseprice.market.draft.kinds import (
    NO_FIELDS,
    ROLE_KINDS,
    Guess,
    Sure,
    area_unit,
    guess_field,
    is_sure_year,
    size_unit,
    year_options,
)
from houseprice.market.draft.leaks import (
    PER_AREA,
    codes_of_texts,
    copies,
    correlation,
    is_price_named,
    is_valuation,
    price_form,
    price_with,
    says_only_date,
)
from houseprice.market.fields import Kind

Floats = NDArray[np.float64]
Test = Callable[[Column], bool]

ROLES = ("price", "id", "property_id", "date", "year", "month", "built", "area", "location")
"""What the owner may name the column of."""

NO_ROLES = ("field", "left out")
MIN_SHARE = 0.05
"""A column that fewer sales than this share have is left out."""
USES = (*NO_FIELDS, *ROLE_KINDS, "area", "latitude", "longitude", "x", "y", "field")
"""What a column may be taken for."""
MIN_PRICES = 10
"""A column with fewer different numbers is not the price."""
SALES_PER_PLACE = 8
"""Sales of a place on average below which a column of places is too fine for the location."""
MAX_SALE_YEARS = 60


@dataclass(frozen=True)
class Draft:
    """The guesses about the columns of a file of sales, in the order of the file."""

    guesses: tuple[Guess, ...]
    roles: Mapping[str, str]
    symbol: str

    @property
    def currency(self) -> str:
        """The code of the currency of the sign in the prices; empty if it is not known."""
        return words.CURRENCIES.get(self.symbol, "")

    @property
    def fields(self) -> list[Guess]:
        """The guesses that become fields."""
        return [guess for guess in self.guesses if guess.kind is not None]

    def edited(self, uses: Mapping[str, str], kinds: Mapping[str, Kind | None]) -> Draft:
        """Return the draft with other uses and kinds of some columns, by name.

        A column that becomes a field keeps its options only if it keeps its kind.
        """
        guesses = [
            guess.edited(uses.get(guess.column, guess.use), kinds.get(guess.column, guess.kind))
            for guess in self.guesses
        ]
        roles = {guess.use: guess.column for guess in guesses if guess.use not in NO_ROLES}
        return Draft(tuple(guesses), roles, self.symbol)


def draft_market(
    rows: pd.DataFrame, named: Mapping[str, str] | None = None, *, with_valuations: bool = False
) -> Draft:
    """Guess what the columns of a table of sales are.

    ``named`` are columns that the owner names, by their role (:data:`ROLES`). With
    ``with_valuations``, asking prices and assessed values are not left out.

    Raises InputError if a named column does not exist, or no column can be the price.
    """
    named = dict(named or {})
    columns = {str(name): Column(str(name), rows[name]) for name in rows.columns}
    for role, name in named.items():
        if name not in columns:
            raise InputError(f"There is no column «{name}» for the {role}.")
    drafter = _Drafter(columns, named)
    drafter.find_keys()
    drafter.leave_out_empty()
    drafter.find_date()
    drafter.leave_out_leaks(with_valuations=with_valuations)
    drafter.leave_out_repeats()
    drafter.find_coordinates()
    drafter.find_house_roles()
    drafter.find_location()
    drafter.guess_fields()
    if all(guess.kind is None for guess in drafter.guesses.values()):
        raise InputError("No column but the price can be learned from.")
    signs = re.findall(words.SIGNS, " ".join(drafter.price.texts.dropna().head(50)))
    symbol = max(set(signs), key=signs.count) if signs else ""
    return Draft(tuple(drafter.guesses[name] for name in columns), drafter.roles, symbol)


class _Drafter:
    """Takes columns for roles, leaves columns out, and makes fields of the others."""

    def __init__(self, columns: Mapping[str, Column], named: Mapping[str, str]) -> None:
        self.columns = columns
        self.named = named
        self.guesses: dict[str, Guess] = {}
        self.roles: dict[str, str] = {}
        self.dates: Floats | None = None
        self.years: Floats | None = None
        self.price = self._find_price()
        prices = self.price.numbers
        self.log_price = np.log(np.where(prices > 0, prices, np.nan))

    # ------------------------------------------------------------------------------------- price

    def _find_price(self) -> Column:
        if "price" in self.named:
            price = self.columns[self.named["price"]]
            self._take("price", price, None, "you named it")
            return price
        scores = {name: _price_score(column) for name, column in self.columns.items()}
        best = max(scores, key=lambda name: (scores[name], _latest_year(name)), default="")
        if not best or scores[best] <= 0:
            for column in self.columns.values():
                if _is_named_price(column) and _is_logarithm(column):
                    raise PriceNotFound(
                        f"«{column.name}» looks like the logarithm of a price. Add a column of the "
                        "price itself."
                    )
            raise PriceNotFound(
                "No column is named like a price and has amounts: at least "
                f"{MIN_PRICES} different numbers, most above zero "
                f"({list_some(list(self.columns))}). Name the column of the price."
            )
        others = [name for name, score in scores.items() if score == scores[best] and name != best]
        if _is_other_price(self.columns[best]):
            others.append("a price of another kind")
        sure: Sure = "check" if others else "sure"
        check = f"or is it {' or '.join(others)}?" if others else ""
        self._take("price", self.columns[best], None, "its name, and amounts", sure, check)
        return self.columns[best]

    # --------------------------------------------------------------------------------- keys, date

    def find_keys(self) -> None:
        """Find the key of a sale and that of a house."""
        named_keys = (self.named.get("id"), self.named.get("property_id"))
        # A number of the row is the key only if there is no other.
        for column in sorted(self._free(), key=_counts_rows):
            n_rows, n_distinct = len(column.cells), len(column.distinct)
            may_be = column.has(*words.KEYS) and (not column.is_numeric or column.is_whole)
            is_key = column.name in named_keys or (may_be and n_distinct > 0.5 * n_rows)
            if not is_key and not _counts_rows(column):
                continue
            role = "id" if n_distinct == n_rows else "property_id"
            if role in self.roles:
                self._leave_out(column, f"a key beside {self.roles[role]}", "likely")
            elif role == "id":
                why = "it counts the sales" if _counts_rows(column) else "its name"
                self._take(role, column, None, f"{why}, and it never repeats")
            else:
                reason = f"its name; it repeats {n_rows - n_distinct:,} times, as resales do"
                self._take(role, column, None, reason, "likely")

    def find_date(self) -> None:
        """Find the date of the sale: one column, or a year and perhaps a month."""
        date = self._pick("date", _is_date, _date_score) if "year" not in self.named else None
        at_sale: dict[str, object] = {"at_sale": True}
        if date is not None:
            order = {"order": date.order} if date.order != "ymd" else {}
            check = "day or month first?" if date.order in ("mdy", "dmy") else ""
            reason = f"{date.date_share:.0%} of its values are dates"
            self._take("sale_date", date, "date", reason, "likely", check, {**at_sale, **order})
            self.dates, self.years = date.dates, np.floor(date.dates)
            return
        year = self._pick("year", _is_sale_year)
        if year is None:
            return
        reason, check = "years, and no word of building", "the year of the sale?"
        self._take("sale_year", year, "year", reason, "likely", check, at_sale)
        self.years = year.numbers
        self.dates = year.numbers
        month = self._pick("month", _is_month)
        if month is not None:
            reason = "whole numbers from 1 to 12"
            self._take("sale_month", month, "count", reason, "sure", "", at_sale)
            self.dates = year.numbers + month.numbers / 12
            day = next(filter(_is_day, self._free()), None)
            if day is not None:
                self._leave_out(day, "the day of the month of the sale")

    # --------------------------------------------------------------------------------- left out

    def leave_out_empty(self) -> None:
        """Leave out columns that say the same, or nothing, of nearly every sale."""
        for column in self._free():
            share = column.n_known / max(len(column.cells), 1)
            if column.n_known == 0:
                self._leave_out(column, "all its cells are blank")
            elif len(column.distinct) == 1 and share > 0.5:
                self._leave_out(column, f"it is «{column.distinct[0][:20]}» in every row")
            elif share < MIN_SHARE:
                self._leave_out(column, f"only {share:.1%} of the sales have it", "likely")

    def leave_out_leaks(self, *, with_valuations: bool) -> None:
        """Leave out forms of the price, other prices and assessed values."""
        areas = [column for column in self._free() if _may_be_area(column)]
        for column in self._free():
            form = price_form(column, self.log_price, self.years, areas)
            if form is not None:
                self._leave_out(column, form)
            elif not with_valuations and is_valuation(column):
                reason, check = "another price or an assessed value", "known before the sale?"
                self._leave_out(column, reason, "likely", check)

    def leave_out_repeats(self) -> None:
        """Leave out what other columns say already, alone or with a price that is left out."""
        numeric = [column for column in self._free() if column.is_numeric]
        for column, what in copies([*self._left_out(), *numeric]):
            if column.name not in self.guesses:
                self._leave_out(column, what)
        prices = [
            column for column in self._left_out() if self.guesses[column.name].reason != PER_AREA
        ]
        for column in self._free():
            if (other := price_with(column, prices, self.log_price)) is not None:
                self._leave_out(column, f"the price follows from it and {other}")
            elif says_only_date(column, self.years, self.dates):
                self._leave_out(column, "the date of the sale says it")
        for column, name in codes_of_texts(self._free()):
            self._leave_out(column, f"numbers for the texts of {name}")

    # ----------------------------------------------------------------------------------- the house

    def find_coordinates(self) -> None:
        """Find degrees, or projected coordinates."""
        for vertical, horizontal in ((words.LATITUDE, words.LONGITUDE), (words.Y, words.X)):
            pair = [
                next((each for each in self._free() if each.is_numeric and each.has(*names)), None)
                for names in (vertical, horizontal)
            ]
            first, second = pair
            if first is None or second is None:
                continue
            are_degrees = (
                np.abs(first.known_numbers).max() <= 90
                and np.abs(second.known_numbers).max() <= 180
            )
            roles = ("latitude", "longitude") if are_degrees else ("y", "x")
            reason = "its name; degrees" if are_degrees else "its name; projected coordinates"
            for role, column in zip(roles, (first, second), strict=True):
                has_zeros = bool((column.known_numbers == 0).any())
                options: dict[str, object] = {"unknown": [0]} if has_zeros else {}
                self._take(role, column, "number", reason, "likely", "", options)
            return

    def find_house_roles(self) -> None:
        """Find the year of building and the living area."""
        built = self._pick(
            "built", lambda column: column.has(*words.BUILT) and is_sure_year(column)
        )
        if built is not None:
            reason = "its name, and years"
            self._take("built", built, "year", reason, "sure", "", year_options(built))
        area = self._pick("area", _may_be_area, self._area_score)
        if area is not None:
            unit = area_unit(area)
            options: dict[str, object] = {"unit": unit, "scale": "log", "sign": "+"}
            if (area.known_numbers == 0).any():
                options["unknown"] = [0]
            reason = "the size that follows the price most"
            check = f"the living area, in {unit}?"
            self._take("area", area, "number", reason, "likely", check, options)

    def find_location(self) -> None:
        """Find the finest column of places that still has enough sales of each."""
        places = [column for column in self._free() if _is_place(column)]
        fine = [each for each in places if each.n_known / len(each.distinct) >= SALES_PER_PLACE]
        best = max(fine, key=lambda each: len(each.distinct), default=None)
        if "location" in self.named:
            best = self.columns[self.named["location"]]
        if best is not None:
            reason = f"{len(best.distinct):,} places"
            self._take("location", best, "nominal", reason, "likely")

    def guess_fields(self) -> None:
        """Make fields of all other columns."""
        for column in self._free():
            self.guesses[column.name] = guess_field(column)

    # --------------------------------------------------------------------------------- helpers

    def _area_score(self, column: Column) -> float:
        return abs(correlation(np.log1p(np.maximum(column.numbers, 0.0)), self.log_price))

    def _free(self) -> list[Column]:
        return [column for name, column in self.columns.items() if name not in self.guesses]

    def _left_out(self) -> list[Column]:
        """Return the columns of numbers that are left out."""
        names = [name for name, guess in self.guesses.items() if guess.use == "left out"]
        return [self.columns[name] for name in names if self.columns[name].is_numeric]

    def _pick(
        self, role: str, test: Test, score: Callable[[Column], float] | None = None
    ) -> Column | None:
        """Return the column that the owner named, else the best one that passes a test."""
        if role in self.named:
            return self.columns[self.named[role]]
        found = [column for column in self._free() if test(column)]
        return max(found, key=score, default=None) if score else next(iter(found), None)

    def _take(
        self,
        role: str,
        column: Column,
        kind: Kind | None,
        reason: str,
        sure: Sure = "sure",
        check: str = "",
        options: Mapping[str, object] | None = None,
    ) -> None:
        if column.name in self.named.values():
            reason, sure, check = "you named it", "sure", ""
        self.roles[role] = column.name
        self.guesses[column.name] = Guess(
            column.name, role, kind, reason, sure, check, options or {}
        )

    def _leave_out(self, column: Column, reason: str, sure: Sure = "sure", check: str = "") -> None:
        if column.name not in self.named.values():
            self.guesses[column.name] = Guess(column.name, "left out", None, reason, sure, check)


def _counts_rows(column: Column) -> bool:
    """Whether a column numbers the rows: whole numbers that neither repeat nor leave any out."""
    numbers, n_rows = column.known_numbers, len(column.cells)
    if n_rows < MIN_PRICES or column.n_numbers != n_rows or column.has(*words.YEARS):
        return False
    is_gapless = column.is_whole and np.ptp(numbers) == n_rows - 1
    is_counter = numbers.min() in (0, 1) or column.has(*words.KEYS) or (np.diff(numbers) == 1).all()
    return bool(is_gapless and is_counter)


def _latest_year(name: str) -> int:
    """Return the latest year in a name; beyond all years if it has none."""
    return max(map(int, re.findall(r"(?:19|20)\d\d", name)), default=9999)


def _is_named_price(column: Column) -> bool:
    return is_price_named(column) or column.has(*words.RENT, *words.VALUE)


def _is_other_price(column: Column) -> bool:
    """Whether a column is named like a listed price, or one per area."""
    return column.has(*words.NOT_PRICE) or size_unit(column) != ""


def _is_logarithm(column: Column) -> bool:
    """Whether numbers may be logarithms of amounts: small ones that differ little."""
    numbers = column.known_numbers
    if not numbers.size or column.is_whole or numbers.max() >= 20:
        return False
    return bool(numbers.mean() > 3 and numbers.std() < 0.2 * numbers.mean())


def _price_score(column: Column) -> float:
    """Return how much a column looks like the price of the sale; 0 or less if it can't be it."""
    if not column.is_numeric or column.n_numbers < MIN_PRICES:
        return 0.0
    numbers = column.known_numbers
    has_sign = re.search(words.SIGNS, " ".join([column.name, *column.distinct[:5]])) is not None
    score = (
        4.0 * is_price_named(column)
        + 3.0 * column.has(*words.RENT)
        + 2.0 * has_sign
        + 1.0 * column.has("sale", "sold", "selling")
    )
    score = score or 1.0 * column.has(*words.VALUE)
    # A listed price or one per area is the price only where there is no other.
    score -= 3.5 * _is_other_price(column) + 5.0 * _is_logarithm(column)
    return score if np.mean(numbers > 0) > 0.5 else 0.0


def _is_date(column: Column) -> bool:
    if column.date_share < 0.9 or _are_bare_years(column):
        return False
    if column.has(*words.BUILT, *words.RENOVATED, "birth", "listed"):
        return False
    is_marked = re.search(r"\d[-/. ]\w{1,9}[-/. ]\d", column.distinct[0]) is not None
    return column.has(*words.DATES) or column.contains(words.DATE_ROOTS) or is_marked


def _date_score(column: Column) -> float:
    return float(column.has("sale", "sold", "sdate", "saledate", "closing", "transaction"))


def _are_bare_years(column: Column) -> bool:
    return column.is_numeric and column.is_whole and column.known_numbers.max() < 2200


def _is_sale_year(column: Column) -> bool:
    if column.has(*words.BUILT, *words.RENOVATED, "garage", "age") or not _are_bare_years(column):
        return False
    numbers = column.known_numbers
    is_named = column.has("year", "yr", "syear", "yrsold", "yearsold", "saleyear")
    return is_named and bool(numbers.min() > 1700 and np.ptp(numbers) <= MAX_SALE_YEARS)


def _is_month(column: Column) -> bool:
    numbers = column.known_numbers
    is_month = column.is_whole and bool(np.isin(numbers, np.arange(1, 13)).all())
    return bool(numbers.size) and is_month and column.has(*words.MONTHS)


def _is_day(column: Column) -> bool:
    is_day = column.is_whole and bool(np.isin(column.known_numbers, np.arange(1, 32)).all())
    return is_day and column.n_numbers > 12 and column.has("day", "daysold", "saleday")


def _may_be_area(column: Column) -> bool:
    return (
        column.is_numeric
        and column.n_numbers > 10
        and (_is_named_size(column) or size_unit(column).startswith("sq"))
        and not column.has(*words.NOT_AREA)
        and _may_be_size(column)
    )


def _is_named_size(column: Column) -> bool:
    return column.has(*words.AREA) or column.contains(words.AREA_ROOTS)


def _may_be_size(column: Column) -> bool:
    """Whether numbers are sizes of houses: square feet, metres, or thousands of square feet."""
    median = float(np.median(column.known_numbers))
    is_thousands = 0.6 < median < 4 and not column.is_whole
    return median > 12 or is_thousands or (median > 0 and size_unit(column) == "sq ft")


def _is_place(column: Column) -> bool:
    if not column.has(*words.PLACES) or column.has("count", "distance", "dist", "id"):
        return False
    return 1 < len(column.distinct) <= 0.4 * column.n_known
