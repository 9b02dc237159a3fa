"""Home: where to start, the market at a glance, the accuracy of the values and their limits."""

from collections.abc import Sequence
from typing import Literal

import pandas as pd
import streamlit as st

from houseprice.formatting import display_step, percent
from houseprice.market.fields import Field
from houseprice.market.profile.selection import Sales, Selection, with_price_per_area
from houseprice.market.profile.summaries import (
    Overview,
    overview,
    price_by_location,
    price_by_period,
    price_distribution,
)
from houseprice.market.validation import validate
from houseprice.ui.charts.panel import sparkline
from houseprice.ui.charts.style import MIN_SALES, price_text
from houseprice.ui.house.form import HouseForm, first_fields
from houseprice.ui.house.state import given_fields, house_frame, open_form, raw_row
from houseprice.ui.house.value_card import show_value
from houseprice.ui.layout import (
    accuracy_sentences,
    as_of_note,
    error_boundary,
    escape,
    measurement_note,
)
from houseprice.ui.session import (
    backend,
    by_market,
    cached_info,
    market,
    ranked_columns,
    typical,
    typical_values,
)

N_ASKED = 4
MAX_BARS = 200

Tile = tuple[str, str, pd.Series | None, Literal["bar", "line"], str]
"""Label, value, data and type of its small chart, and takeaway."""


def example_sentence(columns: Sequence[str]) -> str:
    """Return, in Markdown, the value of the typical house by these fields alone, "" without one."""
    fields = [contract.fields[column] for column in columns]
    house = {field.column: field.code(float(typical()[field.column])) for field in fields}
    valuation = backend().value(house_frame(raw_row(house, contract))).valuations.iloc[0]
    if valuation["status"] == "error":
        return ""
    price, step = valuation["predicted_price"], display_step(*valuation[["predicted_price", "fsd"]])
    described = "; ".join(
        f"{field.label}: {field.format(float(typical()[field.column]))}" for field in fields
    )
    limits = ""
    if not pd.isna(valuation["price_low"]):
        low, high = (contract.money(valuation[name], step) for name in ("price_low", "price_high"))
        limits = f", {low} to {high} ({percent(valuation['interval'], 0)} range)"
    value = contract.money(price, step)
    return f"**Example:** {escape(described)}. Value **{escape(value)}**{escape(limits)}."


def extremes(frame: pd.DataFrame, column: str, name: str) -> str:
    """Return the rows with the lowest and the highest amount: "$90 (Here) to $150 (There)"."""
    ordered = frame.sort_values(column)
    rows = (ordered.iloc[0], ordered.iloc[-1])
    return " to ".join(f"{price_text(row[column], contract)} ({row[name]})" for row in rows)


def middle_half(sold: Sales) -> str:
    """Return the quartiles of the prices, below a chart of their distribution."""
    low, high = (price_text(end, contract) for end in sold.prices.quantile([0.25, 0.75]))
    return f"Number of sales by price; half of them are between {low} and {high}."


def sales_tile() -> Tile:
    """Return the number of sales, by quarter where they have dates."""
    if not len(periods):
        return "Sales", f"{summary.sales:,}", None, "bar", "Their dates are not known."
    busiest = periods.loc[periods["sales"].idxmax()]
    takeaway = f"By {period}. Most in {busiest['period']}: {busiest['sales']:,}."
    return f"Sales{years}", f"{summary.sales:,}", periods["sales"], "bar", takeaway


def price_tile() -> Tile:
    """Return the median price, by quarter or else with the distribution of the prices."""
    label = f"Median {contract.market.price.label.lower()}"
    value = price_text(summary.median_price, contract)
    compared = periods[periods["sales"] >= MIN_SALES]
    if len(compared):
        takeaway = f"By {period}, {extremes(compared, 'median', 'period')}."
        return label, value, compared["median"], "line", takeaway
    return label, value, price_distribution(sales)["sales"], "bar", middle_half(sales)


