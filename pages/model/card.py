"""How good the model is: its figures, its misses, its ranges, its versions and its card."""

import streamlit as st

from houseprice.ui.performance.performance_tabs import show_model_tabs
from houseprice.ui.session import backend

st.title("How good it is")
st.markdown(
    "How close the values come to what homes were sold for, where they do not, and how far the "
    "ranges can be trusted. Each figure is of sales that the model had not seen."
)
show_model_tabs(backend().info())
