"""The feature matrix follows the contract, and every missing value is imputed."""

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.exceptions import NotFittedError

from houseprice.errors import ModelError
from houseprice.model.features import FeatureBuilder


@pytest.fixture(scope="module")
def builder(hamlet):
    return FeatureBuilder(hamlet.contract).fit(hamlet.houses, np.log(hamlet.prices))


def column(builder, houses, name):
    return builder.transform(houses)[:, builder.feature_names_.index(name)]


def test_the_matrix_is_complete_with_a_name_per_column_and_leaves_the_houses_alone(builder, hamlet):
    houses = hamlet.houses.copy()
    houses.iloc[:, 2:] = np.nan
    before = houses.copy()
    matrix = builder.transform(houses)
    linear = matrix[:, : builder.n_linear_]
    assert np.isfinite(linear).all()
    assert linear.shape == (len(houses), len(builder.feature_names_))
    assert houses.equals(before)


def test_a_house_has_the_same_row_alone_and_with_its_columns_in_any_order(builder, hamlet):
    table = builder.transform(hamlet.houses)
    reordered = hamlet.houses[hamlet.houses.columns[::-1]]
    np.testing.assert_array_equal(builder.transform(hamlet.houses.iloc[[17]])[0], table[17])
    np.testing.assert_array_equal(builder.transform(reordered), table)


def test_each_kind_of_field_is_encoded_as_the_contract_says(builder, hamlet):
    houses = hamlet.houses
    np.testing.assert_allclose(column(builder, houses, "size"), np.log1p(houses["size"]))
    np.testing.assert_array_equal(column(builder, houses, "grade"), houses["grade"])
    age = np.maximum(houses["sold"] - houses["built"], 0)
    np.testing.assert_array_equal(column(builder, houses, "age"), age)
    np.testing.assert_array_equal(column(builder, houses, "quarter=N"), houses["quarter"] == 0)
    indicators = [*(f"quarter={code}" for code in "NSH"), *(f"month={code}" for code in "1234")]
    assert set(builder.feature_names_[builder.n_numeric_ :]) == set(indicators)
    fields = [hamlet.contract.columns[i] for i in builder.indicator_fields_]
    names = builder.feature_names_[builder.n_numeric_ :]
    assert [name.split("=")[0] for name in names] == fields


def test_rare_and_unseen_levels_share_a_column(hamlet):
    quarter = hamlet.houses["quarter"].to_numpy()
    rows = np.flatnonzero(quarter == 0)[:60].tolist() + np.flatnonzero(quarter == 1)[:3].tolist()
    builder = FeatureBuilder(hamlet.contract).fit(
        hamlet.houses.iloc[rows], np.log(hamlet.prices.iloc[rows])
    )
    other = column(builder, hamlet.houses, "quarter=any other")
    np.testing.assert_array_equal(other, quarter > 0)


def test_incomplete_houses_and_an_unfitted_builder_are_refused(builder, hamlet):
    with pytest.raises(ModelError, match="grade"):
        builder.transform(hamlet.houses.drop(columns="grade"))
    with pytest.raises(ModelError, match="columns"):
        builder.transform(np.zeros((2, 3)))
    with pytest.raises(NotFittedError):
        clone(builder).transform(hamlet.houses)
