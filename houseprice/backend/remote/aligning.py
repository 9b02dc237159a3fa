"""Which house each number of an answer belongs to.

A server may leave out houses that it refuses, and not say which; or refuse all for the sake of one.
So a number is only taken where it can belong to one house alone; everything else is asked again in
halves, in the end house by house.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from houseprice.backend.remote.protocols import Reply, Table
from houseprice.errors import BackendError, BackendGarbled

__all__ = ["Asking", "Placed"]

PATIENCE = 8
"""Houses that a server may refuse one by one, and value none, before it refuses for good."""

OF_THE_HOUSES = frozenset({"invalid", "rejected", "server_error", "silent", "too_large"})
"""Reasons of failures that fewer or other houses may not meet."""

SILENCE = "It gave no value, and no reason."


@dataclass(frozen=True)
class Placed:
    """What a server said of one house: a number, or a sentence on why there is none."""

    number: float | None
    refusal: str = ""


class Asking:
    """Asks for numbers as often as it takes to know whose they are.

    Parameters
    ----------
    ask : callable
        From a table to a reply; it may raise errors of the kind BackendError.
    """

    def __init__(self, ask: Callable[[Table], Reply]) -> None:
        self._ask = ask
        self._valued = 0
        self._refused = 0

    def all(self, table: Table) -> list[Placed]:
        """Ask for the numbers of a table.

        Returns
        -------
        list of Placed
            One a house, in order.

        Raises
        ------
        BackendGarbled
            If the server gives several numbers for one house.
        BackendError
            As `ask` does, if it is not about some of the houses.
        """
        n = len(table)
        try:
            placed = _place(self._ask(table), n)
        except BackendError as error:
            if error.reason not in OF_THE_HOUSES or (n == 1 and self._is_hopeless(error.reason)):
                raise
            placed = [Placed(None, str(error))] if n == 1 else None
        if placed is None:
            return [*self.all(table.part(0, n // 2)), *self.all(table.part(n // 2, n))]
        self._valued += sum(each.number is not None for each in placed)
        self._refused += sum(each.number is None for each in placed)
        return placed

    def _is_hopeless(self, reason: str) -> bool:
        """Whether the failure on one house says nothing of this house."""
        return reason == "too_large" or (self._valued == 0 and self._refused >= PATIENCE)


def _place(reply: Reply, n: int) -> list[Placed] | None:
    """Give each house its number, or None where that would be a guess."""
    numbers, refusals = reply.numbers, reply.refusals
    if len(numbers) == n:
        return [_one(number, refusals.get(row, "")) for row, number in enumerate(numbers)]
    if len(numbers) + len(refusals) == n and all(0 <= row < n for row in refusals):
        left = iter(numbers)
        return [
            _one(None if row in refusals else next(left), refusals.get(row, "")) for row in range(n)
        ]
    if n > 1:
        return None
    if not numbers:
        raise BackendGarbled(f"The server was asked for values. {SILENCE}", reason="silent")
    raise BackendGarbled(
        f"The server gave {len(numbers)} values for one house, so none can be trusted.",
        reason="wrong_shape",
    )


def _one(number: float | None, refusal: str) -> Placed:
    if refusal:
        return Placed(None, f"It says: {refusal.rstrip('.')}.")
    return Placed(None, SILENCE) if number is None else Placed(number)
