"""The members of the blend, each against a slower way to the same numbers."""

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


@pytest.mark.parametrize("member", [SplineElasticNet(), RelevanceKernelRegressor(gamma=1.0)])
def test_each_member_learns_answers_alike_and_survives_a_pickle(member, data):
    X, y = data
    fitted = clone(member).fit(X[:200], y[:200])
    answer = fitted.predict(X[200:])
    assert np.corrcoef(answer, y[200:])[0, 1] > 0.8
    np.testing.assert_array_equal(clone(member).fit(X[:200], y[:200]).predict(X[200:]), answer)
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(fitted)).predict(X[200:]), answer)
    np.testing.assert_allclose(fitted.predict(X[205:206]), answer[5:6], rtol=1e-9)


def test_the_kernel_machine_says_what_scikit_learn_says(data):
    X, y = data
    ours = RelevanceKernelRegressor(clip=2.0, C=2.0, gamma=0.5).fit(X, y)
    prepared = np.clip(X, -2, 2) * ours.relevance_
    theirs = SVR(C=2.0, gamma=0.5, epsilon=ours.epsilon).fit(prepared, y)
    np.testing.assert_allclose(ours.predict(X), theirs.predict(prepared), rtol=1e-9)


def test_the_kernel_machine_looks_at_what_matters(data):
    relevance = RelevanceKernelRegressor().fit(*data).relevance_
    assert np.linalg.norm(relevance) == pytest.approx(1)
    assert relevance[[0, 1, 4]].min() > 2 * relevance[[2, 3, 5]].max()


def test_giants_are_judged_as_the_largest_ordinary_house(data):
    for member in (SplineElasticNet(), RelevanceKernelRegressor()):
        fitted = member.fit(*data)
        giants = np.tile(np.array([[4.0], [400.0]]), (1, 6))
        first, second = fitted.predict(giants)
        assert first == second


def test_splines_bend_where_a_straight_line_can_not(data):
    X, y = data
    bent = SplineElasticNet(alpha=0.001).fit(X, y)
    straight = SplineElasticNet(n_numeric=0, alpha=0.001).fit(X, y)
    assert np.mean((bent.predict(X) - y) ** 2) < 0.5 * np.mean((straight.predict(X) - y) ** 2)


def test_splines_are_continuous_and_straight_beyond_the_data(data):
    X, y = data
    model = SplineElasticNet(alpha=0.001).fit(X, y)
    line = np.zeros((401, X.shape[1]))
    line[:, 0] = np.linspace(-3.4, 3.4, 401)
    answer = model.predict(line)
    assert np.abs(np.diff(answer)).max() < 0.1
    np.testing.assert_allclose(np.diff(answer[-40:], 2), 0, atol=1e-9)


def test_many_rows_are_answered_in_blocks_without_a_seam(data):
    X, y = data
    answer = RelevanceKernelRegressor().fit(X, y).predict(np.tile(X, (20, 1)))
    np.testing.assert_allclose(answer, np.tile(answer[:300], 20), rtol=1e-9)


def test_an_additive_column_with_a_sign_never_moves_against_it(data):
    X, y = data
    free = SplineElasticNet(alpha=0.001).fit(X, y)
    signs = np.array([1.0, -1.0, 1.0, 0.0, -1.0, 0.0])
    kept = SplineElasticNet(alpha=0.001).fit(X, y, signs)

    def curve(model, column):
        line = np.zeros((401, X.shape[1]))
        line[:, column] = np.linspace(-4, 4, 401)
        return np.diff(model.predict(line))

    assert curve(free, 0).min() < -1e-3
    for column in np.flatnonzero(signs):
        assert (signs[column] * curve(kept, column)).min() > -1e-9
    assert curve(kept, 0).max() > 1e-3


def test_a_column_that_speaks_against_its_sign_or_is_ignored_does_not_count_in_the_kernel(data):
    X, y = data
    signs = np.array([0.0, -1.0, 0.0, 0.0, 1.0, 0.0])
    relevance = RelevanceKernelRegressor().fit(X, y, signs, np.array([0])).relevance_
    assert relevance[0] == relevance[1] == 0
    assert relevance[4] > 0.1
