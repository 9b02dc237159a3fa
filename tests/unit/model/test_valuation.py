import pickle
from itertools import pairwise

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.exceptions import NotFittedError

from houseprice.errors import ModelError
from houseprice.model.blend import BlendRegressor
from houseprice.model.metrics import coverage
from houseprice.model.valuation import ValuationModel


@pytest.fixture(scope="module")
def held_out(hamlet, learned):
    """Houses that the shared model has not seen, and their prices."""
    rows = slice(learned.stop, None)
    return hamlet.houses.iloc[rows].reset_index(drop=True), hamlet.prices.iloc[rows].to_numpy()


def test_parameters_are_those_of_a_scikit_learn_estimator(hamlet):
    model = ValuationModel(hamlet.contract, n_folds=4, random_state=3)
    assert model.get_params(deep=False) == {
        "contract": hamlet.contract,
        "regressor": None,
        "n_folds": 4,
        "random_state": 3,
    }
    assert clone(model).set_params(n_folds=7).n_folds == 7


def test_it_values_nothing_before_it_is_fitted(hamlet):
    model = ValuationModel(hamlet.contract)
    for ask in (model.predict, model.value):
        with pytest.raises(NotFittedError):
            ask(hamlet.houses)


def test_the_same_sales_give_the_same_values(hamlet, learned, valuer, held_out):
    rows = list(learned)
    again = clone(valuer).fit(hamlet.houses.iloc[rows], hamlet.prices.iloc[rows])
    assert again.value(held_out[0]).equals(valuer.value(held_out[0]))


def test_values_are_near_the_prices_of_unseen_houses(valuer, held_out):
    houses, prices = held_out
    error = np.abs(valuer.predict(houses) / prices - 1)
    assert np.median(error) < 0.08


def test_one_house_is_valued_as_in_the_batch(valuer, held_out):
    batch = valuer.value(held_out[0])
    one = valuer.value(held_out[0].iloc[[11]])
    np.testing.assert_allclose(one.to_numpy()[0], batch.to_numpy()[11], rtol=1e-9)


def test_no_house_gives_no_value(valuer, held_out):
    assert valuer.value(held_out[0].iloc[:0]).shape == (0, 6)


def test_the_answer_keeps_the_index_of_the_houses(valuer, held_out):
    houses = held_out[0].iloc[5:9]
    assert valuer.value(houses).index.tolist() == [5, 6, 7, 8]


def test_the_range_holds_the_price_and_widens_with_its_level(valuer, held_out):
    levels = (0.5, 0.68, 0.8, 0.9, 0.95)
    answers = [valuer.value(held_out[0], level) for level in levels]
    for answer, level in zip(answers, levels, strict=True):
        assert (answer["price_low"] <= answer["predicted_price"]).all()
        assert (answer["predicted_price"] <= answer["price_high"]).all()
        assert (answer["interval"] == level).all()
    for narrow, wide in pairwise(answers):
        assert (wide["price_low"] <= narrow["price_low"]).all()
        assert (narrow["price_high"] <= wide["price_high"]).all()


@pytest.mark.parametrize("level", [0.1, 0.99, 1.5, float("nan")])
def test_a_level_out_of_reach_is_refused(valuer, held_out, level):
    with pytest.raises(ModelError, match="50 % to 95 %"):
        valuer.value(held_out[0], level)


@pytest.mark.parametrize("level", [0.68, 0.9])
def test_ranges_cover_unseen_prices_as_often_as_they_say(valuer, held_out, level):
    houses, prices = held_out
    answer = valuer.value(houses, level)
    covered = coverage(prices, answer["price_low"], answer["price_high"])
    assert level - 0.1 <= covered <= min(level + 0.1, 0.99)


def test_confidence_is_what_the_68_percent_range_leaves(valuer, held_out):
    answer = valuer.value(held_out[0], 0.68)
    half = (answer["price_high"] - answer["price_low"]) / 2
    np.testing.assert_allclose(answer["fsd"], half / answer["predicted_price"])
    np.testing.assert_allclose(answer["confidence"], 100 * (1 - answer["fsd"]))


def test_a_blank_gives_the_value_of_the_typical_fact_with_a_wider_range(valuer, held_out):
    blanked = held_out[0].copy()
    blanked[["grade", "built"]] = np.nan
    filled = valuer.regressor_.features_.imputer_.fill(blanked.to_numpy(copy=True))
    with_blanks, without = valuer.value(blanked), valuer.value(filled)
    np.testing.assert_allclose(with_blanks["predicted_price"], without["predicted_price"])
    assert (with_blanks["price_high"] > without["price_high"]).all()
    assert (with_blanks["fsd"] > without["fsd"]).all()


