"""The checks of a table in words: what each looks for, and what to do when it finds something."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Literal

from houseprice.market.contract import Contract
from houseprice.market.fields import Field

__all__ = ["Check", "checks"]

About = Literal["table", "number", "whole", "year", "level", "blank", "absent", "follows", "start"]


@dataclass(frozen=True)
class Check:
    """One check.

    Attributes
    ----------
    code : str
        The code of the problems that it finds.
    title : str
        What it looks for.
    what_to_do : str
        When it has found something that a user should mend or know.
    about : str
        The kind of columns that it looks at; "table" for the table as such.
    fields : tuple of str
        The columns themselves, where it looks at these alone and at all of them.
    """

    code: str
    title: str
    what_to_do: str
    about: About = "table"
    fields: tuple[str, ...] = ()

    @classmethod
    def unknown(cls, code: str) -> Check:
        """Stand in for a check that this software does not have."""
        return cls(code, code.replace("_", " ").capitalize(), "Look at the message of each row.")

    def not_applicable(self, contract: Contract, columns: Collection[str]) -> str:
        """Say why the check has nothing to look at in a table; nothing if it has."""
        lacking = [name for name in self.fields if name not in columns]
        if lacking:
            labels = ", ".join(contract.fields[name].label for name in lacking)
            return f"The table does not tell: {labels}."
        if self.about == "table":
            return ""
        there = [field for name, field in contract.fields.items() if name in columns]
        if any(_looked_at(field, self.about) for field in there):
            return ""
        return "The table has no column that this is about."


def checks(contract: Contract) -> tuple[Check, ...]:
    """Every check of a market's tables, those of the table and its rows first."""
    rules = [
        Check(
            rule.code,
            rule.message.rstrip("."),
            f"Look whether both facts are right. Expected: {rule.expected}.",
            fields=rule.fields,
        )
        for rule in contract.rules
    ]
    return (*_TABLE, *_CELLS, *_BLANKS, *rules)


def _looked_at(field: Field, about: str) -> bool:
    return {
        "number": field.is_numeric,
        "whole": field.kind in ("count", "year"),
        "year": field.kind == "year",
        "level": bool(field.levels),
        "blank": field.required,
        "absent": field.absent_when is not None,
        "follows": field.follows is not None,
        "start": field.start is not None,
    }[about]


_TABLE = (
    Check(
        "missing_required_columns",
        "A column is missing without which nothing can be valued",
        "Add the columns, named as in the template, and upload the table again.",
    ),
    Check(
        "missing_columns",
        "Other columns are missing",
        "Add the columns if you have the facts: ranges get narrower.",
    ),
    Check("unknown_columns", "Columns that the valuation does not use", ""),
    Check(
        "wrong_cell_count",
        "Rows with too few or too many cells",
        "Mend the rows in your own table: a separator is missing, or one too many.",
    ),
    Check(
        "broken_quotes",
        "Quotation marks that make no sense",
        "Mend the rows in your own table, or save it anew from your spreadsheet.",
    ),
    Check("empty_row", "Empty rows between the houses", "Take them out, or fill them in."),
)

_CELLS = (
    Check("required", "A blank where a fact is needed", "Fill the cells in.", "blank"),
    Check("not_a_number", "Text where a number belongs", "Write a number.", "number"),
    Check(
        "ambiguous_number",
        "Numbers that can be read in two ways",
        "Write them without a mark between thousands, or with another decimal.",
        "number",
    ),
    Check("too_long", "Texts far too long for a number", "Write a number.", "number"),
    Check("not_finite", "Numbers without end", "Write a number that a house can have.", "number"),
    Check(
        "below_limit", "Numbers smaller than possible", "Look for a slip in the cells.", "number"
    ),
    Check("above_limit", "Numbers larger than possible", "Look for a slip in the cells.", "number"),
    Check(
        "future_year",
        "Years after the last sales of the market",
        "Correct the year; a later one can't be valued.",
        "year",
    ),
    Check("not_whole", "Fractions where a whole number belongs", "Write a whole number.", "whole"),
    Check(
        "unknown_level",
        "Words or codes that a fact doesn't have",
        "Choose one of the values that the fact has.",
        "level",
    ),
    Check("read_as", "Another spelling that could be read", ""),
    Check(
        "beyond_limit",
        "Values that can't be right, taken as not known",
        "Correct the cells if you know better: ranges get narrower.",
    ),
    Check(
        "outside_sales",
        "Numbers beyond those of all sales",
        "Look for a slip. If they are right, trust these values less.",
        "number",
    ),
    Check(
        "unseen_level",
        "Kinds of house that no sale had",
        "Look for a slip. If they are right, trust these values less.",
        "level",
    ),
)

_BLANKS = (
    Check(
        "blank_typical",
        "Blanks for which the typical value was used",
        "Fill the cells in if you know the facts: ranges get narrower.",
    ),
    Check("blank_absent", "Blanks because the house has none of it", "", "absent"),
    Check("blank_follows", "Blanks that follow from other facts", "", "follows"),
    Check("blank_start", "Blanks at which the usual case was taken", "", "start"),
)
