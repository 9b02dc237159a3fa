"""The member of boosted trees, and what its trees predict for one house without any delay."""

from __future__ import annotations

from functools import cached_property
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.utils.validation import check_is_fitted

from houseprice.programs import few_threads

Floats = NDArray[np.float64]
Ints = NDArray[np.intp]

_FEW = 8  # houses: walking all trees at once is faster than scikit-learn for so many
_LEVELS = 256  # of a categorical column, in the bit sets of scikit-learn


class BoostedTrees(RegressorMixin, BaseEstimator):
    """Gradient boosting that keeps signs for every loss, and that is fast for one house.

    Parameters
    ----------
    loss : {"squared_error", "absolute_error"}
        The absolute error is less moved by unusual sales. Where a column has a sign it is replaced
        by the squared error of targets drawn towards a first estimate: leaves that are medians
        would break the sign.
    max_iter, learning_rate, max_leaf_nodes, min_samples_leaf, l2_regularization, max_features,
    random_state : number
        As in :class:`sklearn.ensemble.HistGradientBoostingRegressor`.

    Attributes
    ----------
    model_ : HistGradientBoostingRegressor
    """

    def __init__(
        self,
        loss: str = "squared_error",
        max_iter: int = 350,
        learning_rate: float = 0.08,
        max_leaf_nodes: int = 63,
        min_samples_leaf: int = 8,
        l2_regularization: float = 5.0,
        max_features: float = 0.15,
        random_state: int = 0,
    ) -> None:
        self.loss = loss
        self.max_iter = max_iter
        self.learning_rate = learning_rate
        self.max_leaf_nodes = max_leaf_nodes
        self.min_samples_leaf = min_samples_leaf
        self.l2_regularization = l2_regularization
        self.max_features = max_features
        self.random_state = random_state

    def fit(
        self,
        X: Floats,
        y: Floats,
        signs: Floats | None = None,
        n_categorical: int = 0,
        first_estimate: Floats | None = None,
    ) -> Self:
        """Fit on a dense matrix; NaN is a value of its own.

        The first ``n_categorical`` columns are codes of levels without an order, 0, 1, 2 and so on;
        ``first_estimate`` are out-of-fold estimates of `y`. Signs are as for the other members.
        """
        signs = np.zeros(X.shape[1]) if signs is None else signs
        loss = self.loss
        if loss == "absolute_error" and signs.any():
            loss = "squared_error"
            if first_estimate is not None:
                y = _drawn_towards(first_estimate, y)
        self.n_features_in_ = X.shape[1]
        self.model_ = HistGradientBoostingRegressor(
            loss=loss,
            max_iter=self.max_iter,
            learning_rate=self.learning_rate,
            max_leaf_nodes=self.max_leaf_nodes,
            min_samples_leaf=self.min_samples_leaf,
            l2_regularization=self.l2_regularization,
            max_features=self.max_features,
            early_stopping=False,
            monotonic_cst=signs.astype(np.int8),
            categorical_features=np.arange(X.shape[1]) < n_categorical,
            random_state=self.random_state,
        ).fit(X, y)
        return self

    def predict(self, X: Floats) -> Floats:
        """Predict the target, shape (n_rows,)."""
        check_is_fitted(self)
        if len(X) > _FEW:
            with few_threads(len(X)):
                return np.asarray(self.model_.predict(X), dtype=np.float64)
        trees = self.nodes
        target: Floats = trees.value[trees.leaves(X)].sum(axis=1) + trees.baseline
        return target

    @cached_property
    def nodes(self) -> Nodes:
        """The nodes of all trees."""
        return Nodes(self.model_)

    def __getstate__(self) -> dict[str, Any]:
        state: dict[str, Any] = dict(super().__getstate__())
        state.pop("nodes", None)
        return state


def _drawn_towards(estimate: Floats, y: Floats) -> Floats:
    """Return the targets within 1.5 robust standard deviations of an estimate (Huber 1981)."""
    limit = 1.5 * 1.4826 * float(np.median(np.abs(y - estimate)))
    drawn: Floats = estimate + np.clip(y - estimate, -limit, limit)
    return drawn


