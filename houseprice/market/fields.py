"""One field of a house: its name, which values are legal, what a blank means."""

from __future__ import annotations

import functools
import re
from collections import Counter
from collections.abc import Callable
from functools import cached_property, partial
from typing import Annotated, Literal, Self, get_args

import numpy as np
from pydantic import AfterValidator, BaseModel, ConfigDict, model_validator
from pydantic import Field as Setting

from houseprice.formatting import field_value, list_some, without_links
from houseprice.market.dates import Order, date_of, parse_date

Kind = Literal["number", "count", "year", "date", "ordinal", "nominal", "flag"]
KINDS: tuple[Kind, ...] = get_args(Kind)
Sign = Literal["+", "-"]
Latitude = Annotated[float, Setting(ge=-90, le=90)]
Longitude = Annotated[float, Setting(ge=-180, le=180)]
Text = Annotated[str, AfterValidator(without_links)]
"""A text for pages. A contract may come from others, so that no text of it becomes a link."""

_ABSENT_CODES = ("NA", "None")
_ABSENT_WORDS = ("none", "(none)", "no", "nil", "nothing", "absent", "without", "0")
# Marks between words, but not within a number, a grade ("B-") or a negative number.
_MARK = re.compile(r"(?<=[^\W\d_])[._-]+(?=[^\W_])|(?<=\d)[._-]+(?=[^\W\d_])")


class ContractModel(BaseModel):
    """Base of the tables of a contract: immutable, and unknown keys are an error."""

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        ignored_types=(cached_property,),
        use_attribute_docstrings=True,
    )

    def replaced(self, **changes: object) -> Self:
        """Return a checked copy with other values; what is cached is computed anew."""
        values = {name: getattr(self, name) for name in type(self).model_fields}
        return self.model_validate(values | changes)


class Level(ContractModel):
    """One legal value of an ordinal, nominal or flag field; a text alone is code and label."""

    code: str = Setting(min_length=1)
    """As it is in files."""
    label: Text = Setting(min_length=1)
    """As people read it."""
    help: Text = ""
    """What it means, where the label does not say it."""
    aliases: tuple[str, ...] = ()
    """Other accepted spellings. Case, blanks and marks between words never matter."""
    at: tuple[Latitude, Longitude] | None = None
    """Where a place is, as [latitude, longitude] in degrees: all levels of a field, or none."""

    @model_validator(mode="before")
    @classmethod
    def _of_text(cls, data: object) -> object:
        """A text alone is both code and label."""
        return {"code": data, "label": data} if isinstance(data, str) else data


