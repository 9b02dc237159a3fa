"""How good the model is, in tabs; only what is looked at is worked out."""

from __future__ import annotations

import re
from collections.abc import Callable

import streamlit as st

from houseprice.backend.base import BackendInfo
from houseprice.ui.layout import error_boundary, escape, is_supported, provenance
from houseprice.ui.performance.error_breakdown import show_by_fact, show_by_place_and_price
from houseprice.ui.performance.held_out import card_of, measured, show_sales_one_by_one
from houseprice.ui.performance.history import show_tried, show_versions
from houseprice.ui.performance.overview import (
    show_confidence,
    show_in_short,
    show_ranges,
    show_ratio_study,
)
from houseprice.ui.session import backend, market, ranked_columns

__all__ = ["TABS", "show_model_tabs"]


def show_model_tabs(info: BackendInfo) -> None:
    """Draw the tabs, and into the one that is open what it is about."""
    tabs = st.tabs(list(TABS), key="model_tab", on_change="rerun", bind="query-params")
    for (name, show), tab in zip(TABS.items(), tabs, strict=True):
        if tab.open:
            with tab, error_boundary(f"model_{name}"):
                show(info)


def _in_short(info: BackendInfo) -> None:
    show_in_short(info, market().contract)


def _sale_by_sale(info: BackendInfo) -> None:
    found = measured(info)
    if found is not None:
        show_sales_one_by_one(found)


def _by_fact(info: BackendInfo) -> None:
    found = measured(info)
    if found is not None:
        show_by_fact(found, ranked_columns(), info.model_version)


def _by_place_and_price(info: BackendInfo) -> None:
    found = measured(info)
    if found is not None:
        show_by_place_and_price(found)
    show_ratio_study(info)


def _ranges(info: BackendInfo) -> None:
    show_ranges(info)
    show_confidence(info)


def _versions(info: BackendInfo) -> None:
    show_versions(backend(), info, market().contract)


def _tried(info: BackendInfo) -> None:
    del info  # the market's, whoever answers
    show_tried(market())


def _card(info: BackendInfo) -> None:
    if not is_supported(info, "card"):
        st.markdown(escape(provenance(info)))
        return
    card = card_of(info.model_version)
    st.download_button(
        "The card as a text",
        card.markdown.encode(),
        file_name=f"{info.model_version}.md",
        mime="text/markdown",
        on_click="ignore",
        icon=":material/download:",
    )
    # The page has its title: those of the card go one level down.
    st.markdown(re.sub(r"^#", "##", card.markdown, flags=re.MULTILINE))


TABS: dict[str, Callable[[BackendInfo], None]] = {
    "In short": _in_short,
    "Sale by sale": _sale_by_sale,
    "By fact": _by_fact,
    "By place and price": _by_place_and_price,
    "Ranges": _ranges,
    "Versions": _versions,
    "What was tried": _tried,
    "The card": _card,
}
"""What each tab shows, in their order."""
