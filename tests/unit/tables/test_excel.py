"""An Excel workbook is read as displayed or refused with a message; downloads have typed cells."""

import io
import zipfile
from datetime import date, datetime, time, timedelta
from pathlib import Path

import pandas as pd
import pytest
import python_calamine
import xlsxwriter

from houseprice.errors import InputError
from houseprice.market.contract import Contract
from houseprice.settings import Settings
from houseprice.tables.conversion import ConversionRequest, open_as_csv
from houseprice.tables.excel import cell_text, to_excel
from houseprice.tables.reader import open_csv, read_table
from houseprice.tables.scoring import ScoredTable
from houseprice.tables.table import Table
from tests.tables import value_table

# ------------------------------------------------------------------------------------------ reading
Rows = list[list[object]]
HOUSES: Rows = [["size", "quarter", "remark"], [80, "N", "a"], [90.5, "S", None]]


def workbook(*sheets: Rows, origin: tuple[int, int] = (0, 0), hidden: int | None = None) -> bytes:
    file = io.BytesIO()
    with xlsxwriter.Workbook(file, {"default_date_format": "yyyy-mm-dd hh:mm"}) as book:
        for number, rows in enumerate(sheets):
            sheet = book.add_worksheet()
            for n_above, row in enumerate(rows):
                sheet.write_row(origin[0] + n_above, origin[1], row)
            if number == hidden:
                sheet.hide()
        if hidden is not None:
            book.worksheets()[hidden + 1].set_first_sheet()
            book.worksheets()[hidden + 1].activate()
    return file.getvalue()


def read(data: bytes | Path, contract: Contract | None = None, **limits: float) -> Table:
    return read_table(data, "homes.xlsx", Settings(**limits), contract)


def cells(data: bytes, contract: Contract | None = None) -> list[list[str]]:
    return read(data, contract).cells.to_numpy().tolist()


def test_the_format_is_detected_whatever_the_file_is_called(contract):
    table = read_table(workbook(HOUSES), "homes.csv", Settings(), contract)
    assert table.headers == ("size", "quarter", "remark")
    assert table.cells.to_numpy().tolist() == [["80", "N", "a"], ["90.5", "S", ""]]
    assert table.notes == ()


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (1961.0, "1961"),
        (0.1 + 0.2, "0.3"),
        (-2.5, "-2.5"),
        (1e20, "100000000000000000000"),
        (True, "TRUE"),
        (date(2010, 7, 1), "2010-07-01"),
        (datetime.fromisoformat("2010-07-01"), "2010-07-01"),
        (datetime.fromisoformat("2010-07-01T12:30"), "2010-07-01 12:30:00"),
        (time(12, 30), "12:30:00"),
        (timedelta(hours=36, seconds=5), "36:00:05"),
        ("007", "007"),
        ("", ""),
        ("a\0b", "a\ufffdb"),
    ],
)
def test_a_cell_is_read_as_displayed(value, text):
    assert cell_text(value) == text


def test_a_formula_is_read_as_its_last_result():
    file = io.BytesIO()
    with xlsxwriter.Workbook(file) as book:
        sheet = book.add_worksheet()
        sheet.write_row(0, 0, ["size", "quarter"])
        sheet.write_formula(1, 0, "=40*2", None, 80)
        sheet.write_string(1, 1, "=N")
    assert cells(file.getvalue()) == [["80", "=N"]]


def test_rows_above_the_header_are_left_out_with_a_note(contract):
    title = [["Houses of the north"], [], *HOUSES]
    table = read(workbook(title, origin=(1, 2)), contract)
    assert table.headers == ("size", "quarter", "remark")
    (note,) = table.notes
    assert note == (
        "The column names are in row 4 of the sheet: 3 rows above left out. House 1 is in row 5."
    )
    assert read(workbook(title)).headers == ("size", "quarter", "remark")


def test_the_sheet_with_the_columns_of_the_market_is_read(contract):
    table = read(workbook([["Read me"], ["first"]], HOUSES, [["x"]]), contract)
    assert table.headers == ("size", "quarter", "remark")
    assert table.notes == ("The sheet “Sheet2” was read, of “Sheet1”, “Sheet2”, “Sheet3”.",)


def test_a_hidden_sheet_is_not_read(contract):
    data = workbook([["size", "quarter"], [1, "S"]], HOUSES, hidden=0)
    assert cells(data, contract)[0] == ["80", "N", "a"]


