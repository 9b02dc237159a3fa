"""House values with honest ranges, learned from a market that is described as data.

::

    import houseprice

    market = houseprice.load_market()
    model = houseprice.ValuationModel(market.contract).fit(market.houses, market.prices)
    model.value(market.houses.head())

Importing this package is quick: each name below is loaded when it is first used (:pep:`562`).
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from houseprice.errors import HousePriceError
    from houseprice.market.contract import Contract, load_contract
    from houseprice.market.sales import Market, load_market, read_rows
    from houseprice.market.validation import validate
    from houseprice.model.evaluation import cross_validate
    from houseprice.model.store.store import ModelStore
    from houseprice.model.training import train
    from houseprice.model.valuation import ValuationModel

__all__ = [
    "Contract",
    "HousePriceError",
    "Market",
    "ModelStore",
    "ValuationModel",
    "__version__",
    "cross_validate",
    "load_contract",
    "load_market",
    "read_rows",
    "train",
    "validate",
]

__version__ = "2.0.0"

_HOMES = {
    "Contract": "houseprice.market.contract",
    "HousePriceError": "houseprice.errors",
    "Market": "houseprice.market.sales",
    "ModelStore": "houseprice.model.store.store",
    "ValuationModel": "houseprice.model.valuation",
    "validate": "houseprice.market.validation",
    "cross_validate": "houseprice.model.evaluation",
    "load_contract": "houseprice.market.contract",
    "load_market": "houseprice.market.sales",
    "read_rows": "houseprice.market.sales",
    "train": "houseprice.model.training",
}


def __getattr__(name: str) -> object:
    """Load a public name from its module when it is first asked for."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = globals()[name] = getattr(import_module(_HOMES[name]), name)
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
