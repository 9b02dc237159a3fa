"""The slower frames of the sales, worked out once for the same sales, whoever looks at them."""

from __future__ import annotations

import hashlib

import pandas as pd
import streamlit as st

from houseprice.market.exploring import association
from houseprice.market.exploring.alerts import Alert, alerts
from houseprice.market.exploring.selection import Sales

__all__ = ["alerts_of", "ties_with_price"]


def _fingerprint(sales: Sales) -> str:
    """What tells these sales from any others: the contract and every figure."""
    told = hashlib.sha256(sales.contract.sha256.encode())
    told.update(sales.houses.to_numpy().tobytes())
    told.update(sales.prices.to_numpy().tobytes())
    told.update("\n".join(map(str, sales.ids)).encode())
    return told.hexdigest()


@st.cache_data(show_spinner=False, max_entries=32, hash_funcs={Sales: _fingerprint})
def alerts_of(sales: Sales) -> tuple[Alert, ...]:
    """What to know of these sales first."""
    return alerts(sales)


@st.cache_data(show_spinner=False, max_entries=32, hash_funcs={Sales: _fingerprint})
def ties_with_price(sales: Sales) -> pd.DataFrame:
    """How closely each field goes with price, closest first (``association.with_price``)."""
    return association.with_price(sales)