def test_an_empty_row_between_houses_is_kept_and_those_at_the_end_are_not(contract):
    rows = [*HOUSES[:2], [], HOUSES[2], ["", "", ""]]
    assert cells(workbook(rows), contract) == [["80", "N", "a"], ["", "", ""], ["90.5", "S", ""]]


def test_a_separator_in_a_column_name_is_kept():
    assert read(workbook([["a;b;c", "d"], [1, 2]])).headers == ("a;b;c", "d")


def test_a_workbook_is_read_in_chunks_from_a_private_csv_file(tmp_path, contract):
    path = tmp_path / "homes.xlsx"
    path.write_bytes(workbook([HOUSES[0], *HOUSES[1:] * 20]))
    with open_csv(path, path.name, Settings(), contract) as opened:
        assert [len(chunk.cells) for chunk in opened.chunks(30)] == [30, 10]
        assert opened.path is not None
        assert opened.path.read_bytes().startswith(b"size,quarter,remark\r\n80,N,a\r\n")
        assert opened.path.stat().st_mode & 0o777 == 0o600
        assert opened.path.parent.stat().st_mode & 0o777 == 0o700
    assert not opened.path.parent.exists()


def with_members(data: bytes, changed: dict[str, bytes]) -> bytes:
    file = io.BytesIO()
    with (
        zipfile.ZipFile(io.BytesIO(data)) as old,
        zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as new,
    ):
        for name in old.namelist():
            new.writestr(name, changed.get(name, old.read(name)))
    return file.getvalue()


