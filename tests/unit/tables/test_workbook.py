"""An Excel workbook is read as a person sees it, or refused in one sentence."""

from __future__ import annotations

import io
import zipfile
from datetime import date, datetime, time, timedelta
from pathlib import Path

import pytest
import xlsxwriter

from houseprice.errors import InputError
from houseprice.market.contract import Contract
from houseprice.settings import Settings
from houseprice.tables.conversion import ConversionRequest, open_as_csv
from houseprice.tables.excel import cell_text
from houseprice.tables.reader import open_csv, read_table

Rows = list[list[object]]
HOUSES: Rows = [["size", "quarter", "remark"], [80, "N", "a"], [90.5, "S", None]]


def workbook(*sheets: Rows, at: tuple[int, int] = (0, 0), hidden: int | None = None) -> bytes:
    file = io.BytesIO()
    with xlsxwriter.Workbook(file, {"default_date_format": "yyyy-mm-dd hh:mm"}) as book:
        for number, rows in enumerate(sheets):
            sheet = book.add_worksheet()
            for place, row in enumerate(rows):
                sheet.write_row(at[0] + place, at[1], row)
            if number == hidden:
                sheet.hide()
        if hidden is not None:
            book.worksheets()[hidden + 1].set_first_sheet()
            book.worksheets()[hidden + 1].activate()
    return file.getvalue()


def read(data: bytes | Path, contract: Contract | None = None, **limits: float):
    return read_table(data, "homes.xlsx", Settings(**limits), contract)


def cells(data: bytes, contract: Contract | None = None) -> list[list[str]]:
    return read(data, contract).cells.to_numpy().tolist()


def test_the_name_of_a_file_does_not_tell_what_it_is(contract: Contract) -> None:
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
        (datetime(2010, 7, 1), "2010-07-01"),  # noqa: DTZ001 - Excel knows no time zones
        (datetime(2010, 7, 1, 12, 30), "2010-07-01 12:30:00"),  # noqa: DTZ001
        (time(12, 30), "12:30:00"),
        (timedelta(hours=36, seconds=5), "36:00:05"),
        ("007", "007"),
        ("", ""),
        ("a\0b", "a\ufffdb"),
    ],
)
def test_a_cell_is_what_a_person_sees(value: object, text: str) -> None:
    assert cell_text(value) == text


def test_a_formula_is_its_last_result() -> None:
    file = io.BytesIO()
    with xlsxwriter.Workbook(file) as book:
        sheet = book.add_worksheet()
        sheet.write_row(0, 0, ["size", "quarter"])
        sheet.write_formula(1, 0, "=40*2", None, 80)
        sheet.write_string(1, 1, "=N")
    assert cells(file.getvalue()) == [["80", "=N"]]


def test_rows_above_the_header_are_left_out_with_a_note(contract: Contract) -> None:
    title: Rows = [["Houses of the north"], [], *HOUSES]
    table = read(workbook(title, at=(1, 2)), contract)
    assert table.headers == ("size", "quarter", "remark")
    (note,) = table.notes
    assert note == (
        "The column names are in row 4 of the sheet: 3 rows above left out. House 1 is in row 5."
    )
    assert read(workbook(title)).headers == ("size", "quarter", "remark")


def test_the_sheet_with_the_houses_is_found(contract: Contract) -> None:
    table = read(workbook([["Read me"], ["first"]], HOUSES, [["x"]]), contract)
    assert table.headers == ("size", "quarter", "remark")
    assert table.notes == ("The sheet “Sheet2” was read, of “Sheet1”, “Sheet2”, “Sheet3”.",)


def test_a_hidden_sheet_is_not_read(contract: Contract) -> None:
    data = workbook([["size", "quarter"], [1, "S"]], HOUSES, hidden=0)
    assert cells(data, contract)[0] == ["80", "N", "a"]


def test_an_empty_row_between_houses_stays_and_those_at_the_end_go(contract: Contract) -> None:
    rows: Rows = [*HOUSES[:2], [], HOUSES[2], ["", "", ""]]
    assert cells(workbook(rows), contract) == [["80", "N", "a"], ["", "", ""], ["90.5", "S", ""]]


def test_a_separator_in_a_name_is_no_separator() -> None:
    assert read(workbook([["a;b;c", "d"], [1, 2]])).headers == ("a;b;c", "d")


