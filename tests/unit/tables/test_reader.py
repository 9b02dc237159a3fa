"""Files of any spreadsheet are read cell by cell, and a broken row affects no other."""

import gzip

import pytest

from houseprice.errors import InputError
from houseprice.market.contract import Contract
from houseprice.settings import Settings
from houseprice.tables.reader import read_table
from houseprice.tables.table import Table


def read(text: str | bytes, contract: Contract | None = None, **limits: int) -> Table:
    data = text.encode() if isinstance(text, str) else text
    return read_table(data, "homes.csv", Settings(**limits), contract)


def cells(table: Table) -> list[list[str]]:
    return table.cells.to_numpy().tolist()


def codes(table: Table) -> dict[int | None, str]:
    return {problem.row: problem.code for problem in table.problems}


def test_cells_are_text_as_in_the_file():
    table = read("size,quarter,note\n 0120 ,NA,\n1e3,null,née\n")
    assert cells(table) == [[" 0120 ", "NA", ""], ["1e3", "null", "née"]]
    assert table.headers == ("size", "quarter", "note")
    assert (table.problems, table.notes) == ((), ())


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32"])
def test_a_byte_order_mark_sets_the_encoding_and_is_not_in_the_header(encoding):
    table = read("größe,ort\n1,Café – ‘x’\n".encode(encoding))
    assert table.headers == ("größe", "ort")
    assert cells(table) == [["1", "Café – ‘x’"]]
    assert table.notes == ()


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be"])
def test_utf_16_is_read_in_both_byte_orders(encoding):
    assert cells(read("\ufeffa\nü\n".encode(encoding))) == [["ü"]]


def test_other_encodings_are_read_as_windows_1252_with_a_note():
    table = read("ort\nCafé – 5 €\n".encode("cp1252"))
    assert cells(table) == [["Café – 5 €"]]
    assert "Windows-1252" in table.notes[0]


def test_bytes_that_windows_1252_lacks_are_read_as_latin_1_with_a_note():
    table = read(b"ort\nCaf\xe9\x81\n")
    assert cells(table) == [["Café\x81"]]
    assert "Latin-1" in table.notes[0]


@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
@pytest.mark.parametrize("ending", ["\n", "\r\n", "\r"])
def test_separator_and_line_ending_are_detected(separator, ending):
    lines = [separator.join(row) for row in (["size", "quarter"], ["90", "N"], ["80", "S"])]
    assert cells(read(ending.join(lines))) == [["90", "N"], ["80", "S"]]


def test_known_columns_decide_the_separator_even_if_another_is_more_frequent(contract):
    table = read('size;quarter;"a,b,c,d,e"\n90;N;x\n', contract)
    assert table.headers == ("size", "quarter", "a,b,c,d,e")
    table = read("size;quarter;a,b,c,d,e\n90;N;x\n", contract)
    assert table.headers == ("size", "quarter", "a,b,c,d,e")


def test_separators_below_the_header_are_ignored():
    assert cells(read("size,note\n90,a;b;c|d\n")) == [["90", "a;b;c|d"]]


def test_a_table_of_one_column_is_read():
    assert cells(read("size\n90\n80\n")) == [["90"], ["80"]]


def test_a_quoted_cell_may_have_line_breaks_separators_and_quotation_marks():
    table = read('a,b\r\n"x\r\ny, ""z""\u2028\x0c",2\r\n')
    assert cells(table) == [['x\r\ny, "z"\u2028\x0c', "2"]]


def test_empty_rows_at_the_end_are_left_out_and_counted():
    table = read("a,b\n1,2\n\n,\n  \n\n")
    assert cells(table) == [["1", "2"]]
    assert table.notes == ("4 empty rows at the end of the file left out.",)


def test_empty_lines_before_the_header_are_skipped():
    assert read("\n\r\na,b\n1,2\n").headers == ("a", "b")


def test_an_empty_row_between_houses_is_an_error_of_that_row():
    table = read("a,b\n1,2\n\n3,4\n")
    assert cells(table) == [["1", "2"], ["", ""], ["3", "4"]]
    assert codes(table) == {2: "empty_row"}


def test_a_row_with_too_few_or_too_many_cells_affects_no_other():
    table = read('a,b,c\n1,2\n1,2,3\n1,2,3,"4,5",6\n7,8,9\n')
    assert cells(table) == [["1", "2", ""], ["1", "2", "3"], ["1", "2", "3"], ["7", "8", "9"]]
    assert codes(table) == {1: "wrong_cell_count", 3: "wrong_cell_count"}
    assert "2 cells and the header 3" in table.problems[0].message


def test_cells_beyond_the_header_are_reported_in_full():
    surplus = "x" * 500
    table = read(f'a,b\n1,2,"4,5",{surplus}\n')
    assert table.problems[0].message.endswith(f'Cells beyond the header: "4,5",{surplus}.')


def test_a_first_row_that_is_too_long_shifts_no_column():
    table = read("size,quarter\n90,N,surplus\n80,S\n")
    assert list(table.cells.columns) == ["size", "quarter"]
    assert cells(table)[1] == ["80", "S"]


def test_an_invalid_quotation_mark_is_an_error_of_its_row_and_its_cells_are_kept():
    table = read('a,b\n"6" pipe,2\n3,4\n')
    assert cells(table) == [['"6" pipe', "2"], ["3", "4"]]
    assert codes(table) == {1: "broken_quotes"}


def test_an_open_quotation_mark_does_not_swallow_the_rows_after_it():
    table = read('a,b\n"6,2\n3,4\n"x",5\n"y",6\n')
    assert cells(table) == [['"6', "2"], ["3", "4"], ["x", "5"], ["y", "6"]]
    assert codes(table) == {1: "broken_quotes"}


