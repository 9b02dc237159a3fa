"""The study of the model that answers, joined with the facts of the sales; kept by version.

Held-out sales one by one: what each was sold for, what it was valued at, and the way to it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd
import streamlit as st
from streamlit.elements.lib.column_types import ColumnConfig

from houseprice.backend.base import BackendInfo
from houseprice.market.profile.selection import Sales
from houseprice.market.sales import Market
from houseprice.model.card import Card
from houseprice.model.diagnostics import prediction_errors
from houseprice.model.report import price_quintiles
from houseprice.model.study import Study
from houseprice.ui.charts.panel import panel
from houseprice.ui.charts.residuals import HELD_OUT_HEADERS, predicted_vs_actual_chart
from houseprice.ui.charts.style import axis_title
from houseprice.ui.house.prefill import open_sale
from houseprice.ui.layout import is_supported
from houseprice.ui.session import backend, market, study_of

__all__ = [
    "Measured",
    "card_of",
    "joined",
    "measured",
    "picked_table",
    "show_picked",
    "show_sales_one_by_one",
]


@dataclass(frozen=True)
class Measured:
    """Sales that both the study and the market know, in one order.

    Attributes
    ----------
    missed : DataFrame, a row per sale
        As ``model.studying.errors.missed``, with ``place`` (in words) and ``fifth`` (of the price).
    sales : Sales
        Their facts. In place of the price stands the error in percent, so that the profile of the
        market draws errors as it draws prices.
    """

    missed: pd.DataFrame
    sales: Sales


def measured(info: BackendInfo) -> Measured | None:
    """The held-out values of the model that answers; what is lacking is said here."""
    if not is_supported(info, "study"):
        return None
    found = _measured(info.model_version)
    if found.missed.empty:
        st.info(
            "This version was trained without its study, or on other sales than the market of this "
            "app. Train a new version (`houseprice train`) to see this.",
            icon=":material/model_training:",
        )
        return None
    return found


def joined(study: Study, market: Market) -> Measured:
    """Join held-out values with the market's sales by their id; others are left out."""
    contract = market.contract
    by_id = pd.Series(range(len(market.ids)), index=market.ids.astype("str").to_numpy())
    off = prediction_errors(study.held_out)
    off = off[off["id"].isin(by_id.index)].reset_index(drop=True)
    at = by_id.reindex(off["id"]).to_numpy()
    houses = market.houses.iloc[at].reset_index(drop=True)
    location = contract.fields[contract.market.roles.location]
    off["place"] = [location.format(value) for value in houses[location.column]]
    off["fifth"] = (
        price_quintiles(off["price"], contract.market.price.symbol).astype(str) if len(off) else ""
    )
    return Measured(off, Sales(contract, houses, 100 * off["error"], off["id"]))


@st.cache_resource(show_spinner=False, max_entries=4)
def card_of(version: str) -> Card:
    """The card of the version that answers, asked for once; nobody changes it."""
    del version  # another version, another card
    return backend().card()


@st.cache_resource(show_spinner=False, max_entries=4)
def _measured(version: str) -> Measured:
    return joined(study_of(version), market())


_WORST = 12


def show_sales_one_by_one(found: Measured) -> None:
    """Draw values against prices; a point that is picked shows its facts and opens the house."""
    st.caption("Click a point, or draw a box around some, to see the sales and open one.")
    chart = predicted_vs_actual_chart(found.missed, found.sales.contract)
    picked = panel(chart, key="model_sales", picks=True)
    show_picked(picked, found, key="model_sales")
    st.subheader("The largest misses", anchor=False)
    st.markdown(
        "Where a value was furthest off, there is often something that no fact tells: a sale "
        "within a family, a home that was not finished. Choose a row to open the house."
    )
    worst = found.missed["error"].abs().nlargest(_WORST).index
    table = picked_table(list(found.missed.loc[worst, "id"]), found)
    state = st.dataframe(
        table,
        hide_index=True,
        key="model_worst",
        alt="The sales that were valued furthest from their price",
        column_config=_columns(found),
        height=40 + 35 * len(table),
        on_select="rerun",
        selection_mode="single-row",
    )
    rows = state.selection.rows
    if rows:
        _opener(str(table["Sale"].iloc[rows[0]]), found, "model_worst")


def show_picked(picked: Sequence[str], found: Measured, key: str) -> None:
    """Show the facts of picked sales, and a way to one of them."""
    if not picked:
        return
    table = picked_table(picked, found)
    st.dataframe(
        table,
        hide_index=True,
        key=f"{key}_picked",
        alt="The picked sales",
        column_config=_columns(found),
        height=min(400, 40 + 35 * len(table)),
    )
    ids = list(table["Sale"])
    chosen = ids[0]
    if len(ids) > 1:
        chosen = st.selectbox("Which sale to open", ids, key=f"{key}_which")
    _opener(chosen, found, key)


def picked_table(picked: Sequence[str], found: Measured) -> pd.DataFrame:
    """The picked sales with what is most told of a house, in words."""
    missed, sales = found.missed, found.sales
    at = (
        pd.Series(range(len(missed)), index=missed["id"]).reindex(list(picked)).dropna().astype(int)
    )
    contract = sales.contract
    roles = contract.market.roles
    chosen = missed.iloc[at]
    table = chosen[["id", "place", "price", "predicted_price", "error", "low_90", "high_90"]]
    table = table.assign(error=100 * table["error"])
    words = contract.with_labels(sales.houses.iloc[at])
    for column in (roles.area, roles.built, roles.sale_year, roles.sale_month):
        table[axis_title(contract.fields[column])] = words[column]
    return table.rename(columns=HELD_OUT_HEADERS | {"error": "Off"}).reset_index(drop=True)


def _opener(sale_id: str, found: Measured, key: str) -> None:
    place = found.missed.loc[found.missed["id"] == sale_id, "place"].iloc[0]
    label = f"Open sale {sale_id} ({place}) as a house"
    if st.button(label, key=f"{key}_open", type="primary", icon=":material/home:"):
        open_sale(sale_id)


def _columns(found: Measured) -> dict[str, ColumnConfig]:
    contract = found.sales.contract
    money = st.column_config.NumberColumn(format=f"{contract.market.price.symbol}%,d")
    named = ("price", "predicted_price", "low_90", "high_90")
    years = (
        field for column, field in contract.fields.items() if field.kind == "year"
        and column in (contract.market.roles.built, contract.market.roles.sale_year)
    )  # fmt: skip
    return {
        **{HELD_OUT_HEADERS[name]: money for name in named},
        "Off": st.column_config.NumberColumn(format="%+.1f %%"),
        **{axis_title(field): st.column_config.NumberColumn(format="%d") for field in years},
    }