def test_ranges_stay_honest_when_facts_are_blank(valuer, held_out):
    houses, prices = held_out
    blanked = houses.copy()
    blanked[["grade", "built", "garden"]] = np.nan
    whole, partial = valuer.value(houses), valuer.value(blanked)
    covered = coverage(prices, partial["price_low"], partial["price_high"])
    assert covered > 0.8
    assert partial["fsd"].mean() > 1.3 * whole["fsd"].mean()


def test_a_level_that_no_sale_had_is_valued(hamlet, held_out):
    known = (hamlet.houses["quarter"] < 2).to_numpy()
    model = ValuationModel(hamlet.contract, n_folds=3).fit(
        hamlet.houses[known], hamlet.prices[known]
    )
    unseen = held_out[0].assign(quarter=2.0)
    answer = model.value(unseen)
    assert np.isfinite(answer.to_numpy()).all()
    assert 2 not in model.domain_.levels["quarter"]


def test_no_value_leaves_the_legal_prices(hamlet, learned):
    rows = list(learned)
    price = hamlet.contract.market.price.model_copy(update={"range": (150_000, 160_000)})
    summary = hamlet.contract.market.model_copy(update={"price": price})
    narrow = hamlet.contract.model_copy(update={"market": summary})
    model = ValuationModel(narrow, n_folds=2)
    model.fit(hamlet.houses.iloc[rows], hamlet.prices.iloc[rows])
    answer = model.value(hamlet.houses)[["price_low", "predicted_price", "price_high"]]
    assert answer.min(axis=None) >= 150_000
    assert answer.max(axis=None) <= 160_000


@pytest.mark.parametrize("field", ["size", "grade", "garden", "built"])
def test_more_of_a_promised_field_never_lowers_the_value(valuer, hamlet, field):
    facts = hamlet.contract.fields[field]
    more = hamlet.houses.copy()
    step = more[field] * 1.1 if facts.kind == "number" else more[field] + 1
    top = facts.range[1] if facts.range else len(facts.codes) - 1
    more[field] = np.minimum(step, top)
    rise = valuer.predict(more) / valuer.predict(hamlet.houses) - 1
    assert rise.min() > -1e-9


def test_a_pickle_answers_alike_and_leaves_the_folds_behind(valuer, held_out):
    copy = pickle.loads(pickle.dumps(valuer))
    assert copy.value(held_out[0]).equals(valuer.value(held_out[0]))
    assert hasattr(valuer, "folds_")
    assert not hasattr(copy, "folds_")


def test_out_of_fold_values_come_from_models_that_had_not_seen_the_sale(valuer, hamlet):
    fold = valuer.folds_[0]
    foretold = valuer.out_of_fold_.iloc[fold.held_out]
    assert (foretold["fold"] == 0).all()
    np.testing.assert_allclose(
        fold.regressor.predict(hamlet.houses.iloc[fold.held_out]), foretold["log_price"]
    )
    shown = valuer.held_out_values(0.8)["predicted_price"].iloc[fold.held_out]
    np.testing.assert_allclose(np.log(shown), foretold["log_price"])


def test_progress_rises_from_nothing_to_done_in_words(hamlet):
    told = []
    ValuationModel(hamlet.contract, n_folds=2).fit(
        hamlet.houses, hamlet.prices, lambda share, words: told.append((share, words))
    )
    shares = [share for share, _ in told]
    assert shares == sorted(shares)
    assert shares[0] == 0
    assert told[-1] == (1.0, "Fitted")
    assert all(words for _, words in told)


def test_sales_that_teach_nothing_are_refused(hamlet):
    model = ValuationModel(hamlet.contract)
    with pytest.raises(ModelError, match="at least 50 sales"):
        model.fit(hamlet.houses.iloc[:49], hamlet.prices.iloc[:49])
    with pytest.raises(ModelError, match="one price for each house"):
        model.fit(hamlet.houses, hamlet.prices.iloc[1:])
    with pytest.raises(ModelError, match="above zero"):
        model.fit(hamlet.houses, hamlet.prices.where(hamlet.prices.index != 3, 0))


def test_sales_at_a_nonsense_price_are_left_out_of_the_fit(hamlet):
    prices = hamlet.prices.to_numpy(np.float64, copy=True)
    prices[[5, 50]] /= 20
    regressor = BlendRegressor(hamlet.contract).fit(hamlet.houses, np.log(prices))
    assert set(np.flatnonzero(~regressor.inlier_mask_)) == {5, 50}


def test_a_regressor_of_ones_own_is_used(hamlet):
    own = BlendRegressor(hamlet.contract).set_params(weights=(1.0, 0.0))
    model = ValuationModel(hamlet.contract, own, n_folds=2).fit(hamlet.houses, hamlet.prices)
    assert model.regressor_.weights == (1.0, 0.0)
    assert not hasattr(own, "members_")
