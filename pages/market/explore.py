"""Explore the sales: one question a section, filters that act on all of them."""

import streamlit as st

from houseprice.market import association, profile
from houseprice.ui import charts_fields, charts_prices, charts_time, findings, findings_fields
from houseprice.ui.against import price_against
from houseprice.ui.charts import axis_title, price_title
from houseprice.ui.filters import filters, looking_at
from houseprice.ui.panel import download, panel
from houseprice.ui.sales_table import as_file, as_table, show_sales
from houseprice.ui.session import market

SECTIONS = (
    "Prices",
    "Price against a fact",
    "Places",
    "Over time",
    "What goes together",
    "Not known",
    "The sales",
)
MOST_TIES = 15
PERIODS = {"Month": 1, "Quarter": 3, "Year": 12}

contract = market().contract
roles = contract.market.roles
sales = filters(market()).of(market())

st.title("Explore the sales")
st.markdown(looking_at(len(sales), len(market().prices)))
if not len(sales):
    st.info("No sale meets all of these conditions. Widen them in the side bar.")
    st.stop()

# Only the open section runs: the page costs what it shows.
prices, against, places, time, together, unknown, rows = st.tabs(
    SECTIONS, key="section", on_change="rerun", bind="query-params"
)
if prices.open:
    with prices:
        frame = profile.distribution(sales)
        panel(
            findings.distribution_finding(sales.prices, contract),
            charts_prices.price_distribution(frame, float(sales.prices.median()), contract),
            frame,
            key="price_distribution",
        )

if against.open:
    with against:
        by_label = {field.label: field for field in contract.fields.values()}
        options = sorted(by_label)
        label = st.selectbox(
            "Price against",
            options,
            index=options.index(contract.fields[roles.area].label),
            key="against",
            bind="query-params",
            persist_state="session",
        )
        fact = by_label[label]
        st.caption(fact.help)
        finding, drawn, frame = price_against(sales, fact)
        headers = {"value": axis_title(fact), "level": fact.label, "price": price_title(contract)}
        panel(finding, drawn, frame, key="price_against", headers=headers)

if places.open:
    with places:
        frame = profile.by_location(sales)
        panel(
            findings.location_finding(frame, contract),
            charts_prices.price_by_location(frame, contract),
            frame,
            key="price_by_place",
            headers={"level": contract.fields[roles.location].label},
        )
        st.caption("A dot is the middle price, the bar the middle half. In brackets: sales.")

if time.open:
    with time:
        period = st.segmented_control(
            "By",
            PERIODS,
            default="Quarter",
            required=True,
            key="period",
            bind="query-params",
            persist_state="session",
        )
        frame = profile.by_period(sales, PERIODS[str(period)])
        panel(
            findings.period_finding(frame, contract),
            charts_time.price_by_period(frame, contract),
            frame,
            key="price_over_time",
        )
        panel(
            findings.season_finding(profile.by_level(sales, roles.sale_month)),
            charts_time.sales_by_period(frame),
            frame[["start", "period", "sales"]],
            key="sales_over_time",
        )

if together.open:
    with together:
        frame = association.with_price(sales)
        top = frame.head(MOST_TIES)
        panel(
            findings_fields.price_tie_finding(frame),
            charts_fields.price_ties(top),
            frame,
            key="ties_with_price",
        )
        st.subheader("And with each other", anchor=False)
        square = association.between(sales, list(top["column"]))
        panel(
            findings_fields.tie_finding(square),
            charts_fields.ties(square),
            square.reset_index(names="Fact"),
            key="ties_between_facts",
        )
        st.caption(
            "A tie says that two facts go together, not that one causes the other. Numbers and "
            "ordered levels are compared by rank (Spearman); levels without an order by the "
            "correlation ratio, and two of these by Cramér's V, both corrected for chance."
        )

if unknown.open:
    with unknown:
        frame = profile.blanks(sales)
        panel(
            findings_fields.blanks_finding(frame, len(sales), len(contract.fields)),
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
