"""Which members take part in a market's blend, with which settings and weights.

The number of sales decides on the candidates, held-out sales on the rest: how time counts, how
fine the trees are, and the weight of each member. ``docs/experiments.md`` has the measurements.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from importlib import import_module
from importlib.metadata import entry_points
from typing import Any, Literal, Protocol, Self

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import nnls

from houseprice.errors import ModelError

Floats = NDArray[np.float64]
Index = Literal["none", "market", "area"]

KERNEL_SALES = 3_000
"""The kernel machine's time grows with the square of the sales; beyond so many it adds nothing."""

ADDITIVE_SALES = 10_000
"""Beyond so many sales the additive model adds nothing to the trees."""

LEARNERS = "houseprice.learners"
"""The group of entry points of regressors that other packages offer as members."""

MIN_WEIGHT = 0.04
"""A member with less weight is left out: it would cost time at every prediction."""

_FOLDS = ((KERNEL_SALES, 10), (100_000, 5), (float("inf"), 3))
_RIDGE = 1.0  # squared log errors; draws weights towards equal ones where sales are few


class Learner(Protocol):
    """What takes part as a member: a regressor of scikit-learn's kind."""

    def fit(self, X: Floats, y: Floats) -> Self:
        """Fit on a dense, standardised matrix without missing values."""

    def predict(self, X: Floats) -> Floats:
        """Predict the target, shape (n_rows,)."""


@dataclass(frozen=True)
class MemberSpec:
    """A candidate member."""

    name: str
    kind: str
    """"additive", "kernel", "trees" or "learner": any regressor of scikit-learn's kind."""
    settings: dict[str, Any] = field(default_factory=dict)
    """Parameters of its class; of a learner its ``name`` for :func:`make_learner`."""
    sees_prices: bool = True
    """Whether trees see the prices of the nearest sales."""


@dataclass(frozen=True)
class Settings:
    """What a blend is fitted with."""

    members: tuple[MemberSpec, ...]
    index: Index = "market"
    """What moves prices to the last sale before the members are fitted: nothing, the price index
    of the market, or also that of each area."""


def default_folds(n_sales: int) -> int:
    """Return the number of folds: where sales are many, fewer of them err like the whole."""
    return next(folds for limit, folds in _FOLDS if n_sales < limit)


def default_settings(n_sales: int, *, has_place: bool) -> Settings:
    """Return the candidates for a number of sales, with their first settings."""
    if n_sales < KERNEL_SALES:
        trees: dict[str, Any] = {"learning_rate": 0.1, "min_samples_leaf": 5, "max_features": 0.3}
        fine = trees | {"max_iter": 100, "max_leaf_nodes": 32, "l2_regularization": 10.0}
        robust = trees | {"max_iter": 130, "max_leaf_nodes": 8, "l2_regularization": 2.0}
        robust |= {"loss": "absolute_error", "random_state": 1}
        return Settings(
            (
                MemberSpec("additive", "additive"),
                MemberSpec("kernel", "kernel"),
                MemberSpec("trees", "trees", fine),
                MemberSpec("robust trees", "trees", robust),
            )
        )
    members = [
        MemberSpec("trees", "trees", sees_prices=False),
        MemberSpec("trees with neighbours", "trees", {"random_state": 1}),
        MemberSpec("robust trees", "trees", {"loss": "absolute_error", "random_state": 2}),
    ]
    if not has_place:
        del members[1]
    if n_sales < ADDITIVE_SALES:
        members.insert(0, MemberSpec("additive", "additive"))
    return Settings(tuple(members))


def make_learner(name: str) -> Learner:
    """Make a regressor of one's own, unfitted.

    The name is ``module:factory``, of which the factory takes no argument, or that of an entry
    point of the group :data:`LEARNERS`. Raises ModelError if there is none of that name, or it
    makes no regressor.
    """
    module, _, factory = name.partition(":")
    try:
        if factory:
            made = getattr(import_module(module), factory)()
        else:
            (entry,) = entry_points(group=LEARNERS, name=name)
            made = entry.load()()
    except (ImportError, AttributeError, ValueError) as error:
        installed = ", ".join(sorted(entry.name for entry in entry_points(group=LEARNERS)))
        raise ModelError(
            f"There is no learner {name} ({error}). Give module:factory"
            + (f", or one of the installed learners: {installed}." if installed else ".")
        ) from error
    if not (hasattr(made, "fit") and hasattr(made, "predict")):
        raise ModelError(f"The learner {name} makes no regressor with fit and predict")
    learner: Learner = made
    return learner


def blend_weights(predictions: Floats, y: Floats) -> Floats:
    """Return the weights of members, at least 0 and 1 together, from held-out predictions.

    Least squares, drawn towards equal weights by a ridge penalty that fades with the number of
    sales. ``predictions``, shape (n_sales, n_members), are log prices predicted without the sale.
    """
    n_members = predictions.shape[1]
    # Clipped residuals: a sale at an absurd price decides nothing about the members.
    centre = predictions.mean(axis=1)
    limit = 2.5 * 1.4826 * float(np.median(np.abs(y - centre)))
    target = np.clip(y - centre, -limit, limit)
    gaps = predictions - centre[:, np.newaxis]
    # One more equation, with a large factor: the sum of the weights is 1.
    one = 1e3 * max(float(np.abs(target).sum()), 1.0)
    design = np.vstack([gaps, np.sqrt(_RIDGE) * np.eye(n_members), np.full((1, n_members), one)])
    goal = np.concatenate([target, np.full(n_members, np.sqrt(_RIDGE) / n_members), [one]])
    weights: Floats = nnls(design, goal)[0]
    weights[weights < MIN_WEIGHT] = 0.0
    normalised: Floats = weights / weights.sum()
    return normalised
