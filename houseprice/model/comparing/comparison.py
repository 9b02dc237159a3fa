"""A house and comparable sales side by side, in words."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from houseprice.market.fields import Field
from houseprice.market.sales import Market
from houseprice.model.comparing.likeness import Likeness

__all__ = ["Comparison"]

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

    def __init__(self, market: Market, likeness: Likeness) -> None:
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
                "told": [f.words(house[i]) for f, i in zip(fields, places, strict=True)],
                "sale": [f.words(self._sales[row, i]) for f, i in zip(fields, places, strict=True)],
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
        return " ".join(field.words(value) for field, value in (month, year) if not np.isnan(value))

    def _unusual(self, row: int) -> str:
        if self.usual[row]:
            return ""
        told = (
            (field, self._sales[row, self._place(field.column)]) for field in self._circumstances
        )
        return "; ".join(
            f"{field.label}: {field.words(value)}"
            for field, value in told
            if not np.isnan(value) and value != field.start_value
        )

    def _place(self, name: str) -> int:
        return self._market.contract.columns.index(name)


def _told(field: Field, sale: float, house: float) -> str:
    if np.isnan(house):
        return f"{field.label}: {field.words(sale)}, not known of this house"
    if np.isnan(sale):
        return f"{field.label}: not known of the sale, {field.words(house)} here"
    return f"{field.label}: {field.words(sale)} instead of {field.words(house)}"
