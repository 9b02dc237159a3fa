import numpy as np
import pytest

from houseprice.errors import ModelError
from houseprice.model.what_if import EffectUncertainty, ice_curve, what_if


@pytest.fixture(scope="module")
def noise(valuer, hamlet, learned):
    rows = list(learned)
    return EffectUncertainty.from_sales(valuer, hamlet.houses.iloc[rows], hamlet.prices.iloc[rows])


@pytest.fixture
def house(hamlet):
    return hamlet.houses.iloc[4].copy()


def test_a_change_is_the_difference_of_two_predicted_prices(valuer, noise, house):
    change = what_if(valuer, house, {"size": 280.0, "grade": 3.0}, noise)
    other = house.copy()
    other["size"], other["grade"] = 280.0, 3.0
    before, after = (valuer.predict(h.to_frame().T)[0] for h in (house, other))
    assert change.before == pytest.approx(before, abs=0.006)
    assert change.after == pytest.approx(after, abs=0.006)
    assert change.delta == round(change.after - change.before, 2)
    assert change.low < change.delta < change.high


def test_the_sales_tell_a_large_change_of_what_matters(valuer, noise, house):
    change = what_if(valuer, house, {"size": house["size"] * 1.8}, noise)
    assert change.is_clear
    assert change.note.startswith("Likely between +€")
    assert "either way" not in change.note


def test_a_clear_change_that_is_small_beside_the_margin_of_the_value_says_so(valuer, noise, house):
    change = what_if(valuer, house, {"size": house["size"] + 5}, noise)
    assert change.is_clear
    assert "The value itself can be off by €" in change.note


def test_the_sales_can_not_tell_what_does_not_matter(valuer, noise, house):
    change = what_if(valuer, house, {"month": (house["month"] + 1) % 4}, noise)
    assert not change.is_clear
    assert change.low < 0 < change.high
    assert change.note.startswith("The sales do not show a clear difference: it lies between −€")


def test_no_change_has_no_difference_and_no_range(valuer, noise, house):
    change = what_if(valuer, house, {"size": house["size"]}, noise)
    assert (change.delta, change.low, change.high) == (0.0, 0.0, 0.0)
    assert change.note == "The change has no effect on the value."


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"pond": 1.0}, "no field pond"),
        ({"size": 5.0}, "5 is not a legal value"),
        ({"grade": 4.0}, "4 is not a legal value"),
        ({"grade": 0.5}, "0.5 is not a legal value"),
        ({"size": np.nan}, "nan is not a legal value"),
    ],
)
def test_an_illegal_change_is_refused(valuer, noise, house, changes, reason):
    with pytest.raises(ModelError, match=reason):
        what_if(valuer, house, changes, noise)


def test_a_fact_may_be_taken_back(valuer, noise, house):
    change = what_if(valuer, house, {"grade": np.nan}, noise)
    assert change.after == valuer.predict(house.to_frame().T.assign(grade=np.nan)).round(2)[0]


def test_the_range_of_a_difference_holds_the_truth_of_a_made_up_market(valuer, noise, hamlet):
    # One grade is worth 0.12 and the hill 0.2 in log price, by the rule that made the sales.
    before = hamlet.houses.to_numpy(copy=True)
    before[:, hamlet.contract.columns.index("grade")] = 1.0
    before[:, hamlet.contract.columns.index("quarter")] = 1.0
    for column, truth in (("grade", 0.12), ("quarter", 0.2)):
        after = before.copy()
        after[:, hamlet.contract.columns.index(column)] = 2.0
        predict = valuer.regressor_.predict
        delta = predict(after) - predict(before)
        half = noise.half_width(valuer.regressor_, before, after)
        assert np.mean(np.abs(delta - truth) <= half) >= 0.9
        assert np.median(half) < truth


def test_the_curve_of_a_house_goes_through_its_own_value(valuer, noise, hamlet, house):
    house["size"] = 123.4
    curve = ice_curve(valuer, house, "size", hamlet.houses, noise)
    own = curve[curve["is_own"]]
    price = valuer.predict(house.to_frame().T).round(2)[0]
    assert own[["value", "price", "low", "high"]].to_numpy().tolist() == [[123.4, *[price] * 3]]
    others = curve[~curve["is_own"]]
    assert ((others["low"] < others["price"]) & (others["price"] < others["high"])).all()
    assert curve["value"].is_monotonic_increasing
    assert 20 < len(curve) <= 45
    assert others["value"].between(*hamlet.houses["size"].quantile([0.01, 0.99])).all()


def test_the_curve_of_a_field_with_levels_has_each_level(valuer, noise, hamlet, house):
    curve = ice_curve(valuer, house, "quarter", hamlet.houses, noise)
    assert curve["label"].tolist() == ["North bank", "South bank", "Hill"]
    assert curve["is_own"].sum() == 1


def test_the_own_value_of_an_unknown_fact_is_the_typical_one(valuer, noise, hamlet, house):
    house["grade"] = np.nan
    curve = ice_curve(valuer, house, "grade", hamlet.houses, noise)
    price = valuer.predict(house.to_frame().T).round(2)[0]
    assert curve.loc[curve["is_own"], "price"].item() == price


def test_a_curve_needs_a_field(valuer, noise, hamlet, house):
    with pytest.raises(ModelError, match="no field pond"):
        ice_curve(valuer, house, "pond", hamlet.houses, noise)
