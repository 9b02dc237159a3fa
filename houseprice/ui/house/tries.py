"""The tries of one visitor: each state of the form that was valued."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import streamlit as st

from houseprice.backend.base import Answer
from houseprice.market.checks import check
from houseprice.market.contract import Contract
from houseprice.ui.house.form import one_house
from houseprice.ui.house.known import started_from
from houseprice.ui.messages import step_of

__all__ = ["Try", "changes", "forget_tries", "last_valued", "remember", "tries"]

KEY, COUNTED = "tries", "tries_counted"
MOST = 20


@dataclass(frozen=True)
class Try:
    """One valued state of the form, and the sale that it started from.

    Its number stays its own when others are forgotten.
    """

    number: int
    row: Mapping[str, Any]
    answer: Answer
    sale: str | None = None

    @property
    def name(self) -> str:
        """What it is called beside others."""
        return f"Try {self.number}" if self.number else "The start"

    @property
    def value(self) -> float:
        """Its value, in money."""
        return float(self.answer.valuations["predicted_price"].iloc[0])

    @property
    def step(self) -> float:
        """The step to round its value to."""
        return step_of(self.value, float(self.answer.valuations["fsd"].iloc[0]))


def remember(row: Mapping[str, Any], answer: Answer) -> None:
    """Keep a state of the form that has a value, if it is another than the last."""
    kept: list[Try] = st.session_state.setdefault(KEY, [])
    valued = answer.valuations["status"].iloc[0] != "error"
    if valued and (not kept or dict(kept[-1].row) != dict(row)):
        number = st.session_state.get(COUNTED, 0)
        st.session_state[COUNTED] = number + 1
        kept.append(Try(number, dict(row), answer, started_from()))
        # The first stays: every difference is told from it.
        del kept[1 : max(1, len(kept) - MOST + 1)]


def tries() -> Sequence[Try]:
    """All that are kept, the oldest first."""
    return tuple(st.session_state.get(KEY, ()))


def last_valued() -> Mapping[str, Any] | None:
    """The house that this visitor valued last, as the form held it; None if there is none."""
    kept = tries()
    return kept[-1].row if kept else None


def forget_tries() -> None:
    """Forget all of them."""
    st.session_state[KEY] = []
    st.session_state[COUNTED] = 0


def changes(before: Mapping[str, Any], after: Mapping[str, Any], contract: Contract) -> str:
    """Say what differs between two states of a house, up to four facts."""
    old, new = (check(one_house(row), contract).houses.iloc[0] for row in (before, after))
    told = [
        f"{field.label}: {field.words(float(old[column]))} → {field.words(float(new[column]))}"
        for column, field in contract.fields.items()
        if before[column] != after[column]
    ]
    shown = "; ".join(told[:4])
    return f"{shown}; and {len(told) - 4} more" if len(told) > 4 else shown
