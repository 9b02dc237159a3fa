"""Which sales are of a house itself, so that it is not compared with itself."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from houseprice.errors import ModelError
from houseprice.market.sales import Market

__all__ = ["SameHouse"]

Floats = NDArray[np.float64]


class SameHouse:
    """Find a house among the sales of a market, by its key or by its facts.

    A sale with the very same facts known before the sale is taken to be of the house itself.

    Parameters
    ----------
    market : Market
    """

    def __init__(self, market: Market) -> None:
        fields = market.contract.fields.values()
        self._before = [i for i, field in enumerate(fields) if not field.at_sale]
        self._by_key = {str(key): [row] for row, key in enumerate(market.ids)}
        self._by_facts: defaultdict[bytes, list[int]] = defaultdict(list)
        for row, facts in enumerate(self._facts(market.houses.to_numpy(np.float64))):
            self._by_facts[facts].append(row)

    def rows(self, houses: Floats, keys: Sequence[str] | None) -> list[list[int]]:
        """Return the positions of the sales that are each house itself.

        Raises
        ------
        ModelError
            If keys are given, but not one a house.
        """
        found = [self._by_facts.get(facts, []) for facts in self._facts(houses)]
        if keys is None:
            return found
        if len(keys) != len(houses):
            raise ModelError(f"there are {len(keys)} keys for {len(houses)} houses")
        by_key = (self._by_key.get(str(key), []) for key in keys)
        return [known + named for known, named in zip(found, by_key, strict=True)]

    def _facts(self, houses: Floats) -> list[bytes]:
        """Return the facts known before the sale in a form that can be looked up."""
        facts = houses[:, self._before] + 0.0  # no negative zeros
        facts[np.isnan(facts)] = np.nan  # one kind of unknown
        return [row.tobytes() for row in facts]
