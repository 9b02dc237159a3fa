"""The contract: what it gives, and how it refuses."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from houseprice.errors import MarketError
from houseprice.market.contract import Contract, load_contract
from houseprice.market.sales import Market, load_market
from tests.hamlet import CONTRACT, write_hamlet


@pytest.fixture
def contract(tmp_path: Path) -> Contract:
    return load_contract(write_hamlet(tmp_path))


def test_the_embedded_market_describes_every_column_of_its_sales(market: Market) -> None:
    header = market.sales_path.read_text(encoding="utf-8").splitlines()[0].split(",")
    own = {market.contract.market.id, market.contract.market.price.column}
    assert [name for name in header if name not in own] == list(market.contract.columns)
    assert len(market.contract.columns) == 79


def test_every_field_of_the_embedded_market_has_words_and_a_group(market: Market) -> None:
    for field in market.contract.fields.values():
        assert field.label[0].isupper()
        assert " " in field.label or field.label == field.label.capitalize()
        assert len(field.help.split()) >= 3, field.column
        assert all(level.label for level in field.levels)


def test_the_as_of_date_is_the_month_of_the_newest_sale(market: Market) -> None:
    roles, as_of = market.contract.market.roles, market.contract.market.as_of
    newest = market.houses[roles.sale_year].max()
    months = market.houses.loc[market.houses[roles.sale_year] == newest, roles.sale_month]
    assert (as_of.year, as_of.month) == (newest, months.max() + 1)


def test_a_value_is_said_in_words(contract: Contract) -> None:
    assert contract.fields["size"].format(1234.5) == "1,234.5 sq m"
    assert contract.fields["beds"].format(1) == "1 bed"
    assert contract.fields["built"].format(1999) == "1999"
    assert contract.fields["grade"].format(2) == "Good"
    assert contract.fields["grade"].format(np.nan) == "not known"


def test_clean_houses_go_back_to_codes_and_to_words(contract: Contract) -> None:
    house = dict.fromkeys(contract.columns, 1.0) | {"grade": 3.0, "quarter": np.nan}
    houses = pd.DataFrame([house])
    assert contract.with_codes(houses).loc[0, ["grade", "quarter", "size"]].tolist() == [
        "A",
        None,
        1.0,
    ]
    assert contract.with_labels(houses).loc[0, ["grade", "garden"]].tolist() == ["Grand", "Yes"]


def test_its_hash_is_that_of_the_file(contract: Contract, tmp_path: Path) -> None:
    other = write_hamlet(tmp_path / "other", CONTRACT + "\n# a remark\n")
    assert load_contract(other).sha256 != contract.sha256


@pytest.mark.parametrize(
    ("old", "new", "key", "reason"),
    [
        ('kind = "count"', 'kind = "counts"', "fields.beds.kind", "should be"),
        ("range = [10, 1_000]", "range = [1_000, 10]", "fields.size", "lower below upper"),
        ('group = "house"', 'group = "hose"', "fields.size", "no group 'hose'"),
        ('follows = "built"', 'follows = "bilt"', "fields.boiler", "no field bilt"),
        ('label = "Garden beds"', 'label = "Garden"', "fields", "share the label Garden"),
        ('code = "B"', 'code = "c"', "fields.grade", "same spelling"),
        ("check = ", 'chek = "1"\ncheck = ', "rules.0.chek", "not permitted"),
        ('location = "quarter"', 'location = "size"', "market.roles", "field with levels"),
        ('area = "size"', 'area = "sise"', "market.roles", "no field sise"),
        ('area = "size"', 'area = "grade"', "market.roles", "area must be a numeric field"),
        (
            'sale_month = "month"',
            'sale_month = "sold"',
            "market.roles",
            "sale_month must be a field",
        ),
        ('typical_by = "quarter"', 'typical_by = "size"', "fields.beds", "not a field with levels"),
        ('unit = "beds"\nrange = [0, 20]', 'unit = "beds"', "fields.beds", "needs a range"),
        ('sign = "-"', 'sign = "minus"', "derived.age.sign", "should be"),
        (
            'help = "Where it stands."',
            'help = "x"\ntypical_by = "quarter"',
            "fields.quarter",
            "cycle",
        ),
        ('start = "4"', 'start = "9"', "fields.month", "start must be one of"),
        ("absent_when = \"garden == 'n'\"", "absent_when = \"garden == 'x'\"", "fields.beds", "no"),
        ('name = "hamlet"', 'name = "../hamlet"', "market.name", "should match"),
        ('label = "Hill"', 'label = "Hill", at = [52.5, 13.4]', "fields.quarter", "for N, S"),
        (
            'label = "Hill"',
            'label = "Hill", at = [93.6, 13.4]',
            "fields.quarter.levels.2.at.0",
            "90",
        ),
    ],
)
def test_a_bad_contract_is_refused_with_the_file_the_key_and_the_reason(
    tmp_path: Path, old: str, new: str, key: str, reason: str
) -> None:
    assert old in CONTRACT
    folder = write_hamlet(tmp_path, CONTRACT.replace(old, new, 1))
    with pytest.raises(MarketError, match=re.escape(reason)) as refused:
        load_contract(folder)
    assert refused.value.file == folder / "market.toml"
    assert refused.value.key == key


def test_a_file_that_is_no_toml_is_refused(tmp_path: Path) -> None:
    (tmp_path / "market.toml").write_text("[market\n", encoding="utf-8")
    with pytest.raises(MarketError, match="is not valid TOML"):
        load_contract(tmp_path)


def test_a_market_that_is_not_there_names_those_that_are(tmp_path: Path, market: Market) -> None:
    with pytest.raises(MarketError, match=market.folder.name):
        load_market(tmp_path / "nowhere")


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ("h0,", "h1,", "more than once"),
        (",paid", ",price", "this column is missing"),
        ("h0,", "h0,-", "row 1"),
    ],
)
def test_sales_that_break_the_contract_are_refused(
    tmp_path: Path, old: str, new: str, reason: str
) -> None:
    file = write_hamlet(tmp_path) / "sales.csv"
    file.write_text(file.read_text(encoding="utf-8").replace(old, new, 1), encoding="utf-8")
    with pytest.raises(MarketError, match=reason):
        load_market(tmp_path)


def test_a_folder_may_bear_the_name_of_an_embedded_market(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, market: Market
) -> None:
    write_hamlet(tmp_path / "ames")
    monkeypatch.chdir(tmp_path)
    assert load_market("./ames").contract.market.name == "hamlet"
    assert load_market("ames").contract.market.name == market.contract.market.name


def test_a_market_folder_without_sales_is_refused(tmp_path: Path) -> None:
    (write_hamlet(tmp_path) / "sales.csv").unlink()
    with pytest.raises(MarketError, match="can't be read"):
        load_market(tmp_path)
