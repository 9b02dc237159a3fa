"""What is written reads back the same, runs no formula, and is there whole or not at all."""

from __future__ import annotations

import contextlib
import csv
import io
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from houseprice.errors import HousePriceError, InputError
from houseprice.settings import Settings
from houseprice.tables.reader import read_table
from houseprice.tables.writer import atomic_file, escape_formula, is_formula, to_csv

# All that a text file can hold: no NUL, and no half of a surrogate pair.
CELLS = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=12)
NASTY = st.lists(st.sampled_from("=+-@\t\r\n \u00a0＝＋－＠'\",;|1.e5x"), max_size=8).map("".join)
SPREADSHEET_RUNS = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")


def write_file(path: Path, data: bytes) -> None:
    with atomic_file(path) as file:
        file.write(data)


@st.composite
def tables(draw: st.DrawFn, cell: st.SearchStrategy[str] = CELLS) -> list[list[str]]:
    """Draw a header of names that differ, and rows of which the last is not empty."""
    width = draw(st.integers(1, 5))
    # Without a contract, nothing but the header tells which separator is meant.
    letters = st.characters(categories=["L", "Nd", "P", "S"], exclude_characters=";|")
    names = st.text(letters, min_size=1, max_size=8)
    header = draw(st.lists(names, min_size=width, max_size=width, unique=True))
    row = st.lists(cell, min_size=width, max_size=width)
    rows = draw(st.lists(row, max_size=5))
    return [header, *rows, ["x"] * width]


def frame_of(table: list[list[str]]) -> pd.DataFrame:
    return pd.DataFrame(table[1:], columns=table[0], dtype="str")


def rows_of(data: bytes) -> list[list[str]]:
    return list(csv.reader(io.StringIO(data.decode("utf-8-sig"), newline=""), strict=True))


@given(tables(st.one_of(CELLS, NASTY)), st.sampled_from(["\n", "\r\n"]), st.booleans())
def test_any_table_that_is_read_is_written_back_cell_by_cell(
    table: list[list[str]], newline: str, bom: bool
) -> None:
    file = io.StringIO(newline="")
    csv.writer(file).writerows(table)
    read = read_table(file.getvalue().encode(), "homes.csv", Settings())
    frame = read.cells.set_axis(list(read.headers), axis="columns")
    assert read.problems == ()
    data = to_csv(frame, escape_formulas=False, newline=newline, bom=bom)
    assert rows_of(data) == table
    again = read_table(data, "homes.csv", Settings())
    assert (list(again.headers), again.cells.to_numpy().tolist()) == (table[0], table[1:])


@given(st.binary(max_size=80) | st.lists(NASTY, max_size=8).map("".join).map(str.encode))
def test_any_bytes_are_read_or_refused_in_words(data: bytes) -> None:
    with contextlib.suppress(InputError):
        table = read_table(data, "homes.csv", Settings())
        assert len(table.cells) > 0
        assert table.cells.columns.is_unique


@given(tables(st.one_of(CELLS, NASTY)))
def test_no_cell_starts_a_formula_unless_it_is_a_number(table: list[list[str]]) -> None:
    written = rows_of(to_csv(frame_of(table), escape_formulas=True))
    for row, given_row in zip(written, table, strict=True):
        for cell, own in zip(row, given_row, strict=True):
            assert cell in (own, f"'{own}")
            if cell.strip(" \u00a0").startswith(SPREADSHEET_RUNS):
                float(cell.replace(",", ""))


@pytest.mark.parametrize(
    "text",
    [
        *("=1+1", "+1+1", "-1+1", "@SUM(A1)", "\t=1", "\r=1", "\n=1", " =1", "\u00a0=1", "＝1"),
        *("=", "-", "+", "-e5", "--5", "- 5", "\t-5", "-5\n", "＠x", "\ufeff=1"),
        "-2+3+cmd|' /C calc'!A0",
    ],
)
def test_what_a_spreadsheet_might_run_gets_an_apostrophe(text: str) -> None:
    assert escape_formula(text) == f"'{text}"


