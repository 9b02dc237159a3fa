"""Filters of the sales in the sidebar, and the choices that the tabs share."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import partial

import pandas as pd
import streamlit as st

from houseprice.formatting import decimal_places, join_words, plural
from houseprice.market.contract import Contract
from houseprice.market.fields import Field
from houseprice.market.profile import associations
from houseprice.market.profile.alerts import Alert, alerts
from houseprice.market.profile.like_for_like import Comparison, price_index
from houseprice.market.profile.selection import Sales, Selection, with_price_per_area
from houseprice.market.profile.summaries import round_step
from houseprice.market.sales import Market
from houseprice.ui.charts.style import axis_title
from houseprice.ui.layout import choose_option, escape, show_link

_MAX_LOCATIONS_NAMED = 4
_MAX_LOCATIONS_LISTED = 300
_EXCLUDED = "only_without"
_SLIDER_STEPS = 100  # enough to aim, few enough to hit round numbers


@dataclass(frozen=True)
class _Slider:
    """A slider over a column of the sales; without a column it filters by price."""

    key: str
    label: str
    low: float
    high: float
    step: float
    format: str
    column: str | None = None
    last: float = 0.0  # what is added to the upper end: the last year of dates counts in full


def show_filters(market: Market) -> Selection:
    """Draw the filters and return the selection; every active filter is in the URL."""
    location, sliders = market.contract.field_of("location"), _sliders(market)
    codes: dict[str, int] = {}
    selected: list[str] = []
    ranges: list[tuple[str, float, float]] = []
    price: tuple[float, float] | None = None
    with st.sidebar:
        st.subheader("Filters")
        if location is not None:
            counts = market.houses[location.column].value_counts()
            codes = {location.labels[int(code)]: int(code) for code in counts.index}
        problems = _link_problems(codes, sliders)
        if location is not None:
            listed = _largest_locations(codes)
            selected = st.multiselect(
                location.label,
                sorted(listed),
                key="only_location",
                placeholder="All",
                help=f"The {len(listed):,} with the most sales, of {len(codes):,}"
                if len(listed) < len(codes)
                else None,
                select_all=False,  # Enter would choose all that match what is typed
                bind="query-params",
                persist_state="session",
            )
        for slider in sliders:
            low, high = st.slider(
                slider.label,
                slider.low,
                slider.high,
                (slider.low, slider.high),
                step=slider.step,
                format=slider.format,
                key=slider.key,
                bind="query-params",
                persist_state="session",
            )
            if (low, high) == (slider.low, slider.high):
                continue
            if slider.column is None:
                price = (float(low), float(high))
            else:
                ranges.append((slider.column, float(low), float(high) + slider.last))
        excluded = tuple(
            st.text_input(
                "Excluded sales",
                key=_EXCLUDED,
                placeholder="None",
                bind="query-params",
                persist_state="session",
                help="Numbers of sales, separated by spaces. To exclude sales, select them in a "
                "chart.",
            ).split()
        )
        st.button(
            "Reset",
            key="only_reset",
            icon=":material/filter_alt_off:",
            on_click=partial(_reset, sliders),
            disabled=not (selected or price or ranges or excluded),
            width="stretch",
            help="Remove all filters",
        )
    known = set(market.ids.astype(str))
    problems += [f"There is no sale {number}." for number in excluded if number not in known]
    if problems:
        st.warning(escape(" ".join(problems)), icon=":material/filter_alt_off:")
    excluded = tuple(number for number in dict.fromkeys(excluded) if number in known)
    return Selection(tuple(codes[label] for label in selected), price, tuple(ranges), excluded)


def _largest_locations(by_sales: Collection[str]) -> set[str]:
    """Return the locations to list, of all with the largest first, and those of the link."""
    chosen = {*st.query_params.get_all("only_location"), *st.session_state.get("only_location", ())}
    return {*list(by_sales)[:_MAX_LOCATIONS_LISTED], *chosen.intersection(by_sales)}


def _link_problems(locations: Collection[str], sliders: Sequence[_Slider]) -> list[str]:
    """Name the filters of a link that can't be applied; Streamlit drops them silently."""
    keys = {"only_location", _EXCLUDED, *(slider.key for slider in sliders)}
    problems = [
        f"The link has an unknown filter, {name}."
        for name in st.query_params
        if name.startswith("only_") and name not in keys
    ]
    problems += [
        f"The link names a location without sales, {name}."
        for name in st.query_params.get_all("only_location")
        if name not in locations
    ]
    for slider in sliders:
        ends = st.query_params.get_all(slider.key)
        if ends and not _is_range(ends, slider):
            covered = f"two numbers from {slider.low} to {slider.high}"
            text = f"The filter {slider.label} of the link, {', '.join(ends)}, is not {covered}."
            problems.append(text)
    return problems


def _is_range(ends: Sequence[str], slider: _Slider) -> bool:
    try:
        low, high = map(float, ends)
    except ValueError:
        return False
    return slider.low <= low <= high <= slider.high


def exclude_sales(ids: Collection[str]) -> None:
    """Exclude sales from every chart, in addition to those that are excluded."""
    excluded = str(st.session_state.get(_EXCLUDED) or "").split()
    st.session_state[_EXCLUDED] = " ".join(dict.fromkeys([*excluded, *ids]))


