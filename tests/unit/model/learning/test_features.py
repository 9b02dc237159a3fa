import numpy as np
import pytest
from sklearn.base import clone
from sklearn.exceptions import NotFittedError

from houseprice.errors import ModelError
from houseprice.model.features import FeatureBuilder


@pytest.fixture
def builder(hamlet):
    return FeatureBuilder(hamlet.contract).fit(hamlet.houses)


def column(builder, houses, name):
    return builder.transform(houses)[:, builder.feature_names_.index(name)]


def test_the_matrix_has_no_unknown_values_and_a_name_for_each_column(builder, hamlet):
    houses = hamlet.houses.copy()
    houses.iloc[:, 2:] = np.nan
    matrix = builder.transform(houses)
    assert np.isfinite(matrix).all()
    assert matrix.shape == (len(houses), len(builder.feature_names_))


def test_one_house_gives_the_same_row_as_the_batch(builder, hamlet):
    batch = builder.transform(hamlet.houses)
    one = builder.transform(hamlet.houses.iloc[[17]])
    np.testing.assert_array_equal(one[0], batch[17])


def test_skewed_sizes_become_logarithms_and_ordered_levels_ranks(builder, hamlet):
    np.testing.assert_allclose(
        column(builder, hamlet.houses, "size"), np.log1p(hamlet.houses["size"])
    )
    np.testing.assert_array_equal(column(builder, hamlet.houses, "grade"), hamlet.houses["grade"])


def test_derived_features_follow_their_expression(builder, hamlet):
    age = np.maximum(hamlet.houses["sold"] - hamlet.houses["built"], 0)
    np.testing.assert_array_equal(column(builder, hamlet.houses, "age"), age)


def test_levels_without_an_order_get_a_column_each(builder, hamlet):
    north = column(builder, hamlet.houses, "quarter=N")
    np.testing.assert_array_equal(north, hamlet.houses["quarter"] == 0)
    assert set(builder.feature_names_[builder.n_numeric_ :]) == {
        *(f"quarter={code}" for code in "NSH"),
        *(f"month={code}" for code in "1234"),
    }


def test_rare_and_unseen_levels_share_a_column(hamlet):
    quarter = hamlet.houses["quarter"].to_numpy()
    rows = np.flatnonzero(quarter == 0)[:60].tolist() + np.flatnonzero(quarter == 1)[:3].tolist()
    builder = FeatureBuilder(hamlet.contract).fit(hamlet.houses.iloc[rows])
    other = column(builder, hamlet.houses, "quarter=any other")
    np.testing.assert_array_equal(other, quarter > 0)


def test_an_unknown_number_becomes_the_median_of_the_houses_it_was_fitted_on(hamlet):
    fitted, asked = hamlet.houses.iloc[:100], hamlet.houses.iloc[100:].copy()
    asked["size"] = np.nan
    builder = FeatureBuilder(hamlet.contract).fit(fitted)
    assert set(column(builder, asked, "size")) == {np.log1p(fitted["size"].median())}


def test_an_unknown_value_is_typical_of_its_quarter_where_the_contract_says_so(hamlet):
    houses = hamlet.houses.copy()
    houses["beds"] = houses["quarter"] * 3.0
    builder = FeatureBuilder(hamlet.contract).fit(houses)
    asked = houses.copy()
    asked["beds"] = np.nan
    np.testing.assert_array_equal(column(builder, asked, "beds"), houses["beds"])


def test_an_unknown_value_becomes_the_fixed_start_where_there_is_one(builder, hamlet):
    asked = hamlet.houses.copy()
    asked["sold"] = np.nan
    assert set(column(builder, asked, "sold")) == {2020.0}


def test_houses_without_a_column_of_the_contract_are_refused(builder, hamlet):
    with pytest.raises(ModelError, match="grade"):
        builder.transform(hamlet.houses.drop(columns="grade"))
    with pytest.raises(ModelError, match="columns"):
        builder.transform(np.zeros((2, 3)))


def test_columns_may_come_in_any_order(builder, hamlet):
    turned = hamlet.houses[hamlet.houses.columns[::-1]]
    np.testing.assert_array_equal(builder.transform(turned), builder.transform(hamlet.houses))


def test_houses_are_left_as_they_were(builder, hamlet):
    asked = hamlet.houses.copy()
    asked.iloc[:, 3:] = np.nan
    before = asked.copy()
    builder.transform(asked)
    assert asked.equals(before)


def test_it_must_be_fitted_first(hamlet):
    with pytest.raises(NotFittedError):
        clone(FeatureBuilder(hamlet.contract)).transform(hamlet.houses)
