"""Model performance: accuracy, errors, intervals, versions, experiments and the model card."""

import streamlit as st

from houseprice.ui.layout import show_tabs
from houseprice.ui.performance.overview import (
    show_calibration,
    show_performance,
    show_ratio_study,
)
from houseprice.ui.performance.residuals import (
    show_errors_by_location_and_price,
    show_predictions,
    show_residuals,
)
from houseprice.ui.performance.versions import show_card, show_experiments, show_versions
from houseprice.ui.session import backend, market

info, contract = backend().info(), market().contract


def show_equity() -> None:
    """Show the errors by location and price, and the ratio study."""
    show_errors_by_location_and_price(info)
    show_ratio_study(info)


TABS = {
    "Model performance": lambda: show_performance(info, contract),
    "Predictions": lambda: show_predictions(info),
    "Residuals": lambda: show_residuals(info),
    "Equity (ratio study)": show_equity,
    "Interval calibration": lambda: show_calibration(info, contract),
    "Versions": lambda: show_versions(backend(), info, contract),
    "Experiments": lambda: show_experiments(market()),
    "Model card": lambda: show_card(info),
}
FORMER_LABELS = {
    "In short": "Model performance",
    "Sale by sale": "Predictions",
    "By fact": "Residuals",
    "By place and price": "Equity (ratio study)",
    "Ranges": "Interval calibration",
    "What was tried": "Experiments",
    "The card": "Model card",
}

st.title("Model performance")
st.markdown(
    "How close the values are to sale prices, where they are not, and how far their ranges can be "
    "trusted. All figures are measured on sales that the model was not trained on."
)
show_tabs(TABS, key="model_tab", former_labels=FORMER_LABELS)
