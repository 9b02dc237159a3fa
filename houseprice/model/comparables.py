"""Comparables: the real sales most like a house, as an appraiser would pick them.

Likeness is importance-weighted distance over what was known before the sale (:mod:`~houseprice.
model.likeness`). Sales of the same market area come first, as long as they are near enough; a
predicted price never takes part, because sales picked by it only repeat the prediction.

A house and comparable sales side by side, in words.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from houseprice.errors import ModelError
from houseprice.market.fields import Field
from houseprice.market.sales import Market
from houseprice.model.features import to_matrix
from houseprice.model.similarity import HouseDistance, SubjectMatcher

__all__ = ["Comparables", "Comparison", "NearestSales"]

Floats = NDArray[np.float64]

TOLD = 3
"""How many differences are told of a sale."""

_WORTH_TELLING = 0.002  # of the distance: a fifth of a point of similarity


class Comparison:
    """Tell what sales have in common with a house.

    Parameters
    ----------
    market : Market
    likeness : Likeness
        Of the market's sales.

    Attributes
    ----------
    usual : bool ndarray of shape (n_sales,)
        Whether a sale was an ordinary one.
    """

    def __init__(self, market: Market, likeness: HouseDistance) -> None:
        self._market = market
        self._likeness = likeness
        self._sales = market.houses.to_numpy(np.float64)
        self._prices = market.prices.to_numpy(np.float64)
        self._ids = market.ids.astype(str).tolist()
        roles = market.contract.market.roles
        self._circumstances = [
            field
            for name, field in market.contract.fields.items()
            if field.at_sale and field.levels and field.start is not None
            if name not in (roles.sale_year, roles.sale_month)
        ]
        self.usual = np.ones(len(self._sales), dtype=bool)
        for field in self._circumstances:
            values = self._sales[:, self._place(field.column)]
            self.usual &= np.isnan(values) | (values == field.start_value)

    def table(self, house: Floats, rows: NDArray[np.intp], similarity: Floats) -> pd.DataFrame:
        """Tell of some sales beside a house.

        Returns
        -------
        DataFrame, a row per sale
            row (position in the market), id, similarity (0 to 100), price and price_per_area
            (money), sold ("June 2009"), same_location (bool), circumstances (what was not ordinary
            about the sale, empty if nothing) and differences (the fields that differ most, in
            words, "; " between them).
        """
        roles = self._market.contract.market.roles
        area = self._sales[rows, self._place(roles.area)]
        location = self._place(roles.location)
        parts = self._likeness.by_field(house[np.newaxis], rows[np.newaxis])[0]
        return pd.DataFrame(
            {
                "row": rows,
                "id": [self._ids[row] for row in rows],
                "similarity": similarity,
                "price": self._prices[rows],
                "price_per_area": self._prices[rows] / np.where(area > 0, area, np.nan),
                "sold": [self._sold(row) for row in rows],
                "same_location": self._sales[rows, location] == house[location],
                "circumstances": [self._unusual(row) for row in rows],
                "differences": [
                    self._differences(house, row, own) for row, own in zip(rows, parts, strict=True)
                ],
            }
        )

    def distances(self, house: Floats, row: int) -> pd.DataFrame:
        """Tell how a house and a sale differ; see :meth:`.comparables.Comparables.distances`."""
        parts = self._likeness.by_field(house[np.newaxis], np.array([[row]]))[0, 0]
        fields = [self._market.contract.fields[name] for name in self._likeness.columns]
        places = [self._place(name) for name in self._likeness.columns]
        frame = pd.DataFrame(
            {
                "column": self._likeness.columns,
                "label": [field.label for field in fields],
                "told": [f.format(house[i]) for f, i in zip(fields, places, strict=True)],
                "sale": [
                    f.format(self._sales[row, i]) for f, i in zip(fields, places, strict=True)
                ],
                "distance": parts / self._likeness.weights,
                "weight": self._likeness.weights,
                "points": 100.0 * parts,
            }
        )
        return frame.sort_values("points", ascending=False, kind="stable", ignore_index=True)

    def note(self, table: pd.DataFrame) -> str:
        """Say in a sentence where the sales lie."""
        role = self._market.contract.market.roles.location
        label = self._market.contract.fields[role].label.lower()
        elsewhere = int((~table["same_location"]).sum())
        if table.empty:
            return "There is no sale to compare with."
        if not elsewhere:
            return f"All are from the same {label}."
        if elsewhere == len(table):
            return f"None is from the same {label}: no sale there is enough like the house."
        return (
            f"{elsewhere} of {len(table)} {'is' if elsewhere == 1 else 'are'} from elsewhere: the "
            f"same {label} has too few sales that are enough like the house."
        )

    def _differences(self, house: Floats, row: int, parts: Floats) -> str:
        most = np.argsort(-parts, kind="stable")[:TOLD]
        names = [self._likeness.columns[i] for i in most if parts[i] >= _WORTH_TELLING]
        return "; ".join(
            _told(self._market.contract.fields[name], self._sales[row, place], house[place])
            for name, place in ((name, self._place(name)) for name in names)
        )

    def _sold(self, row: int) -> str:
        contract = self._market.contract
        roles = contract.market.roles
        year, month = (
            (contract.fields[name], self._sales[row, self._place(name)])
            for name in (roles.sale_year, roles.sale_month)
        )
        return " ".join(
            field.format(value) for field, value in (month, year) if not np.isnan(value)
        )

    def _unusual(self, row: int) -> str:
        if self.usual[row]:
            return ""
        told = (
            (field, self._sales[row, self._place(field.column)]) for field in self._circumstances
        )
        return "; ".join(
            f"{field.label}: {field.format(value)}"
            for field, value in told
            if not np.isnan(value) and value != field.start_value
        )

    def _place(self, name: str) -> int:
        return self._market.contract.columns.index(name)


def _told(field: Field, sale: float, house: float) -> str:
    if np.isnan(house):
        return f"{field.label}: {field.format(sale)}, not known of this house"
    if np.isnan(sale):
        return f"{field.label}: not known of the sale, {field.format(house)} here"
    return f"{field.label}: {field.format(sale)} instead of {field.format(house)}"


REACH = 0.95
"""A sale of the same area comes first if it is as near as the fifth-nearest sale of this share of
the market's houses is to them."""