@pytest.mark.parametrize(
    "text",
    ["", "-5", "+1.5e3", "-1,250.75", "-12,5", ".5", "-.5", " -5 ", "1=1", "a-b", "'=1", "12 @ 3"],
)
def test_numbers_and_plain_text_stay_as_they_are(text: str) -> None:
    assert not is_formula(text)


def test_headers_are_neutralised_too_and_may_be_alike() -> None:
    frame = pd.DataFrame([["a", "b"]], columns=["=x", "=x"])
    assert to_csv(frame, escape_formulas=True) == b"'=x,'=x\na,b\n"
    assert to_csv(frame, escape_formulas=False) == b"=x,=x\na,b\n"


def test_numbers_are_plain_and_missing_ones_blank() -> None:
    frame = pd.DataFrame(
        {
            "price": [181250.0, -5.25, np.nan],
            "count": pd.array([1, None, 3], dtype="Int64"),
            "text": ["nan", None, "é"],
        }
    )
    expected = "price,count,text\n181250,1,nan\n-5.25,,\n,3,é\n"
    assert to_csv(frame, escape_formulas=True).decode() == expected


def test_numbers_take_the_decimal_sign_asked_for_and_text_keeps_its_own() -> None:
    frame = pd.DataFrame({"price": [181250.25, 5.0], "text": ["1.5", "a;b"]})
    written = to_csv(frame, escape_formulas=True, separator=";", decimal=",").decode()
    assert written == 'price;text\n181250,25;1.5\n5;"a;b"\n'
    alone = to_csv(frame[["price"]].assign(n=1), escape_formulas=True, decimal=",").decode()
    assert alone == 'price,n\n"181250,25",1\n5,1\n'


def test_spreadsheets_get_a_byte_order_mark_and_their_line_ending_when_asked() -> None:
    data = to_csv(pd.DataFrame({"a": ["é"]}), escape_formulas=True, newline="\r\n", bom=True)
    assert data == b"\xef\xbb\xbfa\r\n\xc3\xa9\r\n"


def test_a_file_is_replaced_as_a_whole_with_the_mode_of_a_new_file(tmp_path: Path) -> None:
    path = tmp_path / "out.csv"
    path.write_bytes(b"old")
    before = os.umask(0o027)
    try:
        write_file(path, b"new")
    finally:
        os.umask(before)
    assert path.read_bytes() == b"new"
    assert path.stat().st_mode & 0o777 == 0o640
    assert list(tmp_path.iterdir()) == [path]


def test_a_link_stays_a_link(tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    link = tmp_path / "link.csv"
    link.symlink_to(tmp_path / "there" / "out.csv")
    write_file(link, b"new")
    assert link.is_symlink()
    assert (tmp_path / "there" / "out.csv").read_bytes() == b"new"


def test_what_can_be_no_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="is a folder"):
        write_file(tmp_path, b"")
    with pytest.raises(InputError, match="there is no folder"):
        write_file(tmp_path / "no" / "out.csv", b"")
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(InputError, match="not an ordinary file"):
        write_file(tmp_path / "pipe", b"")


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path: Path, root: Path) -> None:
    path = tmp_path / "out.csv"
    path.write_bytes(b"old")
    # A limit on file size fails in the middle of writing, as a full disk does.
    code = (
        "import resource, sys; from pathlib import Path\n"
        "from houseprice.tables.writer import atomic_file\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))\n"
        "with atomic_file(Path(sys.argv[1])) as file: file.write(bytes(100_000))\n"
    )
    run = subprocess.run(
        [sys.executable, "-c", code, str(path)],
        cwd=root,
        capture_output=True,
        text=True,
        check=False,
    )
    assert f"HousePriceError: {path} can't be written (File too large)." in run.stderr
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_name_that_is_too_long_fails_in_words(tmp_path: Path) -> None:
    with pytest.raises(HousePriceError, match="can't be written"):
        write_file(tmp_path / ("x" * 300), b"")
