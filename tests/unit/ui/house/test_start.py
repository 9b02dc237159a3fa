"""Sales found by number or by description, and links that carry a house."""

from __future__ import annotations

from dataclasses import replace
from urllib.parse import parse_qs, urlsplit

import numpy as np
import pytest

from houseprice.market.sales import load_market, sale_period
from houseprice.ui.house.start import SaleQuery, describe_sale, nearest_sales
from houseprice.ui.house.state import link_parameters, read_link, sale_fields
from houseprice.ui.layout import link_to
from tests.hamlet import write_hamlet


@pytest.fixture(scope="module")
def hamlet(tmp_path_factory):
    return load_market(write_hamlet(tmp_path_factory.mktemp("hamlet")))


def test_an_id_finds_its_sale_only(hamlet):
    assert nearest_sales(hamlet, SaleQuery(sale_id=" H17 ", price=1.0)).tolist() == [17]
    assert not len(nearest_sales(hamlet, SaleQuery(sale_id="17")))


def test_the_nearest_sale_comes_first(hamlet):
    sale = hamlet.houses.iloc[40]
    query = SaleQuery(
        location=int(sale["quarter"]),
        area=float(sale["size"]),
        built=float(sale["built"]),
        price=float(hamlet.prices.iloc[40]),
    )
    positions = nearest_sales(hamlet, query, 4)
    assert positions[0] == 40
    assert len(positions) == 4
    assert set(hamlet.houses["quarter"].iloc[positions]) == {sale["quarter"]}


def test_a_tenth_of_the_price_counts_as_much_as_ten_years(hamlet):
    positions = nearest_sales(hamlet, SaleQuery(built=1950, price=90_000), len(hamlet.prices))
    prices, built = hamlet.prices.to_numpy(np.float64), hamlet.houses["built"].to_numpy()
    distance = np.abs(np.log(prices / 90_000)) + np.abs(built - 1950) / 100
    assert np.all(np.diff(distance[positions]) >= 0)


def test_a_sale_without_the_field_comes_last(hamlet):
    houses = hamlet.houses.copy()
    houses.loc[houses.index[0], "built"] = np.nan
    incomplete = replace(hamlet, houses=houses)
    assert nearest_sales(incomplete, SaleQuery(built=1950), len(houses))[-1] == 0
    assert "built" not in describe_sale(hamlet.contract, houses.iloc[0], ())


def test_a_sale_is_described(hamlet):
    sale = hamlet.houses.iloc[3]
    assert str(int(sale["sold"])) in sale_period(sale, hamlet.contract)
    text = describe_sale(hamlet.contract, sale, ())
    assert f"{sale['size']:.0f} sq m, built {sale['built']:.0f}" in text


def test_a_link_carries_only_what_is_given_with_labels_of_levels(hamlet):
    given = {"size": "1,20", "quarter": "S", "boiler": "1990"}
    parameters = link_parameters(given, hamlet.contract)
    assert parameters == {"size": "1,20", "quarter": "South bank", "boiler": "1990"}
    url = link_to("http://here/house?size=7#top", parameters)
    assert url.startswith("http://here/house?")
    assert parse_qs(urlsplit(url).query) == {name: [text] for name, text in parameters.items()}
    assert link_to("http://here/house?size=7", {}) == "http://here/house"
    assert read_link(parameters, hamlet.contract) == (given, ())


def test_a_link_with_foreign_parts_keeps_the_others(hamlet):
    parameters = {"quarter": "Moon", "Flor area": "90", "size": "?", "boiler": "old"}
    given, messages = read_link(parameters, hamlet.contract)
    assert given == {"boiler": "old"}
    assert "Moon" in messages[0]
    assert "Did you mean size?" in messages[1]


def test_a_sale_gives_only_its_known_fields(hamlet):
    sale_id = str(hamlet.ids.iloc[3])
    given = sale_fields(hamlet, sale_id)
    assert given is not None
    assert set(given) == set(hamlet.houses.columns[hamlet.houses.iloc[3].notna()])
    assert sale_fields(hamlet, "no such sale") is None
