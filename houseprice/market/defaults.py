"""What a contract leaves to the sales: limits, levels, notation of dates, the as-of date."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping
from datetime import date

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from houseprice.errors import InputError
from houseprice.market.contract import Contract
from houseprice.market.dates import date_of, date_order
from houseprice.market.expressions import Expression
from houseprice.market.fields import Field, Level, normalize
from houseprice.market.parsing import BLANKS, MAX_EXACT, UNKNOWNS, is_blank, parse_column

LIMIT_FACTOR = 10.0
"""Limits that are left to the sales lie this factor beyond them."""
PRICE_FACTOR = 20.0
"""Limits of the price lie this factor beyond its 5 % and 95 % quantiles."""
YEARS_BEYOND = 300
"""Limits of years and dates that are left to the sales start so much earlier than the sales."""
_ALL_NUMBERS = (-MAX_EXACT, MAX_EXACT)
_ALL_DATES = (1.0, 9999.0)
_CODE = re.compile(r"[a-z]|[01](\.0*)?", re.IGNORECASE)
_NO_WORDS = frozenset({"0", "n", "no", "f", "false", "none", "absent", "nein", "non"})


def complete(contract: Contract, rows: pd.DataFrame) -> Contract:
    """Return the contract with what it leaves to the raw sales, whose columns it names."""
    fields = {
        name: field if field.is_complete else _completed(field, _distinct(rows, name))
        for name, field in contract.fields.items()
    }
    price, as_of = contract.market.price, contract.market.as_of
    if price.range is None:
        price = price.replaced(range=_price_limits(rows[price.column]))
    as_of = as_of or _last_day(contract, fields, rows)
    market = contract.market.replaced(price=price, as_of=as_of)
    if as_of is not None and not contract.is_complete:
        fields |= {
            name: fields[name].replaced(start=cell)
            for name, cell in date_cells(contract, fields, as_of).items()
            if fields[name].start is None
        }
    if contract.is_complete and market == contract.market:
        return contract
    content = [contract.sha256, market.model_dump_json()]
    content += [field.model_dump_json() for field in fields.values()]
    digest = hashlib.sha256("\n".join(content).encode()).hexdigest()
    return contract.replaced(market=market, fields=fields, sha256=digest)


def date_cells(
    contract: Contract, fields: Mapping[str, Field], day: date
) -> dict[str, str | float]:
    """Return the cells of the date of sale, by column, for one day."""
    roles = contract.market.roles
    cells: dict[str, str | float] = {}
    if roles.sale_date is not None:
        cells[roles.sale_date] = day.isoformat()
    if roles.sale_year is not None:
        cells[roles.sale_year] = float(day.year)
    if roles.sale_month is not None:
        codes = fields[roles.sale_month].codes
        part = (day.month - 1) * len(codes) // 12 if codes else 0
        cells[roles.sale_month] = codes[part] if codes else float(day.month)
    return cells


def as_of_cells(contract: Contract, day: date) -> dict[str, str]:
    """Return the cells of a day, by column, for :func:`fill_dates`.

    Raises InputError if the sales of the market have no dates.
    """
    cells = date_cells(contract, contract.fields, day)
    if not cells:
        raise InputError("The sales of this market have no dates: values have no valuation date.")
    return {name: cell if isinstance(cell, str) else f"{cell:.0f}" for name, cell in cells.items()}


def fill_dates(rows: pd.DataFrame, cells: Mapping[str, str]) -> pd.DataFrame:
    """Return raw rows with these cells where they have no date of sale at all."""
    blank = np.ones(len(rows), dtype=bool)
    for name in cells.keys() & set(rows.columns):
        blank &= rows[name].map(is_blank).to_numpy(bool)
    nothing = pd.Series("", index=rows.index, dtype=object)
    filled = {
        name: rows.get(name, nothing).astype(object).where(~blank, cell)
        for name, cell in cells.items()
    }
    return rows.assign(**filled)


def evaluate_condition(condition: str, rows: pd.DataFrame) -> NDArray[np.float64]:
    """Return where a condition on raw columns holds (1), does not (0) or is unknown (NaN).

    A column of which all values are numbers is compared as such, any other by its text.
    """
    fields, columns = {}, {}
    for name in map(str, rows.columns):
        # Only columns that occur in the condition are worth a look at their values.
        if name not in condition:
            continue
        texts = rows[name].astype(str).str.strip()
        field = Field(column=name, label=name, group="", kind="number", range=_ALL_NUMBERS)
        columns[name], *_, problems = parse_column(field, texts)
        if any(problem.severity == "error" for problem in problems):
            codes, distinct = pd.factorize(texts)
            columns[name] = codes.astype(np.float64)
            levels = [Level(code=text or "blank", label=text or "blank") for text in distinct]
            field = field.replaced(kind="nominal", range=None, open=True, levels=tuple(levels))
        fields[name] = field
    holds = Expression(condition, fields).evaluate(columns)
    return np.broadcast_to(holds, len(rows))


def natural_key(text: str) -> tuple[tuple[int, float, str], ...]:
    """Sort texts with their numbers as numbers: "2", "10", "a2", "a10"."""
    parts = filter(None, re.split(r"(\d+)", text.casefold()))
    return tuple((0, float(part), "") if part.isdecimal() else (1, 0.0, part) for part in parts)


def _distinct(rows: pd.DataFrame, name: str) -> list[str]:
    """Return the distinct values of a column as text, without blanks; none if it is missing."""
    if name not in rows.columns:
        return []
    texts = (str(value).strip() for value in rows[name].dropna().unique())
    # "None" among levels is one: the house has none of it.
    words = (BLANKS | UNKNOWNS) - {"none"}
    return list(dict.fromkeys(text for text in texts if text.casefold() not in words))


def _completed(field: Field, texts: list[str]) -> Field:
    if field.is_numeric:
        return _with_limits(field, texts)
    if not texts:
        texts = ["no", "yes"] if field.kind == "flag" else ["other"]
    by_spelling: dict[str, list[str]] = {}
    for text in sorted(texts, key=natural_key):
        by_spelling.setdefault(normalize(text), []).append(text)
    levels = [
        Level(code=first, label=first, aliases=tuple(others))
        for first, *others in by_spelling.values()
    ]
    if field.kind == "flag":
        levels = _flag_levels(levels)
    return field.replaced(levels=tuple(levels), open=field.kind == "nominal")


def _flag_levels(levels: list[Level]) -> list[Level]:
    """Return no, then yes; a flag of which the sales have one value only gets the other."""
    if len(levels) == 1:
        is_no = normalize(levels[0].code) in _NO_WORDS
        other = Level(code="yes" if is_no else "no", label="Yes" if is_no else "No")
        levels = [levels[0], other]
    levels = sorted(levels, key=lambda level: normalize(level.code) not in _NO_WORDS)
    labels = zip(levels, ("No", "Yes"), strict=False)
    # Numbers and letters are codes: "Garage: 0 instead of 1" says less than "No instead of Yes".
    return [
        level.model_copy(update={"label": label}) if _CODE.fullmatch(level.code) else level
        for level, label in labels
    ] + levels[2:]


def _with_limits(field: Field, texts: list[str]) -> Field:
    if field.kind == "date":
        field = field.replaced(order=field.order or date_order(texts), range=_ALL_DATES)
    numbers = _numbers(field, texts) or [0.0]
    lowest, highest = min(numbers), max(numbers)
    if field.kind in ("year", "date"):
        return field.replaced(range=(max(lowest - YEARS_BEYOND, 1.0), highest + YEARS_BEYOND))
    reach = LIMIT_FACTOR * max(abs(lowest), abs(highest), 1.0)
    return field.replaced(range=(0.0 if lowest >= 0 else -reach, reach))


def _numbers(field: Field, texts: Iterable[str]) -> list[float]:
    """Return the numbers or dates among texts, of any size."""
    if field.kind != "date":
        field = field.replaced(kind="number", range=_ALL_NUMBERS, beyond=None)
    values = parse_column(field, pd.Series(list(texts), dtype=object))[0]
    numbers: list[float] = values[~np.isnan(values)].tolist()
    return numbers


def _last_day(contract: Contract, fields: dict[str, Field], rows: pd.DataFrame) -> date | None:
    """Return the day of the last sale, or the end of its month or year; None without dates."""
    roles = contract.market.roles
    name = roles.sale_date or roles.sale_year
    if name is None:
        return None
    numbers = _numbers(fields[name], _distinct(rows, name))
    if not numbers:
        return None
    return date_of(max(numbers)) if roles.sale_date else date(int(max(numbers)), 12, 31)


def _price_limits(prices: pd.Series) -> tuple[float, float]:
    """Return limits beyond which a price is none of a house: far below or above nearly all."""
    field = Field(column="price", label="Price", group="", kind="number")
    numbers = np.array(_numbers(field, prices.dropna().astype(str)))
    numbers = numbers[numbers > 0]
    if not numbers.size:
        return 0.0, 1e12
    low, high = np.quantile(numbers, [0.05, 0.95])
    return float(low) / PRICE_FACTOR, float(high) * PRICE_FACTOR
