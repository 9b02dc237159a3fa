"""Contributions of fields agree with exact Shapley values and add up to the cent."""

import itertools
import math

import numpy as np
import pytest

from houseprice.errors import ModelError
from houseprice.market.sales import typical_house
from houseprice.model.blend import BlendRegressor
from houseprice.model.selection import MemberSpec, Settings
from houseprice.model.shapley import (
    AdditiveTerms,
    ShapleyExplainer,
    logarithmic_mean,
    money_contributions,
    multilinear_weights,
    shapley_weights,
)
from houseprice.model.valuation import ValuationModel


@pytest.fixture(scope="module")
def attribution(valuer, hamlet):
    return ShapleyExplainer(valuer, typical_house(hamlet))


def exact_shapley(predict, house, base):
    """By the definition: all subsets of all fields."""
    n = len(house)
    subsets = np.array(list(itertools.product([False, True], repeat=n)))
    value = dict(
        zip(map(tuple, subsets), predict(np.where(subsets, house, base)).tolist(), strict=True)
    )
    contributions = np.zeros(n)
    for subset, without in value.items():
        for player in np.flatnonzero(~np.array(subset)):
            joined = tuple(inside or k == player for k, inside in enumerate(subset))
            orders = math.factorial(sum(subset)) * math.factorial(n - 1 - sum(subset))
            contributions[player] += orders / math.factorial(n) * (value[joined] - without)
    return contributions


def test_contributions_agree_with_exact_shapley_values_over_all_subsets(
    attribution, valuer, hamlet
):
    houses = attribution.impute(hamlet.houses.iloc[:12])
    for house, ours in zip(houses, attribution.shapley_values(houses), strict=True):
        exact = exact_shapley(valuer.regressor_.predict, house, attribution.base)
        # The parts of the date count together where they are one column of the trees.
        times = [hamlet.contract.columns.index(name) for name in ("sold", "month")]
        for values in (ours, exact):
            values[times[0]] = values[times].sum()
            values[times[1]] = 0.0
        # 0.0005 in log price is 0.05 % of the price
        np.testing.assert_allclose(ours, exact, atol=5e-4)
        assert np.abs(ours - exact).mean() < 2e-4


def test_the_terms_of_the_additive_member_add_up_to_its_prediction(valuer, hamlet):
    additive = valuer.regressor_.members_[0]
    design = valuer.regressor_.linear_design(hamlet.houses)
    additive_terms = AdditiveTerms(additive)
    terms = additive_terms.terms(design)
    predicted = additive.predict(design)
    np.testing.assert_allclose(terms.sum(axis=1) + additive.intercept_, predicted, atol=1e-9)
    for column in range(design.shape[1]):
        alone = additive_terms.term(column, design[:, column])
        np.testing.assert_allclose(alone, terms[:, column], atol=1e-12)


def test_contributions_add_up_and_are_zero_where_house_and_base_agree(attribution, valuer, hamlet):
    houses = attribution.impute(hamlet.houses)
    contributions = attribution.shapley_values(houses)
    base = attribution.base[np.newaxis]
    difference = valuer.regressor_.predict(houses) - valuer.regressor_.predict(base)
    np.testing.assert_allclose(contributions.sum(axis=1), difference, atol=5e-4)
    same = houses == attribution.base
    assert same.any()
    assert (contributions[same] == 0.0).all()
    assert (attribution.shapley_values(base) == 0.0).all()
    assert attribution.shapley_values(houses[:0]).shape == (0, 10)


def test_a_price_index_by_area_is_shared_by_area_and_date(hamlet):
    houses, contract = hamlet.houses, hamlet.contract
    areas = houses["quarter"].to_numpy()
    growth = np.where(areas == areas[0], 0.1, -0.1) * (houses["sold"] - 2015)
    settings = Settings((MemberSpec("additive", "additive"),), index="area")
    regressor = BlendRegressor(contract, settings)
    model = ValuationModel(contract, regressor, n_folds=3)
    model.fit(houses, hamlet.prices.to_numpy() * np.exp(growth))
    explainer = ShapleyExplainer(model, typical_house(hamlet))
    asked = explainer.impute(houses.iloc[:6])
    date_and_area = [contract.columns.index(name) for name in ("sold", "month", "quarter")]
    moved = model.regressor_.index_level(asked) - model.regressor_.index_level(
        explainer.base[np.newaxis]
    )
    assert np.abs(moved).max() > 0.1
    for house, ours in zip(asked, explainer.shapley_values(asked), strict=True):
        exact = exact_shapley(model.regressor_.predict, house, explainer.base)
        np.testing.assert_allclose(ours[date_and_area], exact[date_and_area], atol=1e-3)


