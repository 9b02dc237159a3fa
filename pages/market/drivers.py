"""What drives price: how much each fact matters, and what changing one does."""

import streamlit as st

from houseprice.ui.drivers import show_importance, show_market_effect
from houseprice.ui.frame import told_in_words
from houseprice.ui.session import backend, market, ranked

contract = market().contract

st.title("What drives price")
st.markdown(
    "Which facts the values rest on most, and what changing one of them does. Both describe how "
    "the model values homes here. They are no proof that one thing causes another."
)

st.header("How much each fact matters", anchor=False)
with told_in_words("importance"):
    show_importance(backend(), contract)

st.header("What changing one fact does", anchor=False)
with told_in_words("effect"):
    show_market_effect(backend(), contract, ranked())