class Nodes:
    """The nodes of boosted trees as flat arrays, one tree after the other.

    Attributes
    ----------
    baseline : float
        What the values of the leaves are added to.
    roots : ndarray of int, shape (n_trees,)
    column, threshold, value : ndarray of shape (n_nodes,)
        Of a node that splits: a house goes left if its column is not above the threshold. Of a
        leaf: its value, and a threshold that sends every house on to the leaf itself.
    left, right : ndarray of int, shape (n_nodes,)
    """

    def __init__(self, model: HistGradientBoostingRegressor) -> None:
        # scikit-learn gives the nodes of its trees in no public way; versions are pinned with a
        # stored model, and a test compares the predictions.
        self.baseline = float(np.ravel(model._baseline_prediction)[0])  # noqa: SLF001
        trees = [trees[0] for trees in model._predictors]  # noqa: SLF001
        self.sizes = np.array([len(tree.nodes) for tree in trees])
        self.roots: Ints = np.concatenate([[0], self.sizes.cumsum()[:-1]]).astype(np.intp)
        nodes = np.concatenate([tree.nodes for tree in trees])
        starts = np.repeat(self.roots, self.sizes)
        self.is_leaf: NDArray[np.bool_] = nodes["is_leaf"].astype(bool)
        own = np.arange(len(nodes))
        self.column: Ints = np.where(self.is_leaf, 0, nodes["feature_idx"]).astype(np.intp)
        self.threshold: Floats = np.where(self.is_leaf, np.inf, nodes["num_threshold"])
        self.value: Floats = np.where(self.is_leaf, nodes["value"], 0.0)
        self.left: Ints = np.where(self.is_leaf, own, starts + nodes["left"])
        self.right: Ints = np.where(self.is_leaf, own, starts + nodes["right"])
        self._missing_left = nodes["missing_go_to_left"].astype(bool)
        self._depth = int(nodes["depth"].max())
        self._categorical = np.flatnonzero(nodes["is_categorical"])
        sets = np.cumsum([0, *(len(tree.raw_left_cat_bitsets) for tree in trees)])
        rows = np.repeat(sets[:-1], self.sizes)[self._categorical]
        rows = rows + nodes["bitset_idx"][self._categorical]
        words = np.concatenate([tree.raw_left_cat_bitsets for tree in trees]).reshape(-1, 8)
        bits = (words[rows][:, :, np.newaxis] >> np.arange(32, dtype=np.uint32)) & 1
        self._goes_left = bits.reshape(len(rows), _LEVELS).astype(bool)

    def directions(self, X: Floats) -> NDArray[np.bool_]:
        """Return whether each row goes left at each node, shape (n_rows, n_nodes)."""
        values = X[:, self.column]
        left = values <= self.threshold
        missing = np.isnan(values)
        left |= missing & self._missing_left
        if len(self._categorical):
            levels = np.nan_to_num(values[:, self._categorical]).astype(np.intp)
            chosen = np.take_along_axis(self._goes_left[np.newaxis], levels[:, :, np.newaxis], 2)
            left[:, self._categorical] = np.where(
                missing[:, self._categorical],
                self._missing_left[self._categorical],
                chosen[:, :, 0],
            )
        return left

    def leaves(self, X: Floats) -> Ints:
        """Return the node in which each row ends in each tree, shape (n_rows, n_trees)."""
        left = self.directions(np.asarray(X, dtype=np.float64))
        children: Ints = np.where(left, self.left, self.right)
        node = np.tile(self.roots, (len(X), 1))
        for _ in range(self._depth):
            node = np.take_along_axis(children, node, axis=1)
        return node

    def paths(self) -> tuple[Ints, Ints, NDArray[np.bool_]]:
        """Return the steps from the roots to all leaves: leaf, node that splits, goes left."""
        parent = np.full(len(self.is_leaf), -1, dtype=np.intp)
        splits = np.flatnonzero(~self.is_leaf)
        parent[self.left[splits]] = parent[self.right[splits]] = splits
        leaf = node = np.flatnonzero(self.is_leaf)
        steps = []
        while True:
            above = parent[node]
            leaf, node, above = leaf[above >= 0], node[above >= 0], above[above >= 0]
            if not len(leaf):
                break
            steps.append((leaf, above, self.left[above] == node))
            node = above
        leaves, nodes, goes_left = zip(*steps, strict=True)
        return np.concatenate(leaves), np.concatenate(nodes), np.concatenate(goes_left)
