import numpy as np
import pytest
from sklearn.exceptions import NotFittedError

from houseprice.errors import ModelError
from houseprice.model.conformal import ConformalInterval, check_level


@pytest.fixture(scope="module")
def drawn():
    """Traits, residuals, no blanks and folds of houses that err more the larger the first trait."""
    random = np.random.default_rng(5)
    traits = random.normal(size=(2000, 4))
    residuals = random.normal(size=2000) * 0.3 * np.exp(0.4 * traits[:, 0])
    return traits, residuals, np.zeros(2000), random.integers(0, 5, 2000)


def half_width(fitted, difficulty, std, level):
    return 0.5 * sum(fitted.margins(difficulty, std, level))


@pytest.fixture(scope="module")
def fitted(drawn):
    traits, residuals, blanks, folds = (part[:1000] for part in drawn)
    return ConformalInterval(alpha=0.01).fit(traits, residuals, blanks, folds)


@pytest.mark.parametrize("level", [0.5, 0.8, 0.95])
def test_unseen_residuals_are_covered_alike_in_easy_and_hard_houses(fitted, drawn, level):
    traits, residuals, blanks, _ = (part[1000:] for part in drawn)
    half = half_width(fitted, fitted.difficulty(traits), blanks, level)
    inside = np.abs(residuals) <= half
    assert inside.mean() == pytest.approx(level, abs=0.04)
    for group in (traits[:, 0] < 0, traits[:, 0] > 0):
        assert inside[group].mean() == pytest.approx(level, abs=0.08)


def test_difficulty_is_learned_from_the_traits(fitted, drawn):
    difficulty = fitted.difficulty(drawn[0][1000:])
    assert np.corrcoef(np.log(difficulty), drawn[0][1000:, 0])[0, 1] > 0.9


def test_a_trait_of_more_emphasis_is_penalised_less(drawn):
    traits, residuals, blanks, folds = drawn
    spread = {}
    for factor in (1.0, 3.0):
        emphasis = np.array([factor, 1.0, 1.0, 1.0])
        fitted = ConformalInterval(feature_weights=emphasis).fit(traits, residuals, blanks, folds)
        spread[factor] = np.log(fitted.difficulty(traits)).std()
    assert spread[3.0] > 1.3 * spread[1.0]


def test_traits_beyond_all_sales_do_not_make_an_endless_range(fitted):
    giant = np.zeros((1, 4))
    giant[0, 0] = 1e9
    edge = np.zeros((1, 4))
    edge[0, 0] = 50.0
    assert fitted.difficulty(giant) == fitted.difficulty(edge)


def test_blanks_widen_and_their_scores_are_learned_apart(drawn):
    traits, residuals, blanks, folds = drawn
    random = np.random.default_rng(6)
    spread = np.full(len(residuals), 0.3)
    blurred = residuals + random.normal(size=len(residuals)) * 0.8
    fitted = ConformalInterval(alpha=0.01).fit(traits, residuals, blanks, folds)
    fitted.fit_masked(traits, blurred, spread, folds)
    difficulty = fitted.difficulty(traits)
    half = half_width(fitted, difficulty, spread, 0.9)
    assert (half > half_width(fitted, difficulty, blanks, 0.9)).all()
    assert np.mean(np.abs(blurred) <= half) == pytest.approx(0.9, abs=0.03)
    assert fitted.imputation_weight_ > 1.3


def test_levels_outside_one_half_to_95_percent_are_refused():
    for level in (0.49, 0.96):
        with pytest.raises(ModelError, match="interval"):
            check_level(level)
    for level in (0.5, 0.95):
        check_level(level)


def test_it_must_be_fitted_first(drawn):
    with pytest.raises(NotFittedError):
        ConformalInterval().difficulty(drawn[0])
