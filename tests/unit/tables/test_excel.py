"""The Excel download: numbers are numbers, the problems have a sheet, and nothing is run."""

from __future__ import annotations

import io
import zipfile

import pandas as pd
import pytest
import python_calamine

from houseprice.errors import InputError
from houseprice.market.contract import Contract
from houseprice.settings import Settings
from houseprice.tables.excel import to_excel
from houseprice.tables.reader import read_table
from houseprice.tables.scoring import ScoredTable
from tests.tables import value_table
from tests.unit.tables.conftest import Surveyor

HOUSES = b"key,size,quarter,remark\n007,80,N,=1+1\n1.50,big,N,\n-3,90.5,S,see https://x.org\n"


@pytest.fixture
def valued(surveyor: Surveyor, contract: Contract) -> ScoredTable:
    return value_table(read_table(HOUSES, "homes.csv", Settings(), contract), surveyor)


@pytest.fixture
def book(valued: ScoredTable, contract: Contract) -> python_calamine.CalamineWorkbook:
    return python_calamine.CalamineWorkbook.from_filelike(io.BytesIO(to_excel(valued, contract)))


def rows(book: python_calamine.CalamineWorkbook, name: str) -> list[list[object]]:
    return book.get_sheet_by_name(name).to_python()


def test_the_users_columns_come_first_and_a_number_is_one_where_it_looks_the_same(
    book: python_calamine.CalamineWorkbook,
) -> None:
    table = rows(book, "Valuations")
    assert table[0][:7] == ["key", "size", "quarter", "remark", "row", "status", "predicted_price"]
    assert [row[:4] for row in table[1:]] == [
        ["007", 80.0, "N", "'=1+1"],
        ["1.50", "big", "N", ""],
        [-3.0, 90.5, "S", "see https://x.org"],
    ]
    assert [row[5:7] for row in table[1:]] == [["ok", 80010.0], ["error", ""], ["ok", 90511.31]]


def test_each_problem_has_a_row_with_what_would_do(
    book: python_calamine.CalamineWorkbook,
) -> None:
    header, *problems = rows(book, "Problems")
    assert header[:3] == ["House", "Column", "Kind"]
    errors = [row for row in problems if row[3] == "error"]
    assert [(row[0], row[1], row[5]) for row in errors] == [(2.0, "Floor area", "big")]
    assert all(errors[0][place] for place in (2, 4, 6))


def test_the_last_sheet_tells_what_the_values_stand_for(
    book: python_calamine.CalamineWorkbook,
) -> None:
    facts = dict(row[:2] for row in rows(book, "About"))
    assert facts["Values as of"] == "2020-12-31"
    assert facts["Model"] == "hamlet-1"
    assert facts["Share of prices that a range should hold"] == "90%"
    assert (facts["Houses"], facts["Without a value"]) == (3, 1)


def test_the_header_stays_in_view_and_money_and_shares_look_like_it(
    valued: ScoredTable, contract: Contract
) -> None:
    with zipfile.ZipFile(io.BytesIO(to_excel(valued, contract))) as archive:
        sheet = archive.read("xl/worksheets/sheet1.xml").decode()
        styles = archive.read("xl/styles.xml").decode()
    assert 'state="frozen"' in sheet
    assert "<autoFilter" in sheet
    assert "<hyperlink" not in sheet
    assert "€" in styles
    assert 'formatCode="0.0%"' in styles


def test_a_valued_workbook_can_be_valued_again(
    valued: ScoredTable, surveyor: Surveyor, contract: Contract
) -> None:
    again = value_table(
        read_table(to_excel(valued, contract), "again.xlsx", Settings(), contract), surveyor
    )
    pd.testing.assert_frame_equal(again.inputs, valued.inputs)
    pd.testing.assert_frame_equal(again.valuations, valued.valuations)


def test_a_text_of_the_largest_size_is_cut_and_says_so(
    surveyor: Surveyor, contract: Contract
) -> None:
    data = b"size,quarter,remark\n80,N,=" + b"x" * 32_766 + b"\n"
    scored = value_table(read_table(data, "homes.csv", Settings(), contract), surveyor)
    book = python_calamine.CalamineWorkbook.from_filelike(io.BytesIO(to_excel(scored, contract)))
    text = rows(book, "Valuations")[1][2]
    assert len(text) == 32_767
    assert text.endswith("(truncated: the CSV download has all of it)")


def test_more_columns_than_a_sheet_has_are_refused(valued: ScoredTable, contract: Contract) -> None:
    wide = pd.DataFrame([["x"] * 2**14], columns=[f"c{number}" for number in range(2**14)])
    table = ScoredTable(wide, valued.valuations.head(1), tuple(wide), (), (), valued.summary)
    with pytest.raises(InputError, match="An Excel sheet holds 1,048,575 rows"):
        to_excel(table, contract)