def test_a_missing_field_contributes_as_its_imputed_value(attribution, hamlet):
    missing = attribution.impute(hamlet.houses.iloc[[3]].assign(grade=np.nan))
    typical = attribution.impute(hamlet.houses.iloc[[3]].assign(grade=missing[0, 2]))
    np.testing.assert_array_equal(
        attribution.shapley_values(missing), attribution.shapley_values(typical)
    )


def test_a_learner_of_ones_own_takes_part_and_is_explained(hamlet, training_sales):
    name = "sklearn.neighbors:KNeighborsRegressor"
    model = ValuationModel(hamlet.contract, n_folds=3, learners=(name,)).fit(*training_sales)
    assert name in model.member_weights_
    settings = Settings((MemberSpec(name, "learner", {"name": name}),))
    alone = ValuationModel(hamlet.contract, BlendRegressor(hamlet.contract, settings), n_folds=3)
    alone.fit(*training_sales)
    attribution = ShapleyExplainer(alone, typical_house(hamlet))
    houses = attribution.impute(hamlet.houses.iloc[:5])
    contributions = attribution.shapley_values(houses)
    difference = alone.regressor_.predict(houses) - alone.regressor_.predict(
        attribution.base[np.newaxis]
    )
    np.testing.assert_allclose(contributions.sum(axis=1), difference)
    np.testing.assert_array_equal(attribution.shapley_values(houses), contributions)


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("sklearn.neighbors:NoSuch", "no learner sklearn.neighbors:NoSuch"),
        ("nothing_like_it", "Give module:factory"),
        ("builtins:dict", "no regressor with fit and predict"),
    ],
)
def test_what_makes_no_regressor_is_refused(hamlet, training_sales, name, reason):
    with pytest.raises(ModelError, match=reason):
        ValuationModel(hamlet.contract, n_folds=3, learners=(name,)).fit(*training_sales)


def test_shapley_weights_give_the_values_of_textbook_games():
    # Subsets in the order {}, {a}, {b}, {a, b}: an area of a times b, from 1 by 1 to 3 by 3.
    np.testing.assert_allclose(shapley_weights(2) @ [1.0, 3.0, 3.0, 9.0], [4.0, 4.0])
    # The glove game: c holds a right glove, a and b a left one each; a pair is worth 1.
    glove = [0.0, 0, 0, 0, 0, 1, 1, 1]
    np.testing.assert_allclose(shapley_weights(3) @ glove, [1 / 6, 1 / 6, 2 / 3])


@pytest.mark.parametrize("n_players", [1, 2, 5])
def test_shapley_values_are_the_mean_gain_over_all_chances_of_joining(n_players):
    values = np.random.default_rng(0).normal(size=2**n_players)
    points, weights = np.polynomial.legendre.leggauss(5)
    chances = [multilinear_weights(n_players, float(point + 1) / 2) for point in points]
    mean = np.average([gains @ values for _, gains in chances], axis=0, weights=weights)
    np.testing.assert_allclose(mean, shapley_weights(n_players) @ values)
    np.testing.assert_allclose([probability.sum() for probability, _ in chances], 1.0)


LN2 = math.log(2)


@pytest.mark.parametrize(
    ("contributions", "price", "base_price", "money"),
    [
        # From 100,000 to 200,000 the logarithmic mean is 100,000 / ln 2. A doubling alone is worth
        # all of it; ln 1.5 is worth 58,496.25, and ln 4/3 the other 41,503.75.
        ([LN2, 0.0], 200_000.0, 100_000.0, [100_000.0, 0.0]),
        ([math.log(1.5), math.log(4 / 3)], 200_000.0, 100_000.0, [58_496.25, 41_503.75]),
        # A legal limit clips all contributions alike.
        ([LN2, LN2], 200_000.0, 100_000.0, [50_000.0, 50_000.0]),
        # The last cents go to the first of equals, and never to a zero.
        ([0.0, 0.1, 0.1, 0.1], 100.01, 100.0, [0.0, 0.01, 0.0, 0.0]),
        # At the price of the base house, gains and losses cancel.
        ([0.2, -0.2, 0.0], 100_000.0, 100_000.0, [20_000.0, -20_000.0, 0.0]),
    ],
)
def test_money_is_the_contribution_times_the_logarithmic_mean_in_whole_cents(
    contributions, price, base_price, money
):
    ours = money_contributions(np.array([contributions]), np.array([price]), base_price)
    np.testing.assert_array_equal(ours, [money])


def test_the_logarithmic_mean_of_equal_prices_is_the_price():
    means = logarithmic_mean(np.array([5e5, 5e5 + 1e-6, 1e6]), 5e5)
    np.testing.assert_allclose(means, [5e5, 5e5, 5e5 / LN2])
