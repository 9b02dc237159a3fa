"""Intervals cover unseen errors as often as stated, and widen for missing fields."""

import numpy as np
import pytest
from sklearn.exceptions import NotFittedError

from houseprice.errors import ModelError
from houseprice.model.conformal import (
    ConformalInterval,
    GammaDifficulty,
    MaskedSales,
    TreeDifficulty,
    check_level,
    mask_fields,
)


@pytest.fixture(scope="module")
def errors():
    """Features, residuals, no imputation, folds, no extrapolation; errors grow with a feature."""
    random = np.random.default_rng(5)
    features = random.normal(size=(2000, 4))
    residuals = random.normal(size=2000) * 0.3 * np.exp(0.4 * features[:, 0])
    return features, residuals, np.zeros(2000), random.integers(0, 5, 2000), np.zeros(2000)


@pytest.fixture(scope="module")
def fitted(errors):
    return ConformalInterval(GammaDifficulty(alpha=0.01)).fit(*(part[:1000] for part in errors))


def half_width(fitted, difficulty, std, level):
    return 0.5 * sum(fitted.margins(difficulty, std, level))


@pytest.mark.parametrize("level", [0.5, 0.8, 0.95])
def test_unseen_residuals_are_covered_equally_in_easy_and_hard_houses(fitted, errors, level):
    features, residuals, std, _, none = (part[1000:] for part in errors)
    difficulty = fitted.difficulty(features, none)
    assert np.corrcoef(np.log(difficulty), features[:, 0])[0, 1] > 0.9
    inside = np.abs(residuals) <= half_width(fitted, difficulty, std, level)
    assert inside.mean() == pytest.approx(level, abs=0.04)
    for group in (features[:, 0] < 0, features[:, 0] > 0):
        assert inside[group].mean() == pytest.approx(level, abs=0.08)


def test_a_feature_with_a_larger_weight_is_penalised_less(errors):
    spread = {}
    for weight in (1.0, 3.0):
        weights = np.array([weight, 1.0, 1.0, 1.0])
        fitted = ConformalInterval(GammaDifficulty(feature_weights=weights)).fit(*errors)
        spread[weight] = np.log(fitted.difficulty(errors[0], 0.0)).std()
    assert spread[3.0] > 1.3 * spread[1.0]


def test_features_beyond_all_sales_do_not_widen_the_interval_without_limit(fitted):
    far, farther = (np.array([[value, 0.0, 0.0, 0.0]]) for value in (50.0, 1e9))
    assert fitted.difficulty(farther, np.zeros(1)) == fitted.difficulty(far, np.zeros(1))


def test_extrapolation_adds_to_the_difficulty(fitted, errors):
    features = errors[0][:3]
    plain, farther = (fitted.difficulty(features, np.full(3, beyond)) for beyond in (0.0, 0.5))
    np.testing.assert_allclose(farther, np.hypot(plain, 0.5))


def test_missing_fields_widen_the_interval_by_scores_of_their_own(errors):
    features, residuals, std, _, none = errors
    masked_std = np.full(len(residuals), 0.6)
    masked = residuals + np.random.default_rng(6).normal(size=len(residuals)) * 0.8
    sales = MaskedSales(np.arange(len(masked)), features, masked, masked_std, none)
    fitted = ConformalInterval(GammaDifficulty(alpha=0.01)).fit(*errors, sales)
    difficulty = fitted.difficulty(features, none)
    half = half_width(fitted, difficulty, masked_std, 0.9)
    assert (half > half_width(fitted, difficulty, std, 0.9)).all()
    assert np.mean(np.abs(masked) <= half) == pytest.approx(0.9, abs=0.03)


def test_trees_learn_where_errors_are_large(errors):
    fitted = ConformalInterval(TreeDifficulty()).fit(*(part[:1000] for part in errors))
    features, residuals, std, _, none = (part[1000:] for part in errors)
    difficulty = fitted.difficulty(features, none)
    assert np.corrcoef(np.log(difficulty), features[:, 0])[0, 1] > 0.7
    inside = np.abs(residuals) <= half_width(fitted, difficulty, std, 0.9)
    assert inside.mean() == pytest.approx(0.9, abs=0.04)


def test_levels_outside_50_to_95_percent_and_an_unfitted_interval_are_refused(errors):
    for level in (0.49, 0.96):
        with pytest.raises(ModelError, match="50 % to 95 %"):
            check_level(level)
    for level in (0.5, 0.95):
        check_level(level)
    with pytest.raises(NotFittedError):
        ConformalInterval().difficulty(errors[0], errors[4])


def test_masking_keeps_few_and_many_fields_the_most_informative_first_or_at_random(hamlet):
    contract = hamlet.contract
    order = [contract.columns.index(name) for name in ("size", "grade", *contract.columns)]
    order = list(dict.fromkeys(order))
    masked = mask_fields(hamlet.houses, contract, order, np.random.default_rng(0))
    known = masked.notna()
    assert known[["sold", "month"]].all(axis=None), "filled by the contract"
    few = known["size"] & ~known["grade"]
    assert few.iloc[::2].sum() > 10
    ordered = known.iloc[::2]
    assert (ordered["size"] >= ordered["grade"]).all()
    assert (known["grade"] & ~known["size"]).iloc[1::2].any()
    share = known.mean()
    assert share.between(0.2, 1.0).all()
    same = (masked == hamlet.houses) | masked.isna()
    assert same[["size", "grade", "quarter", "garden"]].all(axis=None)
    assert hamlet.houses.notna().all(axis=None)
