"""Rules of a market about several fields: components, years in order, parts and wholes, conditions.

A table of the contract describes each rule. Compiled with the fields of the market, it becomes a
:class:`ConsistencyRule`: a condition that is 0 where a house breaks it, and a description of the
facts of such a house that contradict each other.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

from pydantic import Field as Setting
from pydantic import NonNegativeFloat

from houseprice.formatting import join_words
from houseprice.market.expressions import Expression
from houseprice.market.fields import ContractModel, Field, Text

Fields = Mapping[str, Field]
_MAX_NAMED = 3
"""Parts of a whole that a title names."""


class Fact(NamedTuple):
    """The known value of a field; ``given`` is False where validation filled it in."""

    field: Field
    value: float
    given: bool

    def __str__(self) -> str:
        filled = "" if self.given else ", filled in"
        return f"{self.field.label} ({self.field.format(self.value)}{filled})"


class Contradiction(NamedTuple):
    """The facts of one house that break a rule, in a sentence, and what would be accepted."""

    facts: tuple[Fact, ...]
    message: str
    expected: str


@dataclass(frozen=True)
class ConsistencyRule:
    """A rule about several ``columns``; a house that breaks it gets a warning with its code.

    The ``condition`` is 0 where a house breaks it; none can without one of the ``required``
    columns. ``title`` and ``expected`` are of any house; ``describe`` returns the contradiction of
    one house from its known fields. ``uses_assumed`` is whether a value that is only assumed,
    because a rare extra is not mentioned, is a fact.
    """

    code: str
    columns: tuple[str, ...]
    required: tuple[str, ...]
    condition: Expression
    title: str
    expected: str
    describe: Callable[[Mapping[str, Fact]], Contradiction]
    uses_assumed: bool = False

    def missing(self, columns: Collection[str]) -> list[str]:
        """Return the fields that a table lacks, if it can't break the rule without them."""
        missing = [name for name in self.columns if name not in columns]
        present = len(self.columns) - len(missing)
        is_needed = present < 2 or not set(self.required).isdisjoint(missing)
        return missing if is_needed else []


class Component(ContractModel):
    """A part that a house may lack: its fields agree on whether there is one.

    A year can't be absent and is not compared.
    """

    code: str
    """The code of the problem."""
    label: Text
    """What it is called in "No garage"."""
    fields: tuple[str, ...] = Setting(min_length=1)
    """The fields that say whether there is one."""
    extras: tuple[str, ...] = ()
    """Fields that may be zero or absent although there is one, but not the reverse."""
    absent: dict[str, tuple[str, ...]] = Setting(default_factory=dict)
    """The levels that mean that there is none, by field, where that is not the level NA; the usual
    one first."""

    @property
    def columns(self) -> tuple[str, ...]:
        """Its fields and extras."""
        return (*self.fields, *self.extras)

    def with_parts(self, wholes: Sequence[Whole]) -> Component:
        """Add the parts of those wholes that are fields of the component to its extras."""
        parts = [part for whole in wholes if whole.whole in self.fields for part in whole.parts]
        extras = dict.fromkeys([*self.extras, *(part for part in parts if part not in self.fields)])
        return self.model_copy(update={"extras": tuple(extras)})

    def compile(self, fields: Fields) -> ConsistencyRule:
        """Return the rule that no field says that there is none while another describes it."""
        compared = [fields[name] for name in self.columns if fields[name].kind != "year"]
        for field in compared:
            levels = self._absent_levels(field)
            if field.levels and not set(levels) <= set(field.codes):
                raise ValueError(f"{field.column} has no level {' or '.join(levels)} for absent")
        none = [self._is_absent(field) for field in compared if field.column in self.fields]
        some = [f"not ({self._is_absent(field)})" for field in compared]
        named = self.fields if len(self.fields) > 1 else self.columns
        return ConsistencyRule(
            self.code,
            self.columns,
            (),
            Expression(f"not (({' or '.join(none)}) and ({' or '.join(some)}))", fields),
            f"Contradictory facts about the {self.label}: {_labels(named, fields)}",
            self._expected,
            self._describe,
        )

    def absence(self, fields: Fields) -> dict[str, str]:
        """Return the cells, by column, that say that there is none of it; years are blank."""
        cells = {}
        for name in self.columns:
            field = fields[name]
            zero = "" if field.kind == "year" else "0"
            cells[name] = self._absent_levels(field)[0] if field.levels else zero
        return cells

    @property
    def _expected(self) -> str:
        return f"no {self.label} in all of these fields, or in none of them"

    def _describe(self, facts: Mapping[str, Fact]) -> Contradiction:
        compared = {name: fact for name, fact in facts.items() if fact.field.kind != "year"}
        some = [fact for fact in compared.values() if not self._lacks(fact)]
        none = [compared[name] for name in self.fields if name in compared]
        none = [fact for fact in none if self._lacks(fact)]
        none = [fact for fact in none if fact.given] or none
        verb = "contradicts" if len(some) == 1 else "contradict"
        against, by = join_words(map(str, none)), join_words(map(str, some))
        message = f"There is no {self.label} according to {against}, but {by} {verb} this."
        return Contradiction((*none, *some), message, self._expected)

    def _lacks(self, fact: Fact) -> bool:
        if fact.field.levels:
            return fact.field.code(fact.value) in self._absent_levels(fact.field)
        return fact.value == 0

    def _absent_levels(self, field: Field) -> tuple[str, ...]:
        return self.absent.get(field.column, ("NA",))

    def _is_absent(self, field: Field) -> str:
        name = _quote(field.column)
        if not field.levels:
            return f"{name} == 0"
        return " or ".join(f"{name} == {level!r}" for level in self._absent_levels(field))


