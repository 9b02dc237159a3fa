"""The blend keeps the signs of the contract, leaves outliers out, and is accurate on Ames."""

import numpy as np

from houseprice.model.blend import MONOTONE_TOLERANCE, BlendRegressor, increment, monotone_gains
from houseprice.model.features import to_matrix


def test_an_increment_of_any_field_with_a_sign_keeps_it_on_every_sale_of_ames(trained, market):
    regressor = trained.model.regressor_
    houses = regressor.features_.imputer_.fill(to_matrix(market.houses, market.contract))
    gains = dict(monotone_gains(regressor.predict, houses, market.contract))
    assert list(gains) == [name for name, field in market.contract.fields.items() if field.sign]
    worst = {name: gain.min() for name, gain in gains.items()}
    assert min(worst.values()) >= -MONOTONE_TOLERANCE, worst
    for name in ("GrLivArea", "OverallQual", "GarageCars"):
        assert worst[name] > -1e-9
        assert np.median(gains[name]) > 0.01


def test_an_increment_is_a_tenth_of_a_size_and_one_of_the_rest_within_limits(hamlet):
    fields = hamlet.contract.fields
    values = np.array([100.0, 990.0, 2000.0])
    np.testing.assert_allclose(increment(fields["size"], values), [110, 1000, 2000])
    np.testing.assert_array_equal(increment(fields["grade"], np.arange(4.0)), [1, 2, 3, 3])
    last = fields["built"].range[1]
    years = increment(fields["built"], np.array([1990.0, last]))
    np.testing.assert_array_equal(years, [1991, last])


def test_a_violated_sign_is_a_negative_gain(hamlet):
    houses = to_matrix(hamlet.houses, hamlet.contract)
    grade = hamlet.contract.columns.index("grade")
    gains = dict(monotone_gains(lambda rows: -0.1 * rows[:, grade], houses, hamlet.contract))
    below_top = houses[:, grade] < 3
    np.testing.assert_allclose(gains["grade"], np.where(below_top, -0.1, 0.0))
    assert not gains["size"].any()


def test_sales_at_an_absurd_price_are_left_out_of_the_fit(hamlet):
    prices = hamlet.prices.to_numpy(np.float64, copy=True)
    prices[[5, 50]] /= 20
    regressor = BlendRegressor(hamlet.contract).fit(hamlet.houses, np.log(prices))
    assert set(np.flatnonzero(~regressor.inlier_mask_)) == {5, 50}


def test_the_two_partial_giants_of_ames_are_left_out_and_few_others(trained, market):
    outliers = set(market.ids[~trained.model.regressor_.inlier_mask_])
    assert {"524", "1299"} <= outliers
    assert len(outliers) < 15


def test_unseen_sales_of_ames_are_valued_as_accurately_as_in_the_experiments(trained):
    # docs/experiments.md has 0.1148 of five folds; training has ten, with more to learn from.
    assert trained.manifest.metrics["rmsle"] < 0.1155
