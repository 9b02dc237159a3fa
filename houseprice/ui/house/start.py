"""Start from a real sale: search the market's sales, or take a random one."""

from __future__ import annotations

import logging
import random
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
import streamlit as st
from numpy.typing import NDArray

from houseprice.errors import HousePriceError
from houseprice.formatting import plural
from houseprice.market.contract import Contract
from houseprice.market.sales import Market
from houseprice.ui.charts.style import axis_title
from houseprice.ui.house.state import fill_with_sale, sale_fields
from houseprice.ui.layout import escape
from houseprice.ui.session import backend, market, study_of

__all__ = [
    "SaleQuery",
    "describe_sale",
    "fill_with_random_sale",
    "nearest_sales",
    "sale_period",
    "show_search",
    "start_note",
]

logger = logging.getLogger(__name__)

_MAX_RESULTS = 5


@dataclass(frozen=True)
class SaleQuery:
    """What is known of a sale; with its id, nothing else counts. ``location`` is a position."""

    sale_id: str = ""
    location: int | None = None
    area: float | None = None
    built: float | None = None
    price: float | None = None


def nearest_sales(market: Market, query: SaleQuery, limit: int = 5) -> NDArray[np.intp]:
    """Return the positions of the sales nearest to a query, the nearest first.

    Sizes and prices are compared by their ratio and years by their difference: a tenth of the size
    or price counts as much as ten years. Sales without a queried field come last.
    """
    if query.sale_id:
        sale_id = query.sale_id.strip().casefold()
        matches = market.ids.astype("str").str.casefold().to_numpy() == sale_id
        return np.flatnonzero(matches)[:limit]
    roles = market.contract.market.roles
    distance = np.zeros(len(market.prices))
    for values, target in (
        (market.houses[roles.area].to_numpy(np.float64), query.area),
        (market.prices.to_numpy(np.float64), query.price),
    ):
        if target is not None and target > 0:
            ratio = np.full(len(values), np.nan)
            np.divide(values, target, out=ratio, where=values > 0)
            distance += np.abs(np.log(ratio))
    if query.built is not None:
        distance += np.abs(market.houses[roles.built].to_numpy(np.float64) - query.built) / 100
    order = np.argsort(distance, kind="stable")  # NaN comes last
    if query.location is not None:
        is_there = market.houses[roles.location].to_numpy(np.float64) == query.location
        order = order[is_there[order]]
    return order[:limit]


def sale_period(contract: Contract, house: pd.Series) -> str:
    """Return when a sale was made, as far as it is known: "July 2008"."""
    roles = contract.market.roles
    values = ((contract.fields[name], house[name]) for name in (roles.sale_month, roles.sale_year))
    return " ".join(field.format(float(value)) for field, value in values if not pd.isna(value))


def describe_sale(contract: Contract, house: pd.Series) -> str:
    """Return the location, the area and the year built of a sold house."""
    roles = contract.market.roles
    location, area, built = (
        (contract.fields[name], float(house[name]))
        for name in (roles.location, roles.area, roles.built)
    )
    parts = [field.format(value) for field, value in (location, area) if not np.isnan(value)]
    if not np.isnan(built[1]):
        parts.append(f"built {built[0].format(built[1])}")
    return ", ".join(parts)


def fill_with_random_sale() -> None:
    """Fill the form of this page with one of the market's sales, as an ``on_click`` callback."""
    fill_with_sale(random.choice(market().ids.astype("str").to_list()))  # noqa: S311 - no secret


def start_note(market: Market, given: Mapping[str, str], sale_id: str) -> str:
    """Return, in Markdown, the sale that the house started from and its price; "" if unknown."""
    start = sale_fields(market, sale_id)
    if start is None:
        return ""
    contract = market.contract
    position = int((market.ids.astype("str").to_numpy() == sale_id).argmax())
    price = escape(contract.money(float(market.prices.iloc[position])))
    period = escape(sale_period(contract, market.houses.iloc[position]))
    sold_for = f"**{price}**{' in ' if period else ''}{period}"
    n_changed = sum(given.get(column) != start.get(column) for column in contract.columns)
    name = f"sale {escape(sale_id)}"
    note = (
        f"Started from {name}, which sold for {sold_for}; {plural(n_changed, 'field')} changed."
        if n_changed
        else f"This is {name}. It sold for {sold_for}."
    )
    return f"{note} {escape(_held_out_note(contract, sale_id))}".strip()


def _held_out_note(contract: Contract, sale_id: str) -> str:
    """Return what a model that had not seen this sale gave for it."""
    try:
        info = backend().info()
        if "study" not in info.capabilities:
            return "The model may have been trained on this sale, and so fit it better than others."
        held_out = study_of(info.model_version).held_out
    except HousePriceError:
        # The error is shown in place of the value; the price of the sale is known anyway.
        logger.warning("the study could not be read", exc_info=True)
        return ""
    rows = held_out[held_out["id"] == sale_id]
    if rows.empty:
        return ""
    sale = rows.iloc[0]
    value, low, high = (
        contract.money(float(sale[name]), 1_000)
        for name in ("predicted_price", "low_90", "high_90")
    )
    return (
        "The model was trained on this sale. "
        f"A model that had not seen it gave {value} ({low} to {high})."
    )


def show_search(market: Market) -> None:
    """Show a search of the market's sales that fills the form with one of them."""
    contract = market.contract
    query = _query_widgets(market)
    positions = nearest_sales(market, query, _MAX_RESULTS)
    if not len(positions):
        st.info("No sale matches. Check the sale number, or leave it empty and describe the house.")
        return
    if query == SaleQuery():
        st.caption("Enter a sale number or describe the house. These are the first sales.")
    else:
        st.caption("Nearest sales first." if len(positions) > 1 else "One sale matches.")
    for position in positions:
        house, sale_id = market.houses.iloc[position], str(market.ids.iloc[position])
        price = contract.money(float(market.prices.iloc[position]))
        text, action = st.columns([4, 1], vertical_alignment="center")
        text.markdown(
            f"**{escape(price)}**, {escape(sale_period(contract, house))}  \n"
            f":small[{escape(f'Sale {sale_id}: {describe_sale(contract, house)}')}]"
        )
        action.button(
            "Use it",
            key=f"find_use_{sale_id}",
            help=f"Fills the form with sale {sale_id}.",
            on_click=_use,
            args=(sale_id,),
        )


def _use(sale_id: str) -> None:
    fill_with_sale(sale_id)
    st.session_state["find"] = False  # close the search


def _query_widgets(market: Market) -> SaleQuery:
    contract = market.contract
    roles, symbol = contract.market.roles, contract.market.price.symbol
    location, area, built = (
        contract.fields[name] for name in (roles.location, roles.area, roles.built)
    )
    sale_id = st.text_input("Sale number", key="find_sale", persist_state="session")
    position = st.selectbox(
        location.label,
        range(len(location.labels)),
        index=None,
        format_func=lambda position: location.labels[position],
        placeholder="Any",
        key="find_location",
        persist_state="session",
    )
    numbers = {}
    for column, (name, label, step, help_text) in zip(
        st.columns(3),
        [
            ("area", f"Area ({area.unit})" if area.unit else "Area", 50, axis_title(area)),
            ("built", "Year built", 1, axis_title(built)),
            ("price", f"Price ({symbol})", 5_000, None),
        ],
        strict=True,
    ):
        numbers[name] = column.number_input(
            label,
            value=None,
            step=step,
            placeholder="any",
            key=f"find_{name}",
            help=help_text,
            persist_state="session",
        )
    return SaleQuery(sale_id.strip(), position, **numbers)
