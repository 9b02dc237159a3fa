"""Tries side by side: what differs, what each is worth, and a way back to any.

The tries of one visitor: each state of the form that was valued.

Tries compared: their values, what differs, and a sentence on it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import streamlit as st

from houseprice.backend.base import Backend, ValuationResult
from houseprice.formatting import display_step
from houseprice.market.contract import Contract
from houseprice.market.validation import validate
from houseprice.ui.charts import house as charts_house
from houseprice.ui.charts.panel import panel
from houseprice.ui.house.form import house_frame
from houseprice.ui.house.prefill import fill_form, started_from
from houseprice.ui.layout import NOT_SUPPORTED, escape
from houseprice.ui.session import ranked_columns

__all__ = [
    "Scenario",
    "changes",
    "compared",
    "comparison_finding",
    "differing_facts",
    "forget_scenarios",
    "last_valued_row",
    "remember",
    "scenarios",
    "show_scenarios",
    "within_sentence",
]

KEY, COUNTED = "tries", "tries_counted"
MOST = 20


@dataclass(frozen=True)
class Scenario:
    """One valued state of the form, and the sale that it started from.

    Its number stays its own when others are forgotten.
    """

    number: int
    row: Mapping[str, Any]
    answer: ValuationResult
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
        return display_step(self.value, float(self.answer.valuations["fsd"].iloc[0]))


def remember(row: Mapping[str, Any], answer: ValuationResult) -> None:
    """Keep a state of the form that has a value, if it is another than the last."""
    kept: list[Scenario] = st.session_state.setdefault(KEY, [])
    valued = answer.valuations["status"].iloc[0] != "error"
    if valued and (not kept or dict(kept[-1].row) != dict(row)):
        number = st.session_state.get(COUNTED, 0)
        st.session_state[COUNTED] = number + 1
        kept.append(Scenario(number, dict(row), answer, started_from()))
        # The first stays: every difference is told from it.
        del kept[1 : max(1, len(kept) - MOST + 1)]


def scenarios() -> Sequence[Scenario]:
    """All that are kept, the oldest first."""
    return tuple(st.session_state.get(KEY, ()))


def last_valued_row() -> Mapping[str, Any] | None:
    """The house that this visitor valued last, as the form held it; None if there is none."""
    kept = scenarios()
    return kept[-1].row if kept else None


def forget_scenarios() -> None:
    """Forget all of them."""
    st.session_state[KEY] = []
    st.session_state[COUNTED] = 0


def changes(before: Mapping[str, Any], after: Mapping[str, Any], contract: Contract) -> str:
    """Say what differs between two states of a house, up to four facts."""
    old, new = (validate(house_frame(row), contract).houses.iloc[0] for row in (before, after))
    told = [
        f"{field.label}: {field.format(float(old[column]))} → {field.format(float(new[column]))}"
        for column, field in contract.fields.items()
        if before[column] != after[column]
    ]
    shown = "; ".join(told[:4])
    return f"{shown}; and {len(told) - 4} more" if len(told) > 4 else shown


def compared(backend: Backend, chosen: Sequence[Scenario]) -> pd.DataFrame:
    """Values of tries with their ranges, and the differences from the first.

    Returns
    -------
    DataFrame, a row per try
        name, value, low, high (NaN without a range), difference, difference_low, difference_high
        (NaN for the first, and without what-if) and is_clear; all but the last in money.
    """
    asked = "what_if" in backend.info().capabilities
    first = chosen[0]
    rows = []
    for tried in chosen:
        valuation = tried.answer.valuations.iloc[0]
        change: tuple[float, float, float, bool] = (0.0, float("nan"), float("nan"), True)
        if tried is not first:
            change = (tried.value - first.value, float("nan"), float("nan"), True)
            if asked:
                told = backend.what_if(house_frame(first.row), house_frame(tried.row))
                change = (told.delta, told.low, told.high, told.is_clear)
        low, high = float(valuation["price_low"]), float(valuation["price_high"])
        rows.append((tried.name, tried.value, low, high, *change))
    names = ["name", "value", "low", "high", "difference", "difference_low", "difference_high"]
    return pd.DataFrame(rows, columns=[*names, "is_clear"])


def differing_facts(
    chosen: Sequence[Scenario], contract: Contract, order: Sequence[str]
) -> pd.DataFrame:
    """Only the facts in which the tries differ, in words: a row per fact, a column per try.

    Facts that follow from others are told too; `order` is that of the rows, by column.
    """
    rows = pd.concat([house_frame(tried.row) for tried in chosen], ignore_index=True)
    houses = validate(rows, contract).houses
    told = {
        contract.fields[column].label: [
            contract.fields[column].format(float(value)) for value in houses[column]
        ]
        for column in order
        if len(set(houses[column].fillna(-np.inf))) > 1
    }
    return pd.DataFrame.from_dict(told, orient="index", columns=[t.name for t in chosen])


def comparison_finding(frame: pd.DataFrame, contract: Contract) -> str:
    """Say in a sentence which try is worth most, and by how much."""
    best, first = frame.iloc[int(frame["value"].to_numpy().argmax())], frame.iloc[0]
    if best["name"] == first["name"]:
        return f"None of them is worth more than {within_sentence(first['name'])}."
    more = contract.money(best["difference"], 100)
    doubt = "" if best["is_clear"] else ", which is within what the model can't tell"
    return (
        f"{best['name']} is worth most: {more} more than {within_sentence(first['name'])}{doubt}."
    )


def within_sentence(name: str) -> str:
    """The name of a try inside a sentence: "the start"."""
    return name[0].lower() + name[1:]


COMPARE_MOST = 4
_FACTS = 14


def show_scenarios(backend: Backend, contract: Contract) -> None:
    """Show up to four tries side by side, and all of them with a way back."""
    kept = scenarios()
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


def _chosen(kept: Sequence[Scenario]) -> list[Scenario]:
    by_number = {tried.number: tried for tried in kept}
    if "compared" in st.session_state:
        # What was forgotten can't be chosen any more.
        still = [number for number in st.session_state["compared"] if number in by_number]
        if still != st.session_state["compared"]:
            st.session_state["compared"] = still
    else:
        latest = [tried.number for tried in kept[1:][-(COMPARE_MOST - 1) :]]
        st.session_state["compared"] = [kept[0].number, *latest]
    numbers = st.multiselect(
        "Tries to compare (up to four)",
        list(by_number),
        max_selections=COMPARE_MOST,
        format_func=lambda number: by_number[number].name,
        key="compared",
        placeholder="Choose tries",
    )
    return [by_number[number] for number in sorted(numbers)]


def _show_side_by_side(backend: Backend, chosen: Sequence[Scenario], contract: Contract) -> None:
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
            [contract.money(tried.value, tried.step) for tried in chosen],
            [
                _range(row, contract, t.step)
                for t, (_, row) in zip(chosen, frame.iterrows(), strict=True)
            ],
            ["", *(_difference(row, contract) for _, row in frame.iloc[1:].iterrows())],
        ],
        index=["Value", "Range", f"Difference from {within_sentence(names[0])}"],
        columns=names,
    )
    facts = differing_facts(chosen, contract, ranked_columns())
    _table(pd.concat([worth, facts.head(_FACTS)]))
    if len(facts) > _FACTS:
        with st.expander(f"{len(facts) - _FACTS} more facts differ, which matter less"):
            _table(facts.iloc[_FACTS:])
    if "what_if" not in backend.info().capabilities:
        st.caption(NOT_SUPPORTED["what_if"])


def _table(table: pd.DataFrame) -> None:
    told = table.map(lambda cell: escape(str(cell)))
    st.table(told.set_axis([escape(str(name)) for name in table.index]))


def _range(row: pd.Series, contract: Contract, step: float) -> str:
    if pd.isna(row["low"]):
        return "no range"
    return f"{contract.money(row['low'], step)} to {contract.money(row['high'], step)}"


def _difference(row: pd.Series, contract: Contract) -> str:
    told = _signed(row["difference"], contract)
    if pd.isna(row["difference_low"]):
        return told
    ends = (_signed(row[name], contract) for name in ("difference_low", "difference_high"))
    doubt = "" if row["is_clear"] else "; the model can't tell it from none"
    return f"{told} ({' to '.join(ends)}{doubt})"


def _signed(amount: float, contract: Contract) -> str:
    told = contract.money(amount, 100)
    return f"+{told}" if amount > 0 else told


def _list(kept: Sequence[Scenario], contract: Contract) -> None:
    for place in range(len(kept) - 1, -1, -1):
        tried = kept[place]
        words, amount, back = st.columns([6, 2, 2], vertical_alignment="center")
        what = changes(kept[place - 1].row, tried.row, contract) if place else "as it began"
        words.markdown(f"**{escape(tried.name)}**: {escape(what)}")
        amount.markdown(f"**{escape(contract.money(tried.value, tried.step))}**")
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


def _restore(tried: Scenario) -> None:
    fill_form(tried.row, tried.sale)


def _forget() -> None:
    forget_scenarios()
    st.session_state.pop("compared", None)
