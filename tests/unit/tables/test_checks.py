"""Every check has its line, whether it found something or not."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from houseprice.market.contract import Contract
from houseprice.market.sales import Market
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
from tests.unit.tables.conftest import Surveyor


def found(
    text: str, limits: Settings, contract: Contract, surveyor: Surveyor, *, knows_sales: bool = True
) -> dict[str, Finding]:
    table = read_table(text.encode(), "houses.csv", limits, contract)
    scored = value_table(table, surveyor)
    each = run_checks(table, scored, contract, knows_sales=knows_sales)
    assert len({one.code for one in each}) == len(each)
    return {one.code: one for one in each}


def test_each_check_is_an_issue_a_tip_passed_or_not_applicable(
    limits: Settings, contract: Contract, surveyor: Surveyor
) -> None:
    text = (
        "key,size,quarter,garden,built,sold,grade,other\n"
        "a,-5,N,y,1990,2019,B,\nb,90,N,y,2019,2016,fine,\nc,,N,y,1990,2019,,\n"
    )
    lines = found(text, limits, contract, surveyor)
    assert lines["below_limit"].severity == "issue"
    assert lines["below_limit"].rows == (1,)
    assert "Floor area" in lines["below_limit"].detail
    assert lines["below_limit"].what_to_do
    assert lines["required"].rows == (3,)
    assert lines["sold_before_built"].severity == "tip"
    assert lines["sold_before_built"].rows == (2,)
    assert lines["missing_columns"].severity == "tip"
    assert lines["missing_columns"].rows == ()
    assert lines["read_as"].severity == "passed"
    assert lines["read_as"].rows == (2,)
    assert lines["above_limit"] == Finding(
        "above_limit", "Numbers larger than possible", "passed", (), "None found.", ""
    )
    assert lines["key_twice"].severity == "passed"


def test_issues_come_first_and_what_does_not_apply_last(
    limits: Settings, contract: Contract, surveyor: Surveyor
) -> None:
    lines = found("key,size,quarter\na,-5,N\nb,x,Q\nc,-1,S\n", limits, contract, surveyor)
    order = [*lines.values()]
    severities = ["issue", "tip", "passed", "not applicable"]
    ranks = [severities.index(each.severity) for each in order]
    assert ranks == sorted(ranks)
    assert order[0].code == "below_limit"


def test_a_check_without_anything_to_look_at_says_so(
    limits: Settings, contract: Contract, surveyor: Surveyor
) -> None:
    lines = found("size,quarter\n90,N\n", limits, contract, surveyor)
    assert lines["future_year"].severity == "not applicable"
    assert lines["sold_before_built"].severity == "not applicable"
    assert "Year sold, Year built" in lines["sold_before_built"].detail
    assert lines["key_twice"].severity == "not applicable"
    assert lines["not_a_number"].severity == "passed"


def test_a_server_that_does_not_know_the_sales_has_not_passed_their_checks(
    limits: Settings, contract: Contract, surveyor: Surveyor
) -> None:
    lines = found("size,quarter\n90,N\n", limits, contract, surveyor, knows_sales=False)
    assert lines["outside_sales"].severity == lines["unseen_level"].severity == "not applicable"


def test_one_key_for_two_houses_is_a_tip(
    limits: Settings, contract: Contract, surveyor: Surveyor
) -> None:
    text = "key,size,quarter\na,90,N\n,90,N\na ,80,S\n,70,S\n"
    twice = found(text, limits, contract, surveyor)["key_twice"]
    assert (twice.severity, twice.rows) == ("tip", (1, 3))
    assert "rows 1, 3" in twice.detail


def test_a_row_that_could_not_be_read_is_a_finding_too(
    limits: Settings, contract: Contract, surveyor: Surveyor
) -> None:
    lines = found("key,size,quarter\na,90,N\nb,90\n", limits, contract, surveyor)
    assert lines["wrong_cell_count"].severity == "issue"
    assert lines["wrong_cell_count"].rows == (2,)


def test_the_table_counts_rows_and_names_the_first(
    limits: Settings, contract: Contract, surveyor: Surveyor
) -> None:
    text = "key,size,quarter\n" + "".join(f"{key},-1,N\n" for key in range(7))
    lines = found(text, limits, contract, surveyor)
    table = findings_frame(lines.values())
    assert tuple(table.columns) == FINDING_COLUMNS
    first = table.iloc[0]
    assert (first["code"], first["rows"], first["first_rows"]) == (
        "below_limit",
        7,
        "1, 2, 3, 4, 5 …",
    )


def test_every_kind_of_problem_that_the_embedded_market_can_have_has_words(market: Market) -> None:
    known = {check.code for check in available_checks(market.contract)}
    assert {problem.code for problem in market.problems} <= known
    assert {rule.code for rule in market.contract.rules} <= known


CELL = st.sampled_from(["", "NA", "90", "-5", "x", "N", "B", "1e9", "2019", "2050", "3.5", "y"])


@settings(max_examples=40)
@given(rows=st.lists(st.lists(CELL, min_size=3, max_size=9), min_size=1, max_size=8))
def test_every_problem_of_a_row_is_in_a_finding(
    limits: Settings, contract: Contract, rows: list[list[str]]
) -> None:
    header = "size,quarter,grade,garden,beds,built,sold,month"
    text = "\n".join([header, *(",".join(row) for row in rows), "90,N,B,y,1,1990,2019,1"])
    table = read_table(text.encode(), "houses.csv", limits, contract)
    scored = value_table(table, Surveyor(contract))
    told = {each.code: each for each in run_checks(table, scored, contract)}
    for problem in scored.problems:
        assert problem.row is None or problem.row in told[problem.code].rows
    bad = {row for each in told.values() if each.severity == "issue" for row in each.rows}
    status = scored.valuations.set_index("row")["status"]
    assert bad == set(status.index[status == "error"])