class Order(ContractModel):
    """Two years of which the later one can't be before the earlier one."""

    code: str
    """The code of the problem."""
    earlier: str
    """A field of years."""
    later: str
    """A field of years."""

    @property
    def columns(self) -> tuple[str, ...]:
        """The two years."""
        return (self.later, self.earlier)

    def compile(self, fields: Fields) -> ConsistencyRule:
        """Return the rule that the years are in order."""
        later, earlier = fields[self.later].label, fields[self.earlier].label
        return ConsistencyRule(
            self.code,
            self.columns,
            self.columns,
            Expression(f"{_quote(self.later)} >= {_quote(self.earlier)}", fields),
            f"{later} before {earlier}",
            f"{later} equal to or after {earlier}",
            self._describe,
        )

    def _describe(self, facts: Mapping[str, Fact]) -> Contradiction:
        earlier, later = facts[self.earlier], facts[self.later]
        expected = (
            f"{later.field.label} {earlier.field.format(earlier.value)} or later, "
            f"or {earlier.field.label} {later.field.format(later.value)} or earlier"
        )
        return Contradiction((later, earlier), f"{later} is before {earlier}.", expected)


class Whole(ContractModel):
    """Parts that add up to a whole. Known parts never exceed it, whatever the others are."""

    code: str
    """The code of the problem."""
    whole: str
    """The field of the whole."""
    parts: tuple[str, ...] = Setting(min_length=1)
    """The fields of its parts."""
    complete: bool = True
    """Whether they are all of it, and not only some."""
    tolerance: NonNegativeFloat = 0.0
    """How far they may be off, for rounding."""

    @property
    def columns(self) -> tuple[str, ...]:
        """The whole and its parts."""
        return (self.whole, *self.parts)

    def compile(self, fields: Fields, *, may_be_absent: bool = False) -> ConsistencyRule:
        """Return the rule that the parts fit.

        A whole of zero is not compared if it ``may_be_absent``: then it contradicts its component.
        """
        for name in self.columns:
            limits = fields[name].range
            if limits is None or limits[0] < 0:
                raise ValueError(f"{name} must be a numeric field that is never below zero")
        whole, parts = _quote(self.whole), [_quote(part) for part in self.parts]
        known = " + ".join(f"where(known({part}), {part}, 0)" for part in parts)
        condition = f"{known} <= {whole} + {self.tolerance}"
        if self.complete:
            condition += f" and {' + '.join(parts)} >= {whole} - {self.tolerance}"
        if may_be_absent:
            condition = f"{whole} == 0 or ({condition})"
        named = "Parts" if len(parts) > _MAX_NAMED else _labels(self.parts, fields)
        label, size = fields[self.whole].label, "equal to" if self.complete else "at least"
        return ConsistencyRule(
            self.code,
            self.columns,
            (self.whole,),
            Expression(condition, fields),
            f"{named} that {'do not add up to' if self.complete else 'exceed'} {label}",
            f"{label} {size} {self._sum_of_parts(fields)}",
            partial(self._describe, fields),
            uses_assumed=True,
        )

    def _describe(self, fields: Fields, facts: Mapping[str, Fact]) -> Contradiction:
        whole = facts[self.whole]
        parts = [facts[part] for part in self.parts if part in facts]
        total = sum(part.value for part in parts)
        is_less = total < whole.value
        # A zero matters only where something is missing, and only if somebody gave it.
        parts = [part for part in parts if part.value > 0 or (is_less and part.given)]
        sum_text, verb = whole.field.format(total), "is less than" if is_less else "exceeds"
        if len(parts) > 1:
            verb = f"add up to {sum_text}, which {verb}"
        at_least, at_most = ("", "") if self.complete else ("at least ", "at most ")
        expected = (
            f"{whole.field.label} {at_least}{sum_text}, or "
            f"{self._sum_of_parts(fields)} {at_most}{whole.field.format(whole.value)}"
        )
        return Contradiction(
            (whole, *parts), f"{join_words(map(str, parts))} {verb} {whole}.", expected
        )

    def _sum_of_parts(self, fields: Fields) -> str:
        together = " together" if len(self.parts) > 1 else ""
        return f"{_labels(self.parts, fields)}{together}"


class Rule(ContractModel):
    """Any other condition on two or more fields, with its own message."""

    code: str
    """The code of the problem."""
    check: str
    """The condition, an expression."""
    fields: tuple[str, ...]
    """The fields in it."""
    message: Text
    """What is wrong, a sentence."""
    expected: Text
    """What would be right."""

    @property
    def columns(self) -> tuple[str, ...]:
        """Its fields."""
        return self.fields

    def compile(self, fields: Fields) -> ConsistencyRule:
        """Return the rule with its condition parsed."""
        condition = Expression(self.check, fields)
        title = self.message.rstrip(".")
        return ConsistencyRule(
            self.code, self.fields, self.fields, condition, title, self.expected, self._describe
        )

    def _describe(self, facts: Mapping[str, Fact]) -> Contradiction:
        message = f"{self.message.rstrip('.')}: {join_words(map(str, facts.values()))}."
        return Contradiction(tuple(facts.values()), message, self.expected)


def _quote(column: str) -> str:
    return f"`{column}`"


def _labels(columns: Iterable[str], fields: Fields) -> str:
    return join_words(fields[name].label for name in columns)
