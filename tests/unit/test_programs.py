"""A small calculation takes one thread, whatever the machine has."""

import pytest
from threadpoolctl import threadpool_info, threadpool_limits

from houseprice.model.valuation import ValuationModel
from houseprice.programs import few_threads


def threads():
    return {pool["num_threads"] for pool in threadpool_info()}


@pytest.mark.parametrize(("n_rows", "expected"), [(1_500, {1}), (500_000, {2})])
def test_only_many_rows_take_several_threads(n_rows, expected):
    with threadpool_limits(2):
        with few_threads(n_rows):
            assert threads() == expected
        assert threads() == {2}


def test_a_model_of_few_sales_is_fitted_in_one_thread(market, monkeypatch):
    seen = []

    def stop(_regressor):
        seen.append(threads())
        raise ValueError("seen")

    monkeypatch.setattr("houseprice.model.valuation.clone", stop)
    model = ValuationModel(market.contract, is_tuned=False)
    with threadpool_limits(2), pytest.raises(ValueError, match="seen"):
        model.fit(market.houses.head(60), market.prices.head(60))
    assert seen == [{1}]
