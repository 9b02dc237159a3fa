"""The scenarios of one visitor: each state of the form that was valued, to compare and restore."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import streamlit as st

from houseprice.backend.base import Backend
from houseprice.market.contract import Contract
from houseprice.market.validation import validate
from houseprice.ui.charts.house import scenarios_chart
from houseprice.ui.charts.panel import panel
from houseprice.ui.house.form import (
    Scenario,
    clear_scenarios,
    fill_form,
    house_frame,
    scenarios,
)
from houseprice.ui.layout import NOT_SUPPORTED, escape
from houseprice.ui.session import ranked_columns

__all__ = [
    "compare",
    "describe_changes",
    "show_scenarios",
]

_SELECTED = "compared"
_MAX_COMPARED = 4
_MAX_FIELDS = 14
_MAX_CHANGES = 4


def describe_changes(
    before: Mapping[str, Any], after: Mapping[str, Any], contract: Contract
) -> str:
    """Return the fields that differ between two states of the form, at most four of them."""
    old, new = (validate(house_frame(row), contract).houses.iloc[0] for row in (before, after))
    changes = [
        f"{field.label}: {field.format(float(old[column]))} → {field.format(float(new[column]))}"
        for column, field in contract.fields.items()
        if before[column] != after[column]
    ]
    n_more = len(changes) - _MAX_CHANGES
    shown = "; ".join(changes[:_MAX_CHANGES])
    return f"{shown}; and {n_more} more" if n_more > 0 else shown


def compare(backend: Backend, selected: Sequence[Scenario]) -> pd.DataFrame:
    """Return the values of scenarios with their ranges, and differences from the first.

    The columns are name, value, low, high, difference, difference_low, difference_high (in money,
    NaN where unknown) and is_clear.
    """
    with_ranges = "what_if" in backend.info().capabilities
    first = selected[0]
    rows = []
    for scenario in selected:
        valuation = scenario.result.valuations.iloc[0]
        low, high = float(valuation["price_low"]), float(valuation["price_high"])
        difference = (scenario.value - first.value, float("nan"), float("nan"), True)
        if scenario is not first and with_ranges:
            change = backend.what_if(house_frame(first.row), house_frame(scenario.row))
            difference = (change.delta, change.low, change.high, change.is_clear)
        rows.append((scenario.name, scenario.value, low, high, *difference))
    names = ["name", "value", "low", "high", "difference", "difference_low", "difference_high"]
    return pd.DataFrame(rows, columns=[*names, "is_clear"])


def _scenario_differences(
    selected: Sequence[Scenario], contract: Contract, columns: Sequence[str]
) -> pd.DataFrame:
    """Return the fields in which scenarios differ, as text: a row per field, in that order.

    Fields derived from others are included.
    """
    rows = pd.concat([house_frame(each.row) for each in selected], ignore_index=True)
    houses = validate(rows, contract).houses
    fields = {
        contract.fields[column].label: [
            contract.fields[column].format(float(value)) for value in houses[column]
        ]
        for column in columns
        if len(set(houses[column].fillna(-np.inf))) > 1
    }
    return pd.DataFrame.from_dict(fields, orient="index", columns=[each.name for each in selected])


def show_scenarios(backend: Backend, contract: Contract) -> None:
    """Show up to four scenarios side by side, and a list of all to restore one."""
    kept = scenarios()
    if len(kept) < 2:
        st.markdown("Change a field: each valued state of the house is kept here to compare.")
        return
    st.subheader("Side by side")
    selected = _select(kept)
    if len(selected) < 2:
        st.info("Select two or more scenarios.")
    else:
        _show_side_by_side(backend, selected, contract)
    st.subheader("All scenarios")
    _show_list(kept, contract)


def _select(kept: Sequence[Scenario]) -> list[Scenario]:
    by_number = {scenario.number: scenario for scenario in kept}
    if _SELECTED in st.session_state:
        # An option that is gone would be an error.
        remaining = [number for number in st.session_state[_SELECTED] if number in by_number]
        if remaining != st.session_state[_SELECTED]:
            st.session_state[_SELECTED] = remaining
    else:
        latest = [scenario.number for scenario in kept[1:][-(_MAX_COMPARED - 1) :]]
        st.session_state[_SELECTED] = [kept[0].number, *latest]
    numbers = st.multiselect(
        "Scenarios to compare (up to four)",
        list(by_number),
        max_selections=_MAX_COMPARED,
        format_func=lambda number: by_number[number].name,
        key=_SELECTED,
        placeholder="Select scenarios",
    )
    return [by_number[number] for number in sorted(numbers)]


def _show_side_by_side(backend: Backend, selected: Sequence[Scenario], contract: Contract) -> None:
    frame = compare(backend, selected)
    panel(scenarios_chart(frame, contract, [s.step for s in selected]), key="scenarios_compared")
    names = [scenario.name for scenario in selected]
    pairs = list(zip(selected, (row for _, row in frame.iterrows()), strict=True))
    values = pd.DataFrame(
        [
            [contract.money(scenario.value, scenario.step) for scenario in selected],
            [_range_text(row, contract, scenario.step) for scenario, row in pairs],
            ["", *(_difference_text(row, contract) for _, row in pairs[1:])],
        ],
        index=["Value", "Range", f"Difference from {names[0]}"],
        columns=names,
    )
    fields = _scenario_differences(selected, contract, ranked_columns())
    _show_table(pd.concat([values, fields.head(_MAX_FIELDS)]))
    if len(fields) > _MAX_FIELDS:
        with st.expander(f"{len(fields) - _MAX_FIELDS} less important fields differ too"):
            _show_table(fields.iloc[_MAX_FIELDS:])
    if "what_if" not in backend.info().capabilities:
        st.caption(NOT_SUPPORTED["what_if"])


def _show_table(table: pd.DataFrame) -> None:
    cells = table.map(lambda cell: escape(str(cell)))
    st.table(cells.set_axis([escape(str(name)) for name in table.index]))


def _range_text(row: pd.Series, contract: Contract, step: float) -> str:
    if pd.isna(row["low"]):
        return "no range"
    return f"{contract.money(row['low'], step)} to {contract.money(row['high'], step)}"


def _difference_text(row: pd.Series, contract: Contract) -> str:
    difference, low, high = (
        f"{'+' if row[name] > 0 else ''}{contract.money(row[name], 100)}"
        if not pd.isna(row[name])
        else ""
        for name in ("difference", "difference_low", "difference_high")
    )
    if not low:
        return difference
    return f"{difference} ({low} to {high}{'' if row['is_clear'] else '; not significant'})"


def _show_list(kept: Sequence[Scenario], contract: Contract) -> None:
    for position in range(len(kept) - 1, -1, -1):
        scenario = kept[position]
        text, value, action = st.columns([6, 2, 2], vertical_alignment="center")
        changes = (
            describe_changes(kept[position - 1].row, scenario.row, contract)
            if position
            else "as first valued"
        )
        text.markdown(f"**{escape(scenario.name)}**: {escape(changes)}")
        value.markdown(f"**{escape(contract.money(scenario.value, scenario.step))}**")
        action.button(
            "Restore",
            key=f"scenario_{scenario.number}",
            on_click=fill_form,
            args=(scenario.row, scenario.sale_id),
            type="tertiary",
            icon=":material/undo:",
            disabled=position == len(kept) - 1,
        )
    st.button("Clear scenarios", on_click=_clear, type="tertiary", icon=":material/delete:")


def _clear() -> None:
    clear_scenarios()
    st.session_state.pop(_SELECTED, None)
