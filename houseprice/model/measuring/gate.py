"""Whether a model is good enough to go on: its figures held to the limits of its market."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import isfinite
from typing import Any

from houseprice.market.gate import Gate, Limit
from houseprice.model.measuring.evaluated import LEVELS
from houseprice.model.measuring.metrics import point_metrics, range_metrics
from houseprice.model.measuring.ratios import FIGURES
from houseprice.model.measuring.report import Report

__all__ = ["Condition", "conditions", "figures_of", "unknown_figures"]


@dataclass(frozen=True)
class Condition:
    """One limit, what was found, and whether it holds."""

    figure: str
    limit: Limit
    found: float
    held: bool

    def as_data(self) -> dict[str, Any]:
        """Return the condition as JSON can hold it."""
        return {
            "figure": self.figure,
            "at_least": self.limit.at_least,
            "at_most": self.limit.at_most,
            "found": self.found if isfinite(self.found) else None,
            "held": self.held,
        }


def unknown_figures(gate: Gate) -> list[str]:
    """Return the figures that a gate limits and no evaluation has; to be asked before the work."""
    return [name for name in gate.limits if name not in _measured()]


def conditions(gate: Gate, figures: Mapping[str, float]) -> list[Condition]:
    """Hold figures (:func:`figures_of`) to the limits of a gate, in the order of the contract.

    A figure that is not a number, because there were too few sales for it, does not hold.
    """
    return [
        Condition(name, limit, figures[name], limit.holds(figures[name]))
        for name, limit in gate.limits.items()
    ]


def figures_of(report: Report) -> dict[str, float]:
    """Return what a gate may limit: the metrics of the report and the figures of its study."""
    study = zip(report.equity["figure"], report.equity["value"], strict=True)
    return {**{str(name): float(value) for name, value in study}, **report.metrics}


def _measured() -> set[str]:
    """The names of all figures, found by measuring one sale."""
    one = [1.0]
    ranges = [name for level in LEVELS for name in range_metrics(one, one, one, one, level)]
    return {*point_metrics(one, one), *ranges, *FIGURES}
