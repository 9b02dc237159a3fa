"""Every check is listed, whether it found problems or not."""

from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from houseprice.market.contract import Contract
from houseprice.settings import Settings
from houseprice.tables.checks import (
    FINDING_COLUMNS,
    Finding,
    available_checks,
    findings_frame,
    run_checks,
)
from houseprice.tables.reader import read_table
from tests.tables import value_table
from tests.unit.tables.conftest import LinearBackend


def run(
    text: str,
    limits: Settings,
    contract: Contract,
    backend: LinearBackend,
    *,
    knows_sales: bool = True,
) -> dict[str, Finding]:
    table = read_table(text.encode(), "houses.csv", limits, contract)
    scored = value_table(table, backend)
    findings = run_checks(table, scored, contract, knows_sales=knows_sales)
    assert len({finding.code for finding in findings}) == len(findings)
    return {finding.code: finding for finding in findings}


def test_each_check_is_an_issue_a_tip_passed_or_not_applicable(limits, contract, backend):
    text = (
        "key,size,quarter,garden,built,sold,grade,other\n"
        "a,-5,N,y,1990,2019,B,\nb,90,N,y,2019,2016,fine,\nc,,N,y,1990,2019,,\n"
    )
    findings = run(text, limits, contract, backend)
    assert findings["below_limit"].severity == "issue"
    assert findings["below_limit"].rows == (1,)
    assert "Floor area" in findings["below_limit"].detail
    assert findings["below_limit"].what_to_do
    assert findings["required"].rows == (3,)
    assert findings["sold_before_built"].severity == "tip"
    assert findings["sold_before_built"].rows == (2,)
    assert findings["missing_columns"].severity == "tip"
    assert findings["missing_columns"].rows == ()
    assert findings["read_as"].severity == "passed"
    assert findings["read_as"].rows == (2,)
    assert findings["above_limit"] == Finding(
        "above_limit", "Numbers larger than possible", "passed", (), "None found.", ""
    )
    assert findings["key_twice"].severity == "passed"


def test_findings_are_ordered_by_severity_and_number_of_rows(limits, contract, backend):
    findings = run("key,size,quarter\na,-5,N\nb,x,Q\nc,-1,S\n", limits, contract, backend)
    order = [*findings.values()]
    severities = ["issue", "tip", "passed", "not applicable"]
    ranks = [severities.index(finding.severity) for finding in order]
    assert ranks == sorted(ranks)
    assert order[0].code == "below_limit"


def test_a_check_without_its_columns_is_not_applicable(limits, contract, backend):
    findings = run("size,quarter\n90,N\n", limits, contract, backend)
    assert findings["future_year"].severity == "not applicable"
    assert findings["sold_before_built"].severity == "not applicable"
    assert "Year sold, Year built" in findings["sold_before_built"].detail
    assert findings["key_twice"].severity == "not applicable"
    assert findings["not_a_number"].severity == "passed"


def test_without_sales_their_checks_are_not_applicable(limits, contract, backend):
    findings = run("size,quarter\n90,N\n", limits, contract, backend, knows_sales=False)
    assert (
        findings["outside_sales"].severity == findings["unseen_level"].severity == "not applicable"
    )


def test_one_key_for_two_houses_is_a_tip(limits, contract, backend):
    text = "key,size,quarter\na,90,N\n,90,N\na ,80,S\n,70,S\n"
    finding = run(text, limits, contract, backend)["key_twice"]
    assert (finding.severity, finding.rows) == ("tip", (1, 3))
    assert "rows 1, 3" in finding.detail


def test_an_unreadable_row_is_an_issue(limits, contract, backend):
    findings = run("key,size,quarter\na,90,N\nb,90\n", limits, contract, backend)
    assert findings["wrong_cell_count"].severity == "issue"
    assert findings["wrong_cell_count"].rows == (2,)


def test_the_table_counts_rows_and_names_the_first(limits, contract, backend):
    text = "key,size,quarter\n" + "".join(f"{key},-1,N\n" for key in range(7))
    findings = run(text, limits, contract, backend)
    table = findings_frame(findings.values())
    assert tuple(table.columns) == FINDING_COLUMNS
    first = table.iloc[0]
    assert (first["code"], first["rows"], first["first_rows"]) == (
        "below_limit",
        7,
        "1, 2, 3, 4, 5 …",
    )


def test_every_problem_and_rule_of_the_embedded_market_has_a_check(market):
    known = {check.code for check in available_checks(market.contract)}
    assert {problem.code for problem in market.problems} <= known
    assert {rule.code for rule in market.contract.rules} <= known


CELL = st.sampled_from(["", "NA", "90", "-5", "x", "N", "B", "1e9", "2019", "2050", "3.5", "y"])


@settings(max_examples=40)
@given(rows=st.lists(st.lists(CELL, min_size=3, max_size=9), min_size=1, max_size=8))
def test_every_problem_of_a_row_is_in_a_finding(limits, contract, rows):
    header = "size,quarter,grade,garden,beds,built,sold,month"
    text = "\n".join([header, *(",".join(row) for row in rows), "90,N,B,y,1,1990,2019,1"])
    table = read_table(text.encode(), "houses.csv", limits, contract)
    scored = value_table(table, LinearBackend(contract))
    findings = {finding.code: finding for finding in run_checks(table, scored, contract)}
    for problem in scored.problems:
        assert problem.row is None or problem.row in findings[problem.code].rows
    rows_with_issues = {
        row for finding in findings.values() if finding.severity == "issue" for row in finding.rows
    }
    status = scored.valuations.set_index("row")["status"]
    assert rows_with_issues == set(status.index[status == "error"])


def test_the_documentation_has_every_problem_code(contract):
    text = (Path(__file__).parents[3] / "docs" / "tables.md").read_text("utf-8")
    codes = {check.code for check in available_checks(contract) if check.rule is None}
    assert {code for code in codes if f"`{code}`" not in text} == set()
