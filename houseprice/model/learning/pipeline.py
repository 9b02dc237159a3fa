"""The one place that says which regressor values houses."""

from __future__ import annotations

from houseprice.market.contract import Contract
from houseprice.model.learning.blend import BlendRegressor

__all__ = ["make_regressor"]


def make_regressor(contract: Contract, random_state: int = 0) -> BlendRegressor:
    """Return the unfitted regressor from clean houses to the logarithm of the price."""
    return BlendRegressor(contract, random_state=random_state)
