"""What was tried for a market's model, as data: an optional file of the market's folder."""

from __future__ import annotations

import pandas as pd

from houseprice.errors import MarketError
from houseprice.market.sales import Market, read_rows

__all__ = ["FIGURES", "FILE", "experiments"]

FILE = "experiments.csv"
_WORDS = ("part", "tried", "verdict")
FIGURES = ("rmsle", "median_ape", "within_10", "coverage_90", "width_90", "winkler")
"""The figures of an experiment, by the names of the metrics; blank where it was not measured."""


def experiments(market: Market) -> pd.DataFrame:
    """Read what was tried, in the order of the file; no rows if there is no such file.

    Returns
    -------
    DataFrame, a row per experiment
        part (of the model), tried, :data:`FIGURES` (shares between 0 and 1), verdict (begins with
        "kept" or "dropped", or says nothing), kept (bool).

    Raises
    ------
    MarketError
        If the file lacks a column, or holds something else than a number where one belongs.
    """
    path = market.folder / FILE
    columns = [*_WORDS[:2], *FIGURES, _WORDS[2]]
    if not path.is_file():
        return pd.DataFrame(columns=[*columns, "kept"]).astype(dict.fromkeys(FIGURES, "float64"))
    try:
        told = read_rows(path)
    except (ValueError, OSError) as error:
        raise MarketError(path, "", f"can't be read ({error})") from None
    for column in columns:
        if column not in told.columns:
            raise MarketError(path, column, "this column is missing")
    for column in FIGURES:
        try:
            told[column] = pd.to_numeric(told[column].replace("", None)).astype("float64")
        except ValueError:
            raise MarketError(path, column, "there is something else than numbers") from None
    return told[columns].assign(kept=told["verdict"].str.startswith("kept"))
