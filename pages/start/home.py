"""Home: what this is, the market at a glance, how good the values are, and where to start."""

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
seen = overview(sales)
area = contract.fields[contract.market.roles.area]
location = contract.fields[contract.market.roles.location]
quarters, places = price_by_period(sales), price_by_location(sales)
info = cached_info()
with_range = " with an honest range" if info is None or "range" in info.capabilities else ""

st.title(f"What is a home in {contract.market.title} worth?")
st.markdown(
    f"Tell what you know about a house and get its value{with_range}, or value a whole "
    f"spreadsheet at once. The market is known by {seen.sales:,} real sales from "
    f"{seen.first_year} to {seen.last_year}, which you can explore."
)

st.header("Where to start", anchor=False)
STARTS = (
    (
        "pages/value/house.py",
        ":material/real_estate_agent:",
        "Value a house",
        "Open the form",
        "Start from the typical home, change what you know, and see the value move.",
    ),
    (
        "pages/value/csv.py",
        ":material/table:",
        "Value a CSV",
        "Bring a file",
        "Bring a list of houses. Every row comes back with a value or with the reason why not.",
    ),
    (
        "pages/market/explore.py",
        ":material/query_stats:",
        "Explore the sales",
        "See the sales",
        "See what homes went for: by place, size, quality and time of sale.",
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
        f"Sales, {seen.first_year} to {seen.last_year}",
        f"{seen.sales:,}",
        help="The bars show the number of sales by quarter.",
        border=True,
        chart_data=quarters["sales"],
        chart_type="bar",
        height="stretch",
    )
    st.metric(
        "Median sale price",
        contract.money(seen.median_price, 500),
        help="Half of the homes sold for less, half for more. The line goes by quarter.",
        border=True,
        chart_data=quarters["median"],
        height="stretch",
    )
    st.metric(
        f"Median price per {area.unit}",
        contract.money(seen.median_price_per_area),
        help=f"By {area.label.lower()}. The bars go by {location.label.lower()}.",
        border=True,
        chart_data=places["median_per_area"],
        chart_type="bar",
        height="stretch",
    )
    st.metric(
        f"Median by {location.label.lower()}",
        f"{contract.money(places['median'].min() / 1000)}k to "
        f"{contract.money(places['median'].max() / 1000)}k",
        help=f"The lowest and the highest median price of the {len(places)} in the market.",
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
    st.header("How good the values are", anchor=False)
    with error_boundary("accuracy"):
        answering = backend().info()
        said = accuracy_sentences(answering.metrics)
        st.markdown("\n".join(f"- {sentence}" for sentence in said))
        st.caption(escape(measurement_note(answering)))
    st.page_link(
        "pages/model/card.py", label="See how good they are, in detail", icon=":material/verified:"
    )
with right:
    st.header("What it can't do", anchor=False)
    st.markdown(
        f"{as_of_note(info)}- It knows **one market**: {contract.market.description}\n"
        "- It has seen **no house from inside**. A view, a smell or a leaking roof is not in the "
        "facts.\n"
        "- A value is **an estimate, not an appraisal**: don't lend or sell on it alone."
    )
    st.caption(f"Source: {contract.market.source}.")
