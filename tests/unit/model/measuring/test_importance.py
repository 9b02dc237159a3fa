import pickle

import numpy as np
import pytest

from houseprice.errors import ModelError
from houseprice.model.importance import partial_dependence, permutation_importance


@pytest.fixture(scope="module")
def ranked(valuer, hamlet, learned):
    rows = list(learned)
    return permutation_importance(valuer, hamlet.houses.iloc[rows], hamlet.prices.iloc[rows])


def test_the_fields_that_make_the_price_come_first(ranked):
    # Half the floor area lies on the ground floor, so that the two share what size is worth.
    assert ranked["column"].iloc[0] == "size"
    assert set(ranked["column"].head(4)) == {"size", "ground floor", "quarter", "grade"}
    assert ranked.loc[ranked["column"] == "month", "importance_pct"].item() < 1


def test_every_field_is_ranked_with_its_label_and_its_spread_over_folds(ranked, hamlet):
    assert set(ranked["column"]) == set(hamlet.contract.columns)
    assert ranked.set_index("column").loc["size", "label"] == "Floor area"
    assert ranked["importance_pct"].is_monotonic_decreasing
    assert (ranked[["spread_pct", "spread_money"]] >= 0).all(axis=None)


def test_importance_in_money_and_in_percent_tell_the_same_story(ranked):
    top = ranked.iloc[0]
    assert 5 < top["importance_pct"] < 100
    assert top["importance_money"] > ranked["importance_money"].iloc[-1]


def test_the_same_seed_gives_the_same_importance(valuer, hamlet, learned, ranked):
    rows = list(learned)
    told = []
    again = permutation_importance(
        valuer,
        hamlet.houses.iloc[rows],
        hamlet.prices.iloc[rows],
        progress=lambda *progress: told.append(progress[0]),
        n_jobs=1,
    )
    assert again.equals(ranked)
    assert told == sorted(told)


def test_a_stored_model_has_no_folds_to_ask(valuer, hamlet):
    stored = pickle.loads(pickle.dumps(valuer))
    with pytest.raises(ModelError, match="just fitted"):
        permutation_importance(stored, hamlet.houses, hamlet.prices)


def test_an_effect_curve_rises_with_size_and_says_its_values_in_words(valuer, hamlet):
    curve = partial_dependence(valuer, hamlet.houses, "size")
    assert curve["price"].is_monotonic_increasing
    assert curve["label"].str.endswith("sq m").all()
    assert (curve["low"] < curve["price"]).all()
    assert (curve["price"] < curve["high"]).all()


def test_an_effect_curve_has_one_point_for_each_level(valuer, hamlet):
    curve = partial_dependence(valuer, hamlet.houses, "quarter")
    assert curve["label"].tolist() == ["North bank", "South bank", "Hill"]
    ratio = curve["price"].iloc[2] / curve["price"].iloc[0]
    assert ratio == pytest.approx(np.exp(0.4), rel=0.1)


def test_an_effect_curve_of_one_house_is_its_own_value_at_other_facts(valuer, hamlet):
    house = hamlet.houses.iloc[[8]]
    curve = partial_dependence(valuer, house, "grade", values=[0.0, 3.0])
    expected = [valuer.predict(house.assign(grade=grade))[0] for grade in (0.0, 3.0)]
    np.testing.assert_allclose(curve["price"], expected)


def test_a_field_that_is_not_there_or_never_known_has_no_curve(valuer, hamlet):
    with pytest.raises(ModelError, match="no field pond"):
        partial_dependence(valuer, hamlet.houses, "pond")
    with pytest.raises(ModelError, match="no house has a known value"):
        partial_dependence(valuer, hamlet.houses.assign(beds=np.nan), "beds")
