"""Explore the sales: a tab per question, and filters in the sidebar that apply to all tabs."""

from functools import partial

import streamlit as st

from houseprice.formatting import plural
from houseprice.market.profile.like_for_like import MIN_GROUP
from houseprice.ui.explore.feature_tabs import (
    show_compare,
    show_correlations,
    show_group_by,
    show_price_by_feature,
)
from houseprice.ui.explore.filters import filter_sales, periods_of, show_filters
from houseprice.ui.explore.price_tabs import has_map, show_distribution, show_map, show_trend
from houseprice.ui.explore.quality_tabs import show_missing, show_outliers, show_overview
from houseprice.ui.explore.selected_sales import show_sales
from houseprice.ui.layout import show_tabs
from houseprice.ui.session import market

TABS = {
    "Overview": show_overview,
    "Distribution": show_distribution,
    "Price by feature": show_price_by_feature,
    "Map": show_map,
    "Trend": show_trend,
    "Compare": show_compare,
    "Group by": show_group_by,
    "Correlations": show_correlations,
    "Outliers": show_outliers,
    "Missing values": show_missing,
    "Data": show_sales,
}
FORMER_LABELS = {
    "What stands out": "Overview",
    "Prices": "Distribution",
    "Price against a fact": "Price by feature",
    "Places": "Map",
    "Over time": "Trend",
    "What goes together": "Correlations",
    "Sales that look wrong": "Outliers",
    "Not known": "Missing values",
    "The sales": "Data",
}

st.title("Explore the sales")
sales = filter_sales(show_filters(market()), market())
if not len(sales):
    st.info("No sale matches all filters. Remove a filter in the sidebar.")
    st.stop()
if len(sales) < MIN_GROUP:
    st.info(f"{plural(len(sales), 'sale')}: too few for charts. Remove a filter to see them.")
    show_sales(sales)
    st.stop()
hidden = {"Map": not has_map(sales.contract), "Trend": not periods_of(sales.contract)}
tabs = {label: partial(show, sales) for label, show in TABS.items() if not hidden.get(label)}
show_tabs(tabs, key="section", former_labels=FORMER_LABELS)
