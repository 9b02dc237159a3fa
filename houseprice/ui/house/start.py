"""Start from a real house: find one of the market's sales, or be surprised by one.

Find a sale by its number, or the sales nearest to a few facts.
"""

from __future__ import annotations

import logging
import random
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import streamlit as st
from numpy.typing import NDArray

from houseprice.errors import HousePriceError
from houseprice.market.contract import Contract
from houseprice.market.sales import Market
from houseprice.ui.charts.style import axis_title
from houseprice.ui.house.prefill import fill_with_sale, row_of_sale, started_from
from houseprice.ui.layout import escape
from houseprice.ui.session import backend

if TYPE_CHECKING:
    from houseprice.model.study import Study

__all__ = [
    "Wanted",
    "nearest_sales",
    "sale_in_words",
    "show_start",
    "sold_in_words",
    "start_in_words",
]


@dataclass(frozen=True)
class Wanted:
    """What is known of the sale that is looked for; None for what is not.

    Attributes
    ----------
    sale : str
        Its number; "" if it is not known. With it nothing else counts.
    location : int, optional
        Position of its level.
    area, built, price : float, optional
        About what they are.
    """

    sale: str = ""
    location: int | None = None
    area: float | None = None
    built: float | None = None
    price: float | None = None


def nearest_sales(market: Market, wanted: Wanted, most: int = 5) -> NDArray[np.intp]:
    """Positions of the sales that fit best, the best first; none if the number or place has none.

    Sizes and prices are compared by their ratio and years by their difference: a tenth of the size
    or price counts as much as ten years. A sale that does not tell an asked fact comes last.
    """
    if wanted.sale:
        number = wanted.sale.strip().casefold()
        same = market.ids.astype("str").str.casefold().to_numpy() == number
        return np.flatnonzero(same)[:most]
    roles = market.contract.market.roles
    away = np.zeros(len(market.prices))
    told = {
        "area": market.houses[roles.area].to_numpy(np.float64),
        "price": market.prices.to_numpy(np.float64),
    }
    for name, values in told.items():
        info = getattr(wanted, name)
        if info is not None and info > 0:
            ratio = np.full(len(values), np.nan)
            np.divide(values, info, out=ratio, where=values > 0)
            away += np.abs(np.log(ratio))
    if wanted.built is not None:
        away += np.abs(market.houses[roles.built].to_numpy(np.float64) - wanted.built) / 100
    order = np.argsort(away, kind="stable")  # what is not known comes last
    if wanted.location is not None:
        there = market.houses[roles.location].to_numpy(np.float64) == wanted.location
        order = order[there[order]]
    return order[:most]


def sold_in_words(contract: Contract, house: pd.Series) -> str:
    """When a sale was made, as far as it tells: "July 2008"."""
    roles = contract.market.roles
    told = ((contract.fields[name], house[name]) for name in (roles.sale_month, roles.sale_year))
    return " ".join(field.format(float(value)) for field, value in told if not pd.isna(value))


def sale_in_words(contract: Contract, house: pd.Series) -> str:
    """Where a sold house stands, how large it is and when it was built."""
    roles = contract.market.roles
    place, area, built = (
        (contract.fields[name], float(house[name]))
        for name in (roles.location, roles.area, roles.built)
    )
    parts = [field.format(value) for field, value in (place, area) if not np.isnan(value)]
    if not np.isnan(built[1]):
        parts.append(f"built {built[0].format(built[1])}")
    return ", ".join(parts)


logger = logging.getLogger(__name__)

_MOST = 5
_PREFIX = "find_"


def show_start(market: Market) -> None:
    """Draw the ways to start from a real house."""
    with st.popover(
        "Start from a real sale", icon=":material/search:", key="find", on_change="rerun"
    ) as search:
        if search.open:
            _show_search(market)
    st.button(
        "Surprise me",
        key="surprise",
        icon=":material/casino:",
        help=f"Fills the form with one of the {len(market.prices):,} sales, drawn by chance.",
        on_click=lambda: fill_with_sale(random.choice(market.ids.astype("str").to_list())),  # noqa: S311 - no secret
    )


