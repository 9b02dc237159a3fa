"""What drives price: how much each fact matters, what changing it does, and how few will do."""

import streamlit as st

from houseprice.ui.drivers.effect_tabs import show_market_effect, show_pairs
from houseprice.ui.drivers.importance_tabs import show_fewer, show_readings
from houseprice.ui.layout import error_boundary, is_supported
from houseprice.ui.session import backend, market

SECTIONS = {
    "How much each fact matters": show_readings,
    "What changing one does": show_market_effect,
    "Facts that work together": show_pairs,
    "How few will do": show_fewer,
}

contract = market().contract

st.title("What drives price")
st.markdown(
    "Which facts the values rest on most, and what changing one of them does. Both describe how "
    "the model values homes here. They are no proof that one thing causes another."
)
with error_boundary("drivers"):
    info = backend().info()
    if {"importance", "effect", "study"} & info.capabilities:
        tabs = st.tabs(list(SECTIONS), key="drivers_tab", on_change="rerun", bind="query-params")
        for tab, (name, show) in zip(tabs, SECTIONS.items(), strict=True):
            if tab.open:
                with tab, error_boundary(name):
                    show(contract)
    else:
        # Nothing to choose from: what is lacking is said at once.
        show_readings(contract)
        is_supported(info, "effect")
        is_supported(info, "study")
