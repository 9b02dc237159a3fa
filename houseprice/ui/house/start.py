"""Start from a real sale: search the market's sales, or take a random one."""

from __future__ import annotations

import logging
import math
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import streamlit as st
from numpy.typing import NDArray

from houseprice.errors import HousePriceError
from houseprice.formatting import display_step, plural, round_down
from houseprice.market.contract import Contract
from houseprice.market.fields import Field
from houseprice.market.parsing import parse_cell
from houseprice.market.sales import Market, sale_period
from houseprice.ui.charts.style import axis_title, money_title
from houseprice.ui.house.state import fill_with_sale, is_choice, sale_fields
from houseprice.ui.layout import escape
from houseprice.ui.session import backend, market, ranked_columns, study_of

logger = logging.getLogger(__name__)

_MAX_RESULTS = 5
_MAX_DESCRIBED = 3


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
    for values, target in ((_values(market, roles.area), query.area), (market.prices, query.price)):
        if target is not None and target > 0:
            ratio = np.full(len(values), np.nan)
            np.divide(values, target, out=ratio, where=values > 0)
            distance += np.abs(np.log(ratio))
    if query.built is not None:
        distance += np.abs(_values(market, roles.built) - query.built) / 100
    order = np.argsort(distance, kind="stable")  # NaN comes last
    if query.location is not None:
        is_there = _values(market, roles.location) == query.location
        order = order[is_there[order]]
    return order[:limit]


def _values(market: Market, column: str | None) -> NDArray[np.float64]:
    """Return the clean values of a column; NaN for a role that the market lacks."""
    if column is None:
        return np.full(len(market.prices), np.nan)
    return market.houses[column].to_numpy(np.float64)


def describe_sale(contract: Contract, house: pd.Series, ranked: Sequence[str]) -> str:
    """Return the location, the area and the year built of a sold house.

    In a market without these roles: its three most important fields.
    """
    roles = contract.market.roles
    named = [name for name in (roles.location, roles.area, roles.built) if name is not None]
    parts = []
    for name in named or ranked[:_MAX_DESCRIBED]:
        field, value = contract.fields[name], float(house[name])
        if np.isnan(value):
            continue
        text = field.format(value)
        if name == roles.built:
            text = f"built {text}"
        elif name != roles.location and not field.unit:
            text = f"{field.label}: {text}"
        parts.append(text)
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
    period = escape(sale_period(market.houses.iloc[position], contract))
    preposition = " on " if contract.market.roles.sale_date else " in "
    sold_for = f"**{price}**{preposition if period else ''}{period}"
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
    amounts = rows.iloc[0][["predicted_price", "low_90", "high_90"]].astype(float)
    step = display_step(amounts.iloc[0], float("nan"))
    value, low, high = (contract.money(amount, step) for amount in amounts)
    return (
        "The model was trained on this sale. "
        f"A model that had not seen it gave {value} ({low} to {high})."
    )


def show_search(market: Market) -> None:
    """Show a search of the market's sales that fills the form with one of them."""
    contract, ranked = market.contract, ranked_columns()
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
            f"{sale_heading(price, house, contract)}  \n"
            f":small[{escape(f'Sale {sale_id}: {describe_sale(contract, house, ranked)}')}]"
        )
        action.button(
            "Use it",
            key=f"find_use_{sale_id}",
            help=f"Fills the form with sale {escape(sale_id)}.",
            on_click=_use,
            args=(sale_id,),
        )


def sale_heading(text: str, house: pd.Series, contract: Contract) -> str:
    """Return a text in bold with the date of a sale, if it is known, in Markdown."""
    return ", ".join(filter(None, (f"**{escape(text)}**", escape(sale_period(house, contract)))))


def _use(sale_id: str) -> None:
    fill_with_sale(sale_id)
    st.session_state["find"] = False  # close the search


def _query_widgets(market: Market) -> SaleQuery:
    contract = market.contract
    location, area, built = (contract.field_of(role) for role in ("location", "area", "built"))
    sale_id = st.text_input("Sale number", key="find_sale", persist_state="session")
    position = None if location is None else _location_widget(location)
    price_label = contract.market.price.label
    numbers = [("price", money_title("Price", contract), market.prices, price_label)]
    if built is not None:
        numbers.insert(0, ("built", "Year built", market.houses[built.column], axis_title(built)))
    if area is not None:
        label = f"Area ({area.unit})" if area.unit else "Area"
        numbers.insert(0, ("area", label, market.houses[area.column], axis_title(area)))
    values = {}
    for column, (name, label, sold, help_text) in zip(
        st.columns(len(numbers)), numbers, strict=True
    ):
        step = 1.0 if name == "built" else round_down(float(sold.median()) / 30)
        values[name] = column.number_input(
            label,
            value=None,
            step=int(step) if step >= 1 else step,
            placeholder="any",
            key=f"find_{name}",
            help=help_text,
            persist_state="session",
        )
    return SaleQuery(sale_id.strip(), position, **values)


def _location_widget(field: Field) -> int | None:
    """Draw the widget of a location; return the position of its level."""
    if is_choice(field):
        return st.selectbox(
            field.label,
            range(len(field.labels)),
            index=None,
            format_func=lambda position: field.labels[position],
            placeholder="Any",
            key="find_location",
            persist_state="session",
        )
    text = st.text_input(field.label, key="find_location", persist_state="session")
    value = parse_cell(field, text).value
    return None if math.isnan(value) else int(value)
