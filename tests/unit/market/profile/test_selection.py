"""Sales are selected by filters, and priced per unit of area."""

from houseprice.market.profile.selection import Selection


def test_no_condition_keeps_every_sale(market):
    assert len(Selection().apply(market)) == len(market.prices)


def test_every_condition_must_be_met(market):
    places = market.contract.fields["Neighborhood"].labels
    chosen = Selection(
        locations=(places.index("Northridge"), places.index("Gilbert")),
        price=(200_000, 300_000),
        ranges=(("YearBuilt", 1995, 2005),),
    ).apply(market)
    assert 0 < len(chosen) < 100
    assert set(market.labelled_sales.loc[chosen.houses.index, "Neighborhood"]) == {
        "Northridge",
        "Gilbert",
    }
    assert chosen.prices.between(200_000, 300_000).all()
    assert chosen.houses["YearBuilt"].between(1995, 2005).all()


def test_a_sale_where_the_field_is_not_known_does_not_meet_its_limits(market):
    chosen = Selection(ranges=(("LotFrontage", 0, 1e9),)).apply(market)
    assert len(chosen) == 1460 - 259


def test_price_per_area_is_not_known_where_the_area_is_not(market):
    sales = Selection().apply(market)
    assert sales.price_per_area[0] == 208_500 / 1710
