"""Golden rows: a few houses with the prices that a model gave them when it was saved.

A model that is opened elsewhere, or asked over a network, must say the same of them. So a checksum
proves the bytes, and these prove what comes out.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass

import numpy as np
import pandas as pd

from houseprice.errors import StoreError
from houseprice.market.checks import check
from houseprice.market.sales import Market, read_rows
from houseprice.model.valuation import ValuationModel

__all__ = ["GOLDEN", "NONE_GOLDEN", "Golden"]

GOLDEN = "golden.json"
TOLERANCE = 1e-9
"""How far a price may be off, in shares of it: the last digits differ between processors."""


@dataclass(frozen=True)
class Golden:
    """Raw rows, as a client would send them, and what they are worth.

    Attributes
    ----------
    rows : tuple of dict of str to str
        By column of the contract.
    prices : tuple of float
        Unrounded.
    """

    rows: tuple[dict[str, str], ...]
    prices: tuple[float, ...]

    @classmethod
    def of(cls, model: ValuationModel, market: Market) -> Golden:
        """Value the first, the middle and the last sale of a market."""
        places = np.unique(np.linspace(0, len(market.houses) - 1, 3).astype(np.intp))
        sold = read_rows(market.sales_path).iloc[places]
        rows = sold[[name for name in market.contract.columns if name in sold.columns]]
        records = [{str(name): text for name, text in row.items()} for _, row in rows.iterrows()]
        return cls(tuple(records), _prices(model, rows))

    def check(self, model: ValuationModel, version: str) -> None:
        """Refuse a model that does not say the same again.

        Raises
        ------
        StoreError
        """
        if not self.rows:
            return
        prices = _prices(model, self.frame)
        if not np.allclose(prices, self.prices, rtol=TOLERANCE, atol=0.0):
            raise StoreError(
                f"Model version {version} gives other prices here than when it was saved. "
                "Train a new one: houseprice train."
            )

    @property
    def frame(self) -> pd.DataFrame:
        """The rows as a table, to be checked and valued."""
        return pd.DataFrame(list(self.rows), dtype=str)

    def to_json(self) -> bytes:
        """Write rows and prices."""
        return json.dumps(asdict(self), indent=1, ensure_ascii=False, allow_nan=False).encode()

    @classmethod
    def read(cls, data: bytes) -> Golden:
        """Read what :meth:`to_json` wrote."""
        facts = json.loads(data)
        return cls(tuple(facts["rows"]), tuple(facts["prices"]))


NONE_GOLDEN = Golden((), ())
"""Of a model that nothing is known of."""


def _prices(model: ValuationModel, rows: pd.DataFrame) -> tuple[float, ...]:
    houses = check(rows.reset_index(drop=True), model.contract).houses
    return tuple(model.predict(houses).tolist())
