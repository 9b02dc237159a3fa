"""Saved valuations of the embedded market, each with the price of a later sale."""

from __future__ import annotations

from datetime import UTC, date, datetime

import numpy as np
import pandas as pd

from houseprice.backend.base import BackendInfo, ValuationResult, valuation_frame
from houseprice.market.sales import Market
from houseprice.records import outcomes, valuations
from houseprice.records.database import Database
from houseprice.records.ledger import Author
from houseprice.records.valuations import OwnTexts

VALUED_AT = datetime(2026, 1, 5, tzinfo=UTC)


def save_with_prices(database: Database, market: Market, n: int) -> None:
    """Save n valuations, and sell each house but the last for 5 % more than its value."""
    author = Author("anne", market.contract.market.name, "form")
    rows = market.contract.with_codes(market.houses.head(n)).astype("str")
    value = market.prices.head(n).to_numpy(np.float64)
    frame = pd.DataFrame({"predicted_price": value, "price_low": 0.9 * value})
    frame["price_high"], frame["interval"], frame["fsd"] = 1.1 * value, 0.9, 0.06
    frame["confidence"] = 80.0
    made = valuation_frame(np.ones(n, dtype=bool), (), frame, "ames-0", VALUED_AT)
    info = BackendInfo("this computer", "ames-0", "", "Ames", date(2010, 7, 31), None, None)
    texts = [OwnTexts(f"A-{i}", "", f"{i} Elm Street") for i in range(n)]
    valuations.save(
        database, author, rows, ValuationResult(made, ()), info, market.contract,
        texts=texts, valued_at=VALUED_AT,
    )  # fmt: skip
    sales = pd.DataFrame({"reference": [text.reference for text in texts], "price": 1.05 * value})
    sales["sold_on"] = pd.Series([date(2026, 2 + i % 2, 1) for i in range(n)], dtype=object)
    outcomes.add(database, author, sales.head(n - 1))