class Field(ContractModel):
    """One column of a house.

    A blank becomes the first of these that there is: none of it (``absent_when``), what ``follows``
    from other fields, a fixed ``start``, and last what the model estimates from the known fields.
    """

    column: str
    """The column in files: the name of the table, ``[fields.NAME]``."""
    kind: Kind
    """A size (number), a count, a year, a date; levels from worst to best (ordinal), levels without
    an order (nominal), or no, then yes (flag)."""
    label: Text = Setting(min_length=1)
    """As people read it; by default the column in words."""
    help: Text = ""
    """One sentence beside the field."""
    group: str
    """The key of its group; by default the first one, or "sale" for a fact of the sale."""
    unit: Text = ""
    """The unit of its numbers, such as "sq ft". Other units of its kind are converted."""
    range: tuple[float, float] | None = None
    """The legal limits of a number, both included; by default far beyond the sales."""
    levels: tuple[Level, ...] = ()
    """The legal values that are no numbers; by default those of the sales."""
    open: bool = False
    """Whether another level is not known instead of an error, as where levels come from sales."""
    order: Order | None = None
    """The order of the digits of a date; by default the one that fits the sales."""
    sign: Sign | None = None
    """"+": more, or a better level, never lowers a value; "-": never raises it."""
    scale: Literal["log"] | None = None
    """"log" for sizes that are bunched low with a few very large ones."""
    required: bool = False
    """Whether a blank is an error in a house to value; "unknown" never is."""
    at_sale: bool = False
    """Known only when the house is sold, such as the date."""
    absent_when: str | None = None
    """A condition under which a blank means that there is none of it: zero, or the level for it."""
    follows: str | None = None
    """An expression that a blank is computed from."""
    start: str | float | None = None
    """A fixed value for a blank."""
    typical_by: str | None = None
    """A field whose levels have typical values of their own when a blank is estimated."""
    unknown: tuple[float, ...] = ()
    """Numbers that mean that the value is not known, such as 9999."""
    none: tuple[float, ...] = ()
    """Numbers that mean a blank, such as 0 for the year of a renovation that never was."""
    beyond: Literal["unknown"] | None = None
    """"unknown": a number beyond the limits is not known instead of an error."""
    parts_of: str | None = None
    """The field that this one and the others with the same key add up to."""
    halves: str | None = None
    """The field for the half of a count such as 2.5 baths."""
    aliases: tuple[str, ...] = ()
    """Other headers of the column in files. The label is one, and case and marks never matter."""

    @cached_property
    def is_numeric(self) -> bool:
        """Whether values are numbers (number, count, year, date) and not levels."""
        return self.kind in ("number", "count", "year", "date")

    @cached_property
    def is_complete(self) -> bool:
        """Whether its limits or levels are known, and not left to the sales."""
        return self.range is not None if self.is_numeric else bool(self.levels)

    @cached_property
    def codes(self) -> tuple[str, ...]:
        """The levels as in a file, in order; empty for numbers."""
        return tuple(level.code for level in self.levels)

    @cached_property
    def labels(self) -> tuple[str, ...]:
        """The levels as shown to people, in order; empty for numbers."""
        return tuple(level.label for level in self.levels)

    @cached_property
    def spellings(self) -> dict[str, int]:
        """Position of a level by each accepted spelling, normalized.

        "None", "nil" or a zero is the level for "has none of it", if there is one and no other is
        called so.
        """
        spellings = {
            spelling: position
            for position, level in enumerate(self.levels)
            for spelling in _spellings(level)
        }
        if self.absent_code in self.codes:
            absent = self.codes.index(self.absent_code)
            spellings = dict.fromkeys(_ABSENT_WORDS, absent) | spellings
        singulars = [singular(spelling) for spelling in spellings]
        counts = Counter(singulars)
        return {
            word: position
            for word, position in zip(singulars, spellings.values(), strict=True)
            if counts[word] == 1
        } | spellings

    @cached_property
    def absent_code(self) -> str:
        """The code of the level for "has none of it"; empty if there is none."""
        return next((code for code in _ABSENT_CODES if code in self.codes), "")

    @cached_property
    def exact_spellings(self) -> dict[str, int]:
        """Position of a level by its code and by its label, as in the contract."""
        return {
            spelling: position
            for position, level in enumerate(self.levels)
            for spelling in (level.code, level.label)
        }

    @property
    def has_positions(self) -> bool:
        """Whether its levels have coordinates."""
        return any(level.at is not None for level in self.levels)

    @cached_property
    def absent(self) -> float:
        """The clean value for "there is none of it": zero, or the position of that level."""
        return 0.0 if self.is_numeric else float(self.codes.index(self.absent_code))

    @cached_property
    def is_past(self) -> bool:
        """Whether it can't be after the valuation date: a year other than that of the sale."""
        return self.kind == "year" and not self.at_sale

    @cached_property
    def start_value(self) -> float | None:
        """The clean value of ``start``."""
        if self.start is None:
            return None
        if self.kind == "date":
            return parse_date(str(self.start))
        return float(self.codes.index(str(self.start)) if self.levels else self.start)

    @cached_property
    def format(self) -> Callable[[float], str]:
        """Formats a clean value for people: "1,710 sq ft", "Good", "not known"."""
        if self.kind == "date":
            return _format_date
        is_year = self.kind == "year"
        return partial(field_value, unit=self.unit, labels=self.labels, is_year=is_year)

    def code(self, value: float) -> str:
        """Format a clean value as in a file: "1710", "Gd", ""."""
        if np.isnan(value):
            return ""
        if self.kind == "date":
            return date_of(value).isoformat()
        return self.codes[int(value)] if self.levels else f"{value:.10g}"

    @model_validator(mode="after")
    def _is_consistent(self) -> Self:
        if self.is_numeric:
            self._check_numeric()
        else:
            self._check_levels()
        if self.sign and self.kind == "nominal":
            raise ValueError("levels without an order can't have a sign")
        return self

    def _check_numeric(self) -> None:
        if self.levels or self.open:
            raise ValueError(f"a {self.kind} has no levels")
        if self.range is not None and not self.range[0] < self.range[1]:
            raise ValueError("range must be [lower, upper] with lower below upper")
        if self.halves and self.kind != "count":
            raise ValueError("only a count can have halves")
        if self.kind == "date" and self.start is not None and self.start_value is None:
            raise ValueError("start must be a date, such as 2014-10-13")
        if self.kind != "date" and isinstance(self.start, str):
            raise ValueError("start must be a number here")

    def _check_levels(self) -> None:
        if self.range is not None or self.unit or self.scale:
            raise ValueError(f"a {self.kind} has levels, and no range or unit")
        if self.unknown or self.none:
            raise ValueError("unknown and none hold numbers, and this field has levels")
        if not self.levels:
            return
        if len(self.levels) < 2 and not self.open:
            raise ValueError(f"a {self.kind} needs two levels or more")
        if self.kind == "flag" and len(self.levels) != 2:
            raise ValueError("a flag has exactly two levels: no, then yes")
        if self.start is not None and self.start not in self.codes:
            raise ValueError(f"start must be one of {list_some(self.codes)}")
        counts = Counter(spelling for level in self.levels for spelling in _spellings(level))
        repeated = sorted(spelling for spelling, count in counts.items() if count > 1)
        if repeated:
            raise ValueError(f"two levels have the same spelling: {list_some(repeated)}")
        without_position = [level.code for level in self.levels if level.at is None]
        if without_position and self.has_positions:
            names = list_some(without_position)
            raise ValueError(f"at is missing for {names}: all levels have one or none")


