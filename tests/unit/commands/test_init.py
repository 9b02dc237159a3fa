"""``houseprice init``, ``extend`` and ``check``, from a file of sales to a market that trains."""

import json

import pandas as pd
import pytest

from houseprice.market.sales import load_market
from tests.towns import town_sales, write_town

pytestmark = pytest.mark.usefixtures("fresh_logs", "surroundings")


@pytest.fixture
def sales(tmp_path):
    """A file of sales with three that can't be right."""
    rows = town_sales().astype(str)[["price", "sale_date", "area", "built", "location", "garden"]]
    rows.loc[0, "price"], rows.loc[1, "area"], rows.loc[2, "price"] = "1", "large", ""
    file = tmp_path / "my sales.csv"
    rows.to_csv(file, index=False, sep=";")
    return file


def test_a_file_of_sales_becomes_a_market_that_trains_and_values(run, sales, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    result = run("init", str(sales), "--yes")
    assert result.code == 0
    assert "sale_date" in result.out
    assert "1 sale set aside, such as: Living area: «large» is not a number" in result.err
    assert "157 sales that count" in result.err
    assert run("train", "--market", "./my_sales", "-q").code == 0
    valued = run("predict", "my_sales/to_value.csv", "--market", "./my_sales", "-q")
    assert valued.code == 0
    assert "predicted_price" in valued.out.splitlines()[0]


def test_a_table_of_guesses_is_for_programs_too(run, sales, tmp_path):
    result = run("init", str(sales), "-o", str(tmp_path / "town"), "--json", "--area", "area")
    answer = json.loads(result.out)
    assert (answer["sales"], answer["set_aside"]["not_a_number"]) == (157, 1)
    area = next(column for column in answer["columns"] if column["column"] == "area")
    assert (area["use"], area["reason"]) == ("area", "you named it")


def test_an_existing_folder_is_kept_unless_it_is_forced(run, sales, tmp_path):
    folder = str(tmp_path / "town")
    assert run("init", str(sales), "-o", folder, "--yes", "-q").code == 0
    again = run("init", str(sales), "-o", folder, "--yes", "-q")
    assert (again.code, "exists already" in again.err) == (1, True)
    assert run("init", str(sales), "-o", folder, "--yes", "-q", "--force").code == 0


def test_check_writes_the_sales_that_do_not_count(run, sales, tmp_path):
    folder = tmp_path / "town"
    run("init", str(sales), "-o", str(folder), "--yes", "-q")
    result = run("check", str(folder))
    assert result.code == 0
    assert "157 sales count" in result.out
    set_aside = pd.read_csv(folder / "set_aside.csv")
    assert sorted(set_aside["row"]) == [1, 2, 3]


@pytest.mark.parametrize(
    ("old", "new", "line", "reason"),
    [
        ('label = "Garden"', 'labl = "Garden"', "garden = ", "did you mean label?"),
        ('kind = "flag"', 'kind = "flagg"', "garden = ", "did you mean flag?"),
        ('area = "area"', 'area = "aera"', "area = ", "no field aera; did you mean area?"),
        ('area = "area"', 'are = "area"', "are = ", "did you mean area?"),
        ('column = "price"', 'columns = "price"', "columns = ", "did you mean column?"),
    ],
)
def test_check_names_every_fault_with_its_line(run, sales, tmp_path, old, new, line, reason):
    folder = tmp_path / "town"
    run("init", str(sales), "-o", str(folder), "--yes", "-q")
    contract = folder / "market.toml"
    text = contract.read_text(encoding="utf-8").replace(old, new, 1)
    contract.write_text(text, encoding="utf-8")
    number = next(i for i, each in enumerate(text.splitlines(), 1) if each.startswith(line))
    result = run("check", str(folder))
    assert result.code == 1
    assert any(f":{number}: " in each and reason in each for each in result.out.splitlines())
    assert "docs/contract.md#" in result.out


def test_all_faults_are_named_at_once(run, sales, tmp_path):
    folder = tmp_path / "town"
    run("init", str(sales), "-o", str(folder), "--yes", "-q")
    contract = folder / "market.toml"
    text = contract.read_text(encoding="utf-8")
    text = text.replace('kind = "flag"', 'kind = "flagg"').replace('sign = "+"', 'sign = "plus"')
    text = text.replace('built = "built"', 'built = "bilt"')
    contract.write_text(text, encoding="utf-8")
    result = run("check", str(folder), "--json")
    faults = json.loads(result.out)["faults"]
    assert [(fault["key"], fault["suggestion"]) for fault in faults] == [
        ("market.roles.built", "built"),
        ("fields.area.sign", ""),
        ("fields.garden.kind", "flag"),
    ]
    assert faults[0]["reference"] == "docs/contract.md#roles"


def test_all_faults_of_expressions_are_named_though_levels_are_those_of_the_sales(
    run, sales, tmp_path
):
    folder = tmp_path / "town"
    run("init", str(sales), "-o", str(folder), "--yes", "-q")
    contract = folder / "market.toml"
    text = contract.read_text(encoding="utf-8")
    for name, expression in {"age": "2000 - bilt", "rate": "area +"}.items():
        text += f'[derived.{name}]\nlabel = "{name}"\nexpression = "{expression}"\n'
    contract.write_text(text, encoding="utf-8")
    result = run("check", str(folder))
    assert result.code == 1
    first, second = result.out.splitlines()
    number = text.splitlines().index("[derived.age]") + 1
    assert f":{number}: derived.age: " in first
    assert "there is no field bilt; did you mean built?" in first
    assert "derived.rate: " in second
    refused = run("train", "--market", str(folder), "-q")
    assert (refused.code, "derived.age" in refused.err) == (1, True)


def test_a_wrong_condition_on_the_sales_has_a_line(run, sales, tmp_path):
    folder = tmp_path / "town"
    run("init", str(sales), "-o", str(folder), "--yes", "-q")
    contract = folder / "market.toml"
    text = contract.read_text(encoding="utf-8")
    contract.write_text(text.replace("# valid", 'valid = "prize > 1"  #'), encoding="utf-8")
    result = run("check", str(folder))
    number = next(i for i, each in enumerate(text.splitlines(), 1) if each.startswith("# valid"))
    assert result.code == 1
    assert f":{number}: market.valid: " in result.out


def test_all_faults_of_tables_together_are_named_at_once(run, sales, tmp_path):
    folder = tmp_path / "town"
    run("init", str(sales), "-o", str(folder), "--yes", "-q")
    contract = folder / "market.toml"
    text = contract.read_text(encoding="utf-8")
    text = text.replace('built = "built"', 'built = "bilt"\nlatitude = "area"')
    text = text.replace('label = "Garden"', 'label = "Year built"')
    contract.write_text(text, encoding="utf-8")
    result = run("check", str(folder), "--json")
    faults = {fault["key"]: fault["reason"] for fault in json.loads(result.out)["faults"]}
    assert faults == {
        "market.roles": "latitude and longitude need each other",
        "market.roles.built": "there is no field bilt",
        "fields": "two fields share the label Year built",
    }


def test_more_sales_are_added_to_a_market(run, tmp_path):
    folder = write_town(tmp_path / "town", ())
    more = tmp_path / "more.csv"
    town_sales(5, seed=8)[["price", "rooms", "garden"]].to_csv(more, index=False)
    result = run("extend", folder, more, "--yes")
    assert result.code == 0, result.err
    assert result.out.strip() == str(folder / "sales-2.csv")
    assert "5 sales to add, 0 known already, 0 set aside." in result.err
    assert len(load_market(folder).houses) == 165
    again = run("extend", folder, more, "--yes")
    assert (again.code, again.out) == (1, "")
    assert "no sale that the market does not have" in again.err
