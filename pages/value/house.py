"""Value a house: a form that starts from the typical house or a real one; its value, and why."""

import streamlit as st

from houseprice.market.validation import validate
from houseprice.ui.house.evidence import show_comparables, show_effect, show_explanation
from houseprice.ui.house.form import HouseForm, house_frame, read_link
from houseprice.ui.house.owner_report import show_print
from houseprice.ui.house.prefill import fill_form, show_link
from houseprice.ui.house.scenarios import remember, show_scenarios
from houseprice.ui.house.start import show_start, start_in_words
from houseprice.ui.house.value import value_here
from houseprice.ui.layout import error_boundary
from houseprice.ui.session import backend, market, ranked_columns, typical_row

MOST_IMPORTANT = 10

contract = market().contract
unreadable = read_link(contract, st.query_params.to_dict())
form = HouseForm(contract, typical_row())

st.title("Value a house")
st.markdown(
    "The form starts as the typical house of the market. Change what you know about yours: "
    "the value follows at once, and the address of this page carries the house."
)
for sentence in unreadable:
    st.warning(f"Part of the link could not be used. {sentence}", icon=":material/link_off:")

doors = st.container(horizontal=True)
result = st.container()
entered = form.entered()
if entered is not None:
    # The value goes to the browser ahead of the form's eighty widgets.
    answer = value_here(result, entered, contract, start_in_words(market(), entered))
facts, why, sales, what_if, tried = st.tabs(
    ["The facts", "Why this value", "Comparable sales", "What if", "Your tries"],
    key="house_tab",
    on_change="rerun",
)
first = [column for column in ranked_columns() if not contract.fields[column].at_sale][
    :MOST_IMPORTANT
]
with facts:
    st.subheader("What matters most")
    form.draw(first)
    st.subheader("Everything else")
    tabs = st.tabs([group.title for group in contract.groups])
    for tab, group in zip(tabs, contract.groups, strict=True):
        with tab:
            st.caption(group.help)
            form.draw(
                column
                for column, spec in contract.fields.items()
                if spec.group == group.key and column not in first
            )

rows = house_frame(form.row)
if entered is None:
    answer = value_here(result, form.row, contract, start_in_words(market(), form.row))
elif form.row != entered:
    # The browser's back button changed the form under way: a value must not stand beside another.
    st.rerun()

if answer is None:
    result.caption("The form keeps your house. You can go on changing it.")
    nothing = "There is no value just now. The form keeps your house."
    form.tell(validate(rows, contract).problems)
else:
    remember(form.row, answer)
    form.tell(answer.problems)
    nothing = ""
    if answer.valuations["status"].iloc[0] == "error":
        nothing = "There is no value yet. What is the matter stands above."

with doors, error_boundary("doors"):
    show_start(market())
    st.button(
        "Start again",
        key="reset",
        on_click=fill_form,
        args=(form.opening,),
        icon=":material/restart_alt:",
        help="Back to the typical house.",
    )
    show_link(form.row, form.opening, contract)
    if answer is not None and not nothing:
        show_print(backend(), form.row, answer, contract, ranked_columns()[:14])

# Only what is looked at is computed; without a value there is nothing to explain.
for tab in (why, sales, what_if, tried):
    if tab.open and nothing:
        tab.info(nothing)
if answer is not None and not nothing:
    if why.open:
        with why, error_boundary("why"):
            show_explanation(backend(), rows, contract)
    if sales.open:
        with sales, error_boundary("comparables"):
            show_comparables(backend(), rows, answer, market())
    if what_if.open:
        with what_if, error_boundary("what_if"):
            show_effect(backend(), rows, contract, first[0])
    if tried.open:
        with tried, error_boundary("tries"):
            show_scenarios(backend(), contract)
