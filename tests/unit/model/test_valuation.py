"""The valuation model: accurate, covered as stated, reproducible, a scikit-learn estimator."""

import pickle
from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.exceptions import NotFittedError

from houseprice.errors import ModelError
from houseprice.model.blend import BlendRegressor
from houseprice.model.metrics import coverage
from houseprice.model.selection import MemberSpec, Settings
from houseprice.model.valuation import ValuationModel


@pytest.fixture(scope="module")
def houses(hamlet, learned):
    """Houses that the shared model was not fitted on."""
    return hamlet.houses.iloc[learned.stop :].reset_index(drop=True)


@pytest.fixture(scope="module")
def prices(hamlet, learned):
    return hamlet.prices.iloc[learned.stop :].to_numpy()


def test_parameters_are_those_of_a_scikit_learn_estimator(hamlet):
    parameters = {
        "contract": hamlet.contract,
        "regressor": None,
        "n_folds": 4,
        "random_state": 3,
        "is_tuned": False,
        "learners": ("sklearn.linear_model:Ridge",),
    }
    model = ValuationModel(**parameters)
    assert model.get_params(deep=False) == parameters
    assert clone(model).set_params(n_folds=7).n_folds == 7
    for method in (model.predict, model.value):
        with pytest.raises(NotFittedError):
            method(hamlet.houses)


def test_values_are_accurate_reproducible_and_survive_a_pickle(
    training_sales, valuer, houses, prices
):
    values = valuer.value(houses)
    assert np.median(np.abs(values["predicted_price"] / prices - 1)) < 0.08
    again = clone(valuer).fit(*training_sales)
    assert again.value(houses).equals(values)
    unpickled = pickle.loads(pickle.dumps(valuer))
    assert unpickled.value(houses).equals(values)
    assert hasattr(valuer, "folds_")
    assert not hasattr(unpickled, "folds_")


def test_a_house_has_the_same_value_in_a_table_of_any_size(valuer, houses):
    rows = np.resize(np.arange(len(houses)), 9_001)
    many = valuer.value(houses.iloc[rows].reset_index(drop=True))
    few = valuer.value(houses).iloc[rows].reset_index(drop=True)
    pd.testing.assert_frame_equal(many, few, rtol=1e-9)


def test_houses_are_valued_the_same_one_by_one_with_their_index(valuer, houses):
    table = valuer.value(houses)
    one = valuer.value(houses.iloc[[11]])
    np.testing.assert_allclose(one.to_numpy()[0], table.to_numpy()[11], rtol=1e-9)
    assert one.index.tolist() == [11]
    assert valuer.value(houses.iloc[:0]).shape == (0, 6)


def test_an_assessment_gives_the_answers_of_its_houses(valuer, houses):
    unknown = houses.head(5).assign(grade=np.nan)
    assessment = valuer.assess(unknown)
    pd.testing.assert_frame_equal(valuer.value(assessment, 0.8), valuer.value(unknown, 0.8))
    facts = valuer.next_facts(valuer.assess(unknown.head(1)))
    pd.testing.assert_frame_equal(facts, valuer.next_facts(unknown.head(1)))
    assert valuer.unlike_sales(assessment) == valuer.unlike_sales(unknown)
    assert np.isnan(assessment.houses).any()
    assert not np.isnan(assessment.imputed).any()


def test_the_interval_holds_the_price_and_widens_with_its_level(valuer, houses):
    levels = (0.5, 0.68, 0.8, 0.9, 0.95)
    tables = [valuer.value(houses, level) for level in levels]
    for values, level in zip(tables, levels, strict=True):
        assert values["predicted_price"].between(values["price_low"], values["price_high"]).all()
        assert (values["interval"] == level).all()
    for narrow, wide in pairwise(tables):
        assert (wide["price_low"] <= narrow["price_low"]).all()
        assert (narrow["price_high"] <= wide["price_high"]).all()


@pytest.mark.parametrize("level", [0.68, 0.9])
def test_intervals_cover_unseen_prices_as_often_as_stated(valuer, houses, prices, level):
    values = valuer.value(houses, level)
    covered = coverage(prices, values["price_low"], values["price_high"])
    assert level - 0.1 <= covered <= min(level + 0.1, 0.99)


