"""Home: where to start, the market at a glance, the accuracy of the values and their limits."""

import streamlit as st

from houseprice.market.profile.selection import Selection
from houseprice.market.profile.summaries import overview, price_by_location, price_by_period
from houseprice.ui.layout import (
    accuracy_sentences,
    as_of_note,
    error_boundary,
    escape,
    measurement_note,
)
from houseprice.ui.session import backend, cached_info, market

contract = market().contract
sales = Selection().apply(market())
summary = overview(sales)
area = contract.fields[contract.market.roles.area]
location = contract.fields[contract.market.roles.location]
quarters, places = price_by_period(sales), price_by_location(sales)
info = cached_info()
with_range = " with its range" if info is None or "range" in info.capabilities else ""

st.title(f"What is a home in {contract.market.title} worth?")
st.markdown(
    f"Describe a house and get its value{with_range}, or value a whole spreadsheet at once. The "
    f"model is trained on {summary.sales:,} real sales from {summary.first_year} to "
    f"{summary.last_year}, which you can explore."
)

st.header("Where to start", anchor=False)
STARTS = (
    (
        "pages/value/house.py",
        ":material/real_estate_agent:",
        "Value a house",
        "Open the form",
        "Start from the typical house, change the fields that you know, and see the value change.",
    ),
    (
        "pages/value/csv.py",
        ":material/table:",
        "Value a CSV",
        "Upload a file",
        "Upload a list of houses. Every row gets a value, or the reason why it has none.",
    ),
    (
        "pages/market/explore.py",
        ":material/query_stats:",
        "Explore the sales",
        "See the sales",
        "See sale prices by location, size, quality and date.",
    ),
)
for column, (page, icon, title, action, text) in zip(st.columns(3), STARTS, strict=True):
    with column.container(border=True, height="stretch", key=f"card_{page}"):
        st.subheader(title, anchor=False)
        st.markdown(text)
        st.space("stretch")
        if st.button(action, icon=icon, key=f"go_{page}", width="stretch"):
            st.switch_page(page)

st.space("small")
st.header("The market at a glance", anchor=False)
with st.grid(2, min_column_width=220):
    st.metric(
        f"Sales, {summary.first_year} to {summary.last_year}",
        f"{summary.sales:,}",
        help="Bars: number of sales by quarter.",
        border=True,
        chart_data=quarters["sales"],
        chart_type="bar",
        height="stretch",
    )
    st.metric(
        "Median sale price",
        contract.money(summary.median_price, 500),
        help="Half of the homes sold for less, half for more. Line: by quarter.",
        border=True,
        chart_data=quarters["median"],
        height="stretch",
    )
    st.metric(
        f"Median price per {area.unit}",
        contract.money(summary.median_price_per_area),
        help=f"By {area.label.lower()}. Bars: by {location.label.lower()}.",
        border=True,
        chart_data=places["median_per_area"],
        chart_type="bar",
        height="stretch",
    )
    st.metric(
        f"Median by {location.label.lower()}",
        f"{contract.money(places['median'].min() / 1000)}k to "
        f"{contract.money(places['median'].max() / 1000)}k",
        help=f"The lowest and the highest median price of {len(places)} locations.",
        border=True,
        chart_data=places["median"],
        chart_type="bar",
        height="stretch",
    )

st.page_link(
    "pages/market/drivers.py", label="See what drives these prices", icon=":material/bar_chart:"
)

st.space("small")
left, right = st.columns(2, gap="large")
with left:
    st.header("Accuracy", anchor=False)
    with error_boundary("accuracy"):
        opened = backend().info()
        sentences = accuracy_sentences(opened.metrics)
        st.markdown("\n".join(f"- {sentence}" for sentence in sentences))
        st.caption(escape(measurement_note(opened)))
    st.page_link(
        "pages/model/card.py", label="See the model performance", icon=":material/verified:"
    )
with right:
    st.header("Limits", anchor=False)
    st.markdown(
        f"{as_of_note(info)}- The model covers **one market**: {contract.market.description}\n"
        "- It knows **only the fields of the form**, not the view, a smell or a leaking roof.\n"
        "- A value is **an estimate, not an appraisal**: do not lend or sell on it alone."
    )
    st.caption(f"Source: {contract.market.source}.")
