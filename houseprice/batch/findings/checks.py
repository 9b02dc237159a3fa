"""Every check of a table as a finding: also those that it passed.

A list of faults alone leaves open whether the rest was looked at. Here each check of the contract
has one line: it found something to mend, something to know, nothing, or had nothing to look at.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Literal, get_args

import pandas as pd

from houseprice.batch.findings.words import Check, checks
from houseprice.batch.text.tables import Table
from houseprice.batch.valuing.scoring import Scored
from houseprice.market.contract import Contract
from houseprice.market.problems import Problem, Severity

__all__ = ["FINDING_COLUMNS", "Finding", "Verdict", "finding_table", "findings"]

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


def findings(
    table: Table, scored: Scored, contract: Contract, *, knows_sales: bool = True
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
    known = checks(contract)
    codes = {check.code for check in known}
    strangers = [Check.unknown(code) for code in by_code if code not in codes]
    found = [_finding(check, by_code, table, contract) for check in (*known, *strangers)]
    if not knows_sales:
        found = [_not_looked_at(each) if each.code in _OF_SALES else each for each in found]
    found.append(_twice(table, contract))
    order = {verdict: place for place, verdict in enumerate(get_args(Verdict))}
    return tuple(sorted(found, key=lambda each: (order[each.severity], -len(each.rows))))


def finding_table(found: Iterable[Finding]) -> pd.DataFrame:
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
