"""Later prices in tables."""

import io
from datetime import date

import pandas as pd
import pytest

from houseprice.errors import InputError
from houseprice.market.contract import load_contract
from houseprice.market.sales import market_folder
from houseprice.settings import read_settings
from houseprice.tables.outcomes import check_outcomes, read_outcomes
from tests.hamlet import write_hamlet


@pytest.fixture(scope="module")
def contract(tmp_path_factory):
    return load_contract(write_hamlet(tmp_path_factory.mktemp("town") / "hamlet"))


def read(text: str | bytes, contract, name: str = "later.csv"):
    data = text.encode() if isinstance(text, str) else text
    return read_outcomes(data, name, read_settings(), contract)


def test_columns_are_known_by_common_names(contract):
    table = read(
        "Ref;Street address;Parcel;Sold for;Date of sale;Floor area;Remark\n"
        "file 7;7 Main Street;p7;250.000,50;31.12.2021;120;nice\n"
        ";;p8;1.250.000,00;01.02.2022;;\n",
        contract,
    )
    assert table.problems == ()
    assert table.notes[-1] == "1 column not used: Remark."
    assert table.sales.drop(columns="facts").to_dict("records") == [
        {"row": 1, "reference": "file 7", "address": "7 Main Street", "property_key": "p7",
         "sold_on": date(2021, 12, 31), "price": 250_000.5},
        {"row": 2, "reference": "", "address": "", "property_key": "p8",
         "sold_on": date(2022, 2, 1), "price": 1_250_000.0},
    ]  # fmt: skip
    assert table.sales["facts"].tolist() == [{"size": "120"}, {}]


def test_a_misspelled_column_is_named_with_the_one_that_was_perhaps_meant(contract):
    with pytest.raises(InputError, match="“sale_prise”: did you mean “sale price”"):
        read("reference,sale date,sale_prise\na,2021-05-04,90000\n", contract)
    notes = read("reference,adress,sold on,price,q7\na,b,2021-05-04,90000,1\n", contract).notes
    assert notes[-1] == "2 columns not used: adress, q7. “adress”: did you mean “address”?"


def test_columns_of_the_contract_are_known_and_a_sale_has_the_first_day_that_it_may_have():
    contract = load_contract(market_folder("ames"))
    market = contract.market
    names = [market.property_id or market.id, *market.roles.dates, market.price.column]
    table = read(f"{','.join(names)}\n526301100,2010,5,215000\n", contract)
    (sale,) = table.sales.to_dict("records")
    assert (sale["property_key"], sale["sold_on"]) == ("526301100", date(2010, 5, 1))
    assert sale["price"] == 215_000.0


def test_a_workbook_is_read_too(contract):
    file = io.BytesIO()
    rows = {"reference": ["a"], "sale date": [pd.Timestamp("2021-05-04")], "price": [90_000]}
    pd.DataFrame(rows).to_excel(file, index=False)
    (sale,) = read(file.getvalue(), contract, "later.xlsx").sales.to_dict("records")
    assert (sale["sold_on"], sale["price"]) == (date(2021, 5, 4), 90_000.0)


def test_each_bad_row_costs_itself_and_says_what_would_do(contract):
    table = read(
        "reference,sale date,price,corrects\n"
        "a,2021-05,90000,\n"
        "b,soon,90000,\n"
        "c,,90000,\n"
        "d,2099-01-01,90000,\n"
        "e,2021-05-04,cheap,\n"
        "f,2021-05-04,12,\n"
        ",2021-05-04,90000,\n"
        "g,2021-05-04,90000,that one\n"
        "h,2021-05-04\n"
        "i,2021-05-04,90000,17\n",
        contract,
    )
    assert table.sales["reference"].tolist() == ["a", "i"]
    assert table.sales["sold_on"].tolist() == [date(2021, 5, 1), date(2021, 5, 4)]
    assert table.sales["corrects"].tolist()[1] == 17
    assert table.n_rows == 10
    assert [(p.row, p.field, p.code) for p in table.problems if p.severity == "error"] == [
        (2, "sold_on", "not_a_date"),
        (3, "sold_on", "required"),
        (4, "sold_on", "in_the_future"),
        (5, "paid", "not_a_number"),
        (6, "paid", "below_limit"),
        (7, None, "no_identity"),
        (8, "corrects", "not_a_number"),
        (9, None, "wrong_cell_count"),
    ]
    assert table.problems[0].sentence == (
        "Date of sale: «soon» is not a date. Expected: a date, such as 2024-05-31."
    )


def test_a_text_that_is_too_long_for_an_index_costs_its_row(contract):
    long = "x" * 501
    rows = f"{long},,\n,{long},\n,,{long}\n,,{'x' * 500}\n"
    table = read(
        "sale date,price,reference,property key,address\n"
        + "".join(f"2021-05-04,90000,{row}\n" for row in rows.splitlines()),
        contract,
    )
    assert table.sales["row"].tolist() == [4]
    assert [(p.row, p.field, p.code) for p in table.problems] == [
        (1, "reference", "not_savable"),
        (2, "property_key", "not_savable"),
        (3, "address", "not_savable"),
    ]
    assert table.problems[1].message == (
        "The property key has 501 characters; at most 500 are saved."
    )


def test_a_price_that_may_be_read_in_two_ways_is_refused(contract):
    table = read("reference;sale date;price\na;2021-05-04;250.000\n", contract)
    assert [problem.code for problem in table.problems] == ["ambiguous_number"]


def test_a_table_without_a_compulsory_column_says_how_to_name_it(contract):
    with pytest.raises(InputError) as caught:
        read("house,size\n1,2\n", contract)
    assert str(caught.value) == (
        "The table has no column of the price (“sale price”), the date of sale (“sale date”) and "
        "what a house is recognised by (“reference”, “property key” or “address”). "
        "Name the columns so."
    )


def test_rows_of_a_program_are_checked_in_the_same_way(contract):
    rows = pd.DataFrame([{"reference": "a", "sold_on": "2021-05-04", "price": 90_000, "size": 80}])
    (sale,) = check_outcomes(rows, contract).sales.to_dict("records")
    assert (sale["price"], sale["facts"]) == (90_000.0, {"size": "80"})
