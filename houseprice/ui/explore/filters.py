"""Filters of the sales in the sidebar, and the choices that the tabs share."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import pandas as pd
import streamlit as st
from numpy.typing import NDArray

from houseprice.formatting import join_words, plural
from houseprice.market.contract import Contract
from houseprice.market.profile import associations
from houseprice.market.profile.alerts import Alert, alerts
from houseprice.market.profile.like_for_like import Comparison, price_index
from houseprice.market.profile.selection import Sales, Selection, with_price_per_area
from houseprice.market.sales import Market
from houseprice.ui.charts.style import axis_title
from houseprice.ui.layout import escape, show_link

__all__ = [
    "alerts_of",
    "choose_option",
    "choose_price_measure",
    "describe_filters",
    "exclude_sales",
    "filter_sales",
    "index_of",
    "price_associations",
    "show_filters",
]

_MAX_LOCATIONS_NAMED = 4
_EXCLUDED = "only_without"
_SLIDER_STEPS = 100  # enough to aim, few enough to hit round numbers


@dataclass(frozen=True)
class _Slider:
    """A slider over a column of the sales; without a column it filters by price."""

    key: str
    label: str
    low: int
    high: int
    step: int
    format: str
    column: str | None = None


def show_filters(market: Market) -> Selection:
    """Draw the filters and return the selection; every active filter is in the URL."""
    contract = market.contract
    location = contract.fields[contract.market.roles.location]
    sliders = _sliders(market)
    ranges: list[tuple[str, float, float]] = []
    price: tuple[float, float] | None = None
    with st.sidebar:
        st.subheader("Filters")
        present = np.unique(market.houses[location.column].dropna().to_numpy()).astype(int)
        codes = {location.labels[code]: int(code) for code in present}
        problems = _link_problems(codes, sliders)
        selected = st.multiselect(
            location.label,
            sorted(codes),
            key="only_location",
            placeholder="All",
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
                ranges.append((slider.column, float(low), float(high)))
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


def _link_problems(locations: Collection[str], sliders: Sequence[_Slider]) -> list[str]:
    """Name the filters of a link that can't be applied; Streamlit drops them without a word."""
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
    contract, roles = market.contract, market.contract.market.roles
    price = contract.market.price
    prices = market.prices.to_numpy(np.float64)
    sliders = [_slider("only_price", price.label, prices, f"{price.symbol}%,d")]
    for key, column in (
        ("only_area", roles.area),
        ("only_built", roles.built),
        ("only_sold", roles.sale_year),
    ):
        field = contract.fields[column]
        values = market.houses[column].dropna().to_numpy(np.float64)
        number_format = "%d" if field.kind == "year" else "%,d"
        sliders.append(_slider(key, axis_title(field), values, number_format, column))
    # Streamlit refuses a slider whose ends are equal, as in a market of one year.
    return [slider for slider in sliders if slider.low < slider.high]


def _slider(
    key: str,
    label: str,
    values: NDArray[np.float64],
    number_format: str,
    column: str | None = None,
) -> _Slider:
    low, high = float(values.min()), float(values.max())
    step = 1.0 if number_format == "%d" else _round_step((high - low) / _SLIDER_STEPS)
    ends = (int(math.floor(low / step) * step), int(math.ceil(high / step) * step))
    return _Slider(key, label, *ends, int(step), number_format, column)


def _round_step(width: float) -> float:
    """Return the smallest of 1, 2, 5, 10 ... times a power of ten that is at least `width`."""
    power = 10.0 ** math.floor(math.log10(max(width, 1.0)))
    return next(step * power for step in (1, 2, 5, 10) if step * power >= width)


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
    if selection.locations:
        field = contract.fields[contract.market.roles.location]
        labels = [escape(field.format(code)) for code in selection.locations]
        if len(labels) > _MAX_LOCATIONS_NAMED:
            more = len(labels) - _MAX_LOCATIONS_NAMED
            labels = [*labels[:_MAX_LOCATIONS_NAMED], f"{more} more"]
        filters.append(join_words(labels, "or"))
    if selection.price is not None:
        ends = " to ".join(escape(contract.money(end)) for end in selection.price)
        filters.append(f"{escape(contract.market.price.label.lower())} {ends}")
    for column, low, high in selection.ranges:
        field = contract.fields[column]
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


def choose_option(label: str, options: Sequence[str], default: str, key: str) -> str:
    """Draw a segmented control whose choice is in the URL and shared by the tabs."""
    return str(
        st.segmented_control(
            label,
            options,
            default=default,
            required=True,
            key=key,
            bind="query-params",
            persist_state="session",
        )
    )


def choose_price_measure(sales: Sales) -> Sales:
    """Let the visitor choose between price and price per area; return the sales with it."""
    contract = sales.contract
    unit = contract.fields[contract.market.roles.area].unit
    per_unit = f"Per {unit}" if unit else "Per area"
    label = contract.market.price.label
    chosen = choose_option("Price", (label, per_unit), label, "measure")
    return with_price_per_area(sales) if chosen == per_unit else sales
