"""No download runs a formula, and no text is lost by that."""

from __future__ import annotations

import csv
import io

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from houseprice.market.contract import Contract
from houseprice.settings import Settings
from houseprice.tables.excel import to_excel
from houseprice.tables.parquet import to_parquet
from houseprice.tables.reader import read_table
from houseprice.tables.scoring import ScoredTable
from houseprice.tables.writer import escape_formula, is_formula, to_csv, unescape_formula
from tests.tables import value_table
from tests.unit.tables.conftest import Surveyor

TEXTS = st.lists(st.sampled_from("'=+-@\t\r\n \u00a0＝＠.5xé\""), max_size=8).map("".join)
CELLS = TEXTS | st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]))


def scored(texts: list[str], surveyor: Surveyor, contract: Contract) -> ScoredTable:
    file = io.StringIO(newline="")
    rows = [[text, "80", "N"] for text in texts]
    csv.writer(file).writerows([["remark", "size", "quarter"], *rows])
    table = read_table(file.getvalue().encode(), "homes.csv", Settings(), contract)
    assert table.cells["remark"].tolist() == texts
    return value_table(table, surveyor)


def remarks(data: bytes, contract: Contract) -> list[str]:
    return read_table(data, "again", Settings(), contract).cells["remark"].tolist()


@given(CELLS)
def test_each_text_has_one_harmless_form_and_each_form_one_text(text: str) -> None:
    assert unescape_formula(escape_formula(text)) == text
    assert not is_formula(escape_formula(text))
    if escape_formula(text) == text:
        assert unescape_formula(text) == text


@pytest.mark.parametrize(
    ("text", "form"),
    [("=1", "'=1"), ("'=1", "''=1"), ("''\t", "'''\t"), ("'t Huis", "'t Huis"), ("'-5", "'-5")],
)
def test_an_apostrophe_of_the_user_stays_apart_from_ours(text: str, form: str) -> None:
    assert escape_formula(text) == form


def test_every_download_gives_the_users_texts_back(surveyor: Surveyor, contract: Contract) -> None:
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
    valued = scored(texts, surveyor, contract)
    for data in (
        to_csv(valued.frame, escape_formulas=True, newline="\r\n", bom=True),
        to_excel(valued, contract),
        to_parquet(valued),
    ):
        assert remarks(data, contract) == texts


@given(st.lists(CELLS, min_size=1, max_size=6))
def test_the_csv_download_gives_any_text_back(texts: list[str]) -> None:
    frame = pd.DataFrame(
        {"remark": texts, "predicted_price": 1, "model_version": "m", "valued_at": "now"}
    )
    data = to_csv(frame, escape_formulas=True)
    assert read_table(data, "again", Settings()).cells["remark"].tolist() == texts


def test_taking_the_apostrophes_away_is_told(surveyor: Surveyor, contract: Contract) -> None:
    data = to_csv(scored(["=1"], surveyor, contract).frame, escape_formulas=True)
    assert "apostrophes" in " ".join(read_table(data, "again", Settings(), contract).notes)


def test_a_table_that_was_not_made_harmless_keeps_its_apostrophes(
    surveyor: Surveyor, contract: Contract
) -> None:
    assert remarks(b"remark,size,quarter\n'=1,80,N\n", contract) == ["'=1"]
    raw = to_csv(scored(["'=1", "=1"], surveyor, contract).frame, escape_formulas=False)
    assert remarks(raw, contract) == ["'=1", "=1"]


def test_a_header_that_looks_like_a_formula_comes_back_too(
    surveyor: Surveyor, contract: Contract
) -> None:
    table = read_table(b"size,quarter,=x\n80,N,a\n", "homes.csv", Settings(), contract)
    valued = value_table(table, surveyor)
    for data in (to_csv(valued.frame, escape_formulas=True), to_excel(valued, contract)):
        again = read_table(data, "again", Settings(), contract)
        assert again.headers[2] == "=x"
        assert again.rows.columns[2] == "=x"
