"""Columns that must not be learned from: forms of the price, and copies of other columns."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from houseprice.market.draft.column import Column
from houseprice.market.draft.words import NOT_PRICE, PRICE, VALUATIONS

Floats = NDArray[np.float64]

LEAK = 0.98
"""Correlation with the logarithm of the price from which a column is a form of it."""
DEFLATED = 0.02
"""Spread of the ratio of two prices within a year below which one is the other, deflated."""
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
        return "the price per area"
    return None


def is_valuation(column: Column) -> bool:
    """Whether a column is an asking price or an assessed value."""
    if not column.is_numeric or column.n_numbers <= 10 or column.known_numbers.max() <= 100:
        return False
    return column.has(*VALUATIONS) or (column.has(*PRICE) and column.has(*NOT_PRICE))


def says_only_date(column: Column, years: Floats) -> bool:
    """Whether a column is the year of the sale, or has one value for each year."""
    known = np.isfinite(column.numbers) & np.isfinite(years)
    pairs = np.unique(np.column_stack([years[known], column.numbers[known]]), axis=0)
    n_years = np.unique(pairs[:, 0]).size
    return n_years > 1 and len(pairs) == n_years and np.unique(pairs[:, 1]).size > 1


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
            # The square of a flag is the flag.
            if column.name not in sources and (not _is_binary(column) or len(sources) > 1)
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
    for name, numbers in values.items():
        yield f"the square of {name}", {name}, numbers**2
        yield f"the logarithm of {name}", {name}, _log(numbers)
    flags = [column.name for column in columns if _is_binary(column)]
    for flag in flags if len(columns) <= _MAX_COLUMNS else ():
        for name, numbers in values.items():
            if name != flag:
                yield f"the product of {flag} and {name}", {flag, name}, values[flag] * numbers


def _is_same(one: Floats, other: Floats) -> bool:
    return abs(correlation(one, other)) > SAME


def _is_deflated(log_ratio: Floats, years: Floats | None) -> bool:
    groups = np.zeros(len(log_ratio)) if years is None else years
    known = np.isfinite(log_ratio) & np.isfinite(groups)
    if known.sum() < 20:
        return False
    centred = log_ratio[known].copy()
    for year in np.unique(groups[known]):
        at = groups[known] == year
        centred[at] -= np.median(centred[at])
    return float(np.std(centred)) < DEFLATED


def _is_binary(column: Column) -> bool:
    return bool(np.isin(column.known_numbers, (0, 1)).all())


def _log(numbers: Floats) -> Floats:
    positive: Floats = np.log(np.where(numbers > 0, numbers, np.nan))
    return positive
