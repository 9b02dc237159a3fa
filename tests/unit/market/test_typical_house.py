"""The house that a form starts from."""

from __future__ import annotations

import numpy as np

from houseprice.market.sales import Market, typical_house


def test_it_is_a_real_sale_with_at_sale_facts_at_their_start(market: Market) -> None:
    house = typical_house(market)
    fields = market.contract.fields
    before = [column for column, field in fields.items() if not field.at_sale]
    same = np.isclose(market.houses[before], house[before].to_numpy(float), equal_nan=True)
    assert same.all(axis=1).any()
    for column, field in fields.items():
        if field.at_sale:
            assert house[column] == field.start_value


def test_it_lies_in_the_middle_of_the_market(market: Market) -> None:
    house, roles = typical_house(market), market.contract.market.roles
    low, high = market.houses[roles.area].quantile([0.25, 0.75])
    assert low < house[roles.area] < high
