"""Which figures are good: the accepted ranges of everything that is measured."""

from __future__ import annotations

from collections.abc import Mapping

from houseprice.model.measuring.ratio_study import ACCEPTED

__all__ = ["GOOD", "WHOSE"]

_SLACK = 0.02
"""How far a range may hold more or less than it says, as a share of all prices."""

GOOD: Mapping[str, tuple[float, float]] = {
    "median_ape": (0.0, 0.08),
    **{f"coverage_{level}": (level / 100 - _SLACK, level / 100 + _SLACK) for level in (68, 80, 90)},
    **ACCEPTED,
}
"""The least and the most that is good, by metric; a metric without a standard is not here.

For the typical error: what public valuation services report for homes that are not for sale (7 to
8 %). For ranges: what they say, give or take two points. The rest is the assessors' standard.
"""

WHOSE: Mapping[str, str] = {
    "median_ape": "what public valuation services reach for homes that are not for sale",
    **{f"coverage_{level}": "what the range says, give or take" for level in (68, 80, 90)},
    **dict.fromkeys(ACCEPTED, "the assessors' standard"),
}
"""Where that comes from."""
