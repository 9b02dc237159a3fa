"""The study of the model that answers, joined with the facts of the sales; kept by version."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd
import streamlit as st

from houseprice.backend.base import About
from houseprice.market.exploring.selection import Sales
from houseprice.market.sales import Market
from houseprice.model.measuring.report import fifths
from houseprice.model.storing.card import Card
from houseprice.model.studying.errors import missed
from houseprice.model.studying.study import Study
from houseprice.ui.offers import offered
from houseprice.ui.session import backend, market, study_of

__all__ = ["Measured", "card_of", "joined", "measured"]


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


def measured(about: About) -> Measured | None:
    """The held-out values of the model that answers; what is lacking is said here."""
    if not offered(about, "study"):
        return None
    found = _measured(about.model_version)
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
    off = missed(study.held_out)
    off = off[off["id"].isin(by_id.index)].reset_index(drop=True)
    at = by_id.reindex(off["id"]).to_numpy()
    houses = market.houses.iloc[at].reset_index(drop=True)
    location = contract.fields[contract.market.roles.location]
    off["place"] = [location.words(value) for value in houses[location.column]]
    off["fifth"] = (
        fifths(off["price"], contract.market.price.symbol).astype(str) if len(off) else ""
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
