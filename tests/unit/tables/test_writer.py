"""A table that is written is read back unchanged, runs no formula, and is complete or absent."""

import contextlib
import csv
import io
import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from houseprice.errors import HousePriceError, InputError
from houseprice.market.contract import Contract
from houseprice.settings import Settings
from houseprice.tables.excel import to_excel
from houseprice.tables.parquet import to_parquet
from houseprice.tables.reader import read_table
from houseprice.tables.scoring import ScoredTable
from houseprice.tables.writer import (
    atomic_file,
    escape_formula,
    is_formula,
    publish_file,
    staging_folder,
    to_csv,
    unescape_formula,
)
from tests.clusters import left_in
from tests.full_disk import run_without_room
from tests.tables import value_table
from tests.unit.tables.conftest import LinearBackend

# All that a text file can hold: no NUL, and no half of a surrogate pair.
CHARACTERS = st.characters(exclude_characters="\0", exclude_categories=["Cs"])
TEXTS = st.text(CHARACTERS, max_size=12)
FORMULAS = st.lists(st.sampled_from("=+-@\t\r\n \u00a0＝＋－＠'\",;|1.e5x"), max_size=8).map(
    "".join
)
APOSTROPHES = st.lists(st.sampled_from("'=+-@\t\r\n \u00a0＝＠.5xé\""), max_size=8).map("".join)
SPREADSHEET_RUNS = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")


def write_file(path: Path, data: bytes) -> None:
    with atomic_file(path) as file:
        file.write(data)


@st.composite
def tables(draw: st.DrawFn, cell: st.SearchStrategy[str]) -> list[list[str]]:
    """Draw a header of different names, and rows, the last of which is not empty."""
    width = draw(st.integers(1, 5))
    # Without a contract, the separator is detected from the header alone.
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


def scored(texts: list[str], backend: LinearBackend, contract: Contract) -> ScoredTable:
    file = io.StringIO(newline="")
    rows = [[text, "80", "N"] for text in texts]
    csv.writer(file).writerows([["remark", "size", "quarter"], *rows])
    table = read_table(file.getvalue().encode(), "homes.csv", Settings(), contract)
    assert table.cells["remark"].tolist() == texts
    return value_table(table, backend)


def remarks(data: bytes, contract: Contract) -> list[str]:
    return read_table(data, "again", Settings(), contract).cells["remark"].tolist()


@given(tables(TEXTS | FORMULAS), st.sampled_from(["\n", "\r\n"]), st.booleans())
def test_a_table_that_is_read_is_written_back_cell_by_cell(table, newline, bom):
    file = io.StringIO(newline="")
    csv.writer(file).writerows(table)
    read = read_table(file.getvalue().encode(), "homes.csv", Settings())
    frame = read.cells.set_axis(list(read.headers), axis="columns")
    assert read.problems == ()
    data = to_csv(frame, escape_formulas=False, newline=newline, bom=bom)
    assert rows_of(data) == table
    again = read_table(data, "homes.csv", Settings())
    assert (list(again.headers), again.cells.to_numpy().tolist()) == (table[0], table[1:])


@given(st.binary(max_size=80) | st.lists(FORMULAS, max_size=8).map("".join).map(str.encode))
def test_any_bytes_are_read_or_refused_with_a_message(data):
    with contextlib.suppress(InputError):
        table = read_table(data, "homes.csv", Settings())
        assert len(table.cells) > 0
        assert table.cells.columns.is_unique


@given(tables(TEXTS | FORMULAS))
def test_no_cell_starts_a_formula_unless_it_is_a_number(table):
    written = rows_of(to_csv(frame_of(table), escape_formulas=True))
    for row, given_row in zip(written, table, strict=True):
        for cell, original in zip(row, given_row, strict=True):
            assert cell in (original, f"'{original}")
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
def test_a_formula_gets_an_apostrophe(text):
    assert escape_formula(text) == f"'{text}"


@pytest.mark.parametrize(
    "text",
    ["", "-5", "+1.5e3", "-1,250.75", "-12,5", ".5", "-.5", " -5 ", "1=1", "a-b", "'=1", "12 @ 3"],
)
def test_numbers_and_plain_text_are_no_formulas(text):
    assert not is_formula(text)


def test_headers_are_escaped_too_and_may_be_equal():
    frame = pd.DataFrame([["a", "b"]], columns=["=x", "=x"])
    assert to_csv(frame, escape_formulas=True) == b"'=x,'=x\na,b\n"
    assert to_csv(frame, escape_formulas=False) == b"=x,=x\na,b\n"


def test_numbers_are_written_without_exponents_and_missing_ones_blank():
    frame = pd.DataFrame(
        {
            "price": [181250.0, -5.25, np.nan],
            "count": pd.array([1, None, 3], dtype="Int64"),
            "text": ["nan", None, "é"],
        }
    )
    expected = "price,count,text\n181250,1,nan\n-5.25,,\n,3,é\n"
    assert to_csv(frame, escape_formulas=True).decode() == expected


def test_the_decimal_sign_applies_to_numbers_and_not_to_text():
    frame = pd.DataFrame({"price": [181250.25, 5.0], "text": ["1.5", "a;b"]})
    written = to_csv(frame, escape_formulas=True, separator=";", decimal=",").decode()
    assert written == 'price;text\n181250,25;1.5\n5;"a;b"\n'
    alone = to_csv(frame[["price"]].assign(n=1), escape_formulas=True, decimal=",").decode()
    assert alone == 'price,n\n"181250,25",1\n5,1\n'


