"""Columns that must not be learned from: forms of the price, and copies of other columns."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from houseprice.market.draft.column import Column
from houseprice.market.draft.words import PRICE, PRICE_ROOTS, VALUATION_ROOTS, VALUATIONS

Floats = NDArray[np.float64]

LEAK = 0.98
"""Correlation with the logarithm of the price from which a column is a form of it."""
DEFLATED = 0.02
"""Spread of the ratio of two prices within a year below which one is the other, deflated."""
PER_AREA = "the price per area"
EXACT = 0.9995
"""Correlation from which numbers are the price, or the date, but for rounding."""
SAME = 1.0 - 1e-7
"""Correlation from which two columns are the same but for scale and rounding."""
_MAX_ROWS = 2000
_MAX_COLUMNS = 60


def correlation(one: Floats, other: Floats) -> float:
    """Return the correlation of two columns where both are known; 0 if that is rare."""
    both = np.isfinite(one) & np.isfinite(other)
    if both.sum() < 20 or np.ptp(one[both]) == 0 or np.ptp(other[both]) == 0:
        return 0.0
    return float(np.corrcoef(one[both], other[both])[0, 1])


def price_form(
    column: Column, log_price: Floats, years: Floats | None, areas: Sequence[Column]
) -> str | None:
    """Return as which form of the price a column gives it away, or None."""
    if not column.is_numeric or column.n_numbers < 5:
        return None
    logarithm = _log(column.numbers)
    if max(correlation(logarithm, log_price), correlation(column.numbers, log_price)) > LEAK:
        return "a form of the price: it follows the price"
    if any(_is_deflated(log_price - form, years) for form in (logarithm, column.numbers)):
        return "the price, deflated"
    is_rate = column.has(*PRICE, "per", "rate", "psf")
    sizes = (_log(area.numbers) for area in areas if area is not column)
    if is_rate and any(correlation(logarithm + size, log_price) > LEAK for size in sizes):
        return PER_AREA
    return None


def is_valuation(column: Column) -> bool:
    """Whether a column is an asking price or an assessed value."""
    if not column.is_numeric or column.n_numbers <= 10 or column.known_numbers.max() <= 100:
        return False
    is_valued = column.has(*VALUATIONS) or column.contains(VALUATION_ROOTS)
    return is_valued or is_price_named(column)


def is_price_named(column: Column) -> bool:
    """Whether a column is named like a price, of whatever kind."""
    return column.has(*PRICE) or column.contains(PRICE_ROOTS)


def price_with(column: Column, others: Sequence[Column], log_price: Floats) -> str | None:
    """Return with which other column a column gives the price away, or None.

    Examples are the share of the asking price that was paid, and the change since the last price.
    """
    if not column.is_numeric or column.n_numbers < 5:
        return None
    step = max(len(log_price) // _MAX_ROWS, 1)
    own, target = column.numbers[::step], log_price[::step]
    for other in others:
        base = other.numbers[::step]
        n_known, alone = np.isfinite(base).sum(), correlation(_log(base), target)
        shares = (own, own / 100)
        forms = [base * own, base / np.where(own == 0, np.nan, own), base + own, base - own]
        forms += [base * (1 + share) for share in shares] + [base * (1 - share) for share in shares]
        logarithms = [
            each for form in forms if np.isfinite(each := _log(form)).sum() > 0.9 * n_known
        ]
        together = max((correlation(each, target) for each in logarithms), default=0.0)
        if together > EXACT and 1 - together < 0.05 * (1 - alone):
            return other.name
    return None


def codes_of_texts(columns: Sequence[Column]) -> Iterator[tuple[Column, str]]:
    """Yield each column of whole numbers that are codes of the texts of another, and which."""
    texts = [each for each in columns if not each.is_numeric]
    for column in columns:
        n_codes = column.n_numbers
        if not (column.is_whole and 10 < n_codes <= 0.5 * column.n_known):
            continue
        for other in texts:
            is_like = len(other.distinct) == n_codes and other.n_known == column.n_known
            if is_like and len(set(zip(column.texts, other.texts, strict=True))) == n_codes:
                yield column, other.name
                break


def says_only_date(column: Column, years: Floats | None, dates: Floats | None) -> bool:
    """Whether a column is the date of the sale as a number, or has one value for each year."""
    if not column.is_numeric or years is None or dates is None:
        return False
    if correlation(column.numbers, dates) > EXACT:
        return True
    known = np.isfinite(column.numbers) & np.isfinite(years)
    pairs = np.unique(np.column_stack([years[known], column.numbers[known]]), axis=0)
    n_years = np.unique(pairs[:, 0]).size
    return (
        1 < n_years <= 0.5 * known.sum()
        and len(pairs) == n_years
        and np.unique(pairs[:, 1]).size > 1
    )


def copies(columns: Sequence[Column]) -> Iterator[tuple[Column, str]]:
    """Yield each column of numbers that another one says already, and how.

    Of two equal columns the first is kept; squares, logarithms and products with a flag are not.
    """
    step = max(len(columns[0].cells) // _MAX_ROWS, 1) if columns else 1
    values = {column.name: column.numbers[::step] for column in columns}
    forms = list(_forms(columns, values))
    kept: list[str] = []
    for column in columns:
        own = values[column.name]
        equal = (f"a copy of {name}" for name in kept if _is_same(own, values[name]))
        derived = (
            what
            for what, sources, form in forms
            if column.name not in sources
            if _is_same(own, form)
        )
        if (what := next(equal, None) or next(derived, None)) is not None:
            yield column, what
        else:
            kept.append(column.name)


def _forms(
    columns: Sequence[Column], values: Mapping[str, Floats]
) -> Iterator[tuple[str, set[str], Floats]]:
    """Yield squares, logarithms and products of columns: what it is, of which, and its values."""
    flags = [column.name for column in columns if _is_binary(column)]
    for name, numbers in values.items():
        if name not in flags:
            yield f"the square of {name}", {name}, numbers**2
            yield f"the logarithm of {name}", {name}, _log(numbers)
    for flag in flags if len(columns) <= _MAX_COLUMNS else ():
        for name, numbers in values.items():
            if name != flag:
                yield f"the product of {flag} and {name}", {flag, name}, values[flag] * numbers


def _is_same(one: Floats, other: Floats) -> bool:
    return abs(correlation(one, other)) > SAME


def _is_deflated(log_ratio: Floats, years: Floats | None) -> bool:
    groups = np.zeros(len(log_ratio)) if years is None else years
    known = np.isfinite(log_ratio) & np.isfinite(groups)
    centred = log_ratio[known].copy()
    years_of_sales, n_sales = np.unique(groups[known], return_counts=True)
    # The median of one or two sales says nothing of their spread.
    if n_sales.sum() - 2 * n_sales.size < 20:
        return False
    for year in years_of_sales:
        at = groups[known] == year
        centred[at] -= np.median(centred[at])
    return float(np.std(centred)) < DEFLATED


def _is_binary(column: Column) -> bool:
    return bool(np.isin(column.known_numbers, (0, 1)).all())


def _log(numbers: Floats) -> Floats:
    positive: Floats = np.log(np.where(numbers > 0, numbers, np.nan))
    return positive