def test_fsd_is_half_the_68_percent_interval_and_confidence_the_rest(valuer, houses):
    values = valuer.value(houses, 0.68)
    half = (values["price_high"] - values["price_low"]) / 2
    np.testing.assert_allclose(values["fsd"], half / values["predicted_price"])
    np.testing.assert_allclose(values["confidence"], 100 * (1 - values["fsd"]))


def test_a_missing_field_has_the_typical_value_and_a_wider_interval_with_coverage(
    valuer, houses, prices
):
    masked = houses.assign(grade=np.nan, built=np.nan, garden=np.nan)
    imputed = valuer.regressor_.features_.imputer_.fill(masked.to_numpy(copy=True))
    missing, known = valuer.value(masked), valuer.value(imputed)
    np.testing.assert_allclose(missing["predicted_price"], known["predicted_price"])
    assert (missing["price_high"] > known["price_high"]).all()
    assert (missing["fsd"] > known["fsd"]).all()
    assert coverage(prices, missing["price_low"], missing["price_high"]) > 0.8
    assert missing["fsd"].mean() > 1.3 * valuer.value(houses)["fsd"].mean()


def test_a_level_that_no_sale_had_is_valued(hamlet, houses):
    rows = (hamlet.houses["quarter"] < 2).to_numpy()
    model = ValuationModel(hamlet.contract, n_folds=3)
    model.fit(hamlet.houses[rows], hamlet.prices[rows])
    assert np.isfinite(model.value(houses.assign(quarter=2.0)).to_numpy()).all()
    assert 2 not in model.domain_.levels["quarter"]


def test_values_are_clipped_to_the_legal_prices(hamlet, training_sales):
    price = hamlet.contract.market.price.model_copy(update={"range": (150_000, 160_000)})
    summary = hamlet.contract.market.model_copy(update={"price": price})
    narrow = hamlet.contract.model_copy(update={"market": summary})
    values = ValuationModel(narrow, n_folds=2).fit(*training_sales).value(hamlet.houses)
    assert values["price_low"].min() >= 150_000
    assert values["price_high"].max() <= 160_000


def test_out_of_fold_values_are_predicted_by_models_fitted_without_the_sale(valuer, hamlet):
    fold = valuer.folds_[0]
    out_of_fold = valuer.out_of_fold_.iloc[fold.held_out]
    assert (out_of_fold["fold"] == 0).all()
    log_price = fold.regressor.predict(hamlet.houses.iloc[fold.held_out])
    np.testing.assert_allclose(log_price, out_of_fold["log_price"])
    held_out = valuer.held_out_values(0.8)["predicted_price"].iloc[fold.held_out]
    np.testing.assert_allclose(np.log(held_out), log_price)


def test_a_given_regressor_is_used_unchanged_and_progress_rises_to_the_end(hamlet):
    settings = Settings((MemberSpec("alone", "additive", {"n_knots": 5}),))
    own = BlendRegressor(hamlet.contract, settings)
    progress = []
    model = ValuationModel(hamlet.contract, own, n_folds=2)
    model.fit(hamlet.houses, hamlet.prices, lambda share, step: progress.append((share, step)))
    assert model.regressor_.settings_ == settings
    assert model.member_weights_ == {"alone": 1.0}
    assert not hasattr(own, "members_")
    shares = [share for share, _ in progress]
    assert shares == sorted(shares)
    assert (shares[0], shares[-1]) == (0.0, 1.0)
    assert all(step for _, step in progress)


def test_too_few_sales_and_impossible_prices_are_refused(hamlet):
    model = ValuationModel(hamlet.contract)
    with pytest.raises(ModelError, match="at least 50 sales"):
        model.fit(hamlet.houses.iloc[:49], hamlet.prices.iloc[:49])
    with pytest.raises(ModelError, match="one price for each house"):
        model.fit(hamlet.houses, hamlet.prices.iloc[1:])
    with pytest.raises(ModelError, match="above zero"):
        model.fit(hamlet.houses, hamlet.prices.where(hamlet.prices.index != 3, 0))