def test_a_workbook_in_pieces_can_be_read_by_other_processes(
    tmp_path: Path, contract: Contract
) -> None:
    path = tmp_path / "homes.xlsx"
    path.write_bytes(workbook([HOUSES[0], *HOUSES[1:] * 20]))
    with open_csv(path, path.name, Settings(), contract) as opened:
        assert [len(piece.cells) for piece in opened.chunks(30)] == [30, 10]
        assert opened.path is not None
        assert opened.path.read_bytes().startswith(b"size,quarter,remark\r\n80,N,a\r\n")
        assert opened.path.stat().st_mode & 0o777 == 0o600
        assert opened.path.parent.stat().st_mode & 0o777 == 0o700
    assert not opened.path.parent.exists()


def repacked(data: bytes, changed: dict[str, bytes]) -> bytes:
    file = io.BytesIO()
    with (
        zipfile.ZipFile(io.BytesIO(data)) as old,
        zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as new,
    ):
        for name in old.namelist():
            new.writestr(name, changed.get(name, old.read(name)))
    return file.getvalue()


def lying(data: bytes, name: str) -> bytes:
    """A workbook whose directory says that a member holds a hundred bytes."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        size = archive.getinfo(name).file_size.to_bytes(4, "little")
    at = data.rindex(name.encode()) - 46 + 24
    assert data[at : at + 4] == size
    return data[:at] + (100).to_bytes(4, "little") + data[at + 4 :]


SHEET = "xl/worksheets/sheet1.xml"


def far_away() -> bytes:
    file = io.BytesIO()
    with xlsxwriter.Workbook(file) as book:
        sheet = book.add_worksheet()
        sheet.write_row(0, 0, ["size", "quarter"])
        sheet.write(2**20 - 1, 2**14 - 1, 1)
    return file.getvalue()


@pytest.mark.parametrize(
    ("data", "limits", "sentence"),
    [
        (workbook([]), {}, "homes.xlsx has no sheet with a table: “Sheet1”."),
        (workbook(HOUSES[:1]), {}, "homes.xlsx has a header but no houses under it."),
        (workbook(HOUSES), {"max_rows": 1}, "homes.xlsx has more than 1 rows. Split it"),
        (workbook([[f"c{n}" for n in range(501)], [1]]), {}, "has 501 columns; at most 500"),
        (workbook([["a", "b", " a"], [1, 2, 3]]), {}, "more than one column named"),
        (
            repacked(workbook(HOUSES), {"xl/theme/theme1.xml": b" " * 2**21}),
            {"max_unpacked_mb": 1},
            "homes.xlsx holds more than 1 MB, and no more is read.",
        ),
        (
            lying(repacked(workbook(HOUSES), {SHEET: b" " * 2**21}), SHEET),
            {"max_unpacked_mb": 1},
            "homes.xlsx holds more than 1 MB, and no more is read.",
        ),
        (far_away(), {}, "more than 2,000 MB of memory to be read: perhaps a cell far away"),
        (workbook(HOUSES)[:-30], {}, "homes.xlsx is a damaged Excel workbook or ZIP archive."),
        (repacked(workbook(HOUSES), {SHEET: b"<a>"}), {}, "homes.xlsx "),
    ],
    ids=lambda value: "file" if isinstance(value, bytes) else None,  # with the time in it
)  # fmt: skip
def test_what_is_no_table_or_over_a_limit_is_refused_in_one_sentence(
    data: bytes, limits: dict[str, float], sentence: str
) -> None:
    with pytest.raises(InputError) as refused:
        read(data, **limits)
    assert sentence in str(refused.value)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("max_cell_chars", "seconds", "sentence"),
    [
        (30, 60.0, "Row 2 of x has a cell of 40 characters; at most 30 are read."),
        (100, 0.001, "x took more than"),
    ],
)
def test_long_cells_and_slow_conversions_are_refused(
    max_cell_chars: int, seconds: float, sentence: str
) -> None:
    data = io.BytesIO(workbook([["a", "b"], [1, "x" * 40]]))
    request = ConversionRequest("workbook", "x", (), None, 9, max_cell_chars, 2**30, 2**30)
    with pytest.raises(InputError, match=sentence), open_as_csv(data, request, seconds):
        pass


@pytest.mark.parametrize(
    ("member", "sentence"),
    [
        ("word/document.xml", "is a ZIP archive, not a table"),
        ("content.xml", "is an OpenDocument file"),
        ("xl/workbook.bin", "is a binary Excel workbook"),
    ],
)
def test_other_archives_are_refused_by_name(member: str, sentence: str) -> None:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr(member, "x")
    with pytest.raises(InputError, match=sentence):
        read(file.getvalue())
