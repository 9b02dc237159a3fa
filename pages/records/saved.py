"""Saved valuations: find one, open it in the form, delete what is personal."""

import streamlit as st

from houseprice.ui.layout import error_boundary
from houseprice.ui.records.saved import show_saved
from houseprice.ui.session import author, market

st.title("Saved valuations")
st.markdown(
    "Values with the facts as given. What is saved is never changed; the prices of later sales "
    "show how close it was."
)
who = author()
if who is None:
    st.info(
        "Only signed-in people, or the user of this computer, can save valuations.",
        icon=":material/lock:",
    )
else:
    with error_boundary("saved"):
        show_saved(who, market())
