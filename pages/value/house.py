"""Value a house: a form that starts from the market's typical house; its value, and why."""

import streamlit as st

from houseprice.ui.evidence import show_comparables, show_effect, show_explanation
from houseprice.ui.form import HouseForm, one_house, read_link
from houseprice.ui.result import show_result
from houseprice.ui.session import backend, market, typical_row
from houseprice.ui.tries import remember, show_tries

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

result = st.container()
entered = form.entered()
if entered is not None:
    # The value goes to the browser ahead of the form's eighty widgets.
    answer = backend().value(one_house(entered))
    with result:
        show_result(answer, contract, backend().about())
facts, why, sales, what_if = st.tabs(
    ["The facts", "Why this value", "Comparable sales", "What if"],
    key="house_tab",
    on_change="rerun",
)
ranked = [c for c in backend().importance()["column"] if not contract.fields[c].at_sale]
first = ranked[:MOST_IMPORTANT]
with facts:
    with st.container(horizontal=True, vertical_alignment="bottom"):
        st.subheader("What matters most")
        st.button(
            "Start again", on_click=form.reset, icon=":material/restart_alt:", type="tertiary"
        )
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

rows = one_house(form.row)
if entered is None:
    answer = backend().value(rows)
    with result:
        show_result(answer, contract, backend().about())
elif form.row != entered:
    # The browser's back button changed the form under way: a value must not stand beside another.
    st.rerun()
remember(form.row, answer)
form.tell(answer.problems)

# Only what is looked at is computed; with errors in the form there is nothing to explain.
no_value = answer.valuations["status"].iloc[0] == "error"
for tab in (why, sales, what_if):
    if tab.open and no_value:
        tab.info("There is no value yet: mend what is marked in red among the facts.")
if not no_value:
    if why.open:
        with why:
            show_explanation(backend(), rows, contract)
    if sales.open:
        with sales:
            show_comparables(backend(), rows, contract)
    if what_if.open:
        with what_if:
            show_effect(backend(), rows, contract, first[0])
            st.subheader("What you tried")
            show_tries(backend(), contract)