def area_tile(area: Field) -> Tile:
    """Return the median price per unit of area, by location where sales have one."""
    label = f"Median price per {area.unit or 'unit of area'}"
    value = contract.money(summary.median_price_per_area)
    if places is None:
        priced = with_price_per_area(sales)
        return label, value, price_distribution(priced)["sales"], "bar", middle_half(priced)
    known = places.dropna(subset=["median_per_area"])
    location = contract.fields[contract.market.roles.location or ""].label.lower()
    takeaway = f"By {location}, {extremes(known, 'median_per_area', 'level')}."
    return label, value, known["median_per_area"], "bar", takeaway


def location_tile(location: Field, places: pd.DataFrame) -> Tile:
    """Return the median price of the median location."""
    value = price_text(places["median"].median(), contract)
    takeaway = f"Of {len(places):,} locations, {extremes(places, 'median', 'level')}."
    return f"Median {location.label.lower()}", value, places["median"], "bar", takeaway


@by_market
def glance(months: int) -> tuple[Sales, Overview, pd.DataFrame, pd.DataFrame | None]:
    """Return all sales, their overview, and their prices by period and location; read-only."""
    sold = Selection().apply(market())
    by_location = price_by_location(sold) if sold.contract.field_of("location") else None
    return sold, overview(sold), price_by_period(sold, months), by_location


contract = market().contract
area, location = contract.field_of("area"), contract.field_of("location")
has_months = contract.market.roles.sale_date or contract.market.roles.sale_month
period, months = ("quarter", 3) if has_months else ("year", 12)
sales, summary, periods, places = glance(months)
years = f", {summary.first_year} to {summary.last_year}" if summary.first_year else ""
info = cached_info()
given = given_fields()
first = first_fields(contract, ranked_columns())
asked = [column for column in first if contract.fields[column].required] or first[:N_ASKED]
with_range = " with its range" if info is None or "range" in info.capabilities else ""

st.title(f"What is a home in {escape(contract.market.title)} worth?")
st.markdown(
    f"Describe a house and get its value{with_range}, or value a whole spreadsheet at once. The "
    f"model is trained on {summary.sales:,} real sales{years.replace(',', ' from')}, which you can "
    "explore."
)

st.header("An instant valuation", anchor=False)
with st.container(border=True), error_boundary("instant"):
    rows = house_frame(raw_row(given, contract))
    checked = validate(rows, contract)
    form = HouseForm(contract, checked.houses.iloc[0], typical_values(), checked.problems)
    form.draw(asked, "instant", per_row=2)
    if not checked.valid[0]:
        st.error("Correct the fields marked in red.", icon=":material/edit_note:")
    elif given:
        result = backend().value(rows)
        if result.valuations["status"].iloc[0] == "error":
            errors = (each.sentence for each in result.problems if each.severity == "error")
            st.info(escape(" ".join(errors)))
        else:
            show_value(result.valuations.iloc[0], contract)
    else:
        st.markdown(example_sentence(asked))
    if st.button("Add more fields", icon=":material/real_estate_agent:", key="go_instant"):
        open_form()

st.header("Where to start", anchor=False)
STARTS = (
    (
        "pages/value/house.py",
        ":material/real_estate_agent:",
        "Value a house",
        "Open the form",
        "Enter what you know, or start from a real sale. Each field narrows the range.",
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
        "See the sale prices, and how they depend on each field.",
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
tiles = [sales_tile(), price_tile()]
if area is not None:
    tiles.append(area_tile(area))
if location is not None and places is not None:
    tiles.append(location_tile(location, places))
with st.grid(2, min_column_width=220):
    for label, value, data, chart, takeaway in tiles:
        with st.container(border=True, height="stretch"):
            st.metric(label, value)
            # A browser can't draw thousands of bars.
            if data is not None and len(data) <= MAX_BARS:
                sparkline(data, chart, f"{label}. {takeaway}")
            st.caption(escape(takeaway))

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
        f"{as_of_note(info)}- The model covers **one market**: "
        f"{escape(contract.market.description or f'{contract.market.title}.')}\n"
        "- It knows **only the fields of the form**, not the view, a smell or a leaking roof.\n"
        "- A value is **an estimate, not an appraisal**: do not lend or sell on it alone."
    )
    if contract.market.source:
        st.caption(f"Source: {escape(contract.market.source)}.")