UNUSUAL = 0.1
"""Added to the distance of a sale that was not an ordinary one (between relatives, of a house not
yet finished): its price says less of the house, but where such sales are all there is, they stay.
"""

_PIECE = 64  # houses at a time, so that memory does not grow with their number
_SAMPLE = 300  # sales that the reach is learned from


class NearestSales(NamedTuple):
    """The most similar sales of some houses, the first choice first.

    Attributes
    ----------
    rows : int ndarray of shape (n_houses, k)
        Positions of the sales in the market; -1 where the market has no more of them.
    similarity : ndarray of shape (n_houses, k)
        From 0 to 100: the share of what matters to the price that is alike; NaN beside a -1.
    same_location : bool ndarray of shape (n_houses, k)
        Whether the sale is of the house's market area.
    """

    rows: NDArray[np.intp]
    similarity: Floats
    same_location: NDArray[np.bool_]


class Comparables:
    """Find comparable sales in a market.

    Parameters
    ----------
    market : Market
    importance : DataFrame
        Columns ``column`` and ``importance_pct``, as
        :func:`houseprice.model.importance.permutation_importance` gives it.

    Attributes
    ----------
    likeness : Likeness
    reach : float
        Up to this distance a sale of the same market area comes before any of another one.
    usual : bool ndarray of shape (n_sales,)
        Whether a sale was an ordinary one: each level known only at the sale, its date apart, is
        the contract's ``start``.
    """

    def __init__(self, market: Market, importance: pd.DataFrame) -> None:
        self.market = market
        contract = market.contract
        self._sales = to_matrix(market.houses, contract)
        self.likeness = HouseDistance(contract, self._sales, importance)
        self._location = contract.columns.index(contract.market.roles.location)
        self._comparison = Comparison(market, self.likeness)
        self.usual = self._comparison.usual
        self._itself = SubjectMatcher(market)
        self.reach = self._learned_reach()

    def nearest(
        self, houses: pd.DataFrame | Floats, k: int = 5, ids: Sequence[str] | None = None
    ) -> NearestSales:
        """Find the k sales most like each house, never the house itself.

        Parameters
        ----------
        houses : DataFrame or ndarray of shape (n_houses, n_fields)
            Clean houses.
        k : int
        ids : sequence of str, optional
            The houses' keys, as far as they have one: a sale of the same key is the house itself.
            So is one with the very same facts, key or not.

        Raises
        ------
        ModelError
            If `k` is less than 1, or there is not one key a house.
        """
        if k < 1:
            raise ModelError(f"{k} comparable sales can't be found: ask for 1 or more")
        matrix = to_matrix(houses, self.market.contract)
        own = self._itself.rows(matrix, ids)
        rows = np.full((len(matrix), k), -1, dtype=np.intp)
        similarity = np.full(rows.shape, np.nan)
        for start in range(0, len(matrix), _PIECE):
            piece = slice(start, start + _PIECE)
            distance = self.likeness.distances(matrix[piece])
            for house, known in enumerate(own[piece]):
                distance[house, known] = np.inf
            first = self._first(self._order(matrix[piece], distance), k)
            width = first.shape[1]
            found = np.take_along_axis(distance, first, axis=1).astype(np.float64)
            there = np.isfinite(found)
            rows[piece, :width] = np.where(there, first, -1)
            similarity[piece, :width] = np.where(there, 100.0 * (1.0 - found), np.nan)
        location = self._sales[:, self._location]
        same = (location[rows] == matrix[:, [self._location]]) & (rows >= 0)
        return NearestSales(rows, similarity, same)

    def table(self, house: pd.Series, k: int = 5, key: str | None = None) -> pd.DataFrame:
        """Tell the k sales most like a house in words, the first choice first.

        Parameters
        ----------
        house : Series, index the contract's columns
            A clean house.
        k : int
        key : str, optional
            Its key, if it is a sale of the market.

        Returns
        -------
        DataFrame, a row per sale
            Columns as :meth:`houseprice.model.comparables.Comparison.table` tells them.
        """
        matrix = self._matrix(house)
        found = self.nearest(matrix, k, None if key is None else [key])
        there = found.rows[0] >= 0
        return self._comparison.table(matrix[0], found.rows[0][there], found.similarity[0][there])

    def distances(self, house: pd.Series, row: int) -> pd.DataFrame:
        """Tell how a house and the sale at a position differ, field by field.

        Returns
        -------
        DataFrame, a row per field that counts, what differs most first
            column, label, told (of the house, in words), sale (the same of the sale), distance
            (0 to 1), weight (of all that counts) and points (of similarity that it costs).
        """
        return self._comparison.distances(self._matrix(house)[0], row)

    def note(self, table: pd.DataFrame) -> str:
        """Say in a sentence where the sales of a :meth:`table` lie."""
        return self._comparison.note(table)

    def _matrix(self, house: pd.Series) -> Floats:
        return house[list(self.market.contract.columns)].to_numpy(np.float64)[np.newaxis]

    def _order(self, houses: Floats, distance: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return what the sales are ranked by: the nearby of the same area, then all the others."""
        same = houses[:, [self._location]] == self._sales[:, self._location]
        later = np.where(same & (distance <= self.reach), np.float32(0), np.float32(2))
        later += np.where(self.usual, np.float32(0), np.float32(UNUSUAL))
        later += distance
        return later

    def _first(self, order: NDArray[np.float32], k: int) -> NDArray[np.intp]:
        n_sales = order.shape[1]
        if k < n_sales:
            best = np.sort(np.argpartition(order, k - 1, axis=1)[:, :k], axis=1)
        else:
            best = np.broadcast_to(np.arange(n_sales), order.shape)
        within = np.argsort(np.take_along_axis(order, best, axis=1), axis=1, kind="stable")
        return np.take_along_axis(best, within, axis=1)

    def _learned_reach(self) -> float:
        n_sales = len(self._sales)
        rows = np.unique(np.linspace(0, n_sales - 1, min(n_sales, _SAMPLE)).astype(np.intp))
        fifth = min(5, n_sales - 1)
        nearest = []
        for start in range(0, len(rows), _PIECE):
            # The nearest sale of a sale is itself.
            distance = self.likeness.distances(self._sales[rows[start : start + _PIECE]])
            nearest.append(np.partition(distance, fifth, axis=1)[:, fifth])
        return float(np.quantile(np.concatenate(nearest), REACH))
