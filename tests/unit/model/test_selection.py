"""Weights are not negative and fair; the number of sales decides on the candidates."""

import numpy as np
import pytest

from houseprice.model.selection import blend_weights, default_settings


@pytest.fixture
def errors():
    return np.random.default_rng(1).normal(size=(2000, 3)) * [0.1, 0.1, 0.4]


def test_members_of_equal_worth_share_the_weight_and_a_useless_one_has_none(errors):
    y = np.linspace(11, 13, len(errors))
    weights = blend_weights(y[:, np.newaxis] + errors, y)
    assert weights.sum() == pytest.approx(1)
    assert weights[:2] == pytest.approx(0.5, abs=0.06)
    # 1 / 0.4² of 1 / 0.1² twice: a thirtieth, which is not worth its time.
    assert weights[2] == 0


def test_few_sales_draw_the_weights_towards_equal_ones(errors):
    y = np.linspace(11, 13, 30)
    few = blend_weights(y[:, np.newaxis] + 0.1 * errors[:30], y)
    assert few.min() > 0.2


def test_a_sale_at_an_absurd_price_decides_nothing(errors):
    y = np.linspace(11, 13, len(errors))
    predictions = y[:, np.newaxis] + errors
    absurd = y.copy()
    absurd[7] -= 40
    np.testing.assert_allclose(
        blend_weights(predictions, absurd), blend_weights(predictions, y), atol=0.02
    )


def test_weights_are_those_of_the_prices_whatever_their_size(errors):
    y = np.linspace(11, 13, len(errors))
    predictions = y[:, np.newaxis] + errors
    np.testing.assert_allclose(
        blend_weights(predictions + 20, y + 20), blend_weights(predictions, y), atol=1e-9
    )


@pytest.mark.parametrize(
    ("n_sales", "has_place", "kinds"),
    [
        (88, True, ["additive", "kernel", "trees", "trees"]),
        (5_000, True, ["additive", "trees", "trees", "trees"]),
        (5_000, False, ["additive", "trees", "trees"]),
        (50_000, True, ["trees", "trees", "trees"]),
    ],
)
def test_the_candidates_follow_the_number_of_sales(n_sales, has_place, kinds):
    settings = default_settings(n_sales, has_place=has_place)
    assert [member.kind for member in settings.members] == kinds
    assert len({member.name for member in settings.members}) == len(kinds)
