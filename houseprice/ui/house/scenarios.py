"""The scenarios of one visitor: each state of the form that was valued, to compare and restore."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
import streamlit as st

from houseprice.backend.base import Backend
from houseprice.formatting import difference_step, display_step
from houseprice.market.contract import Contract
from houseprice.market.validation import validate
from houseprice.model.explanation import format_difference
from houseprice.ui.charts.house import scenarios_chart
from houseprice.ui.charts.panel import panel
from houseprice.ui.house.state import (
    Scenario,
    clear_scenarios,
    fill_form,
    house_frame,
    raw_row,
    scenarios,
)
from houseprice.ui.layout import NOT_SUPPORTED, escape
from houseprice.ui.session import ranked_columns

_SELECTED = "compared"
_MAX_COMPARED = 4
_MAX_FIELDS = 14
_MAX_CHANGES = 4


def describe_changes(
    before: Mapping[str, str], after: Mapping[str, str], contract: Contract
) -> str:
    """Return the given fields that differ between two states of the form, at most four of them."""
    old, new = (_houses([given], contract).iloc[0] for given in (before, after))
    changes = []
    for column, field in contract.fields.items():
        if before.get(column) != after.get(column):
            texts = (
                field.format(float(house[column])) if column in given else "unknown"
                for given, house in ((before, old), (after, new))
            )
            changes.append(f"{field.label}: {' → '.join(texts)}")
    n_more = len(changes) - _MAX_CHANGES
    shown = "; ".join(changes[:_MAX_CHANGES])
    return f"{shown}; and {n_more} more" if n_more > 0 else shown


def value_scenarios(backend: Backend, kept: Sequence[Scenario], contract: Contract) -> pd.DataFrame:
    """Return the values of scenarios with their ranges.

    The columns are name, value, low and high (money, NaN where unknown), and the ``step`` to round
    the value to.
    """
    rows = _raw_rows([scenario.given for scenario in kept], contract)
    valuations = backend.value(rows).valuations
    values = valuations["predicted_price"].to_numpy(np.float64)
    return pd.DataFrame(
        {
            "name": [scenario.name for scenario in kept],
            "value": values,
            "low": valuations["price_low"],
            "high": valuations["price_high"],
            "step": [
                display_step(value, float(fsd))
                for value, fsd in zip(values, valuations["fsd"], strict=True)
            ],
        }
    )


def compare(
    backend: Backend, selected: Sequence[Scenario], values: pd.DataFrame, contract: Contract
) -> pd.DataFrame:
    """Add to the values of scenarios their differences from the first.

    The new columns are difference, difference_low, difference_high (money, NaN where unknown) and
    is_clear.
    """
    with_ranges = "what_if" in backend.info().capabilities
    first = house_frame(raw_row(selected[0].given, contract))
    rows = []
    for number, scenario in enumerate(selected):
        delta = float(values["value"].iloc[number] - values["value"].iloc[0])
        difference = (delta, float("nan"), float("nan"), True)
        if number and with_ranges:
            change = backend.what_if(first, house_frame(raw_row(scenario.given, contract)))
            difference = (change.delta, change.low, change.high, change.is_clear)
        rows.append(difference)
    names = ["difference", "difference_low", "difference_high", "is_clear"]
    return values.join(pd.DataFrame(rows, columns=names, index=values.index))


def _raw_rows(houses: Sequence[Mapping[str, str]], contract: Contract) -> pd.DataFrame:
    return pd.concat([house_frame(raw_row(given, contract)) for given in houses], ignore_index=True)


def _houses(houses: Sequence[Mapping[str, str]], contract: Contract) -> pd.DataFrame:
    return validate(_raw_rows(houses, contract), contract).houses


def _scenario_differences(
    selected: Sequence[Scenario], contract: Contract, columns: Sequence[str]
) -> pd.DataFrame:
    """Return the fields in which scenarios differ, as text: a row per field, in that order.

    Fields derived from others are included.
    """
    houses = _houses([scenario.given for scenario in selected], contract)
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
    values = value_scenarios(backend, kept, contract)
    st.subheader("Side by side")
    selected = _select(kept)
    if len(selected) < 2:
        st.info("Select two or more scenarios.")
    else:
        shown = values[values["name"].isin([scenario.name for scenario in selected])]
        _show_side_by_side(selected, compare(backend, selected, shown, contract), contract)
        if "what_if" not in backend.info().capabilities:
            st.caption(NOT_SUPPORTED["what_if"])
    st.subheader("All scenarios")
    _show_list(kept, values, contract)


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


def _show_side_by_side(
    selected: Sequence[Scenario], frame: pd.DataFrame, contract: Contract
) -> None:
    steps = frame.pop("step").tolist()
    panel(scenarios_chart(frame, contract, steps), key="scenarios_compared")
    names = list(frame["name"])
    pairs = list(zip(steps, (row for _, row in frame.iterrows()), strict=True))
    values = pd.DataFrame(
        [
            [contract.money(row["value"], step) for step, row in pairs],
            [_range_text(row, contract, step) for step, row in pairs],
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


def _show_table(table: pd.DataFrame) -> None:
    cells = table.map(lambda cell: escape(str(cell)))
    st.table(cells.set_axis([escape(str(name)) for name in table.index]))


def _range_text(row: pd.Series, contract: Contract, step: float) -> str:
    if pd.isna(row["low"]):
        return "no range"
    return f"{contract.money(row['low'], step)} to {contract.money(row['high'], step)}"


def _difference_text(row: pd.Series, contract: Contract) -> str:
    difference, low, high = (
        format_difference(contract.market.price, row[name], difference_step(row["value"]))
        if not pd.isna(row[name])
        else ""
        for name in ("difference", "difference_low", "difference_high")
    )
    if not low:
        return difference
    return f"{difference} ({low} to {high}{'' if row['is_clear'] else '; not significant'})"


def _show_list(kept: Sequence[Scenario], values: pd.DataFrame, contract: Contract) -> None:
    for position in range(len(kept) - 1, -1, -1):
        scenario, row = kept[position], values.iloc[position]
        text, value, action = st.columns([6, 2, 2], vertical_alignment="center")
        changes = (
            describe_changes(kept[position - 1].given, scenario.given, contract)
            if position
            else "as first valued"
        )
        text.markdown(f"**{escape(scenario.name)}**: {escape(changes)}")
        if not pd.isna(row["value"]):
            value.markdown(f"**{escape(contract.money(row['value'], row['step']))}**")
        action.button(
            "Restore",
            key=f"scenario_{scenario.number}",
            on_click=fill_form,
            args=(scenario.given, scenario.sale_id),
            type="tertiary",
            icon=":material/undo:",
            disabled=position == len(kept) - 1,
        )
    st.button("Clear scenarios", on_click=_clear, type="tertiary", icon=":material/delete:")


def _clear() -> None:
    clear_scenarios()
    st.session_state.pop(_SELECTED, None)
