"""What the regressor promises on the embedded market."""

import numpy as np
import pytest
from sklearn.model_selection import KFold

from houseprice.model.learning.pipeline import make_regressor
from houseprice.model.measuring.metrics import rmsle


@pytest.fixture(scope="module")
def regressor(market):
    return make_regressor(market.contract).fit(market.houses, np.log(market.prices))


@pytest.mark.parametrize(
    ("field", "factor", "step", "top"),
    [("GrLivArea", 1.1, 0, 10_000), ("OverallQual", 1, 1, 9), ("GarageCars", 1, 1, 10)],
)
def test_more_area_quality_or_garage_lowers_the_value_of_no_sale(
    regressor, market, field, factor, step, top
):
    more = np.minimum(market.houses[field] * factor + step, top)
    rise = regressor.predict(market.houses.assign(**{field: more}))
    assert (rise - regressor.predict(market.houses)).min() > -1e-9


def test_the_two_partial_giants_are_left_out_of_the_fit_and_few_others(regressor, market):
    left_out = set(market.ids[~regressor.kept_])
    assert {"524", "1299"} <= left_out
    assert len(left_out) < 15


def test_unseen_sales_are_valued_as_well_as_the_experiments_say(market):
    prices = market.prices.to_numpy(np.float64)
    errors = []
    for rows, held_out in KFold(5, shuffle=True, random_state=0).split(prices):
        regressor = make_regressor(market.contract)
        regressor.fit(market.houses.iloc[rows], np.log(prices[rows]))
        estimate = np.exp(regressor.predict(market.houses.iloc[held_out]))
        errors.append(rmsle(prices[held_out], estimate))
    assert np.mean(errors) < 0.1185
