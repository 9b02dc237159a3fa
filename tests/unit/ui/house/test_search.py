"""Sales found by number or by facts, and links that carry a house."""

from __future__ import annotations

from urllib.parse import parse_qs, urlsplit

import numpy as np
import pytest

from houseprice.market.sales import Market, load_market
from houseprice.ui.house.prefill import link, parameters
from houseprice.ui.house.start import Wanted, nearest_sales, sale_in_words, sold_in_words
from tests.hamlet import write_hamlet


@pytest.fixture(scope="module")
def hamlet(tmp_path_factory: pytest.TempPathFactory) -> Market:
    return load_market(write_hamlet(tmp_path_factory.mktemp("hamlet")))


def test_a_number_finds_its_sale_and_nothing_else(hamlet: Market) -> None:
    assert nearest_sales(hamlet, Wanted(sale=" H17 ", price=1.0)).tolist() == [17]
    assert not len(nearest_sales(hamlet, Wanted(sale="17")))


def test_the_nearest_to_all_that_is_told_comes_first(hamlet: Market) -> None:
    sale = hamlet.houses.iloc[40]
    wanted = Wanted(
        location=int(sale["quarter"]),
        area=float(sale["size"]),
        built=float(sale["built"]),
        price=float(hamlet.prices.iloc[40]),
    )
    found = nearest_sales(hamlet, wanted, 4)
    assert found[0] == 40
    assert len(found) == 4
    assert set(hamlet.houses["quarter"].iloc[found]) == {sale["quarter"]}


def test_a_tenth_of_the_price_counts_as_much_as_ten_years(hamlet: Market) -> None:
    found = nearest_sales(hamlet, Wanted(built=1950, price=90_000), len(hamlet.prices))
    prices, built = hamlet.prices.to_numpy(np.float64), hamlet.houses["built"].to_numpy()
    away = np.abs(np.log(prices / 90_000)) + np.abs(built - 1950) / 100
    assert np.all(np.diff(away[found]) >= 0)


def test_a_sale_that_does_not_tell_the_fact_comes_last(hamlet: Market) -> None:
    houses = hamlet.houses.copy()
    houses.loc[houses.index[0], "built"] = np.nan
    gappy = Market(
        hamlet.contract, hamlet.folder, houses, hamlet.prices, hamlet.ids, hamlet.problems
    )
    assert nearest_sales(gappy, Wanted(built=1950), len(houses))[-1] == 0
    assert "built" not in sale_in_words(hamlet.contract, houses.iloc[0])


def test_a_sale_is_told_in_words(hamlet: Market) -> None:
    sale = hamlet.houses.iloc[3]
    assert str(int(sale["sold"])) in sold_in_words(hamlet.contract, sale)
    words = sale_in_words(hamlet.contract, sale)
    assert f"{sale['size']:.0f} sq m, built {sale['built']:.0f}" in words


def test_a_link_carries_only_what_differs_and_levels_in_words(hamlet: Market) -> None:
    opening: dict[str, object] = dict.fromkeys(hamlet.contract.columns, 1)
    opening |= {"grade": "C", "quarter": "N", "garden": "n", "month": "4", "boiler": None}
    row = opening | {"size": 120, "quarter": "S", "boiler": 1990}
    told = parameters(row, opening, hamlet.contract)
    assert told == {"size": "120", "quarter": "South bank", "boiler": "1990"}
    address = link("http://here/house?size=7#top", row, opening, hamlet.contract)
    assert address.startswith("http://here/house?")
    assert parse_qs(urlsplit(address).query) == {name: [text] for name, text in told.items()}
    assert link("http://here/house?size=7", opening, opening, hamlet.contract) == (
        "http://here/house"
    )
