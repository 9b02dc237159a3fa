"""Contracts that leave limits, levels and dates to the sales, and sales that do not count."""

from datetime import date

import numpy as np
import pandas as pd
import pytest

from houseprice.errors import InputError, MarketError
from houseprice.market.defaults import as_of_cells, fill_dates
from houseprice.market.sales import MIN_SALES, load_market, valuation_days
from houseprice.market.validation import Domain, validate
from tests.towns import write_town

CONTRACT = """
[market]
price = "price"
{market}
[market.roles]
{roles}
[fields]
size = {{ kind = "number", unit = "sq m", sign = "+" }}
place = {{ kind = "nominal" }}
garden = {{ kind = "flag" }}
rebuilt = {{ kind = "year", none = [0] }}
sold = {{ kind = "date", at_sale = true }}
"""


def sales(n_sales=80):
    draw = np.random.default_rng(0)
    size = draw.integers(40, 300, n_sales)
    return pd.DataFrame(
        {
            "price": (size * 1000 * draw.lognormal(0, 0.1, n_sales)).round(2),
            "size": size,
            "place": draw.choice(["Öst", "West 2", "West 10"], n_sales),
            "garden": draw.choice(["yes", "no"], n_sales),
            "rebuilt": draw.choice([0, 1990, 2001], n_sales),
            "sold": [f"{1 + i % 28}/{1 + i % 12}/{2010 + i % 5}" for i in range(n_sales)],
            "kind": draw.choice(["WD", "gift"], n_sales, p=[0.9, 0.1]),
        }
    )


def write(folder, rows, roles="", market=""):
    text = CONTRACT.format(roles=roles, market=market)
    (folder / "market.toml").write_text(text, encoding="utf-8")
    rows.to_csv(folder / "sales.csv", index=False)
    return load_market(folder)


@pytest.mark.parametrize(
    ("cells", "labels"),
    [
        (["0", "1"], ["No", "Yes"]),
        (["1.0", "0.0"], ["No", "Yes"]),
        (["Y", "N"], ["No", "Yes"]),
        (["yes", "no"], ["no", "yes"]),
    ],
)
def test_codes_of_a_flag_are_labelled(tmp_path, cells, labels):
    rows = sales().assign(garden=np.resize(cells, 80))
    market = write(tmp_path, rows)
    garden = market.contract.fields["garden"]
    assert [level.label for level in garden.levels] == labels
    checked = validate(pd.DataFrame({"size": ["90"] * 2, "garden": cells}), market.contract)
    assert sorted(checked.houses["garden"]) == [0.0, 1.0]


def test_a_contract_leaves_limits_levels_and_dates_to_the_sales(tmp_path):
    market = write(tmp_path, sales(), 'sale_date = "sold"')
    fields = market.contract.fields
    assert fields["place"].codes == ("West 2", "West 10", "Öst")
    assert fields["garden"].codes == ("no", "yes")
    assert fields["sold"].order == "dmy"
    assert fields["size"].range == (0.0, 10.0 * sales()["size"].max())
    assert market.contract.market.as_of.year == 2014
    assert market.sold is not None
    assert market.ids.tolist()[:2] == ["1", "2"]


def test_the_contract_changes_with_the_levels_of_the_sales(tmp_path):
    before = write(tmp_path, sales()).contract.sha256
    rows = sales()
    rows.loc[0, "place"] = "South"
    assert write(tmp_path, rows).contract.sha256 != before


def test_a_new_level_is_not_known_and_a_number_for_none_is_a_blank(tmp_path):
    contract = write(tmp_path, sales()).contract
    rows = pd.DataFrame([{"size": "90", "place": "Nowhere", "rebuilt": "0", "sold": "3/4/2014"}])
    checked = validate(rows, contract)
    assert checked.valid.all()
    assert "unseen_level" in {problem.code for problem in checked.problems}
    assert checked.houses[["place", "rebuilt"]].isna().all(axis=None)


