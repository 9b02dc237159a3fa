"""Your market: a file of sales becomes a market with all pages."""

import streamlit as st

from houseprice.ui.layout import error_boundary
from houseprice.ui.your_market import show_new_market, show_own_markets

st.title("Your market")
st.markdown(
    "Upload the sales of your town, one row per sale. Only a column with the price is needed. The "
    "file stays on this computer; the model is trained when the market is opened first."
)
with error_boundary("new_market"):
    show_new_market()
with error_boundary("own_markets"):
    show_own_markets()
