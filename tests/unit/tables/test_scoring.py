"""Every row of a table comes back once, in its order, with a value or with a reason."""

from __future__ import annotations

import csv
import io

import pandas as pd
import pytest

from houseprice.backend.base import VALUATION_COLUMNS, ValuationResult
from houseprice.errors import BackendError
from houseprice.market.contract import Contract
from houseprice.market.validation import validate
from houseprice.settings import Settings
from houseprice.tables.reader import read_table
from houseprice.tables.scoring import ScoredTable
from houseprice.tables.table import template
from houseprice.tables.writer import to_csv
from tests.hamlet import hamlet_sales
from tests.tables import value_table

GOOD = "90,A,S,1980"
HOUSES = f"""size,grade,quarter,built,address
{GOOD},"1, High St"
-5,A,S,1980,two
{GOOD}
90,Z,S,1980,four
90,,S,1980,five
{GOOD},six,surplus
"""


def value(text: str | bytes, backend: object, contract: Contract) -> ScoredTable:
    data = text.encode() if isinstance(text, str) else text
    return value_table(read_table(data, "homes.csv", Settings(), contract), backend)


@pytest.fixture
def scored(surveyor: object, contract: Contract) -> ScoredTable:
    return value(HOUSES, surveyor, contract)


def test_the_users_columns_come_first_and_untouched(scored: ScoredTable) -> None:
    frame = scored.frame
    given = ["size", "grade", "quarter", "built", "address"]
    assert list(frame.columns) == [*given, *VALUATION_COLUMNS]
    assert frame["address"].tolist() == ["1, High St", "two", "", "four", "five", "six"]


def test_each_row_is_answered_in_its_place(scored: ScoredTable) -> None:
    assert scored.frame["row"].tolist() == [1, 2, 3, 4, 5, 6]
    statuses = ["ok", "error", "error", "error", "warning", "error"]
    assert scored.frame["status"].tolist() == statuses
    errors = {(p.row, p.code) for p in scored.problems if p.severity == "error"}
    assert errors == {
        (2, "below_limit"),
        (3, "wrong_cell_count"),
        (4, "unknown_level"),
        (6, "wrong_cell_count"),
    }
    rows = [problem.row or 0 for problem in scored.problems]
    assert rows == sorted(rows)


def test_a_row_that_could_not_be_read_is_not_valued_and_says_why(scored: ScoredTable) -> None:
    row = scored.valuations.iloc[5]
    assert row["reason_codes"] == "wrong_cell_count"
    assert "Cells beyond the header: surplus" in row["message"]


def test_money_has_two_decimals_at_the_most_and_an_error_row_is_blank(scored: ScoredTable) -> None:
    rows = list(csv.DictReader(io.StringIO(to_csv(scored.frame, escape_formulas=False).decode())))
    assert rows[0]["predicted_price"] == "90011.25"
    assert rows[0]["price_high"] == "99012.38"
    assert (rows[0]["interval"], rows[0]["fsd"], rows[0]["confidence"]) == ("0.9", "0.0612", "93.9")
    for broken in (1, 2, 3, 5):
        filled = {name for name in VALUATION_COLUMNS if rows[broken][name]}
        assert filled <= {"row", "status", "reason_codes", "message"}


def test_the_summary_counts_rows_and_adds_up_money(scored: ScoredTable) -> None:
    summary = scored.summary
    counts = (summary.rows, summary.valued, summary.warnings, summary.errors)
    assert counts == (6, 2, 1, 4)
    assert summary.errors_by_code == {"wrong_cell_count": 2, "below_limit": 1, "unknown_level": 1}
    assert summary.total == pytest.approx(180022.5)
    assert summary.median == pytest.approx(90011.25)


def test_a_code_counts_once_a_row(surveyor: object, contract: Contract) -> None:
    scored = value(f"size,grade,quarter,built\n-1,A,S,-1\n{GOOD}\n", surveyor, contract)
    assert scored.summary.errors_by_code == {"below_limit": 1}


def test_a_table_in_which_no_row_can_be_read_has_no_value(
    surveyor: object, contract: Contract
) -> None:
    scored = value("size,quarter\n1\n2\n", surveyor, contract)
    assert scored.frame["status"].tolist() == ["error", "error"]
    assert scored.summary.total == 0


def test_a_table_that_was_valued_before_gets_a_new_valuation(
    scored: ScoredTable, surveyor: object, contract: Contract
) -> None:
    again = value(to_csv(scored.frame, escape_formulas=False), surveyor, contract)
    assert list(again.frame.columns) == list(scored.frame.columns)
    assert again.frame["status"].tolist()[0] == "ok"
    assert again.notes == ("The table was valued before: its old valuation was replaced.",)
    assert not set(VALUATION_COLUMNS) & set(surveyor.asked[-1].columns)


def test_a_column_of_the_users_own_with_a_valuations_name_is_kept_under_another(
    surveyor: object, contract: Contract
) -> None:
    text = f"size,grade,quarter,built,status,input_status\n{GOOD},sold,x\n"
    scored = value(text, surveyor, contract)
    assert scored.frame["input_input_status"].tolist() == ["sold"]
    assert scored.frame["input_status"].tolist() == ["x"]
    assert scored.frame["status"].tolist() == ["ok"]
    assert "status is called input_input_status" in scored.notes[0]


def test_nameless_and_padded_headers_come_out_as_they_were(
    surveyor: object, contract: Contract
) -> None:
    scored = value(f",, size,grade,quarter,built\n1,2,{GOOD}\n", surveyor, contract)
    assert list(scored.frame.columns[:3]) == ["", "", " size"]
    assert scored.summary.valued == 1


def test_decimal_commas_are_valued_and_come_out_as_they_were(
    surveyor: object, contract: Contract
) -> None:
    scored = value("size;grade;quarter;built\n90,5;A;S;1980\n", surveyor, contract)
    assert scored.frame.loc[0, "predicted_price"] == pytest.approx(90511.31)
    assert scored.frame.loc[0, "size"] == "90,5"


def test_a_table_is_valued_with_the_evidence_where_there_is_any(
    surveyor: object, contract: Contract
) -> None:
    value(HOUSES, surveyor, contract)
    surveyor.capabilities = frozenset()
    value(HOUSES, surveyor, contract)
    assert surveyor.evidence == [True, False]


def test_progress_reaches_whoever_waits(surveyor: object, contract: Contract) -> None:
    table = read_table(HOUSES.encode(), "homes.csv", Settings(), contract)
    seen: list[tuple[float, str]] = []
    value_table(table, surveyor, progress=lambda share, what: seen.append((share, what)))
    assert seen == [(1.0, "done")]


def test_a_backend_that_loses_rows_is_found_out(surveyor: object, contract: Contract) -> None:
    class Careless:
        info = surveyor.info

        def value(self, rows: pd.DataFrame, **_: object) -> ValuationResult:
            return ValuationResult(pd.DataFrame(columns=[*VALUATION_COLUMNS, *rows.columns]), ())

    with pytest.raises(BackendError, match="1 houses were requested and 0 values returned"):
        value(f"size,grade,quarter,built\n{GOOD}\n", Careless(), contract)


def test_the_template_is_a_house_that_passes_the_checks(contract: Contract) -> None:
    sales = validate(hamlet_sales(5), contract)
    table = template(contract, sales.houses.iloc[2])
    assert list(table.columns) == ["key", *contract.columns]
    pd.testing.assert_series_equal(
        validate(table, contract).houses.iloc[0], sales.houses.iloc[2], check_names=False
    )
