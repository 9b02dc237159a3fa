"""The members of the blend, compared with slower ways to the same numbers."""

import pickle

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.svm import SVR

from houseprice.model.members import RelevanceKernelRegressor, SplineElasticNet


@pytest.fixture(scope="module")
def data():
    random = np.random.default_rng(3)
    X = random.normal(size=(300, 6))
    X[:, 4] = random.integers(0, 2, 300)
    y = np.sin(X[:, 0]) + 0.5 * X[:, 1] + X[:, 4] + random.normal(0, 0.1, 300)
    return X, y


def along(column, end, n_columns=6):
    """Rows that differ in one column alone."""
    rows = np.zeros((401, n_columns))
    rows[:, column] = np.linspace(-end, end, 401)
    return rows


@pytest.mark.parametrize("member", [SplineElasticNet(), RelevanceKernelRegressor(gamma=1.0)])
def test_each_member_predicts_the_same_refitted_unpickled_and_one_by_one(member, data):
    X, y = data
    fitted = clone(member).fit(X[:200], y[:200])
    predicted = fitted.predict(X[200:])
    assert np.corrcoef(predicted, y[200:])[0, 1] > 0.8
    np.testing.assert_array_equal(clone(member).fit(X[:200], y[:200]).predict(X[200:]), predicted)
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(fitted)).predict(X[200:]), predicted)
    np.testing.assert_allclose(fitted.predict(X[205:206]), predicted[5:6], rtol=1e-9)
    small, large = fitted.predict(np.tile(np.array([[4.0], [400.0]]), (1, 6)))
    assert small == large


def test_the_kernel_machine_predicts_as_that_of_scikit_learn_in_blocks_of_any_size(data):
    X, y = data
    ours = RelevanceKernelRegressor(clip=2.0, C=2.0, gamma=0.5).fit(X, y)
    scaled = np.clip(X, -2, 2) * ours.relevance_
    expected = SVR(C=2.0, gamma=0.5, epsilon=ours.epsilon).fit(scaled, y).predict(scaled)
    np.testing.assert_allclose(ours.predict(X), expected, rtol=1e-9)
    np.testing.assert_allclose(ours.predict(np.tile(X, (20, 1))), np.tile(expected, 20), rtol=1e-9)


def test_relevance_is_that_of_the_ridge_without_wrong_signs_and_excluded_columns(data):
    relevance = RelevanceKernelRegressor().fit(*data).relevance_
    assert np.linalg.norm(relevance) == pytest.approx(1)
    assert relevance[[0, 1, 4]].min() > 2 * relevance[[2, 3, 5]].max()
    signs = np.array([0.0, -1.0, 0.0, 0.0, 1.0, 0.0])
    relevance = RelevanceKernelRegressor().fit(*data, signs, np.array([0])).relevance_
    assert relevance[0] == relevance[1] == 0
    assert relevance[4] > 0.1


def test_splines_are_curved_continuous_and_linear_beyond_the_data(data):
    X, y = data
    curved = SplineElasticNet(alpha=0.001).fit(X, y)
    straight = SplineElasticNet(n_numeric=0, alpha=0.001).fit(X, y)
    assert np.mean((curved.predict(X) - y) ** 2) < 0.5 * np.mean((straight.predict(X) - y) ** 2)
    predicted = curved.predict(along(0, 3.4))
    assert np.abs(np.diff(predicted)).max() < 0.1
    np.testing.assert_allclose(np.diff(predicted[-40:], 2), 0, atol=1e-9)


def test_an_additive_column_with_a_sign_never_moves_against_it(data):
    signs = np.array([1.0, -1.0, 1.0, 0.0, -1.0, 0.0])
    free = SplineElasticNet(alpha=0.001).fit(*data)
    monotone = SplineElasticNet(alpha=0.001).fit(*data, signs)
    assert np.diff(free.predict(along(0, 4))).min() < -1e-3
    for column in np.flatnonzero(signs):
        assert (signs[column] * np.diff(monotone.predict(along(column, 4)))).min() > -1e-9
    assert np.diff(monotone.predict(along(0, 4))).max() > 1e-3
