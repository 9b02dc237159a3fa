"""Place: the coordinates of houses, and what the nearest sales sold for.

A tree splits one column at a time, so that coordinates along several rotated axes let it cut the
map in any direction. The prices of the nearest sales follow places that no field names. A sale
never counts among its own neighbours.
"""

from __future__ import annotations

from typing import Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.spatial import KDTree
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted

from houseprice.market.contract import Contract
from houseprice.market.geography import Projection

Floats = NDArray[np.float64]

_ANGLES = np.deg2rad([22.5, 45.0, 67.5, 112.5, 135.0, 157.5])
_NEIGHBOURS = (5, 15, 30)
_BLOCK = 50_000  # houses at a time, so that memory does not grow with their number
_CLIPPED = 0.005  # share of the prices on each side that is clipped

PLACE_COLUMNS = (
    *("x", "y"),
    *(f"axis {angle:g}°" for angle in np.rad2deg(_ANGLES)),
    *(f"price of the {k} nearest" for k in _NEIGHBOURS),
    *("price per area of the 15 nearest", "spread of the 15 nearest"),
    *("distance to the 5th nearest", "distance to the 15th nearest"),
)
"""The columns of a :class:`PlaceFeatures` matrix."""

N_PRICE_COLUMNS = 7
"""The last columns, about the nearest sales; the others depend on the house alone."""


class PlaceFeatures(BaseEstimator):
    """Coordinates, rotated coordinates, and prices of the nearest sales of a market.

    Attributes
    ----------
    fields_ : tuple of two ints
        The positions of the fields of the coordinates.
    tree_ : KDTree
        The sales that were fitted, in metres.
    local_std_ : float
        Standard deviation of the mean log price of the 15 nearest sales over the market.
    usual_distance_ : float
        All but one in a hundred sales have their fifth nearest sale within this distance.
    """

    def __init__(self, contract: Contract) -> None:
        self.contract = contract

    def fit(self, houses: Floats, log_prices: Floats) -> Self:
        """Learn the positions of sales without unknown fields, and their log prices."""
        self.fields_ = coordinate_fields(self.contract)
        area = self.contract.market.roles.area
        self._area = None if area is None else self.contract.columns.index(area)
        frame = pd.DataFrame(houses, columns=self.contract.columns)
        self._projection = Projection.fit(frame, self.contract)
        points = self._positions(houses)
        self.tree_ = KDTree(points)
        prices = np.clip(log_prices, *np.quantile(log_prices, [_CLIPPED, 1.0 - _CLIPPED]))
        per_area = log_prices - self._log_area(houses)
        per_area = np.clip(per_area, *np.quantile(per_area, [_CLIPPED, 1.0 - _CLIPPED]))
        self._prices = np.column_stack([prices, per_area])
        k = min(_NEIGHBOURS[0] + 1, len(points))
        distance = self.tree_.query(points, [k])[0][:, 0]
        # What counts as near is a matter of the density of the sales.
        self._near = max(2.0 * float(np.median(distance)), 1e-9)
        self.usual_distance_ = max(float(np.quantile(distance, 0.99)), 1e-9)
        self.local_std_ = float(self.transform(houses, own=True)[:, 9].std())
        return self

    def transform(self, houses: Floats, *, own: bool = False) -> Floats:
        """Return the columns of PLACE_COLUMNS, shape (n_houses, n_columns).

        ``own`` says that the houses are the sales of the fit, which are left out of their own
        neighbours.
        """
        check_is_fitted(self)
        blocks = [
            self._block(houses[start : start + _BLOCK], start if own else None)
            for start in range(0, len(houses), _BLOCK)
        ]
        return np.concatenate(blocks) if blocks else np.empty((0, len(PLACE_COLUMNS)))

    def _block(self, houses: Floats, first: int | None) -> Floats:
        """Return the columns of houses; ``first`` is the position of the first one in the fit."""
        own = first is not None
        points = self._positions(houses)
        axes = points @ np.array([np.cos(_ANGLES), np.sin(_ANGLES)])
        n_neighbours = min(_NEIGHBOURS[-1], self.tree_.n - own)
        distance, rows = self.tree_.query(points, np.arange(1, n_neighbours + 1 + own))
        if own:
            distance, rows = _without_own(distance, rows, first or 0)
        weights = 1.0 / (distance + self._near)
        total, near = weights.cumsum(axis=1), self._prices[rows]
        sums = (weights[:, :, np.newaxis] * near).cumsum(axis=1)
        ends = [min(k, n_neighbours) - 1 for k in _NEIGHBOURS]
        columns = [sums[:, end, 0] / total[:, end] for end in ends]
        columns += [
            sums[:, ends[1], 1] / total[:, ends[1]],
            near[:, : ends[1] + 1, 0].std(axis=1),
            *(np.log(distance[:, end] + self._near) for end in ends[:2]),
        ]
        return np.column_stack([points, axes, *columns])

    def uncertainty(self, houses: Floats) -> Floats:
        """Return the standard deviation of the log price far from all sales, shape (n_houses,).

        0 among the sales; towards the deviation of local price levels far away from them.
        """
        k = min(_NEIGHBOURS[0], self.tree_.n)
        distance = self.tree_.query(self._positions(houses), [k])[0][:, 0]
        share: Floats = 1.0 - np.minimum(self.usual_distance_ / np.maximum(distance, 1e-9), 1.0)
        return self.local_std_ * share

    def _positions(self, houses: Floats) -> Floats:
        assert self._projection is not None  # only a market with coordinates has places
        columns = dict(zip(self.contract.columns, houses.T, strict=True))
        return self._projection.metres(columns)

    def _log_area(self, houses: Floats) -> Floats:
        if self._area is None:
            return np.zeros(len(houses))
        return np.log(np.maximum(houses[:, self._area], 1.0))


def coordinate_fields(contract: Contract) -> tuple[int, ...]:
    """Return the positions of the fields of the coordinates; empty in a market without them."""
    return tuple(contract.columns.index(field.column) for field in contract.coordinates or ())


def _without_own(
    distance: Floats, rows: NDArray[np.intp], first: int
) -> tuple[Floats, NDArray[np.intp]]:
    """Drop each sale from its own neighbours: the last one where others are at its very place."""
    is_own = rows == np.arange(first, first + len(rows))[:, np.newaxis]
    is_own[~is_own.any(axis=1), -1] = True
    shape = len(rows), rows.shape[1] - 1
    return distance[~is_own].reshape(shape), rows[~is_own].reshape(shape)