def _reset(sliders: Sequence[_Slider]) -> None:
    st.session_state["only_location"] = []
    st.session_state[_EXCLUDED] = ""
    for slider in sliders:
        st.session_state[slider.key] = (slider.low, slider.high)


def _sliders(market: Market) -> list[_Slider]:
    price = market.contract.market.price
    sliders = [_slider("only_price", price.label, market.prices, price.symbol)]
    keys = {"area": "only_area", "built": "only_built", "sale_year": "only_sold"}
    for role, key in {**keys, "sale_date": "only_sold"}.items():
        field = market.contract.field_of(role)
        if field is not None and market.houses[field.column].notna().any():
            values = market.houses[field.column]
            sliders.append(_slider(key, axis_title(field), values, field=field))
    # Streamlit refuses a slider whose ends are equal, as in a market of one year.
    return [slider for slider in sliders if slider.low < slider.high]


def _slider(
    key: str, label: str, values: pd.Series, prefix: str = "", field: Field | None = None
) -> _Slider:
    low, high = float(values.min()), float(values.max())
    column = field.column if field else None
    if field and field.kind in ("year", "date"):
        last = 1 - 1e-6 if field.kind == "date" else 0.0
        return _Slider(key, label, int(low), int(high), 1, "%d", column, last)
    step = round_step((high - low) / _SLIDER_STEPS)
    places = decimal_places(step)
    low = round(math.floor(low / step) * step, places)
    high = round(math.ceil(high / step) * step, places)
    return _Slider(key, label, low, high, step, f"{prefix}%,.{places}f", column)


def filter_sales(selection: Selection, market: Market) -> Sales:
    """Return the selected sales, and show how many they are and which filters are active."""
    sales, total = selection.apply(market), len(market.prices)
    filters = describe_filters(selection, market.contract)
    text = f"**{len(sales):,} of {total:,}** sales: {'; '.join(filters)}."
    with st.container(horizontal=True, vertical_alignment="center"):
        st.markdown(text if filters else f"All **{total:,}** sales. Filter them in the sidebar.")
        views = {name: st.query_params.get_all(name) for name in st.query_params}
        show_link(views, "view with its filters and choices")
    return sales


def describe_filters(selection: Selection, contract: Contract) -> list[str]:
    """Describe each active filter: "Gilbert or Northridge", "year built 1950 to 1970"."""
    filters = []
    location = contract.field_of("location")
    if selection.locations and location is not None:
        labels = [escape(location.format(code)) for code in selection.locations]
        if len(labels) > _MAX_LOCATIONS_NAMED:
            more = len(labels) - _MAX_LOCATIONS_NAMED
            labels = [*labels[:_MAX_LOCATIONS_NAMED], f"{more} more"]
        filters.append(join_words(labels, "or"))
    if selection.price is not None:
        ends = " to ".join(escape(contract.money(end)) for end in selection.price)
        filters.append(f"{escape(contract.market.price.label.lower())} {ends}")
    for column, low, high in selection.ranges:
        field = contract.fields[column]
        if field.kind == "date":
            ends = f"{int(low)} to {int(high)}"
        else:
            start = field.format(low).removesuffix(field.unit).strip()
            ends = f"{escape(start)} to {escape(field.format(high))}"
        filters.append(f"{escape(field.label.lower())} {ends}")
    if selection.excluded:
        filters.append(f"without {plural(len(selection.excluded), 'excluded sale')}")
    return filters


def _fingerprint(sales: Sales) -> str:
    """Hash the contract and all figures of the sales, as the key of a cache."""
    digest = hashlib.sha256(sales.contract.sha256.encode())
    digest.update(sales.houses.to_numpy().tobytes())
    digest.update(sales.prices.to_numpy().tobytes())
    digest.update("\n".join(map(str, sales.ids)).encode())
    return digest.hexdigest()


@st.cache_data(show_spinner=False, max_entries=32, hash_funcs={Sales: _fingerprint})
def alerts_of(sales: Sales) -> tuple[Alert, ...]:
    """Return the data quality alerts of the sales, cached for all visitors."""
    return alerts(sales)


@st.cache_data(show_spinner=False, max_entries=32, hash_funcs={Sales: _fingerprint})
def price_associations(sales: Sales) -> pd.DataFrame:
    """Return the association of each feature with the price, cached for all visitors."""
    return associations.price_associations(sales)


@st.cache_data(show_spinner=False, max_entries=32, hash_funcs={Sales: _fingerprint})
def index_of(sales: Sales, months: int) -> Comparison:
    """Return the like-for-like price index of the sales, cached for all visitors."""
    return price_index(sales, months)


def periods_of(contract: Contract) -> dict[str, int]:
    """Return the months of each period of sale by its name: only years without months."""
    roles = contract.market.roles
    if roles.sale_date or (roles.sale_year and roles.sale_month):
        return {"Month": 1, "Quarter": 3, "Year": 12}
    return {"Year": 12} if roles.sale_year else {}


def choose_price_measure(sales: Sales) -> Sales:
    """Let the visitor choose between price and price per area; return the sales with it.

    Without areas there is no choice.
    """
    contract, area = sales.contract, sales.contract.field_of("area")
    if area is None:
        return sales
    per_unit = f"Per {area.unit or 'area'}"
    label = contract.market.price.label
    chosen = choose_option("Price", (label, per_unit), label, "measure")
    return with_price_per_area(sales) if chosen == per_unit else sales
