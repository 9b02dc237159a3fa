"""Names on a map, where they hide nothing."""

from __future__ import annotations

from typing import NamedTuple

import pandas as pd

__all__ = ["label_places"]

PIXELS_PER_SPAN = 275
"""How far apart the outermost places are drawn on a phone: what fits there fits everywhere."""
EDGE = 44
"""Pixels beyond the outermost places that a name may take up."""
CHARACTER, LINE = 6.3, 14.0
"""Pixels of a character and of a line at the size of a label."""


class _Box(NamedTuple):
    left: float
    right: float
    low: float
    high: float

    def meets(self, other: _Box) -> bool:
        return (
            self.left < other.right
            and other.left < self.right
            and self.low < other.high
            and other.low < self.high
        )


def label_places(frame: pd.DataFrame, across: pd.Series) -> pd.DataFrame:
    """Find a side of each bubble for its name; those first in the frame choose first.

    Parameters
    ----------
    frame : DataFrame
        level, east, north; as drawn on a phone at the least.
    across : Series
        Pixels across each bubble.

    Returns
    -------
    DataFrame
        text (empty where there is no room) and position, as Plotly names it.
    """
    span = max(float(frame["east"].max() - frame["east"].min()), 1e-9)
    scale = PIXELS_PER_SPAN / span
    x, y = scale * (frame["east"] - frame["east"].min()), scale * frame["north"]
    taken = [
        _Box(*(at - r, at + r), *(up - r, up + r))
        for at, up, r in zip(x, y, across / 2, strict=True)
    ]
    rows = []
    for name, at, up, radius in zip(frame["level"], x, y, across / 2, strict=True):
        place = next(
            (
                (side, box)
                for side, box in _sides(str(name), at, up, radius)
                if box.left >= -EDGE
                and box.right <= PIXELS_PER_SPAN + EDGE
                and not any(box.meets(other) for other in taken)
            ),
            None,
        )
        if place is None:
            rows.append(("", "middle right"))
        else:
            rows.append((str(name), place[0]))
            taken.append(place[1])
    return pd.DataFrame(rows, columns=["text", "position"], index=frame.index)


def _sides(name: str, x: float, y: float, radius: float) -> list[tuple[str, _Box]]:
    width, half = CHARACTER * len(name), LINE / 2
    beside, above = radius + 3, radius + 1
    return [
        ("middle right", _Box(x + beside, x + beside + width, y - half, y + half)),
        ("middle left", _Box(x - beside - width, x - beside, y - half, y + half)),
        ("top center", _Box(x - width / 2, x + width / 2, y + above, y + above + LINE)),
        ("bottom center", _Box(x - width / 2, x + width / 2, y - above - LINE, y - above)),
    ]
