"""Value a house: a form that starts from the typical house or a real sale, and its valuation."""

from collections.abc import Mapping

import streamlit as st

from houseprice.backend.base import ValuationResult
from houseprice.market.validation import validate
from houseprice.ui.house.evidence import show_comparables, show_effect, show_explanation
from houseprice.ui.house.form import (
    HouseForm,
    fill_form,
    house_frame,
    read_link,
    remember,
    show_link,
    show_result,
    started_from,
)
from houseprice.ui.house.owner_report import show_report
from houseprice.ui.house.scenarios import show_scenarios
from houseprice.ui.house.start import fill_with_random_sale, show_search, start_note
from houseprice.ui.layout import error_boundary
from houseprice.ui.session import backend, market, ranked_columns, typical_row

N_IMPORTANT, N_REPORTED = 10, 14

contract = market().contract


def show_valuation(row: Mapping[str, object]) -> ValuationResult | None:
    """Value a house and show the result; return None if the backend failed, which is shown too."""
    with value_area, error_boundary("value"):
        result = backend().value(house_frame(row))
        sale_id = started_from()
        note = start_note(market(), row, sale_id) if sale_id else ""
        show_result(result, contract, backend().info(), note)
        return result
    return None


link_problems = read_link(contract, st.query_params.to_dict())
form = HouseForm(contract, typical_row())

st.title("Value a house")
st.markdown(
    "The form starts with the typical house of the market. Change the fields that you know: the "
    "value is updated at once, and the address of this page contains the house."
)
for message in link_problems:
    st.warning(f"Part of the link could not be read. {message}", icon=":material/link_off:")

actions = st.container(horizontal=True)
value_area = st.container()
entered = form.entered()
if entered is not None:
    # The value reaches the browser before the eighty widgets of the form.
    result = show_valuation(entered)
details, explanation, comparables, what_if, compare = st.tabs(
    ["Details", "Explanation", "Comparables", "What-if", "Compare"],
    key="house_tab",
    on_change="rerun",
)
ranked = ranked_columns()
important = [column for column in ranked if not contract.fields[column].at_sale][:N_IMPORTANT]
with details:
    st.subheader("Most important fields")
    form.draw(important)
    st.subheader("Other fields")
    for tab, group in zip(
        st.tabs([group.title for group in contract.groups]), contract.groups, strict=True
    ):
        with tab:
            st.caption(group.help)
            form.draw(
                column
                for column, field in contract.fields.items()
                if field.group == group.key and column not in important
            )

rows = house_frame(form.row)
if entered is None:
    result = show_valuation(form.row)
elif form.row != entered:
    # The browser's back button changed the form meanwhile: the value must not belong to another.
    st.rerun()

if result is None:
    value_area.caption("The form keeps your house. You can continue to change it.")
    no_value = "There is no value at the moment. The form keeps your house."
    form.show_problems(validate(rows, contract).problems)
else:
    remember(form.row, result)
    form.show_problems(result.problems)
    has_errors = result.valuations["status"].iloc[0] == "error"
    no_value = "There is no value yet. See the errors above." if has_errors else ""

with actions, error_boundary("actions"):
    with st.popover(
        "Start from a real sale", icon=":material/search:", key="find", on_change="rerun"
    ) as search:
        if search.open:
            show_search(market())
    st.button(
        "Random sale",
        key="surprise",
        icon=":material/casino:",
        help=f"Fills the form with one of the {len(market().prices):,} sales, chosen at random.",
        on_click=fill_with_random_sale,
    )
    st.button(
        "Reset",
        key="reset",
        on_click=fill_form,
        args=(form.defaults,),
        icon=":material/restart_alt:",
        help="Resets the form to the typical house.",
    )
    show_link(form)
    if result is not None and not no_value:
        with st.popover(
            "Report", icon=":material/print:", key="report", on_change="rerun"
        ) as report:
            if report.open:
                show_report(backend(), form.row, result, contract, ranked[:N_REPORTED])

# Only the open tab is computed; without a value there is nothing to explain.
for tab in (explanation, comparables, what_if, compare):
    if tab.open and no_value:
        tab.info(no_value)
if result is not None and not no_value:
    if explanation.open:
        with explanation, error_boundary("explanation"):
            show_explanation(backend(), rows, contract)
    if comparables.open:
        with comparables, error_boundary("comparables"):
            show_comparables(backend(), rows, result, market())
    if what_if.open:
        with what_if, error_boundary("what_if"):
            show_effect(backend(), rows, contract, important[0])
    if compare.open:
        with compare, error_boundary("compare"):
            show_scenarios(backend(), contract)