def test_a_byte_order_mark_and_the_line_ending_are_options():
    data = to_csv(pd.DataFrame({"a": ["é"]}), escape_formulas=True, newline="\r\n", bom=True)
    assert data == b"\xef\xbb\xbfa\r\n\xc3\xa9\r\n"


# ----------------------------------------------------------------------------------------- formulas
@given(APOSTROPHES | st.text(CHARACTERS))
def test_unescaping_inverts_escaping(text):
    assert unescape_formula(escape_formula(text)) == text
    assert not is_formula(escape_formula(text))
    if escape_formula(text) == text:
        assert unescape_formula(text) == text


@pytest.mark.parametrize(
    ("text", "escaped"),
    [("=1", "'=1"), ("'=1", "''=1"), ("''\t", "'''\t"), ("'t Huis", "'t Huis"), ("'-5", "'-5")],
)
def test_an_apostrophe_of_the_user_is_distinguished_from_an_escape(text, escaped):
    assert escape_formula(text) == escaped


def test_every_download_preserves_the_texts(backend, contract):
    texts = [
        "=1+1",
        "'=1+1",
        "''=x",
        "'t Huis",
        "-5",
        "007",
        "1.50",
        "@x",
        "\ttab",
        "a\r\nb",
        "_x000D_",
    ]
    valued = scored(texts, backend, contract)
    for data in (
        to_csv(valued.frame, escape_formulas=True, newline="\r\n", bom=True),
        to_excel(valued, contract),
        to_parquet(valued),
    ):
        assert remarks(data, contract) == texts


@given(st.lists(APOSTROPHES | st.text(CHARACTERS), min_size=1, max_size=6))
def test_the_csv_download_preserves_any_text(texts):
    frame = pd.DataFrame(
        {"remark": texts, "predicted_price": 1, "model_version": "m", "valued_at": "now"}
    )
    data = to_csv(frame, escape_formulas=True)
    assert read_table(data, "again", Settings()).cells["remark"].tolist() == texts


def test_removed_apostrophes_are_reported(backend, contract):
    data = to_csv(scored(["=1"], backend, contract).frame, escape_formulas=True)
    assert "apostrophes" in " ".join(read_table(data, "again", Settings(), contract).notes)


def test_a_table_that_was_not_escaped_keeps_its_apostrophes(backend, contract):
    assert remarks(b"remark,size,quarter\n'=1,80,N\n", contract) == ["'=1"]
    raw = to_csv(scored(["'=1", "=1"], backend, contract).frame, escape_formulas=False)
    assert remarks(raw, contract) == ["'=1", "=1"]


def test_every_download_preserves_a_header_like_a_formula(backend, contract):
    table = read_table(b"size,quarter,=x\n80,N,a\n", "homes.csv", Settings(), contract)
    valued = value_table(table, backend)
    for data in (to_csv(valued.frame, escape_formulas=True), to_excel(valued, contract)):
        again = read_table(data, "again", Settings(), contract)
        assert again.headers[2] == "=x"
        assert again.rows.columns[2] == "=x"


# ------------------------------------------------------------------------------------- atomic files
def test_a_file_is_replaced_as_a_whole_with_the_mode_of_a_new_file(tmp_path):
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


def test_a_link_stays_a_link(tmp_path):
    (tmp_path / "there").mkdir()
    link = tmp_path / "link.csv"
    link.symlink_to(tmp_path / "there" / "out.csv")
    write_file(link, b"new")
    assert link.is_symlink()
    assert (tmp_path / "there" / "out.csv").read_bytes() == b"new"


def test_a_path_that_can_not_be_a_file_is_refused(tmp_path):
    with pytest.raises(InputError, match="is a folder"):
        write_file(tmp_path, b"")
    with pytest.raises(InputError, match="there is no folder"):
        write_file(tmp_path / "no" / "out.csv", b"")
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(InputError, match="not an ordinary file"):
        write_file(tmp_path / "pipe", b"")


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path):
    path = tmp_path / "out.csv"
    path.write_bytes(b"old")
    program = """
from pathlib import Path
from houseprice.tables.writer import atomic_file
with atomic_file(Path(sys.argv[1])) as file:
    file.write(bytes(100_000))
"""
    run = run_without_room(program, path, max_bytes=4096)
    assert f"HousePriceError: {path} can't be written (File too large)." in run.stderr
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_name_that_is_too_long_is_refused_with_a_message(tmp_path):
    with pytest.raises(HousePriceError, match="can't be written"):
        write_file(tmp_path / ("x" * 300), b"")


# ------------------------------------------------------------------------------------------ staging
def test_a_staged_file_is_published_when_it_is_complete(tmp_path):
    target = tmp_path / "valued.csv"
    with staging_folder(target) as staging:
        with publish_file(staging / "a", target) as out:
            out.write(b"all of it")
            assert not target.exists()
        assert target.read_bytes() == b"all of it"
    assert left_in(tmp_path) == ["valued.csv"]


def test_a_worker_that_outlives_its_run_leaves_nothing(tmp_path):
    target = tmp_path / "valued.csv"
    with staging_folder(target) as staging:
        late = publish_file(staging / "a", target)
        late.__enter__().write(b"all of it")
    with pytest.raises(HousePriceError, match=r"can't be written"):
        late.__exit__(None, None, None)
    with (
        pytest.raises(HousePriceError, match=r"there is no folder"),
        publish_file(staging / "b", target),
    ):
        pass
    assert left_in(tmp_path) == []


def test_a_staging_folder_that_can_not_be_created_is_reported(tmp_path):
    with (
        pytest.raises(HousePriceError, match=r"can't be written to \(No such file or directory\)"),
        staging_folder(tmp_path / "none" / "valued.csv"),
    ):
        pass
