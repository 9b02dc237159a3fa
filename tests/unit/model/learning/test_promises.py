"""The signs of the contract, asked of every sale of the market that comes with the package."""

import numpy as np
import pytest

from houseprice.market.sales import load_market
from houseprice.model.blend import MONOTONE_TOLERANCE, BlendRegressor, increment, monotone_gains
from houseprice.model.features import to_matrix


@pytest.fixture(scope="module")
def gains():
    """By signed field, what one step up does to the log price of each sale."""
    market = load_market()
    regressor = BlendRegressor(market.contract)
    regressor.fit(market.houses, np.log(market.prices.to_numpy()))
    matrix = to_matrix(market.houses, market.contract)
    houses = regressor.features_.imputer_.fill(matrix)
    return dict(monotone_gains(regressor.predict, houses, market.contract))


def test_one_step_up_of_any_signed_field_keeps_its_sign_on_every_sale(gains):
    contract = load_market().contract
    signed = [name for name, field in contract.fields.items() if field.sign]
    assert list(gains) == signed
    worst = {name: gain.min() for name, gain in gains.items()}
    assert min(worst.values()) >= -MONOTONE_TOLERANCE, worst


@pytest.mark.parametrize("field", ["GrLivArea", "OverallQual", "GarageCars"])
def test_what_matters_does_move_the_value(gains, field):
    assert np.median(gains[field]) > 0.01


def test_a_step_is_a_tenth_of_a_size_and_one_of_the_rest_within_limits(hamlet):
    fields = hamlet.contract.fields
    values = np.array([100.0, 990.0, 2000.0])
    np.testing.assert_allclose(increment(fields["size"], values), [110, 1000, 2000])
    np.testing.assert_array_equal(increment(fields["grade"], np.arange(4.0)), [1, 2, 3, 3])
    years = np.array([1990.0, 2020.0])
    np.testing.assert_array_equal(increment(fields["built"], years), [1991, 2020])


def test_a_broken_promise_is_shown_as_a_loss(hamlet):
    houses = to_matrix(hamlet.houses, hamlet.contract)
    grade = hamlet.contract.columns.index("grade")
    found = dict(monotone_gains(lambda rows: -0.1 * rows[:, grade], houses, hamlet.contract))
    below_top = houses[:, grade] < 3
    np.testing.assert_allclose(found["grade"], np.where(below_top, -0.1, 0.0))
    assert not found["size"].any()
