"""Tries side by side: what differs, what each is worth, and a way back to any."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd
import streamlit as st

from houseprice.backend.base import Backend
from houseprice.market.contract import Contract
from houseprice.ui.charts import house as charts_house
from houseprice.ui.house.compared import (
    compared,
    comparison_finding,
    differing_facts,
    within_sentence,
)
from houseprice.ui.house.known import fill_form
from houseprice.ui.house.tries import Try, changes, forget_tries, tries
from houseprice.ui.messages import money
from houseprice.ui.offers import WITHOUT
from houseprice.ui.panel import panel
from houseprice.ui.plain_text import plain
from houseprice.ui.session import ranked

__all__ = ["show_tries"]

MOST = 4
_FACTS = 14


def show_tries(backend: Backend, contract: Contract) -> None:
    """Show up to four tries side by side, and all of them with a way back."""
    kept = tries()
    if len(kept) < 2:
        st.markdown("Change a fact, and each state of the house is kept here to compare.")
        return
    st.subheader("Side by side")
    chosen = _chosen(kept)
    if len(chosen) < 2:
        st.info("Choose two or more to see them side by side.")
    else:
        _show_side_by_side(backend, chosen, contract)
    st.subheader("All that you tried")
    _list(kept, contract)


def _chosen(kept: Sequence[Try]) -> list[Try]:
    by_number = {tried.number: tried for tried in kept}
    if "compared" in st.session_state:
        # What was forgotten can't be chosen any more.
        still = [number for number in st.session_state["compared"] if number in by_number]
        if still != st.session_state["compared"]:
            st.session_state["compared"] = still
    else:
        latest = [tried.number for tried in kept[1:][-(MOST - 1) :]]
        st.session_state["compared"] = [kept[0].number, *latest]
    numbers = st.multiselect(
        "Tries to compare (up to four)",
        list(by_number),
        max_selections=MOST,
        format_func=lambda number: by_number[number].name,
        key="compared",
        placeholder="Choose tries",
    )
    return [by_number[number] for number in sorted(numbers)]


def _show_side_by_side(backend: Backend, chosen: Sequence[Try], contract: Contract) -> None:
    frame = compared(backend, chosen)
    panel(
        comparison_finding(frame, contract),
        charts_house.tries(frame, contract, [tried.step for tried in chosen]),
        frame.drop(columns="is_clear"),
        key="tries_compared",
        headers={"name": "Try"},
    )
    names = [tried.name for tried in chosen]
    worth = pd.DataFrame(
        [
            [money(contract, tried.value, tried.step) for tried in chosen],
            [
                _range(row, contract, t.step)
                for t, (_, row) in zip(chosen, frame.iterrows(), strict=True)
            ],
            ["", *(_difference(row, contract) for _, row in frame.iloc[1:].iterrows())],
        ],
        index=["Value", "Range", f"Difference from {within_sentence(names[0])}"],
        columns=names,
    )
    facts = differing_facts(chosen, contract, ranked())
    _table(pd.concat([worth, facts.head(_FACTS)]))
    if len(facts) > _FACTS:
        with st.expander(f"{len(facts) - _FACTS} more facts differ, which matter less"):
            _table(facts.iloc[_FACTS:])
    if "what_if" not in backend.about().capabilities:
        st.caption(WITHOUT["what_if"])


def _table(table: pd.DataFrame) -> None:
    told = table.map(lambda cell: plain(str(cell)))
    st.table(told.set_axis([plain(str(name)) for name in table.index]))


def _range(row: pd.Series, contract: Contract, step: float) -> str:
    if pd.isna(row["low"]):
        return "no range"
    return f"{money(contract, row['low'], step)} to {money(contract, row['high'], step)}"


def _difference(row: pd.Series, contract: Contract) -> str:
    told = _signed(row["difference"], contract)
    if pd.isna(row["difference_low"]):
        return told
    ends = (_signed(row[name], contract) for name in ("difference_low", "difference_high"))
    doubt = "" if row["is_clear"] else "; the model can't tell it from none"
    return f"{told} ({' to '.join(ends)}{doubt})"


def _signed(amount: float, contract: Contract) -> str:
    told = money(contract, amount, 100)
    return f"+{told}" if amount > 0 else told


def _list(kept: Sequence[Try], contract: Contract) -> None:
    for place in range(len(kept) - 1, -1, -1):
        tried = kept[place]
        words, amount, back = st.columns([6, 2, 2], vertical_alignment="center")
        what = changes(kept[place - 1].row, tried.row, contract) if place else "as it began"
        words.markdown(f"**{plain(tried.name)}**: {plain(what)}")
        amount.markdown(f"**{plain(money(contract, tried.value, tried.step))}**")
        back.button(
            "Go back to it",
            key=f"try_{tried.number}",
            on_click=_restore,
            args=(tried,),
            type="tertiary",
            icon=":material/undo:",
            disabled=place == len(kept) - 1,
        )
    st.button("Forget the tries", on_click=_forget, type="tertiary", icon=":material/delete:")


def _restore(tried: Try) -> None:
    fill_form(tried.row, tried.sale)


def _forget() -> None:
    forget_tries()
    st.session_state.pop("compared", None)
