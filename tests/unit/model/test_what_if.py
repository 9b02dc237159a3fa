"""The effect of changed fields on a value, and how certain it is."""

import numpy as np
import pandas as pd
import pytest

from houseprice.errors import ModelError
from houseprice.model.what_if import EffectUncertainty, effect_grid, ice_curve, step_effect, what_if


@pytest.fixture(scope="module")
def uncertainty(valuer, training_sales):
    return EffectUncertainty.from_sales(valuer, *training_sales)


@pytest.fixture
def house(hamlet):
    return hamlet.houses.iloc[4].copy()


def value(valuer, house):
    return valuer.predict(house.to_frame().T).round(2)[0]


@pytest.mark.parametrize(
    "changes", [{"size": 280.0, "grade": 3.0}, {"grade": np.nan}, {"size": np.nan}]
)
def test_a_change_is_the_difference_of_two_predicted_prices(valuer, uncertainty, house, changes):
    change = what_if(valuer, house, changes, uncertainty)
    after = house.copy()
    after[list(changes)] = list(changes.values())
    assert (change.before, change.after) == (value(valuer, house), value(valuer, after))
    assert change.delta == round(change.after - change.before, 2)
    assert change.low < change.delta < change.high


@pytest.mark.parametrize(
    ("change", "is_clear", "start", "beyond_margin"),
    [
        (lambda house: {"size": house["size"] * 1.8}, True, "Likely between +€", True),
        (lambda house: {"size": house["size"] + 5}, True, "Likely between +€", False),
        (lambda house: {"month": (house["month"] + 1) % 4}, False, "The sales do not show", True),
        (lambda house: {"size": house["size"]}, False, "The change has no effect", True),
    ],
)
def test_a_note_states_whether_the_sales_show_the_difference(
    valuer, uncertainty, house, change, is_clear, start, beyond_margin
):
    found = what_if(valuer, house, change(house), uncertainty)
    assert found.is_clear == is_clear == (not found.low <= 0 <= found.high)
    assert (found.low == found.delta == found.high == 0) == ("no effect" in start)
    assert found.note.startswith(start)
    assert ("The value itself can be off by €" not in found.note) == beyond_margin


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"pond": 1.0}, "no field pond"),
        ({"size": 5.0}, "5 is not a legal value"),
        ({"grade": 4.0}, "4 is not a legal value"),
        ({"grade": 0.5}, "0.5 is not a legal value"),
    ],
)
def test_an_illegal_change_is_refused(valuer, uncertainty, house, changes, reason):
    with pytest.raises(ModelError, match=reason):
        what_if(valuer, house, changes, uncertainty)


def test_the_interval_of_a_difference_holds_the_truth_of_the_hamlet(valuer, uncertainty, hamlet):
    # One grade is worth 0.12 and the hill 0.2 in log price, by the rule that made the sales.
    positions = {name: hamlet.contract.columns.index(name) for name in ("grade", "quarter")}
    before = hamlet.houses.to_numpy(copy=True)
    before[:, list(positions.values())] = 1.0
    for column, truth in (("grade", 0.12), ("quarter", 0.2)):
        after = before.copy()
        after[:, positions[column]] = 2.0
        delta = valuer.regressor_.predict(after) - valuer.regressor_.predict(before)
        design = valuer.regressor_.design
        half = uncertainty.half_width(valuer.regressor_, design(before), design(after))
        assert np.mean(np.abs(delta - truth) <= half) >= 0.9
        assert np.median(half) < truth


def test_the_curve_of_a_house_passes_through_its_own_value(valuer, uncertainty, hamlet, house):
    house["size"] = 123.4
    curve = ice_curve(valuer, house, "size", hamlet.houses, uncertainty)
    own, price = curve[curve["is_own"]], value(valuer, house)
    assert own[["value", "price", "low", "high"]].to_numpy().tolist() == [[123.4, *[price] * 3]]
    others = curve[~curve["is_own"]]
    assert ((others["low"] < others["price"]) & (others["price"] < others["high"])).all()
    assert curve["value"].is_monotonic_increasing
    assert 20 < len(curve) <= 45
    assert others["value"].between(*hamlet.houses["size"].quantile([0.01, 0.99])).all()


def test_a_curve_has_each_level_and_imputes_a_missing_one(valuer, uncertainty, hamlet, house):
    curve = ice_curve(valuer, house, "quarter", hamlet.houses, uncertainty)
    assert curve["label"].tolist() == ["North bank", "South bank", "Hill"]
    assert curve["is_own"].sum() == 1
    house["grade"] = np.nan
    curve = ice_curve(valuer, house, "grade", hamlet.houses, uncertainty)
    assert curve.loc[curve["is_own"], "price"].item() == value(valuer, house)
    with pytest.raises(ModelError, match="no field pond"):
        ice_curve(valuer, house, "pond", hamlet.houses, uncertainty)


def test_effects_are_evaluated_at_round_numbers_and_at_all_levels_and_few_counts(hamlet):
    fields = hamlet.contract.fields
    grid = effect_grid(fields["size"], np.linspace(41.3, 298.7, 400))
    assert len(grid) <= 30
    assert 41.3 <= grid[0] <= grid[-1] <= 298.7
    np.testing.assert_array_equal(grid % 10, 0)
    for column, values, expected in (
        ("grade", [3.0, 0, 0, 1], [0, 1, 3]),
        ("beds", [5.0, np.nan, 2], [2, 5]),
    ):
        np.testing.assert_array_equal(effect_grid(fields[column], np.array(values)), expected)


def effect_curve(values, prices, **columns):
    return pd.DataFrame({"value": values, "price": prices, **columns})


@pytest.mark.parametrize(
    ("column", "curve", "known", "expected"),
    [
        # A fifth of the interquartile range of 100, from the median.
        ("size", effect_curve([100.0, 300.0], [0.0, 2_000.0]), [100, 150, 200, 250, 300], 200.0),
        ("beds", effect_curve([0.0, 1.0, 3.0], [0.0, 50.0, 60.0]), [0, 0, 1], 50.0),
        # The last step of a house at the end of the curve.
        ("built", effect_curve([1990.0, 2000.0, 2010.0], [1.0, 2.0, 9.0], is_own=[0, 0, 1]),
         [1990, 2010], 7.0),
        ("grade", effect_curve([0.0, 1.0, 2.0], [10.0, 30.0, 90.0]), [0, 1, 1, 2], 60.0),
        ("quarter", effect_curve([0.0, 1.0, 2.0], [90.0, 10.0, 30.0]), [0, 0, 1, 1, 2, 2], 80.0),
    ],
)  # fmt: skip
def test_a_step_of_a_field_is_priced_along_its_curve(hamlet, column, curve, known, expected):
    text, difference = step_effect(curve, hamlet.contract.fields[column], np.array(known, float))
    assert difference == pytest.approx(expected)
    assert text.endswith((" more", " later")) or " instead of " in text