def words_of(name: str) -> str:
    """Write the name of a column as words.

    >>> words_of("yr_built"), words_of("livingArea"), words_of("FLOORS")
    ('Yr built', 'Living area', 'FLOORS')
    """
    words = re.sub(r"(?<=[a-z0-9])(?=[A-Z][a-z])", " ", name).replace("_", " ").split()
    plain = [word.lower() if word.istitle() else word for word in words]
    text = " ".join(plain) or name
    return text[0].upper() + text[1:]


def _format_date(value: float) -> str:
    return "not known" if np.isnan(value) else f"{date_of(value):%-d %B %Y}"


def normalize(spelling: str) -> str:
    """Remove what does not matter in a spelling: case, white space, and marks between words.

    >>> normalize("North_Ames"), normalize("B-"), normalize("1.5 Fin"), normalize("0-5")
    ('northames', 'b-', '1.5fin', '0-5')
    """
    return _MARK.sub("", "".join(spelling.split()).casefold())


def singular(word: str) -> str:
    """Remove the plural of a normalized word."""
    return word.removesuffix("s") if len(word) > 3 else word


@functools.lru_cache(maxsize=4096)
def fold_name(name: str) -> str:
    """Reduce a column name to its letters and digits, in lower case.

    >>> fold_name("Gr_Liv Area")
    'grlivarea'
    """
    return "".join(char for char in name.casefold() if char.isalnum())


def _spellings(level: Level) -> set[str]:
    return {normalize(spelling) for spelling in (level.code, level.label, *level.aliases)}
