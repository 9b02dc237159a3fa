"""The model card: what answers here, how good it is, and what it is not for."""

import streamlit as st

from houseprice.ui.messages import provenance
from houseprice.ui.offers import offered
from houseprice.ui.plain_text import plain
from houseprice.ui.session import backend

about = backend().about()
if "card" not in about.capabilities:
    st.title("How good it is")
    offered(about, "card")
    st.markdown(plain(provenance(about)))
    st.stop()
card = backend().card()
st.markdown(card.markdown)
st.download_button(
    "The card as a text",
    card.markdown.encode(),
    file_name=f"{about.model_version}.md",
    mime="text/markdown",
    on_click="ignore",
    icon=":material/download:",
)
