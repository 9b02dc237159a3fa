"""Explore the sales: one question a section, filters that act on all of them."""

import streamlit as st

from houseprice.market.profile import summaries
from houseprice.ui.charts import captions as findings_fields
from houseprice.ui.charts import data_quality as charts_fields
from houseprice.ui.charts.panel import download, panel
from houseprice.ui.explore.feature_tabs import show_facts, show_ties
from houseprice.ui.explore.filters import filters, looking_at
from houseprice.ui.explore.price_tabs import show_places, show_prices, show_time
from houseprice.ui.explore.quality_tabs import show_alerts, show_suspects
from houseprice.ui.explore.selected_sales import as_file, as_table, show_picked, show_sales
from houseprice.ui.session import market

SECTIONS = (
    "What stands out",
    "Prices",
    "Price against a fact",
    "Places",
    "Over time",
    "What goes together",
    "Sales that look wrong",
    "Not known",
    "The sales",
)

st.title("Explore the sales")
sales = looking_at(filters(market()), market())
if not len(sales):
    st.info("No sale meets all of these conditions. Widen them in the side bar.")
    st.stop()

# Only the open section runs: the page costs what it shows.
alerts, prices, facts, places, time, together, wrong, unknown, rows = st.tabs(
    SECTIONS, key="section", on_change="rerun", bind="query-params"
)
if alerts.open:
    with alerts:
        show_alerts(sales)

if prices.open:
    with prices:
        show_prices(sales)

if facts.open:
    with facts:
        # The section says itself how to pick.
        show_picked(show_facts(sales), sales, how=None)

if places.open:
    with places:
        show_places(sales)

if time.open:
    with time:
        show_time(sales)

if together.open:
    with together:
        show_ties(sales)

if wrong.open:
    with wrong:
        show_suspects(sales)

if unknown.open:
    with unknown:
        frame = summaries.missing_values(sales)
        panel(
            findings_fields.blanks_finding(frame, len(sales), len(sales.contract.fields)),
            charts_fields.blank_shares(frame),
            frame,
            key="not_known",
        )
        st.caption(
            "**Not known** means that nobody recorded the fact; a value then uses the typical one, "
            "and its range gets wider. **The home has none** is a known fact: a home without a "
            "garage has no quality of garage."
        )

if rows.open:
    with rows:
        show_sales(sales, key="the_sales")
        with st.container(horizontal=True):
            download("These sales, in words", as_table(sales), key="sales_in_words")
            download("These sales, as a file to value", as_file(sales), key="sales_as_file")
