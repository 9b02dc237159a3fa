"""More sales are added to a market once, and what is wrong with them is said before."""

import tomllib

import pytest

from houseprice.errors import InputError, MarketError
from houseprice.market.sales import read_rows
from houseprice.settings import Settings
from houseprice.tables.extension import extend_market, set_market_key
from houseprice.tables.sales import load_market
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
