"""The card with the value of the house: its range, its confidence, its problems."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pandas as pd
import streamlit as st

from houseprice.backend.base import BackendInfo, ValuationResult
from houseprice.formatting import difference_step, display_step, money, percent, plural
from houseprice.market.contract import Contract
from houseprice.market.problems import Problem
from houseprice.model.explanation import format_difference
from houseprice.model.valuation import confidence_band
from houseprice.ui.house.form import enter_absence, enter_expected, go_to_field
from houseprice.ui.house.state import given_fields
from houseprice.ui.layout import NOT_SUPPORTED, escape, provenance, retry_button

_LAST, _CHANGE = "house_last_value", "house_value_change"


def value_change(given: Mapping[str, str], value: float) -> float | None:
    """Return how much the value changed with the last change of the house; None before one."""
    last = st.session_state.get(_LAST)
    if last is None or last[0] != given:
        st.session_state[_CHANGE] = None if last is None else value - last[1]
        st.session_state[_LAST] = (dict(given), value)
    change: float | None = st.session_state[_CHANGE]
    return change


def show_result(result: ValuationResult, contract: Contract, info: BackendInfo, note: str) -> None:
    """Show a value with its range and confidence, or its errors; then a note in Markdown."""
    errors = [problem for problem in result.problems if problem.severity == "error"]
    with st.container(border=True, key="valuation"):
        if result.valuations["status"].iloc[0] == "error":
            st.subheader("No value yet", anchor=False)
            _show_problems(errors, contract)
            if not any(problem.field for problem in errors):
                # No field is at fault as far as we know: the server refused the house.
                retry_button("refused")
        else:
            show_value(result.valuations.iloc[0], contract)
    if note:
        st.markdown(f":material/history: {note}")
    st.caption(escape(provenance(info)))
    warnings = [
        problem
        for problem in result.problems
        if problem.severity == "warning" and problem.code != "blank_typical"
    ]
    if warnings:
        _show_problems(warnings, contract)


def show_value(valuation: pd.Series, contract: Contract) -> None:
    """Show a value with its range, its confidence and its change, in three columns."""
    price, given = contract.market.price, given_fields()
    value, fsd = float(valuation["predicted_price"]), valuation["fsd"]
    step = display_step(value, fsd)
    change = value_change(given, value)
    left, middle, right = st.columns([3, 4, 4], vertical_alignment="center")
    with left:
        st.metric(
            "Estimated value" if given else "Value of a home with no field given",
            money(value, price.symbol, step),
            delta=format_difference(price, change, difference_step(value)) if change else None,
            delta_description="since the last change" if change else None,
            delta_arrow="down" if change and change < 0 else "up",
            delta_color="off",  # a lower value is not a worse one
        )
    with middle:
        if pd.isna(valuation["price_low"]):
            st.markdown(f"**No range**  \n:small[{NOT_SUPPORTED['range']}]")
        else:
            low, high = (
                money(valuation[name], price.symbol, step) for name in ("price_low", "price_high")
            )
            st.markdown(
                f"**{low} to {high}**  \n:small[{percent(valuation['interval'], 0)} range: it "
                "contains the sale price of that share of such houses.]"
            )
    with right:
        if not pd.isna(fsd):
            st.markdown(
                f"**{confidence_band(valuation['confidence']).capitalize()} confidence**, "
                f"{valuation['confidence']:.0f} of 100  \n:small[Two sale prices in three are "
                f"within {percent(fsd, 0)} of the value.]"
            )
        st.markdown(f"{len(given)} of {plural(len(contract.fields), 'fact')} given")


def _show_problems(problems: Sequence[Problem], contract: Contract) -> None:
    """Show problems of one severity, and buttons that correct them or lead to their fields."""
    text = "  \n".join(escape(problem.sentence) for problem in problems)
    if all(problem.severity == "error" for problem in problems):
        st.error(text, icon=":material/edit_note:")
    else:
        st.warning(text, icon=":material/warning:")
    columns = dict.fromkeys(
        column for each in problems for column in each.fields or (each.field or "",)
    )
    fields = [contract.fields[column] for column in columns if column in contract.fields]
    fixes = dict.fromkeys(label for each in problems for label in contract.absences_for(each.code))
    with st.container(horizontal=True):
        for label in fixes:
            enter_absence(contract, label, "problem")
        for problem in problems:
            enter_expected(problem, contract, "problem")
        for field in fields:
            go_to_field(field, f"Go to {escape(field.label)}", "problem")