@pytest.mark.parametrize(
    ("column", "cell", "code"),
    [
        ("price", "", "required"),
        ("price", "0", "below_limit"),
        ("price", "1e12", "above_limit"),
        ("size", "large", "not_a_number"),
        ("garden", "perhaps", "unknown_level"),
        ("kind", "gift", "not_valid"),
    ],
)
def test_a_bad_sale_costs_itself_alone(tmp_path, column, cell, code):
    rows = sales().astype(str).assign(kind="WD")
    # More flags than two levels can't come from the sales, so the contract has them.
    rows.loc[3, column] = cell
    text = CONTRACT.format(roles="", market="valid = \"kind == 'WD'\"")
    text = text.replace('kind = "flag"', 'kind = "flag", levels = ["no", "yes"]')
    (tmp_path / "market.toml").write_text(text, encoding="utf-8")
    rows.to_csv(tmp_path / "sales.csv", index=False)
    market = load_market(tmp_path)
    assert market.set_aside[["row", "code"]].to_numpy().tolist() == [[4, code]]
    assert len(market.houses) == len(rows) - 1


def test_a_repeated_key_counts_once(tmp_path):
    rows = sales().assign(sale_id=[0, *range(79)])
    market = write(tmp_path, rows)
    assert market.set_aside[["row", "id", "code"]].to_numpy().tolist() == [[2, "0", "key_twice"]]


def test_too_few_sales_are_refused_with_the_reasons(tmp_path):
    rows = sales(MIN_SALES + 5).astype(str)
    rows.loc[:9, "price"] = "none"
    with pytest.raises(MarketError, match=r"only 45 sales .* 10 x"):
        write(tmp_path, rows)


@pytest.mark.parametrize(
    ("roles", "reason"),
    [
        ('sale_month = "size"', "sale_month must be"),
        ('area = "place"', "area must be a numeric field"),
        ('latitude = "size"', "need each other"),
        ('sale_year = "sold"', "kind date"),
    ],
)
def test_roles_that_contradict_are_refused(tmp_path, roles, reason):
    with pytest.raises(MarketError, match=reason):
        write(tmp_path, sales(), roles)


def test_a_day_fills_only_rows_without_any_date_of_sale(tmp_path):
    contract = load_market(write_town(tmp_path, ("sale_year", "sale_month"))).contract
    cells = as_of_cells(contract, date(2014, 6, 30))
    assert cells == {"sale_year": "2014", "sale_month": "6"}
    rows = pd.DataFrame({"rooms": ["1", "2", "3"], "sale_year": ["", "2012", "n/a"]})
    filled = fill_dates(rows, cells)
    assert filled["sale_year"].tolist() == ["2014", "2012", "2014"]
    assert filled["sale_month"].tolist() == ["6", "", "6"]
    days = valuation_days(rows, contract, date(2014, 6, 30))
    assert days[0] == days[2] == date(2014, 6, 30)
    assert days[1].year == 2012


def test_a_day_needs_a_market_with_dates(tmp_path):
    contract = load_market(write_town(tmp_path, ("area",))).contract
    with pytest.raises(InputError, match="no dates"):
        as_of_cells(contract, date(2014, 6, 30))


@pytest.mark.parametrize("role", ["sale_year", "sale_date"])
def test_a_house_is_built_by_its_valuation_date_or_the_last_sale(tmp_path, role):
    contract = load_market(write_town(tmp_path, (role, "built"))).contract
    day = "2018" if role == "sale_year" else "2018-05-06"
    cells = [("2018", day), ("2019", day), ("2015", ""), ("2016", ""), ("2015", "2012"), ("?", day)]
    rows = pd.DataFrame(cells, columns=["built", role]).assign(rooms="3")
    checked = validate(rows, contract)
    wrong = {each.row: each for each in checked.problems if each.code == "future_year"}
    assert set(wrong) == {2, 4}
    assert "date of the sale (2018)" in wrong[2].message
    assert wrong[4].expected.endswith("to 2015")
    assert checked.houses["built"].isna().tolist() == [False, True, False, True, False, True]
    assert checked.valid.tolist() == [True, False, True, False, True, True]
    filled = fill_dates(rows, as_of_cells(contract, date(2016, 7, 1)))
    assert validate(filled, contract).valid[3]


def test_a_date_is_outside_the_sales_from_a_month_beyond_them(tmp_path):
    market = load_market(write_town(tmp_path, ("sale_date",)))
    domain = Domain.fit(market.houses, market.contract)
    days = pd.DataFrame(
        {"rooms": "3", "sale_date": ["2015-12-31", "2016-03-01", "2011-06-01", "x"]}
    )
    problems = validate(days, market.contract, domain).problems
    assert [p.row for p in problems if p.code == "outside_sales"] == [2, 3]
    (wrong,) = (p for p in problems if p.code == "not_a_date")
    assert wrong.expected.startswith("a date, such as 2015-12-")
