"""Where houses are: positions on a plane, and the levels that follow from them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from houseprice.market.contract import Contract
from houseprice.market.problems import Problem

if TYPE_CHECKING:
    from scipy.spatial import KDTree

METRES_PER_DEGREE = 111_195.0
"""Along a meridian, for the mean radius of the Earth (6,371 km)."""
PLACE_MISMATCH = "place_mismatch"
"""The code of a level that contradicts the coordinates."""
N_NEAREST = 10
AGREEMENT = 0.8
"""A level follows from the coordinates where this share of the nearest properties has it."""
MIN_COVERAGE = 0.5
"""A field follows from the coordinates if so many of the properties have such a level..."""
MIN_ACCURACY = 0.95
"""... if it is the right one of so many of these..."""
MIN_KAPPA = 0.8
"""... and if the most frequent level of the market is wrong five times as often."""

Floats = NDArray[np.float64]
Columns = Mapping[str, Floats] | pd.DataFrame


@dataclass(frozen=True)
class Projection:
    """From the coordinates of a market to metres on a plane, and back.

    No market is so large that the curvature of the Earth matters.
    """

    columns: tuple[str, str]
    """The fields of the coordinates, east and north."""
    origin: tuple[float, float]
    """The coordinates of the centre."""
    scale: tuple[float, float]
    """Metres per unit of each coordinate."""

    @classmethod
    def fit(cls, houses: pd.DataFrame, contract: Contract) -> Self | None:
        """Take the median house as the centre; None without coordinates."""
        if contract.coordinates is None:
            return None
        columns = contract.coordinates[0].column, contract.coordinates[1].column
        points = houses[[*columns]].dropna()
        if points.empty:
            return None
        east, north = points.median()
        scale = (1.0, 1.0)
        if contract.market.roles.latitude is not None:
            scale = METRES_PER_DEGREE * float(np.cos(np.radians(north))), METRES_PER_DEGREE
        return cls(columns, (float(east), float(north)), scale)

    def metres(self, houses: Columns) -> Floats:
        """Return metres east and north of the centre, shape (n_houses, 2)."""
        points = np.column_stack([houses[name] for name in self.columns])
        metres: Floats = (points - self.origin) * self.scale
        return metres

    def coordinates(self, metres: Floats) -> Floats:
        """Return the coordinates of positions, shape (n_positions, 2)."""
        coordinates: Floats = metres / self.scale + self.origin
        return coordinates


@dataclass(frozen=True, eq=False)
class PlaceLevels:
    """Fields such as a suburb or a zip code whose level follows from the coordinates.

    Which fields these are is measured on the sales: the level of each property is predicted from
    the nearest other ones.
    """

    projection: Projection
    tree: KDTree
    """The distinct positions of sales, in metres."""
    levels: dict[str, NDArray[np.int32]]
    """By field: the level at each position, -1 where it is unknown."""
    reach: float
    """Positions whose tenth-nearest property is farther are off the map."""

    @classmethod
    def fit(cls, houses: pd.DataFrame, contract: Contract) -> Self | None:
        """Learn from clean sales; None if no field follows from the coordinates."""
        # Not at the top: other markets need no trees.
        from scipy.spatial import KDTree

        projection = Projection.fit(houses, contract)
        fields = [
            field
            for field in contract.fields.values()
            if field.kind == "nominal" and len(field.levels) > 1 and not field.at_sale
        ]
        if projection is None or not fields:
            return None
        points = projection.metres(houses)
        known = np.isfinite(points).all(axis=1)
        # A property that was sold twice must not predict itself.
        positions, number = np.unique(points[known].round(), axis=0, return_inverse=True)
        if len(positions) <= N_NEAREST:
            return None
        tree = KDTree(positions)
        distance, nearest = tree.query(positions, N_NEAREST + 1)
        levels = {}
        for field in fields:
            values = houses[field.column].to_numpy(np.float64)[known]
            own = _level_by_position(number.ravel(), values, len(positions), len(field.levels))
            if _follows(own, _agreed(own[nearest[:, 1:]])):
                levels[field.column] = own
        if not levels:
            return None
        return cls(projection, tree, levels, float(np.quantile(distance[:, -1], 0.99)))

    def suggest(self, houses: Columns) -> dict[str, Floats]:
        """Return by field the level that follows from the coordinates, NaN where none does."""
        points = self.projection.metres(houses)
        suggested = {name: np.full(len(points), np.nan) for name in self.levels}
        known = np.flatnonzero(np.isfinite(points).all(axis=1))
        if known.size:
            distance, nearest = self.tree.query(points[known], N_NEAREST)
            is_near = distance[:, -1] <= self.reach
            for name, levels in self.levels.items():
                suggested[name][known] = np.where(is_near, _agreed(levels[nearest]), np.nan)
        return suggested

    def problems(
        self, houses: Columns, suggested: Mapping[str, Floats], contract: Contract
    ) -> Iterator[Problem]:
        """Yield a warning for each level that none of the nearest properties has.

        ``suggested`` is what :meth:`suggest` returns.
        """
        for name, levels in self.levels.items():
            field, given = contract.fields[name], np.asarray(houses[name], np.float64)
            rows = np.flatnonzero(
                ~np.isnan(given) & ~np.isnan(suggested[name]) & (given != suggested[name])
            )
            if not rows.size:
                continue
            points = self.projection.metres(houses)[rows]
            for row, near in zip(rows, levels[self.tree.query(points, N_NEAREST)[1]], strict=True):
                if (near == given[row]).any():
                    continue
                level = float(suggested[name][row])
                read, expected = field.format(float(given[row])), field.format(level)
                count = int((near == level).sum())
                message = (
                    f"{field.label}: {read} does not fit the coordinates. {count} of the "
                    f"{N_NEAREST} nearest properties sold have {expected}."
                )
                yield Problem(
                    int(row) + 1, name, PLACE_MISMATCH, "warning", message, read, expected
                )


def _level_by_position(
    number: NDArray[np.intp], values: Floats, n_positions: int, n_levels: int
) -> NDArray[np.int32]:
    """Return the most frequent level of the sales at each position, -1 if none is known."""
    known = ~np.isnan(values)
    pairs, counts = np.unique(
        number[known] * n_levels + values[known].astype(np.intp), return_counts=True
    )
    pairs = pairs[np.argsort(counts, kind="stable")]
    levels = np.full(n_positions, -1, dtype=np.int32)
    levels[pairs // n_levels] = pairs % n_levels  # of several, the last one stays
    return levels


def _agreed(near: NDArray[np.int32]) -> Floats:
    """Return the level that enough of the nearest properties have, NaN where they differ."""
    counts = (near[:, :, np.newaxis] == near[:, np.newaxis, :]).sum(axis=2)
    counts[near < 0] = 0
    best = counts.argmax(axis=1)[:, np.newaxis]
    is_agreed = np.take_along_axis(counts, best, axis=1) >= AGREEMENT * near.shape[1]
    agreed: Floats = np.where(is_agreed, np.take_along_axis(near, best, axis=1), np.nan)[:, 0]
    return agreed


def _follows(levels: NDArray[np.int32], predicted: Floats) -> bool:
    """Whether levels follow from the coordinates, given what the nearest properties predict."""
    known = levels >= 0
    is_predicted = known & ~np.isnan(predicted)
    if not known.any() or is_predicted.sum() < MIN_COVERAGE * known.sum():
        return False
    accuracy = float((levels == predicted)[is_predicted].mean())
    by_chance = float(np.bincount(levels[known]).max() / known.sum())
    beyond_chance = accuracy - by_chance >= MIN_KAPPA * (1.0 - by_chance)
    return by_chance < 1.0 and accuracy >= MIN_ACCURACY and beyond_chance
