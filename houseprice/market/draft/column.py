"""A column of an unknown table: its cells as text and as numbers, and the words of its name."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from houseprice.market.dates import Order, date_order, parse_date
from houseprice.market.fields import Field, normalize
from houseprice.market.parsing import BLANKS, MAX_EXACT, UNKNOWNS, parse_column

Floats = NDArray[np.float64]

_MISSING = BLANKS | UNKNOWNS
_WORD_START = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Za-z])(?=\d)|(?<=\d)(?=[A-Za-z])")
_SAMPLE = 400
"""Number of distinct texts from which the content of a column is inferred."""
_NUMBER = Field(column="", label="Number", group="", kind="number", range=(-MAX_EXACT, MAX_EXACT))


@dataclass(frozen=True)
class Column:
    """A column with the facts that a guess about it needs."""

    name: str
    cells: pd.Series

    @cached_property
    def words(self) -> frozenset[str]:
        """The words of the name, in lower case, and the whole name without marks."""
        words = re.findall(r"[^\W_]+", _WORD_START.sub(" ", self.name).casefold())
        return frozenset({*words, "".join(words)})

    @cached_property
    def texts(self) -> pd.Series:
        """The cells without white space around them; missing where a cell says nothing."""
        texts = self.cells.astype("str").str.strip()
        return texts.where(~texts.str.casefold().isin(_MISSING))

    @cached_property
    def distinct(self) -> list[str]:
        """The distinct known texts, the most frequent first."""
        return [str(text) for text in self.texts.value_counts().index]

    @property
    def n_known(self) -> int:
        """How many cells are known."""
        return int(self.texts.notna().sum())

    @cached_property
    def numbers(self) -> Floats:
        """The cells as numbers, with their units and currency signs taken off; else NaN."""
        numbers = pd.to_numeric(self.texts, errors="coerce").to_numpy(np.float64, copy=True)
        others = self.texts.notna().to_numpy() & ~np.isfinite(numbers)
        if others.any() and self._has_numbers:
            numbers[others] = parse_column(_NUMBER, self.texts[others])[0]
        numbers[~np.isfinite(numbers)] = np.nan
        return numbers

    @cached_property
    def known_numbers(self) -> Floats:
        """The numbers that are known."""
        return self.numbers[~np.isnan(self.numbers)]

    @cached_property
    def is_numeric(self) -> bool:
        """Whether nearly all known cells are numbers."""
        return self.n_known > 0 and self.known_numbers.size >= 0.98 * self.n_known

    @cached_property
    def is_padded(self) -> bool:
        """Whether its texts are codes of digits, of one length with leading zeros."""
        is_code = all(re.fullmatch(r"\d{2,}", text) for text in self.distinct)
        is_long = len(set(map(len, self.distinct))) == 1
        return is_code and is_long and any(text.startswith("0") for text in self.distinct)

    @cached_property
    def is_whole(self) -> bool:
        """Whether all numbers are whole."""
        return bool((self.known_numbers == np.floor(self.known_numbers)).all())

    @cached_property
    def order(self) -> Order:
        """The notation in which most of its texts are dates."""
        return date_order(self.distinct[:_SAMPLE])

    @cached_property
    def date_share(self) -> float:
        """The share of its texts that are dates of the last 250 years."""
        sample = self.distinct[:_SAMPLE]
        dates = [parse_date(text, self.order) for text in sample]
        return sum(date is not None and 1780 < date < 2100 for date in dates) / max(len(sample), 1)

    @cached_property
    def dates(self) -> Floats:
        """The cells as decimal years; NaN where one is no date."""
        years = {text: parse_date(text, self.order) for text in self.distinct}
        return self.texts.map(years).to_numpy(np.float64)

    @cached_property
    def n_numbers(self) -> int:
        """How many different numbers there are."""
        return int(np.unique(self.known_numbers).size)

    @cached_property
    def spellings(self) -> frozenset[str]:
        """The distinct texts without case and marks."""
        return frozenset(normalize(text) for text in self.distinct)

    def has(self, *words: str) -> bool:
        """Whether one of some words is in the name."""
        return not self.words.isdisjoint(words)

    def contains(self, roots: Iterable[str]) -> bool:
        """Whether a word of the name contains one of some roots."""
        return any(root in word for word in self.words for root in roots)

    @cached_property
    def _has_numbers(self) -> bool:
        sample = pd.Series(self.distinct[:_SAMPLE], dtype=str)
        if sample.empty:
            return False
        return bool(np.isfinite(parse_column(_NUMBER, sample)[0]).mean() > 0.9)
