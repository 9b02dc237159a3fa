import numpy as np
import pytest

from houseprice.model.conformal import ImputationVariance, mask_fields, optional_fields


def names(contract, positions):
    return {contract.columns[i] for i in positions}


@pytest.fixture(scope="module")
def cost(valuer):
    return valuer.imputation_variance_


def test_only_fields_that_may_be_blank_count_as_optional(hamlet):
    optional = names(hamlet.contract, optional_fields(hamlet.contract))
    assert {"grade", "built", "garden"} <= optional
    assert optional.isdisjoint({"size", "quarter", "sold", "month"})


def test_a_fact_that_makes_the_price_costs_most_when_blank(cost, hamlet):
    deviation = dict(zip(hamlet.contract.columns, np.sqrt(cost.variance), strict=True))
    assert 0.1 < deviation["grade"] < 0.3
    assert deviation["grade"] > deviation["garden"] > 0
    assert deviation["size"] == deviation["month"] == 0


def test_each_further_blank_adds_to_the_spread(cost, hamlet):
    houses = hamlet.houses.iloc[:1].to_numpy(copy=True)
    spreads = [cost.std(houses)[0]]
    for i in optional_fields(hamlet.contract):
        houses[:, i] = np.nan
        spreads.append(cost.std(houses)[0])
    assert spreads[0] == 0
    assert spreads == sorted(spreads)
    assert spreads[-1] > spreads[1]


def test_blanks_that_err_together_cost_more_than_blanks_that_do_not():
    houses = np.full((1, 2), np.nan)
    variance = np.array([0.09, 0.16])
    assert ImputationVariance(variance, 0.0).std(houses)[0] == pytest.approx(0.5)
    assert ImputationVariance(variance, 1.0).std(houses)[0] == pytest.approx(0.7)


def test_facts_are_blanked_at_random_and_never_those_that_are_required(hamlet):
    blanked = mask_fields(hamlet.houses, hamlet.contract, np.random.default_rng(0))
    share = blanked.isna().mean()
    optional = names(hamlet.contract, optional_fields(hamlet.contract))
    for column in hamlet.contract.columns:
        assert (0.3 < share[column] < 0.7) if column in optional else share[column] == 0
    per_house = blanked[sorted(optional)].isna().mean(axis=1)
    assert per_house.min() == 0
    assert per_house.max() == 1
    assert hamlet.houses.notna().all(axis=None)
