"""Value a house: a form that starts from the market's typical house, and its value with a range."""

import pandas as pd
import streamlit as st

from houseprice.ui.form import HouseForm, read_link
from houseprice.ui.result import show_caveats, show_valuation
from houseprice.ui.session import backend, market, typical_row

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
ranked = [c for c in backend().importance()["column"] if not contract.fields[c].at_sale]
first = ranked[:MOST_IMPORTANT]
with st.container(horizontal=True, vertical_alignment="bottom"):
    st.subheader("What matters most")
    st.button("Start again", on_click=form.reset, icon=":material/restart_alt:", type="tertiary")
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

answer = backend().value(pd.DataFrame([form.row], dtype=object))
form.tell(answer.problems)
with result:
    show_valuation(answer, contract, backend().about())
    show_caveats(answer.problems)
