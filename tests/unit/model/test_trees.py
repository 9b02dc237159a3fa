"""Boosted trees keep signs, predict the same for few and many houses, and are explained exactly."""

import pickle
from itertools import combinations
from math import factorial

import numpy as np
import pytest

from houseprice.model.shapley import TreeShapley
from houseprice.model.trees import BoostedTrees


@pytest.fixture(scope="module")
def sales():
    """Two columns of codes, six of numbers, a tenth of the cells blank, and a target."""
    random = np.random.default_rng(0)
    X = random.normal(size=(800, 8))
    X[:, 0], X[:, 1] = random.integers(0, 4, 800), random.integers(0, 30, 800)
    y = X[:, 2] * (X[:, 0] > 1) + 0.5 * np.sin(3 * X[:, 3]) + 0.1 * (X[:, 1] % 3)
    X[random.random(X.shape) < 0.1] = np.nan
    return X, y


@pytest.fixture(scope="module")
def trees(sales):
    return BoostedTrees(max_iter=60).fit(*sales, n_categorical=2)


def test_one_house_has_the_value_that_it_has_among_many(sales, trees):
    table = trees.predict(sales[0])
    alone = np.concatenate([trees.predict(row[np.newaxis]) for row in sales[0]])
    np.testing.assert_allclose(alone, table, atol=1e-12)
    unpickled = pickle.loads(pickle.dumps(trees))
    np.testing.assert_array_equal(unpickled.predict(sales[0][:3]), alone[:3])


@pytest.mark.parametrize("loss", ["squared_error", "absolute_error"])
def test_a_column_with_a_sign_never_moves_the_value_against_it(sales, loss):
    X, y = sales
    signs = np.array([0, 0, 1.0, 0, -1.0, 0, 0, 0])
    trees = BoostedTrees(loss=loss, max_iter=60).fit(X, y, signs, 2, first_estimate=np.zeros(800))
    free = BoostedTrees(loss=loss, max_iter=60).fit(X, y, n_categorical=2)
    for column, sign in ((2, 1), (4, -1)):
        more = X.copy()
        more[:, column] += 0.7
        assert (sign * (trees.predict(more) - trees.predict(X))).min() >= 0
        assert (sign * (free.predict(more) - free.predict(X))).min() < 0


def test_the_robust_loss_is_less_moved_by_absurd_targets(sales):
    X, y = sales
    absurd = y.copy()
    absurd[::20] += 30
    plain, robust = (
        BoostedTrees(loss=loss, max_iter=60).fit(X, absurd, n_categorical=2).predict(X)
        for loss in ("squared_error", "absolute_error")
    )
    clean = np.ones(800, dtype=bool)
    clean[::20] = False
    errors = [np.abs(one - y)[clean].mean() for one in (plain, robust)]
    assert errors[1] < 0.5 * errors[0]


def test_contributions_are_the_exact_shapley_values_of_groups_of_fields(sales, trees):
    X, _ = sales
    owners = [(0,), (1,), (2,), (3,), (4, 5), (4, 5), (4, 5), (6,)]
    groups = list(dict.fromkeys(owners))
    base = X[0]
    explainer = TreeShapley(trees.nodes, owners, base)
    for house in X[1:6]:
        contributions = np.zeros((1, 7))
        explainer.add(contributions, 1.0, house[np.newaxis])
        exact = np.zeros(len(groups))
        for player, group in enumerate(groups):
            others = [one for one in groups if one != group]
            for size in range(len(groups)):
                share = factorial(size) * factorial(len(others) - size) / factorial(len(groups))
                for chosen in combinations(others, size):
                    mixed = [
                        np.where([owner in taken for owner in owners], house, base)
                        for taken in ((*chosen, group), chosen)
                    ]
                    exact[player] += share * np.subtract(*trees.predict(np.array(mixed)))
        by_field = [exact[groups.index(group)] / len(group) for group in groups for _ in group]
        np.testing.assert_allclose(contributions[0], by_field, atol=1e-12)
        difference = trees.predict(np.array([house, base]))
        assert contributions.sum() == pytest.approx(difference[0] - difference[1])