def start_in_words(market: Market, row: Mapping[str, object]) -> str:
    """Say which sale the house started from, what it sold for, and what was changed since.

    In Markdown; "" if it did not start from a sale.
    """
    sale_id = started_from()
    start = None if sale_id is None else row_of_sale(sale_id)
    if sale_id is None or start is None:
        return ""
    contract = market.contract
    position = int((market.ids.astype("str").to_numpy() == sale_id).argmax())
    paid = escape(contract.money(float(market.prices.iloc[position])))
    sold = escape(sold_in_words(contract, market.houses.iloc[position]))
    for_ = f"**{paid}**{' in ' if sold else ''}{sold}"
    changed = sum(row[column] != value for column, value in start.items())
    name = f"sale {escape(sale_id)}"
    if changed:
        facts = "1 fact" if changed == 1 else f"{changed} facts"
        told = f"Started from {name}, which sold for {for_}; {facts} changed since."
    else:
        told = f"This is {name}. It sold for {for_}."
    return f"{told} {escape(_learned_from_it(market, sale_id))}".strip()


def _show_search(market: Market) -> None:
    contract = market.contract
    wanted = _asked(market)
    found = nearest_sales(market, wanted, _MOST)
    if not len(found):
        st.info("No sale fits. Check the number, or leave it empty and tell what you know.")
        return
    if wanted == Wanted():
        st.caption("Tell the number of a sale, or about what it was. These are the first sales.")
    else:
        st.caption("The nearest first." if len(found) > 1 else "The one that fits.")
    for position in found:
        house, sale_id = market.houses.iloc[position], str(market.ids.iloc[position])
        paid = contract.money(float(market.prices.iloc[position]))
        words, use = st.columns([4, 1], vertical_alignment="center")
        words.markdown(
            f"**{escape(paid)}**, {escape(sold_in_words(contract, house))}  \n"
            f":small[{escape(f'Sale {sale_id}: {sale_in_words(contract, house)}')}]"
        )
        use.button(
            "Use it",
            key=f"{_PREFIX}use_{sale_id}",
            help=f"Fills the form with sale {sale_id}.",
            on_click=_use,
            args=(sale_id,),
        )


def _use(sale_id: str) -> None:
    fill_with_sale(sale_id)
    st.session_state["find"] = False  # the form is what there is to see now


def _asked(market: Market) -> Wanted:
    contract = market.contract
    roles, symbol = contract.market.roles, contract.market.price.symbol
    place, area, built = (
        contract.fields[name] for name in (roles.location, roles.area, roles.built)
    )
    sale = st.text_input("Number of the sale", key=f"{_PREFIX}sale", persist_state="session")
    location = st.selectbox(
        place.label,
        range(len(place.labels)),
        index=None,
        format_func=lambda position: place.labels[position],
        placeholder="Anywhere",
        key=f"{_PREFIX}location",
        persist_state="session",
    )
    info = {}
    for box, (name, label, step) in zip(
        st.columns(3),
        [
            ("area", f"About how large ({area.unit})" if area.unit else axis_title(area), 50),
            ("built", "Built about", 1),
            ("price", f"Sold for about ({symbol})", 5_000),
        ],
        strict=True,
    ):
        info[name] = box.number_input(
            label,
            value=None,
            step=step,
            placeholder="any",
            key=f"{_PREFIX}{name}",
            help=axis_title({"area": area, "built": built}[name]) if name != "price" else None,
            persist_state="session",
        )
    return Wanted(sale.strip(), location, **info)


def _learned_from_it(market: Market, sale_id: str) -> str:
    """Say that the model knows this sale, and what one said that did not."""
    try:
        info = backend().info()
        if "study" not in info.capabilities:
            return "The model may have learned from this sale, and so know it better than others."
        held_out = _study(info.model_version).held_out
    except HousePriceError:
        # The value's own place tells what is the matter; what the sale sold for stands anyway.
        logger.warning("no word on a sale from the study", exc_info=True)
        return ""
    told = held_out[held_out["id"] == sale_id]
    if told.empty:
        return ""
    contract, sale = market.contract, told.iloc[0]
    value, low, high = (
        contract.money(float(sale[name]), 1_000)
        for name in ("predicted_price", "low_90", "high_90")
    )
    return (
        "The model has learned from this sale. "
        f"A model that had not seen it said {value} ({low} to {high})."
    )


@st.cache_resource(show_spinner=False, max_entries=4)
def _study(model_version: str) -> Study:
    del model_version  # another model, another study
    return backend().study()
