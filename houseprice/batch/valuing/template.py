"""A table to fill in: every column of the contract, and one house as an example."""

from __future__ import annotations

import pandas as pd

from houseprice.market.contract import Contract

__all__ = ["template"]


def template(contract: Contract, house: pd.Series) -> pd.DataFrame:
    """Lay a clean house out as a row of a file.

    Parameters
    ----------
    contract : Contract
    house : Series, index the contract's columns
        A clean house, such as :func:`houseprice.market.sales.typical_house` gives.

    Returns
    -------
    DataFrame, all text, shape (1, 1 + n_fields)
        The market's key column first, then a column a field.
    """
    cells = {name: field.code(house[name]) for name, field in contract.fields.items()}
    return pd.DataFrame([{contract.market.id: "1", **cells}], dtype="str")
