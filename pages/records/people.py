"""People: who has which role, and the log."""

import streamlit as st

from houseprice.ui.layout import error_boundary
from houseprice.ui.records.people import show_log, show_people
from houseprice.ui.session import author

st.title("People")
st.markdown(
    "People who sign in have no role at first. A **reader** sees the track record; a **valuer** "
    "also saves values, sees their own, and adds later prices; an **owner** sees and does "
    "everything. Roles count in all markets."
)
who = author()
if who is not None:
    with error_boundary("people"):
        show_people(who)
st.subheader("Log")
st.caption("Who saw values of others, and who exported, deleted or changed what, newest first.")
with error_boundary("access_log"):
    show_log()
