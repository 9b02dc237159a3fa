"""Unknown fields are imputed from the known ones, with the uncertainty that remains."""

import numpy as np
import pytest

from houseprice.model.imputation import GaussianCopulaImputer


def fit(market, houses=None):
    houses = market.houses if houses is None else houses
    return GaussianCopulaImputer(market.contract).fit(houses.to_numpy(), np.log(market.prices))


@pytest.fixture(scope="module")
def imputer(hamlet):
    return fit(hamlet)


def test_known_fields_stay_and_unknown_ones_become_legal_values(hamlet, imputer):
    houses = hamlet.houses.to_numpy(copy=True)
    unknown = np.random.default_rng(0).random(houses.shape) < 0.5
    filled = imputer.fill(np.where(unknown, np.nan, houses))
    np.testing.assert_array_equal(filled[~unknown], houses[~unknown])
    assert np.isfinite(filled).all()
    for column, (name, field) in zip(filled.T, hamlet.contract.fields.items(), strict=True):
        assert (
            hamlet.houses[name].min() <= column.min() <= column.max() <= hamlet.houses[name].max()
        )
        if field.kind != "number":
            np.testing.assert_array_equal(column, np.rint(column))


def test_a_house_without_any_field_is_typical(hamlet, imputer):
    filled = imputer.fill(np.full((1, len(hamlet.contract.columns)), np.nan))[0]
    house = dict(zip(hamlet.contract.columns, filled, strict=True))
    assert house["size"] == pytest.approx(hamlet.houses["size"].median(), rel=0.1)
    assert house["built"] == pytest.approx(hamlet.houses["built"].median(), abs=8)
    assert house["quarter"] == 1
    assert (house["sold"], house["month"]) == (2020, 3)


def test_an_unknown_field_follows_from_the_fields_that_are_related_to_it(hamlet, imputer):
    houses = hamlet.houses.to_numpy(copy=True)
    columns = hamlet.contract.columns
    for name, tolerance in (("boiler", 5), ("ground floor", 8)):
        masked = houses.copy()
        masked[:, columns.index(name)] = np.nan
        error = np.abs(imputer.fill(masked) - houses)[:, columns.index(name)]
        assert np.median(error) < tolerance


def test_each_level_has_typical_values_of_its_own(hamlet):
    # Neither rising nor falling in the order of the prices of the quarters.
    typical = hamlet.houses["quarter"].map({0: 2.0, 1: 15.0, 2: 5.0})
    houses = hamlet.houses.assign(beds=typical)
    imputer = fit(hamlet, houses)
    masked = houses.assign(beds=np.nan).to_numpy(copy=True)
    filled = imputer.fill(masked)[:, hamlet.contract.columns.index("beds")]
    means = [filled[houses["quarter"] == quarter].mean() for quarter in range(3)]
    np.testing.assert_allclose(means, [2, 15, 5], atol=1.5)


def test_the_price_deviation_grows_with_each_unknown_field(hamlet, imputer):
    houses = np.tile(hamlet.houses.iloc[[0]].to_numpy(), (9, 1))
    for row, i in enumerate([0, 1, 2, 3, 4, 5, 6, 9], start=1):
        houses[row:, i] = np.nan
    std = imputer.impute(houses)[1]
    assert std[0] == 0
    assert (np.diff(std) > -1e-12).all()
    assert std[-1] == pytest.approx(np.log(hamlet.prices).std(), rel=0.15)


def test_the_deviation_once_a_field_is_known_is_that_of_the_house_with_it(hamlet, imputer):
    house = hamlet.houses.iloc[3].to_numpy(copy=True)
    masked = house.copy()
    masked[[0, 2, 3, 6]] = np.nan
    once_known = imputer.std_once_known(masked)
    np.testing.assert_array_equal(np.isfinite(once_known), np.isnan(masked))
    for i in np.flatnonzero(np.isnan(masked)):
        completed = masked.copy()
        completed[i] = house[i]
        assert imputer.impute(completed[np.newaxis])[1] == pytest.approx(once_known[i])


def test_fields_that_no_sale_knows_or_that_never_differ_are_imputed(hamlet):
    houses = hamlet.houses.assign(grade=np.nan, garden=1.0, beds=np.nan, quarter=np.nan)
    filled = fit(hamlet, houses).fill(np.full((2, houses.shape[1]), np.nan))
    values = dict(zip(houses.columns, filled[0], strict=True))
    assert (values["garden"], values["grade"], values["beds"], values["quarter"]) == (1, 0, 0, 0)
