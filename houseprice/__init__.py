"""House values with honest ranges, learned from a market that is described as data.

::

    import houseprice

    market = houseprice.load_market()
    model = houseprice.ValuationModel(market.contract).fit(market.houses, market.prices)
    model.value(market.houses.head())

Importing this package is quick: each name is loaded when it is first used (:pep:`562`).
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from houseprice.errors import HousePriceError
    from houseprice.market.contract import Contract, load_contract
    from houseprice.market.sales import Market, read_rows
    from houseprice.market.validation import validate
    from houseprice.model.evaluation import cross_validate
    from houseprice.model.store.store import ModelStore
    from houseprice.model.training import train
    from houseprice.model.valuation import ValuationModel
    from houseprice.tables.sales import load_market

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

# Lazy imports, as in scipy and scikit-learn: the module of each public name.
_LAZY_IMPORTS = {
    "Contract": "houseprice.market.contract",
    "HousePriceError": "houseprice.errors",
    "Market": "houseprice.market.sales",
    "ModelStore": "houseprice.model.store.store",
    "ValuationModel": "houseprice.model.valuation",
    "cross_validate": "houseprice.model.evaluation",
    "load_contract": "houseprice.market.contract",
    "load_market": "houseprice.tables.sales",
    "read_rows": "houseprice.market.sales",
    "train": "houseprice.model.training",
    "validate": "houseprice.market.validation",
}


def __getattr__(name: str) -> object:
    if name not in _LAZY_IMPORTS:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = globals()[name] = getattr(import_module(_LAZY_IMPORTS[name]), name)
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
