"""More sales are added to a market once, and what is wrong with them is said before."""

import tomllib
from datetime import date

import pandas as pd
import pytest

from houseprice.errors import InputError, MarketError
from houseprice.market.sales import read_rows
from houseprice.settings import Settings
from houseprice.tables.extension import extend_by_outcomes, extend_market, set_market_key
from houseprice.tables.sales import load_market
from tests.hamlet import write_hamlet
from tests.towns import town_sales, write_town

ROLES = ("location", "area")
COLUMNS = ["price", "rooms", "garden", *ROLES]


@pytest.fixture
def town(tmp_path):
    """A market of 160 sales without a key."""
    return write_town(tmp_path / "town", ROLES)


@pytest.fixture
def more(tmp_path):
    """Ten of its sales, four others, and one without a price."""
    new = town_sales(5, seed=8).astype({"price": object})
    new.loc[4, "price"] = ""
    rows = [town_sales().iloc[:10], new]
    path = tmp_path / "more.csv"
    path.write_text("".join(part[COLUMNS].to_csv(index=False, header=not i, sep=";")
                            for i, part in enumerate(rows)), encoding="utf-8")  # fmt: skip
    return path


def test_new_sales_are_added_and_known_ones_are_not(town, more):
    extension = extend_market(town, more, Settings())
    assert (extension.n_added, extension.n_known, len(extension.set_aside)) == (4, 10, 1)
    assert extension.summary == "4 sales to add, 10 known already, 1 set aside."
    assert len(load_market(town).houses) == 160  # nothing is written yet
    assert extension.write().name == "sales-2.csv"
    market = load_market(town)
    assert len(market.houses) == 164
    assert market.prices.tolist()[-4:] == town_sales(5, seed=8)["price"].tolist()[:4]
    assert len(read_rows(town / "sales.csv")) == 160  # the file before is kept


def test_sales_are_added_again_and_again(town, more, tmp_path):
    extend_market(town, more, Settings()).write()
    with pytest.raises(InputError, match="no sale that the market does not have"):
        extend_market(town, more, Settings())
    last = tmp_path / "last.csv"
    town_sales(3, seed=9)[COLUMNS].to_csv(last, index=False)
    assert extend_market(town, last, Settings()).write().name == "sales-3.csv"
    assert len(load_market(town).houses) == 167


def test_with_a_key_only_sales_of_another_key_are_new(town, tmp_path):
    set_market_key(town, "id", "deed")
    sales = town_sales()[COLUMNS]
    sales.assign(deed=range(160)).to_csv(town / "sales.csv", index=False)
    more = tmp_path / "more.csv"
    town_sales(4, seed=8)[COLUMNS].assign(deed=[158, 159, 160, 160]).to_csv(more, index=False)
    extension = extend_market(town, more, Settings())
    assert (extension.n_added, extension.n_known) == (1, 3)


def test_a_file_without_a_column_of_the_market_is_refused(town, tmp_path):
    more = tmp_path / "more.csv"
    town_sales(4)[["price", "rooms", "location"]].to_csv(more, index=False)
    with pytest.raises(InputError, match=r"lacks columns of the market: area, garden\."):
        extend_market(town, more, Settings())


@pytest.mark.parametrize("title", ["Old town", 'Say "hi" \\ [market]', "Ål\nfjord"])
def test_one_key_of_a_contract_is_changed_and_nothing_else(town, title):
    path = town / "market.toml"
    before = path.read_text(encoding="utf-8")
    for each in ("First", title):
        set_market_key(town, "title", each)
    data = tomllib.loads(path.read_text(encoding="utf-8"))
    assert data["market"].pop("title") == title
    assert data == tomllib.loads(before)
    assert load_market(town).contract.market.title == title


def test_a_contract_of_another_form_is_left_alone(town):
    path = town / "market.toml"
    path.write_text(path.read_text().replace("[market]\n", "market.title = 'Mine'\n", 1))
    before = path.read_text()
    with pytest.raises(MarketError, match=r"market\.title.*edit the file"):
        set_market_key(town, "title", "Other")
    assert path.read_text() == before


FACTS = {"size": "120", "quarter": "N", "grade": "Fine"}


def sold(*rows: dict) -> pd.DataFrame:
    """Return later prices as the records give them."""
    defaults = {"valuation": 1, "property_key": None, "sold_on": date(2020, 11, 30),
                "price": 90_000.0, "facts": FACTS, "model_version": "hamlet-1"}  # fmt: skip
    return pd.DataFrame([{**defaults, "outcome": i, **row} for i, row in enumerate(rows, 1)])


@pytest.fixture
def hamlet(tmp_path):
    return write_hamlet(tmp_path / "hamlet", n_sales=100)


def test_a_later_price_becomes_a_sale_on_its_day_with_its_facts(hamlet):
    extension = extend_by_outcomes(hamlet, sold({}, {"facts": {}}), Settings())
    assert extension.summary == "1 sale to add, 0 known already, 0 set aside."
    extension.write()
    (row,) = read_rows(hamlet / "sales-2.csv").tail(1).to_dict("records")
    assert {name: text for name, text in row.items() if text} == {
        **FACTS, "paid": "90000", "key": "outcome-1", "sold": "2020", "month": "4", "outcome": "1",
    }  # fmt: skip
    assert load_market(hamlet).prices.tolist()[-1] == 90_000.0


def test_later_prices_are_added_once_and_corrections_replace_them(hamlet):
    extend_by_outcomes(hamlet, sold({}, {}), Settings()).write()
    with pytest.raises(InputError, match="no later price that the market does not have"):
        extend_by_outcomes(hamlet, sold({}, {}), Settings())
    corrected = sold({}, {"outcome": 7, "price": 95_000.5}, {"outcome": 8})
    extension = extend_by_outcomes(hamlet, corrected, Settings())
    assert (extension.n_added, extension.n_known) == (2, 1)
    extension.write()
    assert read_rows(hamlet / "sales-3.csv")["paid"].tolist()[-3:] == ["90000", "95000.50", "90000"]
    assert len(load_market(hamlet).houses) == 103


def test_a_sale_that_does_not_count_is_set_aside_with_its_reason(hamlet):
    late = sold({"sold_on": date(2021, 3, 1)}, {"price": 10.0}, {})
    extension = extend_by_outcomes(hamlet, late, Settings())
    assert (extension.n_added, extension.set_aside["code"].tolist()) == (
        1,
        ["above_limit", "below_limit"],
    )


def test_a_sale_that_the_market_has_is_not_added(hamlet):
    sales = read_rows(hamlet / "sales.csv")
    sales.assign(parcel=sales["key"]).to_csv(hamlet / "sales.csv", index=False)
    set_market_key(hamlet, "property_id", "parcel")
    known = {"property_key": "h3", "price": float(sales["paid"][3])}
    extension = extend_by_outcomes(hamlet, sold(known, {"property_key": "h3"}), Settings())
    assert (extension.n_added, extension.n_known) == (1, 1)


def test_a_market_without_a_key_and_with_dates_takes_them_too(tmp_path):
    town = write_town(tmp_path / "town", ("sale_date", "area"))
    facts = {"area": "120", "rooms": "3", "garden": "yes"}
    extension = extend_by_outcomes(town, sold({"facts": facts}), Settings())
    assert extension.n_added == 1
    extension.write()
    assert load_market(town).sold[-1] == pytest.approx(2020.91, abs=0.01)
