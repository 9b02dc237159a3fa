"""Every row of a table is returned once, in order, with a value or a reason."""

import csv
import io
from datetime import date

import pandas as pd
import pytest

from houseprice.backend.base import VALUATION_COLUMNS, ValuationResult
from houseprice.errors import BackendError
from houseprice.market.contract import Contract
from houseprice.market.validation import validate
from houseprice.settings import Settings
from houseprice.tables.reader import read_table
from houseprice.tables.scoring import ScoredTable, ScoringOptions, value_rows
from houseprice.tables.table import table_output, template
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


def test_a_value_has_its_date_and_a_row_without_one_the_requested_date(backend, contract):
    text = f"size,grade,quarter,built,sold\n{GOOD},2017\n{GOOD},\n-5,A,S,1980,2017\n"
    table = read_table(text.encode(), "homes.csv", Settings(), contract)
    columns = table_output(table)

    def days(as_of: date | None) -> list[str]:
        valued = value_rows(table, columns, backend, ScoringOptions(as_of=as_of))
        return valued.valuations["as_of"].tolist()

    assert days(date(2018, 3, 31)) == ["2017-11-16", "2018-03-31", ""]
    assert backend.calls[-1]["sold"].tolist() == ["2017", "2018", "2017"]
    assert backend.calls[-1]["month"].tolist() == ["", "1", ""]
    assert days(None) == ["2017-11-16", "2020-12-31", ""]


def value(text: str | bytes, backend: object, contract: Contract) -> ScoredTable:
    data = text.encode() if isinstance(text, str) else text
    return value_table(read_table(data, "homes.csv", Settings(), contract), backend)


@pytest.fixture
def scored(backend, contract):
    return value(HOUSES, backend, contract)


def test_input_columns_come_first_and_unchanged(scored):
    frame = scored.frame
    columns = ["size", "grade", "quarter", "built", "address"]
    assert list(frame.columns) == [*columns, *VALUATION_COLUMNS, "as_of"]
    assert frame["address"].tolist() == ["1, High St", "two", "", "four", "five", "six"]


def test_each_row_has_a_result_in_its_place(scored):
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


def test_an_unreadable_row_has_a_reason_and_no_value(scored):
    row = scored.valuations.iloc[5]
    assert row["reason_codes"] == "wrong_cell_count"
    assert "Cells beyond the header: surplus" in row["message"]


def test_money_has_at_most_two_decimals_and_an_error_row_is_blank(scored):
    rows = list(csv.DictReader(io.StringIO(to_csv(scored.frame, escape_formulas=False).decode())))
    assert rows[0]["predicted_price"] == "90011.25"
    assert rows[0]["price_high"] == "99012.38"
    assert (rows[0]["interval"], rows[0]["fsd"], rows[0]["confidence"]) == ("0.9", "0.0612", "93.9")
    for row in (1, 2, 3, 5):
        filled = {name for name in scored.valuations if rows[row][name]}
        assert filled <= {"row", "status", "reason_codes", "message"}


def test_the_summary_counts_rows_and_sums_values(scored):
    summary = scored.summary
    counts = (summary.rows, summary.valued, summary.warnings, summary.errors)
    assert counts == (6, 2, 1, 4)
    assert summary.errors_by_code == {"wrong_cell_count": 2, "below_limit": 1, "unknown_level": 1}
    assert summary.total == pytest.approx(180022.5)
    assert summary.median == pytest.approx(90011.25)


def test_a_code_is_counted_once_per_row(backend, contract):
    scored = value(f"size,grade,quarter,built\n-1,A,S,-1\n{GOOD}\n", backend, contract)
    assert scored.summary.errors_by_code == {"below_limit": 1}


def test_a_table_of_unreadable_rows_has_no_value(backend, contract):
    scored = value("size,quarter\n1\n2\n", backend, contract)
    assert scored.frame["status"].tolist() == ["error", "error"]
    assert scored.summary.total == 0


def test_a_table_that_was_valued_before_gets_a_new_valuation(scored, backend, contract):
    again = value(to_csv(scored.frame, escape_formulas=False), backend, contract)
    assert list(again.frame.columns) == list(scored.frame.columns)
    assert again.frame["status"].tolist()[0] == "ok"
    assert again.notes == ("The table was valued before: its old valuation was replaced.",)
    assert not set(VALUATION_COLUMNS) & set(backend.calls[-1].columns)


def test_an_input_column_named_like_an_output_column_is_renamed(backend, contract):
    text = f"size,grade,quarter,built,status,input_status\n{GOOD},sold,x\n"
    scored = value(text, backend, contract)
    assert scored.frame["input_input_status"].tolist() == ["sold"]
    assert scored.frame["input_status"].tolist() == ["x"]
    assert scored.frame["status"].tolist() == ["ok"]
    assert "status is called input_input_status" in scored.notes[0]


def test_nameless_and_padded_headers_are_preserved(backend, contract):
    scored = value(f",, size,grade,quarter,built\n1,2,{GOOD}\n", backend, contract)
    assert list(scored.frame.columns[:3]) == ["", "", " size"]
    assert scored.summary.valued == 1


def test_decimal_commas_are_valued_and_preserved(backend, contract):
    scored = value("size;grade;quarter;built\n90,5;A;S;1980\n", backend, contract)
    assert scored.frame.loc[0, "predicted_price"] == pytest.approx(90511.31)
    assert scored.frame.loc[0, "size"] == "90,5"


def test_evidence_is_requested_if_the_backend_has_it(backend, contract):
    value(HOUSES, backend, contract)
    backend.capabilities = frozenset()
    value(HOUSES, backend, contract)
    assert backend.evidence == [True, False]


def test_progress_of_the_backend_is_forwarded(backend, contract):
    table = read_table(HOUSES.encode(), "homes.csv", Settings(), contract)
    updates = []
    value_table(table, backend, progress=lambda *update: updates.append(update))
    assert updates == [(1.0, "done")]


def test_a_backend_that_drops_rows_is_refused(backend, contract):
    class DroppingBackend:
        info = backend.info

        def value(self, rows, **_):
            return ValuationResult(pd.DataFrame(columns=[*VALUATION_COLUMNS, *rows.columns]), ())

    with pytest.raises(BackendError, match="1 houses were requested and 0 values returned"):
        value(f"size,grade,quarter,built\n{GOOD}\n", DroppingBackend(), contract)


def test_the_template_is_a_valid_house(contract):
    sales = validate(hamlet_sales(5), contract)
    table = template(contract, sales.houses.iloc[2])
    assert list(table.columns) == ["key", *contract.columns]
    pd.testing.assert_series_equal(
        validate(table, contract).houses.iloc[0], sales.houses.iloc[2], check_names=False
    )
