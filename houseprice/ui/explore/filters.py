"""Filters in the sidebar that act on every chart of a page, made from the contract's roles.

The slower frames of the sales, worked out once for the same sales, whoever looks at them.

Whether prices are those of whole homes or those of one unit of area.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import streamlit as st

from houseprice.market.contract import Contract
from houseprice.market.profile import associations
from houseprice.market.profile.alerts import Alert, alerts
from houseprice.market.profile.selection import Sales, Selection, with_price_per_area
from houseprice.market.sales import Market
from houseprice.ui.charts.style import axis_title
from houseprice.ui.layout import escape

__all__ = ["alerts_of", "conditions", "filters", "looking_at", "measured", "ties_with_price"]

MOST_NAMED = 4
"""Places that a sentence names before it counts the rest."""

STEPS = 100
"""About so many stops on a slider: enough to aim, few enough to hit round numbers."""

Span = tuple[float, float]


@dataclass(frozen=True)
class _Slider:
    """One slider: what it is called, its whole span, and where what was chosen goes."""

    key: str
    label: str
    span: Span
    step: float
    format: str
    column: str | None


def filters(market: Market) -> Selection:
    """Draw the filters in the sidebar and return what was chosen.

    The address of the page carries every filter that is set, in words.
    """
    contract = market.contract
    role = contract.fields[contract.market.roles.location]
    sliders = _sliders(market)
    ranges: list[tuple[str, float, float]] = []
    price: Span | None = None
    with st.sidebar:
        st.subheader("Show only")
        present = np.unique(market.houses[role.column].dropna().to_numpy()).astype(int)
        places = {role.labels[position]: int(position) for position in present}
        chosen = st.multiselect(
            role.label,
            sorted(places),
            key="only_location",
            placeholder="All",
            bind="query-params",
            persist_state="session",
        )
        for slider in sliders:
            low, high = _draw(slider)
            if (low, high) == slider.span:
                continue
            if slider.column is None:
                price = (low, high)
            else:
                ranges.append((slider.column, low, high))
        st.button(
            "Show all sales",
            key="only_reset",
            icon=":material/filter_alt_off:",
            on_click=_reset(sliders),
            disabled=not (chosen or price or ranges),
            width="stretch",
        )
    return Selection(tuple(places[place] for place in chosen), price, tuple(ranges))


def looking_at(selection: Selection, market: Market) -> Sales:
    """Say which share of the sales the charts speak of and by what conditions, and give them."""
    sales, of = selection.apply(market), len(market.prices)
    told = conditions(selection, market.contract)
    if told:
        st.markdown(f"You are looking at **{len(sales):,} of {of:,}** sales: {'; '.join(told)}.")
    else:
        st.markdown(
            f"You are looking at all **{of:,}** sales. Narrow them down in the side bar; the "
            "address of the page then carries what you chose."
        )
    return sales


def conditions(selection: Selection, contract: Contract) -> list[str]:
    """Say the conditions of a selection: "Gilbert or Northridge", "year built 1950 to 1970"."""
    told = []
    if selection.locations:
        field = contract.fields[contract.market.roles.location]
        places = [escape(field.format(position)) for position in selection.locations]
        if len(places) > MOST_NAMED:
            places = [*places[:MOST_NAMED], f"{len(places) - MOST_NAMED} more"]
        told.append(" or ".join(places))
    if selection.price is not None:
        span = " to ".join(escape(contract.money(limit)) for limit in selection.price)
        told.append(f"{escape(contract.market.price.label.lower())} {span}")
    for column, low, high in selection.ranges:
        field = contract.fields[column]
        start = field.format(low).removesuffix(field.unit).strip()
        told.append(
            f"{escape(field.label.lower())} {escape(start)} to {escape(field.format(high))}"
        )
    return told


def _sliders(market: Market) -> list[_Slider]:
    contract = market.contract
    money = f"{contract.market.price.symbol}%,d"
    roles = contract.market.roles
    prices = market.prices.to_numpy(np.float64)
    found = [_slider("only_price", contract.market.price.label, prices, money, None)]
    for key, column in (
        ("only_area", roles.area),
        ("only_built", roles.built),
        ("only_sold", roles.sale_year),
    ):
        field = contract.fields[column]
        values = market.houses[column].dropna().to_numpy(np.float64)
        written = "%d" if field.kind == "year" else "%,d"
        found.append(_slider(key, axis_title(field), values, written, column))
    # A slider needs two ends: a market of one year has no use for that filter.
    return [slider for slider in found if slider.span[0] < slider.span[1]]


def _slider(
    key: str,
    label: str,
    values: np.ndarray[Any, np.dtype[np.float64]],
    written: str,
    column: str | None,
) -> _Slider:
    low, high = float(values.min()), float(values.max())
    step = 1.0 if written == "%d" else _round_step((high - low) / STEPS)
    span = (math.floor(low / step) * step, math.ceil(high / step) * step)
    return _Slider(key, label, span, step, written, column)


def _draw(slider: _Slider) -> Span:
    low, high = st.slider(
        slider.label,
        int(slider.span[0]),
        int(slider.span[1]),
        (int(slider.span[0]), int(slider.span[1])),
        step=int(slider.step),
        format=slider.format,
        key=slider.key,
        bind="query-params",
        persist_state="session",
    )
    return float(low), float(high)


def _reset(sliders: list[_Slider]) -> Callable[[], None]:
    def reset() -> None:
        st.session_state["only_location"] = []
        for slider in sliders:
            st.session_state[slider.key] = (int(slider.span[0]), int(slider.span[1]))

    return reset


def _round_step(width: float) -> float:
    """The least of 1, 2, 5, 10 ... times a power of ten that is not below `width`."""
    power = 10.0 ** math.floor(math.log10(max(width, 1.0)))
    return next(step * power for step in (1, 2, 5, 10) if step * power >= width)


def _fingerprint(sales: Sales) -> str:
    """What tells these sales from any others: the contract and every figure."""
    told = hashlib.sha256(sales.contract.sha256.encode())
    told.update(sales.houses.to_numpy().tobytes())
    told.update(sales.prices.to_numpy().tobytes())
    told.update("\n".join(map(str, sales.ids)).encode())
    return told.hexdigest()


@st.cache_data(show_spinner=False, max_entries=32, hash_funcs={Sales: _fingerprint})
def alerts_of(sales: Sales) -> tuple[Alert, ...]:
    """What to know of these sales first."""
    return alerts(sales)


@st.cache_data(show_spinner=False, max_entries=32, hash_funcs={Sales: _fingerprint})
def ties_with_price(sales: Sales) -> pd.DataFrame:
    """How closely each field goes with price, closest first (``associations.with_price``)."""
    return associations.price_associations(sales)


def measured(sales: Sales) -> Sales:
    """Ask which price is meant, and give the sales with it; one answer for all sections."""
    contract = sales.contract
    unit = contract.fields[contract.market.roles.area].unit
    whole, by_area = contract.market.price.label, f"For one {unit}" if unit else "By area"
    chosen = st.segmented_control(
        "Price",
        (whole, by_area),
        default=whole,
        required=True,
        key="measure",
        bind="query-params",
        persist_state="session",
    )
    return with_price_per_area(sales) if chosen == by_area else sales
