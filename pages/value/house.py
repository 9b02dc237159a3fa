"""Value a house: a form in which every field may be unknown, and the value of what is given."""

import streamlit as st

from houseprice.market.validation import validate
from houseprice.ui.house.evidence import show_comparables, show_effect, show_explanation
from houseprice.ui.house.form import (
    TABS,
    HouseForm,
    first_fields,
    focus_requested_field,
    show_next_facts,
)
from houseprice.ui.house.location import place_fields, show_place
from houseprice.ui.house.owner_report import show_report
from houseprice.ui.house.scenarios import show_scenarios
from houseprice.ui.house.start import fill_with_random_sale, show_search, start_note
from houseprice.ui.house.state import (
    TAB,
    dated_info,
    fill_form,
    given_fields,
    house_frame,
    link_messages,
    link_parameters,
    open_address,
    raw_row,
    remember,
    started_from,
    write_address,
)
from houseprice.ui.house.value_card import show_result
from houseprice.ui.layout import error_boundary, escape, show_link
from houseprice.ui.records.save import show_save
from houseprice.ui.session import (
    author,
    backend,
    market,
    may,
    ranked_columns,
    sales_domain,
    typical_values,
)

N_REPORTED = 14

contract = market().contract
open_address(contract, TABS)
given = given_fields()
row = raw_row(given, contract)
rows = house_frame(row)

st.title("Value a house")
st.markdown(
    "Enter what you know of the house, in any order. What you leave out is unknown: the range "
    "contains what it may be, and gets narrower with each field. The address of this page contains "
    "the house."
)
for message in link_messages():
    st.warning(f"Part of the link could not be read. {escape(message)}", icon=":material/link_off:")

actions = st.container(horizontal=True)
result = None
with error_boundary("value"):
    result = backend().value(rows)
    sale_id = started_from()
    note = start_note(market(), given, sale_id) if sale_id else ""
    show_result(result, contract, dated_info(backend(), rows, contract), note)

if result is None:
    st.caption("The form keeps your house. You can continue to change it.")
    no_value = "There is no value at the moment. The form keeps your house."
elif result.valuations["status"].iloc[0] == "error":
    no_value = "There is no value yet. See the errors above."
else:
    no_value = ""
    remember()

details, explanation, comparables, what_if, compare = st.tabs(TABS, key=TAB, on_change="rerun")
ranked = ranked_columns()
first = first_fields(contract, ranked)
# Only the open tab is drawn and computed.
if details.open:
    with details:
        checked = validate(rows, contract, sales_domain())
        problems = checked.problems if result is None else result.problems
        form = HouseForm(contract, checked.houses.iloc[0], typical_values(), problems)
        place = place_fields(contract)
        if place:
            st.subheader("Place")
            show_place(form, place, checked.houses)
            first = [column for column in first if column not in place]
        st.subheader("Main fields")
        form.draw(first, "first")
        with error_boundary("next_facts"):
            if not no_value:
                show_next_facts(backend(), rows, contract)
        if set(contract.columns) - {*first, *place}:
            st.subheader("Other fields")
            form.draw_groups(without=[*first, *place])
    focus_requested_field()

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
        args=({},),
        icon=":material/restart_alt:",
        help="Makes every field unknown.",
    )
    show_link(link_parameters(given, contract), "house")
    if result is not None and not no_value:
        with st.popover(
            "Report", icon=":material/print:", key="report", on_change="rerun"
        ) as report:
            if report.open:
                columns = [column for column in ranked if column in given][:N_REPORTED]
                show_report(backend(), row, result, contract, columns)
        # Valuations of visitors who are not identified are not saved.
        if may("save") and (who := author()) is not None:
            with (
                st.popover(
                    "Save", icon=":material/bookmark_add:", key="save", on_change="rerun"
                ) as saving,
                error_boundary("save_error"),
            ):
                if saving.open:
                    show_save(who, given, result, backend().info(), contract)

# Without a value there is nothing to explain.
for tab in (explanation, comparables, what_if, compare):
    if tab.open and no_value:
        tab.info(no_value)
if result is not None and not no_value:
    if explanation.open:
        with explanation, error_boundary("explanation"):
            show_explanation(backend(), rows, result, contract)
    if comparables.open:
        with comparables, error_boundary("comparables"):
            show_comparables(backend(), rows, result, market())
    if what_if.open:
        with what_if, error_boundary("what_if"):
            show_effect(backend(), rows, market(), ranked[0])
    if compare.open:
        with compare, error_boundary("compare"):
            show_scenarios(backend(), contract)

write_address(contract, TABS)
