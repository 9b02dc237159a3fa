"""What drives price: feature importance, partial dependence, interactions, feature selection."""

from functools import partial

import streamlit as st

from houseprice.ui.drivers import (
    show_feature_importance,
    show_feature_selection,
    show_interactions,
    show_partial_dependence,
)
from houseprice.ui.layout import error_boundary, is_supported, show_tabs
from houseprice.ui.session import backend, market

TABS = {
    "Feature importance": show_feature_importance,
    "Partial dependence": show_partial_dependence,
    "Interactions": show_interactions,
    "Feature selection": show_feature_selection,
}
FORMER_LABELS = {
    "How much each fact matters": "Feature importance",
    "What changing one does": "Partial dependence",
    "Facts that work together": "Interactions",
    "How few will do": "Feature selection",
}

contract = market().contract

st.title("What drives price")
st.markdown(
    "Which features the values depend on most, and how the value changes with a feature. This "
    "describes the model of this market; it does not show that a feature causes a price."
)
with error_boundary("drivers"):
    info = backend().info()
    if {"importance", "effect", "study"} & info.capabilities:
        tabs = {label: partial(show, contract) for label, show in TABS.items()}
        show_tabs(tabs, key="drivers_tab", former_labels=FORMER_LABELS)
    else:
        show_feature_importance(contract)
        is_supported(info, "effect")
        is_supported(info, "study")
