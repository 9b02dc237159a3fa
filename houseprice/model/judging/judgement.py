"""What the gate says of a model."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from houseprice.model.measuring.gate import Condition

__all__ = ["Beside", "Judgement"]


@dataclass(frozen=True)
class Beside:
    """How the model that the code makes now compares with a stored version, sale by sale.

    Attributes
    ----------
    version : str or None
        None where there is none to compare with.
    note : str
        Why it was not compared, or how the comparison is less than perfect; "" else.
    sales : int
    difference, low, high : float or None
        Mean absolute error less that of the version, as a share of the price, with the ends of its
        95 % interval; above 0 the version is closer.
    worse_by : float
        What the gate allows.
    """

    version: str | None
    worse_by: float
    note: str = ""
    sales: int = 0
    difference: float | None = None
    low: float | None = None
    high: float | None = None

    @property
    def held(self) -> bool:
        """Whether it is not surely worse by more than is allowed."""
        return self.low is None or self.low <= self.worse_by


@dataclass(frozen=True)
class Judgement:
    """What the gate says: a condition a limit, and the comparison with the version in use."""

    conditions: tuple[Condition, ...]
    beside: Beside

    @property
    def held(self) -> bool:
        """Whether the model may go on."""
        return self.beside.held and all(condition.held for condition in self.conditions)

    def as_data(self) -> dict[str, Any]:
        """Return the judgement as JSON can hold it."""
        return {
            "held": self.held,
            "conditions": [condition.as_data() for condition in self.conditions],
            "version_in_use": {**asdict(self.beside), "held": self.beside.held},
        }
