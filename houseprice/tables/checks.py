"""Every check of a table as a finding: also those that it passed.

A list of faults alone leaves open whether the rest was looked at. Here each check of the contract
has one line: it found something to mend, something to know, nothing, or had nothing to look at.

The checks of a table in words: what each looks for, and what to do when it finds something.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Literal, get_args

import pandas as pd

from houseprice.market.contract import Contract
from houseprice.market.fields import Field
from houseprice.market.problems import Problem, Severity
from houseprice.tables.scoring import ScoredTable
from houseprice.tables.table import Table

__all__ = [
    "FINDING_COLUMNS",
    "Check",
    "Finding",
    "Verdict",
    "available_checks",
    "findings_frame",
    "run_checks",
]

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


def available_checks(contract: Contract) -> tuple[Check, ...]:
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


Verdict = Literal["issue", "tip", "passed", "not applicable"]

FINDING_COLUMNS = ("code", "severity", "title", "rows", "first_rows", "detail", "what_to_do")
_FIRST = 5
_VERDICTS: dict[Severity, Verdict] = {"error": "issue", "warning": "tip", "note": "passed"}
_OF_SALES = ("outside_sales", "unseen_level")


@dataclass(frozen=True)
class Finding:
    """What one check found.

    Attributes
    ----------
    code : str
        Stable name of the check: that of its problems (:attr:`houseprice.market.problems.Problem`).
    title : str
        What was looked for, in words.
    severity : {"issue", "tip", "passed", "not applicable"}
        An issue leaves rows without a value; a tip is worth a look, and rows have their value.
    rows : tuple of int
        The rows concerned, 1 is the first house; none if it is about the table as a whole.
    detail : str
        An example, or why there is nothing to tell.
    what_to_do : str
        Empty if there is nothing to do.
    """

    code: str
    title: str
    severity: Verdict
    rows: tuple[int, ...] = ()
    detail: str = ""
    what_to_do: str = ""


def run_checks(
    table: Table, scored: ScoredTable, contract: Contract, *, knows_sales: bool = True
) -> tuple[Finding, ...]:
    """Tell what each check found in a table.

    Parameters
    ----------
    table : Table
    scored : Scored
        Its valuations.
    contract : Contract
    knows_sales : bool
        Whether who valued the table holds houses against the sales that it learned from. A server
        of another make does not: it gives no ranges either.

    Returns
    -------
    tuple of Finding
        Issues first, then tips, what passed and what does not apply; within these those with most
        rows first. A problem of a kind that nobody knows here (another server's) is there too.
    """
    by_code: dict[str, list[Problem]] = {}
    for problem in scored.problems:
        by_code.setdefault(problem.code, []).append(problem)
    known = available_checks(contract)
    codes = {check.code for check in known}
    strangers = [Check.unknown(code) for code in by_code if code not in codes]
    found = [_finding(check, by_code, table, contract) for check in (*known, *strangers)]
    if not knows_sales:
        found = [_not_looked_at(each) if each.code in _OF_SALES else each for each in found]
    found.append(_twice(table, contract))
    order = {verdict: place for place, verdict in enumerate(get_args(Verdict))}
    return tuple(sorted(found, key=lambda each: (order[each.severity], -len(each.rows))))


def findings_frame(found: Iterable[Finding]) -> pd.DataFrame:
    """Lay findings out as a table, columns :data:`FINDING_COLUMNS`; rows is how many."""
    rows = [
        {**asdict(each), "rows": len(each.rows), "first_rows": _some(each.rows)} for each in found
    ]
    return pd.DataFrame(rows, columns=list(FINDING_COLUMNS))


def _finding(
    check: Check, by_code: Mapping[str, list[Problem]], table: Table, contract: Contract
) -> Finding:
    problems = by_code.get(check.code)
    if problems:
        rows = tuple(sorted({problem.row for problem in problems if problem.row is not None}))
        found = {problem.severity for problem in problems}
        severity = next(verdict for told, verdict in _VERDICTS.items() if told in found)
        todo = check.what_to_do if severity != "passed" else ""
        return Finding(check.code, check.title, severity, rows, problems[0].sentence, todo)
    missing = check.not_applicable(contract, table.rows.columns)
    if missing:
        return Finding(check.code, check.title, "not applicable", detail=missing)
    return Finding(check.code, check.title, "passed", detail="None found.")


def _not_looked_at(finding: Finding) -> Finding:
    detail = "The server that answers does not look at this."
    return Finding(finding.code, finding.title, "not applicable", detail=detail)


def _twice(table: Table, contract: Contract) -> Finding:
    """Whether two rows have one key."""
    key, code, title = contract.market.id, "key_twice", "One key for two houses"
    if key not in table.rows.columns:
        return Finding(code, title, "not applicable", detail=f"The table has no column {key}.")
    keys = table.rows[key].str.strip()
    again = keys.duplicated(keep=False) & (keys != "")
    if not again.any():
        return Finding(code, title, "passed", detail="None found.")
    rows = tuple((again.to_numpy().nonzero()[0] + 1).tolist())
    first = keys[again].iloc[0]
    same = ((keys == first).to_numpy().nonzero()[0] + 1).tolist()
    return Finding(
        code,
        title,
        "tip",
        rows,
        f"{key} {first} stands in rows {_some(same)}.",
        "Look whether a house is in the table twice: it would count twice in the sum.",
    )


def _some(rows: Iterable[int]) -> str:
    numbers = [*rows]
    more = " …" if len(numbers) > _FIRST else ""
    return ", ".join(f"{number:,}" for number in numbers[:_FIRST]) + more