def with_false_size(data: bytes, name: str) -> bytes:
    """Claim in the directory of a workbook that a member holds a hundred bytes."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        size = archive.getinfo(name).file_size.to_bytes(4, "little")
    at = data.rindex(name.encode()) - 46 + 24
    assert data[at : at + 4] == size
    return data[:at] + (100).to_bytes(4, "little") + data[at + 4 :]


SHEET = "xl/worksheets/sheet1.xml"


def with_distant_cell() -> bytes:
    file = io.BytesIO()
    with xlsxwriter.Workbook(file) as book:
        sheet = book.add_worksheet()
        sheet.write_row(0, 0, ["size", "quarter"])
        sheet.write(2**20 - 1, 2**14 - 1, 1)
    return file.getvalue()


@pytest.mark.parametrize(
    ("data", "limits", "message"),
    [
        (workbook([]), {}, "homes.xlsx has no sheet with a table: “Sheet1”."),
        (workbook(HOUSES[:1]), {}, "homes.xlsx has a header but no houses under it."),
        (workbook(HOUSES), {"max_rows": 1}, "homes.xlsx has more than 1 rows. Split it"),
        (workbook([[f"c{n}" for n in range(501)], [1]]), {}, "has 501 columns; at most 500"),
        (
            with_members(workbook(HOUSES), {"xl/theme/theme1.xml": b" " * 2**21}),
            {"max_unpacked_mb": 1},
            "homes.xlsx holds more than 1 MB, and no more is read.",
        ),
        (
            with_false_size(with_members(workbook(HOUSES), {SHEET: b" " * 2**21}), SHEET),
            {"max_unpacked_mb": 1},
            "homes.xlsx holds more than 1 MB, and no more is read.",
        ),
        (
            with_distant_cell(),
            {},
            "more than 2,000 MB of memory to be read: perhaps a cell far away",
        ),
        (workbook(HOUSES)[:-30], {}, "homes.xlsx is a damaged Excel workbook or ZIP archive."),
        (with_members(workbook(HOUSES), {SHEET: b"<a>"}), {}, "homes.xlsx "),
    ],
    ids=lambda value: "file" if isinstance(value, bytes) else None,  # with the time in it
)  # fmt: skip
def test_a_workbook_without_a_table_or_over_a_limit_is_refused_in_one_line(data, limits, message):
    with pytest.raises(InputError) as error:
        read(data, **limits)
    assert message in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("max_cell_chars", "seconds", "message"),
    [
        (30, 60.0, "Row 2 of x has a cell of 40 characters; at most 30 are read."),
        (100, 0.001, "x took more than"),
    ],
)
def test_long_cells_and_slow_conversions_are_refused(max_cell_chars, seconds, message):
    data = io.BytesIO(workbook([["a", "b"], [1, "x" * 40]]))
    request = ConversionRequest("workbook", "x", (), None, 9, max_cell_chars, 2**30, 2**30)
    with pytest.raises(InputError, match=message), open_as_csv(data, request, seconds):
        pass


@pytest.mark.parametrize(
    ("member", "message"),
    [
        ("word/document.xml", "is a Word document, not a table"),
        ("notes/a.txt", "is a ZIP archive, not a table"),
        ("content.xml", "is an OpenDocument file"),
        ("xl/workbook.bin", "is an Excel workbook that is damaged"),
    ],
)
def test_other_archives_are_refused_by_name(member, message):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr(member, "x")
    with pytest.raises(InputError, match=message):
        read(file.getvalue())


# ---------------------------------------------------------------------------------------- downloads
CSV = b"key,size,quarter,remark\n007,80,N,=1+1\n1.50,big,N,\n-3,90.5,S,see https://x.org\n"


@pytest.fixture
def valued(backend, contract):
    return value_table(read_table(CSV, "homes.csv", Settings(), contract), backend)


@pytest.fixture
def book(valued, contract):
    return python_calamine.CalamineWorkbook.from_filelike(io.BytesIO(to_excel(valued, contract)))


def rows(book: python_calamine.CalamineWorkbook, name: str) -> list[list[object]]:
    return book.get_sheet_by_name(name).to_python()


def test_input_columns_come_first_with_a_number_where_it_is_displayed_the_same(book):
    table = rows(book, "Valuations")
    assert table[0][:7] == ["key", "size", "quarter", "remark", "row", "status", "predicted_price"]
    assert [row[:4] for row in table[1:]] == [
        ["007", 80.0, "N", "'=1+1"],
        ["1.50", "big", "N", ""],
        [-3.0, 90.5, "S", "see https://x.org"],
    ]
    assert [row[5:7] for row in table[1:]] == [["ok", 80010.0], ["error", ""], ["ok", 90511.31]]


def test_each_problem_has_a_row_with_the_expected_value(book):
    header, *problems = rows(book, "Problems")
    assert header[:3] == ["House", "Column", "Kind"]
    errors = [row for row in problems if row[3] == "error"]
    assert [(row[0], row[1], row[5]) for row in errors] == [(2.0, "Floor area", "big")]
    assert all(errors[0][column] for column in (2, 4, 6))


def test_the_last_sheet_describes_the_valuation(book):
    fields = dict(row[:2] for row in rows(book, "About"))
    assert fields["Values as of"] == "2020-12-31"
    assert fields["Model"] == "hamlet-1"
    assert fields["Share of prices that a range should hold"] == "90%"
    assert (fields["Houses"], fields["Without a value"]) == (3, 1)


def test_the_header_is_frozen_and_money_and_shares_are_formatted(valued, contract):
    with zipfile.ZipFile(io.BytesIO(to_excel(valued, contract))) as archive:
        sheet = archive.read("xl/worksheets/sheet1.xml").decode()
        styles = archive.read("xl/styles.xml").decode()
    assert 'state="frozen"' in sheet
    assert "<autoFilter" in sheet
    assert "<hyperlink" not in sheet
    assert "€" in styles
    assert 'formatCode="0.0%"' in styles


def test_a_valued_workbook_can_be_valued_again(valued, backend, contract):
    again = value_table(
        read_table(to_excel(valued, contract), "again.xlsx", Settings(), contract), backend
    )
    pd.testing.assert_frame_equal(again.inputs, valued.inputs)
    pd.testing.assert_frame_equal(again.valuations, valued.valuations)


def test_a_text_that_is_too_long_for_a_cell_is_truncated_with_a_note(backend, contract):
    data = b"size,quarter,remark\n80,N,=" + b"x" * 32_766 + b"\n"
    scored = value_table(read_table(data, "homes.csv", Settings(), contract), backend)
    book = python_calamine.CalamineWorkbook.from_filelike(io.BytesIO(to_excel(scored, contract)))
    text = rows(book, "Valuations")[1][2]
    assert len(text) == 32_767
    assert text.endswith("(truncated: the CSV download has all of it)")


def test_more_columns_than_a_sheet_has_are_refused(valued, contract):
    wide = pd.DataFrame([["x"] * 2**14], columns=[f"c{number}" for number in range(2**14)])
    table = ScoredTable(wide, valued.valuations.head(1), tuple(wide), (), (), valued.summary)
    with pytest.raises(InputError, match="An Excel sheet holds 1,048,575 rows"):
        to_excel(table, contract)
