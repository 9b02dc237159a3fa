"""What a market asks of a model before it may go on: limits of its figures, in the contract."""

from __future__ import annotations

from typing import Self

from pydantic import Field as Setting
from pydantic import FiniteFloat, model_validator

from houseprice.market.fields import Facts

__all__ = ["Gate", "Limit"]


class Limit(Facts):
    """The least, the most, or both, that a figure may be; the limits themselves are allowed."""

    at_least: FiniteFloat | None = None
    at_most: FiniteFloat | None = None

    @model_validator(mode="after")
    def _bounds_something(self) -> Self:
        if self.at_least is None and self.at_most is None:
            raise ValueError("a limit needs at_least, at_most or both")
        if self.at_least is not None and not self.holds(self.at_least):
            raise ValueError("at_least is above at_most")
        return self

    def holds(self, found: float) -> bool:
        """Whether a figure is inside; what is not a number is not."""
        low = float("-inf") if self.at_least is None else self.at_least
        return low <= found <= (float("inf") if self.at_most is None else self.at_most)


class Gate(Facts):
    """Limits by the name of a figure of the evaluation.

    ``worse_by`` is the room beside the version in use: how much larger the mean error, as a share
    of the price, may surely be.
    """

    limits: dict[str, Limit] = Setting(min_length=1)
    worse_by: float = Setting(default=0.0, ge=0.0, allow_inf_nan=False)
