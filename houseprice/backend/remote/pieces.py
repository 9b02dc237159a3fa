"""A table of any length valued by a server that takes so many houses at once."""

from __future__ import annotations

from collections.abc import Callable

import pandas as pd

from houseprice.backend.base import Progress
from houseprice.backend.remote.answers import Piece
from houseprice.backend.remote.statuses import Refused
from houseprice.errors import BackendUnavailable

__all__ = ["in_pieces"]

STARTS = 3
"""How often a table is begun, if the server changes its model in the middle of it."""


def in_pieces(
    rows: pd.DataFrame,
    most: int,
    ask: Callable[[pd.DataFrame], Piece],
    progress: Progress | None = None,
) -> list[Piece]:
    """Have all rows valued by one and the same model.

    Parameters
    ----------
    rows : DataFrame
        One row at least.
    most : int
        Rows in one request, to begin with: fewer where the server finds that too large.
    ask : callable
        Values some rows.
    progress : callable, optional

    Raises
    ------
    BackendError
        What `ask` raises, or that the model changed again and again.
    """
    for _ in range(STARTS):
        pieces = _once(rows, most, ask, progress)
        if len({piece.model_version for piece in pieces}) == 1:
            return pieces
    message = "The server changed its model while it valued these houses. Try again."
    raise BackendUnavailable(message, reason="changing")


def _once(
    rows: pd.DataFrame,
    most: int,
    ask: Callable[[pd.DataFrame], Piece],
    progress: Progress | None,
) -> list[Piece]:
    """Value rows up to where the model changes."""
    pieces: list[Piece] = []
    done = 0
    while done < len(rows):
        part = rows.iloc[done : done + most]
        try:
            pieces.append(ask(part))
        except Refused as error:
            if error.reason != "too_large" or len(part) == 1:
                raise
            most = (len(part) + 1) // 2
            continue
        if pieces[-1].model_version != pieces[0].model_version:
            break
        done += len(part)
        if progress:
            progress(done / len(rows), f"{done:,} of {len(rows):,} houses valued")
    return pieces