def test_a_quotation_mark_inside_a_cell_is_a_character():
    assert cells(read('a,b\n6" pipe,2\n')) == [['6" pipe', "2"]]


def test_compressed_files_are_read_whatever_their_name():
    plain = b"size,quarter\n90,N\n"
    assert cells(read(gzip.compress(plain))) == [["90", "N"]]
    assert cells(read(gzip.compress(plain[:10]) + gzip.compress(plain[10:]))) == [["90", "N"]]


def test_empty_columns_at_the_right_are_left_out_and_counted():
    table = read("a,b,, \n1,2,,\n3,4,\n5,6\n7,8,,,,\n")
    assert cells(table) == [["1", "2"], ["3", "4"], ["5", "6"], ["7", "8"]]
    assert (table.headers, table.problems) == (("a", "b"), ())
    assert table.notes == ("2 empty columns at the right of the table left out.",)
    table = read("a,b,\n1,2,\n")
    assert table.notes == ("1 empty column at the right of the table left out.",)


@pytest.mark.parametrize(
    ("last", "n_empty"),
    [
        ('1,"2\n"', 2),
        ('1,"2\n\n"', 2),
        ('1,"2\n""\n"', 2),
        ('1,""', 2),
        ('1,"2\n,,\n"', 2),
        ('1,2 ""', 2),
    ],
)
def test_empty_rows_are_counted_after_a_quoted_cell(last, n_empty):
    table = read(f'a,b\n{last}\n,\n"",""\n')
    assert len(table.cells) == 1
    assert table.notes == (f"{n_empty} empty rows at the end of the file left out.",)


def test_a_row_of_other_separators_is_not_empty():
    assert len(read("a,b\n1,2\n;,;\n|,\n,\n").cells) == 3


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "is empty"),
        (b"\xef\xbb\xbf", "is empty"),
        (b" \r\n\r\n ", "is empty"),
        (b"size,quarter\n", "a header but no houses"),
        (b"size,quarter\n\n,\n", "a header but no houses"),
        (b"PK\x03\x04\x14\x00", "a damaged Excel workbook"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1", "an Excel workbook that is damaged"),
        (b"PAR1\x15\x04", "a Parquet file"),
        (
            gzip.compress(gzip.compress(b"a\n1\n", mtime=0), mtime=0),
            "a compressed file within a compressed file",
        ),
        (gzip.compress(b"a\n1\n", mtime=0)[:-4], "a damaged gzip file"),
        (gzip.compress(b"a\n1\n", mtime=0)[:12] + bytes(20), "a damaged gzip file"),
        (gzip.compress(b"", mtime=0), "is empty"),
        (b"%PDF-1.7", "a PDF document"),
        (b"a,b\n1,\x002\n", "not a text file"),
        (bytes(range(256)), "not a text file"),
        (b"\xff\xfea", "is damaged"),
        (b'a,b\n1,2\n3,"4\n5,6\n', "line 3 is opened and never closed"),
        (b'"a,b\n1,2\n', "never closed"),
        (b'"a"x,b\n1,2\n', "header of homes.csv has a quotation mark"),
        (b'a,b\n1,"' + b"x" * 200_000, "never closed"),
    ],
)
def test_a_file_without_a_table_is_refused_with_a_message(data, message):
    with pytest.raises(InputError, match=message):
        read(data)


@pytest.mark.parametrize(
    ("text", "limits", "message"),
    [
        ("a\n" + "1\n" * 11, {"max_rows": 10}, "more than 10 rows"),
        ("a,b\n1,2\n" + "\n" * 11 + "1,2\n", {"max_rows": 10}, "more than 10 rows"),
        ("a," * 500 + "b\n1\n", {}, "501 columns; at most 500"),
        ("a\n1\n" + "x" * 32_768, {}, "Line 3 .* 32,768 characters; at most 32,767"),
        ("x" * 32_768 + "\n1\n", {}, "Line 1 .* 32,768 characters; at most 32,767"),
        ("a\n" + "1\n" * 2**19, {"max_upload_mb": 1}, "1.0 MB; at most 1 are"),
        (
            gzip.compress(b"a\n" + b"1\n" * 2**19, mtime=0),
            {"max_upload_mb": 1},
            "holds more than 1 MB",
        ),
        (
            "a,b\n" + " " * (2**25 + 2**21) + "\n1,2\n",
            {"max_upload_mb": 99},
            "a line of more than 33",
        ),
    ],
)
def test_a_file_over_a_limit_is_refused_with_the_limit(text, limits, message):
    with pytest.raises(InputError, match=message):
        read(text, **limits)


def test_empty_rows_at_the_end_do_not_count_for_the_limit():
    assert len(read("a\n" + "1\n" * 10 + "\n\n", max_rows=10).cells) == 10


def test_a_file_is_read_from_its_path(tmp_path, limits):
    path = tmp_path / "homes.csv"
    path.write_text("a\n1\n")
    assert cells(read_table(path, path.name, limits)) == [["1"]]


def test_a_missing_or_too_large_file_is_refused(tmp_path):
    with pytest.raises(InputError, match=r"homes.csv can't be read \(No such file"):
        read_table(tmp_path / "homes.csv", "homes.csv", Settings())
    path = tmp_path / "large.csv"
    with path.open("wb") as file:
        file.truncate(3_000_000)
    with pytest.raises(InputError, match=r"3.0 MB; at most 1 are"):
        read_table(path, "large.csv", Settings(max_upload_mb=1))
