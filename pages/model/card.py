"""The model card: what answers here, how good it is, and what it is not for."""

import streamlit as st

from houseprice.ui.session import backend

card = backend().card()
st.markdown(card.markdown)
st.download_button(
    "The card as a text",
    card.markdown.encode(),
    file_name=f"{backend().about().model_version}.md",
    mime="text/markdown",
    on_click="ignore",
    icon=":material/download:",
)
