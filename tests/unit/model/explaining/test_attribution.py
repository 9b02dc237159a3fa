import itertools
import math
from copy import copy

import numpy as np
import pytest
from sklearn.dummy import DummyRegressor

from houseprice.errors import ModelError
from houseprice.market.sales import typical_house
from houseprice.model.shapley import (
    AdditiveTerms,
    ShapleyExplainer,
    logarithmic_mean,
    money_contributions,
    multilinear_weights,
    shapley_weights,
)


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
    shares = np.zeros(n)
    for subset, without in value.items():
        for player in np.flatnonzero(~np.array(subset)):
            joined = tuple(inside or k == player for k, inside in enumerate(subset))
            orders = math.factorial(sum(subset)) * math.factorial(n - 1 - sum(subset))
            shares[player] += orders / math.factorial(n) * (value[joined] - without)
    return shares


def test_shares_agree_with_exact_shapley_values_over_all_subsets(attribution, valuer, hamlet):
    houses = attribution.impute(hamlet.houses.iloc[:12])
    shares = attribution.shapley_values(houses)
    for house, mine in zip(houses, shares, strict=True):
        exact = exact_shapley(valuer.regressor_.predict, house, attribution.base)
        # 0.0005 in log price is 0.05 % of the price
        np.testing.assert_allclose(mine, exact, atol=5e-4)
        assert np.abs(mine - exact).mean() < 2e-4


def test_the_terms_of_the_additive_member_add_up_to_what_it_predicts(valuer, hamlet):
    additive = valuer.regressor_.members_[0]
    design = valuer.regressor_.design(hamlet.houses)
    terms = AdditiveTerms(additive)
    total = terms.terms(design).sum(axis=1) + additive.intercept_
    np.testing.assert_allclose(total, additive.predict(design), atol=1e-9)
    for column in range(design.shape[1]):
        alone = terms.term(column, design[:, column])
        np.testing.assert_allclose(alone, terms.terms(design)[:, column], atol=1e-12)


def test_shares_add_up_to_the_difference_in_log_price(attribution, valuer, hamlet):
    houses = attribution.impute(hamlet.houses)
    ours = attribution.shapley_values(houses).sum(axis=1)
    predict = valuer.regressor_.predict
    difference = predict(houses) - predict(attribution.base[np.newaxis])
    np.testing.assert_allclose(ours, difference, atol=5e-4)


def test_a_field_like_the_base_has_no_share_at_all(attribution, hamlet):
    houses = attribution.impute(hamlet.houses)
    same = houses == attribution.base
    assert same.any()
    assert (attribution.shapley_values(houses)[same] == 0.0).all()
    assert (attribution.shapley_values(attribution.base[np.newaxis]) == 0.0).all()


def test_no_houses_have_no_shares(attribution, hamlet):
    assert attribution.shapley_values(attribution.impute(hamlet.houses.iloc[:0])).shape == (0, 10)


def test_an_unknown_fact_counts_for_its_own_field(attribution, hamlet):
    house = hamlet.houses.iloc[[3]]
    unknown = house.assign(grade=np.nan)
    typical = house.assign(grade=attribution.impute(unknown)[0, 2])
    np.testing.assert_array_equal(
        attribution.shapley_values(attribution.impute(unknown)),
        attribution.shapley_values(attribution.impute(typical)),
    )


def test_a_member_of_another_kind_is_refused(valuer, hamlet):
    other = copy(valuer)
    other.regressor_ = copy(valuer.regressor_)
    other.regressor_.members_ = (valuer.regressor_.members_[0], DummyRegressor())
    with pytest.raises(ModelError, match="DummyRegressor can't be explained"):
        ShapleyExplainer(other, typical_house(hamlet))


def test_players_that_play_alike_get_equal_shares():
    # Subsets in the order {}, {a}, {b}, {a, b}: an area of a times b, from 1 by 1 to 3 by 3.
    np.testing.assert_allclose(shapley_weights(2) @ [1.0, 3.0, 3.0, 9.0], [4.0, 4.0])
    # The glove game: c holds a right glove, a and b a left one each; a pair is worth 1.
    glove = [0.0, 0, 0, 0, 0, 1, 1, 1]
    np.testing.assert_allclose(shapley_weights(3) @ glove, [1 / 6, 1 / 6, 2 / 3])


@pytest.mark.parametrize("n_players", [1, 2, 5])
def test_shapley_values_are_the_mean_gain_over_all_chances_of_joining(n_players):
    values = np.random.default_rng(0).normal(size=2**n_players)
    points, weights = np.polynomial.legendre.leggauss(5)
    chances = (points + 1) / 2
    gains = [multilinear_weights(n_players, float(chance))[1] @ values for chance in chances]
    mean = np.average(gains, axis=0, weights=weights)
    np.testing.assert_allclose(mean, shapley_weights(n_players) @ values)
    likely, _ = multilinear_weights(n_players, 0.3)
    assert likely.sum() == pytest.approx(1.0)


def test_money_is_the_share_times_the_logarithmic_mean_of_the_prices():
    # From 100,000 to 200,000: the mean is 100,000 / ln 2 = 144,269.504. A doubling and nothing
    # else is worth all of it; ln 1.5 is worth 58,496.25, and ln 4/3 the other 41,503.75.
    shares = np.array([[math.log(2), 0.0], [math.log(1.5), math.log(4 / 3)]])
    money = money_contributions(shares, np.full(2, 200_000.0), 100_000.0)
    np.testing.assert_array_equal(money, [[100_000.0, 0.0], [58_496.25, 41_503.75]])


def test_the_logarithmic_mean_of_equal_prices_is_the_price():
    means = logarithmic_mean(np.array([5e5, 5e5 + 1e-6, 1e6]), 5e5)
    np.testing.assert_allclose(means, [5e5, 5e5, 5e5 / math.log(2)])


def test_what_a_legal_limit_cuts_off_is_cut_from_all_shares_alike():
    money = money_contributions(
        np.array([[math.log(2), math.log(2)]]), np.array([200_000.0]), 100_000.0
    )
    np.testing.assert_array_equal(money, [[50_000.0, 50_000.0]])


def test_cents_that_do_not_divide_go_to_the_first_of_equals_and_never_to_a_zero():
    money = money_contributions(np.array([[0.0, 0.1, 0.1, 0.1]]), np.array([100.01]), 100.0)
    np.testing.assert_array_equal(money, [[0.0, 0.01, 0.0, 0.0]])


def test_a_house_at_the_price_of_the_base_has_gains_and_losses_that_cancel():
    money = money_contributions(np.array([[0.2, -0.2, 0.0]]), np.array([100_000.0]), 100_000.0)
    np.testing.assert_array_equal(money, [[20_000.0, -20_000.0, 0.0]])
