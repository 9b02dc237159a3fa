"""One field of a house: what it is called, which values are legal, what a blank means."""

from __future__ import annotations

from functools import cached_property
from typing import Annotated, Literal, Self

import numpy as np
from pydantic import BaseModel, ConfigDict, model_validator
from pydantic import Field as Setting

from houseprice.formatting import quantity

__all__ = ["ContractModel", "Field", "Kind", "Level", "Sign", "normalize"]

Kind = Literal["number", "count", "year", "ordinal", "nominal", "flag"]
Sign = Literal["+", "-"]
Latitude = Annotated[float, Setting(ge=-90, le=90)]
Longitude = Annotated[float, Setting(ge=-180, le=180)]


class ContractModel(BaseModel):
    """Frozen facts: an unknown key is refused, nothing is changed after reading."""

    model_config = ConfigDict(extra="forbid", frozen=True, ignored_types=(cached_property,))


class Level(ContractModel):
    """One legal value of an ordinal, nominal or flag field; ``at`` is where it lies, in degrees."""

    code: str = Setting(min_length=1)
    label: str = Setting(min_length=1)
    help: str = ""
    aliases: tuple[str, ...] = ()
    at: tuple[Latitude, Longitude] | None = None


class Field(ContractModel):
    """One column of a house.

    ``range`` holds the legal limits of a numeric kind, inclusive. A blank becomes, in this order:
    zero or the level "NA" where ``absent_when`` is true, the value that it ``follows`` from, the
    fixed ``start``, and last the typical value that the model learned (of the houses that share
    its ``typical_by`` level, if given). ``sign`` promises that more, or a better level, never
    lowers ("+") or never raises ("-") the price.
    """

    column: str
    label: str = Setting(min_length=1)
    help: str = Setting(min_length=1)
    group: str
    kind: Kind
    unit: str = ""
    range: tuple[float, float] | None = None
    levels: tuple[Level, ...] = ()
    sign: Sign | None = None
    scale: Literal["log"] | None = None
    required: bool = False
    absent_when: str | None = None
    follows: str | None = None
    start: str | float | None = None
    typical_by: str | None = None
    at_sale: bool = False
    beyond: Literal["unknown"] | None = None

    @model_validator(mode="after")
    def _sensible(self) -> Self:
        if self.is_numeric:
            if self.range is None or self.levels:
                raise ValueError(f"a {self.kind} needs a range and has no levels")
            if not self.range[0] < self.range[1]:
                raise ValueError("range must be [lower, upper] with lower below upper")
            if isinstance(self.start, str):
                raise ValueError("start must be a number here")
        else:
            if len(self.levels) < 2 or self.range is not None or self.unit or self.scale:
                raise ValueError(f"a {self.kind} needs two levels or more, and no range or unit")
            if self.kind == "flag" and len(self.levels) != 2:
                raise ValueError("a flag has exactly two levels: no, then yes")
            if self.start is not None and self.start not in self.codes:
                raise ValueError(f"start must be one of {', '.join(self.codes)}")
            spellings = [spelling for level in self.levels for spelling in _spellings(level)]
            twice = {s for s in spellings if spellings.count(s) > 1}
            if twice:
                raise ValueError(f"two levels are written alike: {', '.join(sorted(twice))}")
        if self.sign and self.kind == "nominal":
            raise ValueError("levels without an order can't have a sign")
        return self

    @model_validator(mode="after")
    def _placed(self) -> Self:
        nowhere = [level.code for level in self.levels if level.at is None]
        if nowhere and self.has_positions:
            raise ValueError(f"at is missing for {', '.join(nowhere)}: all levels have one or none")
        return self

    @property
    def is_numeric(self) -> bool:
        """Whether values are numbers (number, count, year) and not levels."""
        return self.kind in ("number", "count", "year")

    @cached_property
    def codes(self) -> tuple[str, ...]:
        """The levels as they stand in a file, in order; empty for numbers."""
        return tuple(level.code for level in self.levels)

    @cached_property
    def labels(self) -> tuple[str, ...]:
        """The levels in words, in order; empty for numbers."""
        return tuple(level.label for level in self.levels)

    @cached_property
    def spellings(self) -> dict[str, int]:
        """Every accepted spelling of a level, folded, and the level's position."""
        return {
            spelling: position
            for position, level in enumerate(self.levels)
            for spelling in _spellings(level)
        }

    @cached_property
    def exact(self) -> dict[str, int]:
        """Every code and label as the contract writes it, and the level's position."""
        return {
            spelling: position
            for position, level in enumerate(self.levels)
            for spelling in (level.code, level.label)
        }

    @property
    def has_positions(self) -> bool:
        """Whether its levels say where they lie."""
        return any(level.at is not None for level in self.levels)

    @property
    def absent(self) -> float:
        """The clean value for "there is none of it": zero, or the position of the level NA."""
        return 0.0 if self.is_numeric else float(self.codes.index("NA"))

    @property
    def start_value(self) -> float | None:
        """The clean value of ``start``."""
        if self.start is None:
            return None
        return float(self.codes.index(str(self.start)) if self.levels else self.start)

    def format(self, value: float) -> str:
        """Say a clean value to a person: "1,710 sq ft", "Good", "not known"."""
        if np.isnan(value):
            return "not known"
        if self.levels:
            return self.labels[int(value)]
        if self.kind == "year":
            return f"{value:.0f} {self.unit}".strip()
        return quantity(value, self.unit)

    def code(self, value: float) -> str:
        """Write a clean value as a file would hold it: "1710", "Gd", ""."""
        if np.isnan(value):
            return ""
        return self.codes[int(value)] if self.levels else f"{value:.10g}"


def normalize(spelling: str) -> str:
    """Strip what does not matter in the spelling of a level: case and white space."""
    return "".join(spelling.split()).casefold()


def _spellings(level: Level) -> set[str]:
    return {normalize(spelling) for spelling in (level.code, level.label, *level.aliases)}
