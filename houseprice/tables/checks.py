"""The checks of a table: what each looks for, and what it found.

A list of problems alone does not show whether the rest was checked. So each check of the contract
has one finding: an issue, a tip, passed, or not applicable.
"""

from __future__ import annotations

import tomllib
from collections.abc import Collection, Iterable, Mapping
from dataclasses import asdict, dataclass
from functools import cache
from importlib import resources
from typing import Literal, get_args

import pandas as pd

from houseprice.market.contract import Contract
from houseprice.market.fields import Field
from houseprice.market.geography import PLACE_MISMATCH
from houseprice.market.problems import Problem, Severity
from houseprice.market.rules import ConsistencyRule
from houseprice.tables.scoring import ScoredTable
from houseprice.tables.table import Table

About = Literal["table", "number", "whole", "year", "level", "blank", "absent", "follows", "start"]


@dataclass(frozen=True)
class Check:
    """One check.

    ``about`` is the kind of columns that it examines ("table" for the table itself). ``rule`` is
    the rule of the contract that it applies, if it does.
    """

    code: str
    title: str
    what_to_do: str = ""
    about: About = "table"
    rule: ConsistencyRule | None = None

    @classmethod
    def unknown(cls, code: str) -> Check:
        """Describe a check of another server that is not known here."""
        return cls(code, code.replace("_", " ").capitalize(), "Look at the message of each row.")

    def not_applicable(self, contract: Contract, columns: Collection[str]) -> str:
        """Say why the check does not apply to a table; empty if it applies."""
        missing = self.rule.missing(columns) if self.rule else []
        if missing:
            labels = ", ".join(contract.fields[name].label for name in missing)
            return f"The table has no column for: {labels}."
        if self.about == "table":
            return ""
        present = [field for name, field in contract.fields.items() if name in columns]
        if any(_applies_to(field, self.about) for field in present):
            return ""
        return "The table has no column of this kind."


def available_checks(contract: Contract) -> tuple[Check, ...]:
    """Return the checks of a market's tables, those of the table and its rows first."""
    rules: dict[str, Check] = {}
    for rule in contract.consistency_rules:
        what_to_do = f"Check these fields. Expected: {rule.expected}."
        check = Check(rule.code, rule.title, what_to_do, rule=rule)
        rules.setdefault(rule.code, check)
    shipped = [
        check for check in _shipped() if contract.coordinates or check.code != PLACE_MISMATCH
    ]
    return (*shipped, *rules.values())


@cache
def _shipped() -> tuple[Check, ...]:
    """Return the checks of tables of any market."""
    text = resources.files(__package__).joinpath("checks.toml").read_text("utf-8")
    return tuple(Check(code, **keys) for code, keys in tomllib.loads(text).items())


def _applies_to(field: Field, about: str) -> bool:
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


Verdict = Literal["issue", "tip", "passed", "not applicable"]

FINDING_COLUMNS = ("code", "severity", "title", "rows", "first_rows", "detail", "what_to_do")
_FIRST = 5
_VERDICTS: dict[Severity, Verdict] = {"error": "issue", "warning": "tip", "note": "passed"}
_OF_SALES = ("outside_sales", "unlike_sales", "unseen_level", PLACE_MISMATCH)


@dataclass(frozen=True)
class Finding:
    """The result of one check, as a verdict on the ``rows`` that it found, from 1.

    Rows with an issue have no value; a tip is worth a look, and its rows have a value. No rows: it
    is about the table as a whole. ``detail`` is an example, or why the check does not apply.
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
    """Return the finding of each check: issues first, then tips; those with most rows first.

    A problem with a code of another server is included. ``knows_sales`` is whether the backend
    compares houses with the sales of its model: a server of another make does not.
    """
    by_code: dict[str, list[Problem]] = {}
    for problem in scored.problems:
        by_code.setdefault(problem.code, []).append(problem)
    checks = available_checks(contract)
    codes = {check.code for check in checks}
    unknown = [Check.unknown(code) for code in by_code if code not in codes]
    results = [_finding(check, by_code, table, contract) for check in (*checks, *unknown)]
    if not knows_sales:
        results = [_not_checked(each) if each.code in _OF_SALES else each for each in results]
    results.append(_duplicate_keys(table, contract))
    order = {verdict: rank for rank, verdict in enumerate(get_args(Verdict))}
    return tuple(sorted(results, key=lambda each: (order[each.severity], -len(each.rows))))


def findings_frame(results: Iterable[Finding]) -> pd.DataFrame:
    """Return findings as a table with :data:`FINDING_COLUMNS`; ``rows`` is their number."""
    rows = [
        {**asdict(each), "rows": len(each.rows), "first_rows": _first_rows(each.rows)}
        for each in results
    ]
    return pd.DataFrame(rows, columns=list(FINDING_COLUMNS))


def _finding(
    check: Check, by_code: Mapping[str, list[Problem]], table: Table, contract: Contract
) -> Finding:
    problems = by_code.get(check.code)
    if problems:
        rows = tuple(sorted({problem.row for problem in problems if problem.row is not None}))
        severities = {problem.severity for problem in problems}
        verdict = next(verdict for each, verdict in _VERDICTS.items() if each in severities)
        what_to_do = check.what_to_do if verdict != "passed" else ""
        return Finding(check.code, check.title, verdict, rows, problems[0].sentence, what_to_do)
    missing = check.not_applicable(contract, table.rows.columns)
    if missing:
        return Finding(check.code, check.title, "not applicable", detail=missing)
    return Finding(check.code, check.title, "passed", detail="None found.")


def _not_checked(finding: Finding) -> Finding:
    detail = "The server does not check this."
    return Finding(finding.code, finding.title, "not applicable", detail=detail)


def _duplicate_keys(table: Table, contract: Contract) -> Finding:
    """Find rows with the same key."""
    key, code, title = contract.market.id, "key_twice", "Duplicate keys"
    if key not in table.rows.columns:
        return Finding(code, title, "not applicable", detail=f"The table has no column {key}.")
    keys = table.rows[key].str.strip()
    duplicated = keys.duplicated(keep=False) & (keys != "")
    if not duplicated.any():
        return Finding(code, title, "passed", detail="None found.")
    rows = tuple((duplicated.to_numpy().nonzero()[0] + 1).tolist())
    first = keys[duplicated].iloc[0]
    same = ((keys == first).to_numpy().nonzero()[0] + 1).tolist()
    return Finding(
        code,
        title,
        "tip",
        rows,
        f"{key} {first} is in rows {_first_rows(same)}.",
        "Check whether a house is in the table twice: it would count twice in the sum.",
    )


def _first_rows(rows: Iterable[int]) -> str:
    numbers = [*rows]
    more = " …" if len(numbers) > _FIRST else ""
    return ", ".join(f"{number:,}" for number in numbers[:_FIRST]) + more
