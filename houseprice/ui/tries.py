"""The tries of one visitor: each state of the form that was valued, and what it changed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import streamlit as st

from houseprice.backend.base import Answer, Backend
from houseprice.market.checks import check
from houseprice.market.contract import Contract
from houseprice.ui.form import one_house
from houseprice.ui.messages import money, step_of
from houseprice.ui.offers import WITHOUT
from houseprice.ui.plain_text import plain

__all__ = ["last_valued", "remember", "show_tries"]

KEY = "tries"
MOST = 20


@dataclass(frozen=True)
class Try:
    """One valued state of the form."""

    row: Mapping[str, Any]
    answer: Answer


def remember(row: Mapping[str, Any], answer: Answer) -> None:
    """Keep a state of the form that has a value, if it is another than the last."""
    tries: list[Try] = st.session_state.setdefault(KEY, [])
    valued = answer.valuations["status"].iloc[0] != "error"
    if valued and (not tries or dict(tries[-1].row) != dict(row)):
        tries.append(Try(dict(row), answer))
        # The first stays: every difference is told from it.
        del tries[1 : max(1, len(tries) - MOST + 1)]


def last_valued() -> Mapping[str, Any] | None:
    """The house that this visitor valued last, as the form held it; None if there is none."""
    tries: list[Try] = st.session_state.get(KEY, [])
    return tries[-1].row if tries else None


def show_tries(backend: Backend, contract: Contract) -> None:
    """List the tries, the newest first, with a way back to each."""
    tries: list[Try] = st.session_state.get(KEY, [])
    if len(tries) < 2:
        st.markdown("Change a fact, and each state of the house is kept here to compare.")
        return
    start = tries[0]
    for number in range(len(tries) - 1, -1, -1):
        tried = tries[number]
        words, amount, back = st.columns([6, 3, 2], vertical_alignment="center")
        valuation = tried.answer.valuations.iloc[0]
        step = step_of(valuation["predicted_price"], valuation["fsd"])
        with words:
            before = tries[number - 1].row if number else tried.row
            st.markdown(plain(_changes(before, tried.row, contract)) if number else "The start")
        with amount:
            _show_amount(backend, contract, start, tried, step)
        with back:
            st.button(
                "Go back to it",
                key=f"try_{number}",
                on_click=_restore,
                args=(dict(tried.row),),
                type="tertiary",
                icon=":material/undo:",
                disabled=number == len(tries) - 1,
            )
    st.button("Forget the tries", on_click=_forget, type="tertiary", icon=":material/delete:")


def _show_amount(backend: Backend, contract: Contract, start: Try, tried: Try, step: float) -> None:
    amount = tried.answer.valuations["predicted_price"].iloc[0]
    value = f"**{plain(money(contract, amount, step))}**"
    if tried is start:
        st.markdown(value)
        return
    if "what_if" not in backend.about().capabilities:
        change = amount - start.answer.valuations["predicted_price"].iloc[0]
        st.markdown(f"{value}, {_signed(contract, change)} from the start", help=WITHOUT["what_if"])
        return
    told = backend.what_if(one_house(start.row), one_house(tried.row))
    doubt = "" if told.is_clear else "  \n:small[:orange[within what the model can't tell]]"
    st.markdown(
        f"{value}, {_signed(contract, told.delta)} from the start{doubt}", help=plain(told.note)
    )


def _signed(contract: Contract, change: float) -> str:
    return plain(f"{'+' if change > 0 else ''}{money(contract, change, 100)}")


def _changes(before: Mapping[str, Any], after: Mapping[str, Any], contract: Contract) -> str:
    old, new = (check(one_house(row), contract).houses.iloc[0] for row in (before, after))
    told = [
        f"{field.label}: {field.words(float(old[column]))} → {field.words(float(new[column]))}"
        for column, field in contract.fields.items()
        if before[column] != after[column]
    ]
    shown = "; ".join(told[:4])
    return f"{shown}; and {len(told) - 4} more" if len(told) > 4 else shown


def _restore(row: Mapping[str, Any]) -> None:
    for column, value in row.items():
        st.session_state[column] = value


def _forget() -> None:
    st.session_state[KEY] = []
