"""Permutation importance on held-out sales, and partial dependence."""

import pickle

import numpy as np
import pytest

from houseprice.errors import ModelError
from houseprice.model.importance import partial_dependence, permutation_importance


@pytest.fixture(scope="module")
def importance(valuer, training_sales):
    return permutation_importance(valuer, *training_sales)


def test_the_fields_that_make_the_price_rank_first_with_label_and_spread(importance, hamlet):
    # Half the floor area lies on the ground floor, so that the two share the effect of size.
    assert importance["column"].iloc[0] == "size"
    assert set(importance["column"].head(4)) == {"size", "ground floor", "quarter", "grade"}
    assert set(importance["column"]) == set(hamlet.contract.columns)
    assert importance["importance_pct"].is_monotonic_decreasing
    assert (importance[["spread_pct", "spread_money"]] >= 0).all(axis=None)
    by_column = importance.set_index("column")
    assert by_column.loc["size", "label"] == "Floor area"
    assert by_column.loc["month", "importance_pct"] < 1
    assert 5 < by_column.loc["size", "importance_pct"] < 100
    assert by_column["importance_money"].iloc[0] > by_column["importance_money"].iloc[-1]


def test_the_same_seed_gives_the_same_importance(valuer, training_sales, importance):
    shares = []
    again = permutation_importance(
        valuer, *training_sales, progress=lambda share, step: shares.append(share), n_jobs=1
    )
    assert again.equals(importance)
    assert shares == sorted(shares)


def test_a_stored_model_has_no_folds_to_measure_importance_on(valuer, hamlet):
    stored = pickle.loads(pickle.dumps(valuer))
    with pytest.raises(ModelError, match="just fitted"):
        permutation_importance(stored, hamlet.houses, hamlet.prices)


def test_dependence_on_a_size_rises_and_on_levels_has_a_point_for_each(valuer, hamlet):
    curve = partial_dependence(valuer, hamlet.houses, "size")
    assert curve["price"].is_monotonic_increasing
    assert curve["label"].str.endswith("sq m").all()
    assert ((curve["low"] < curve["price"]) & (curve["price"] < curve["high"])).all()
    curve = partial_dependence(valuer, hamlet.houses, "quarter")
    assert curve["label"].tolist() == ["North bank", "South bank", "Hill"]
    assert curve["price"].iloc[2] / curve["price"].iloc[0] == pytest.approx(np.exp(0.4), rel=0.1)


def test_dependence_of_one_house_is_its_own_value_at_other_values(valuer, hamlet):
    house = hamlet.houses.iloc[[8]]
    curve = partial_dependence(valuer, house, "grade", values=[0.0, 3.0])
    expected = [valuer.predict(house.assign(grade=grade))[0] for grade in (0.0, 3.0)]
    np.testing.assert_allclose(curve["price"], expected)


def test_an_unknown_field_and_one_without_known_values_are_refused(valuer, hamlet):
    with pytest.raises(ModelError, match="no field pond"):
        partial_dependence(valuer, hamlet.houses, "pond")
    with pytest.raises(ModelError, match="no house has a known value"):
        partial_dependence(valuer, hamlet.houses.assign(beds=np.nan), "beds")
