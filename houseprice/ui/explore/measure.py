"""Whether prices are those of whole homes or those of one unit of area."""

from __future__ import annotations

import streamlit as st

from houseprice.market.exploring.per_area import per_area
from houseprice.market.exploring.selection import Sales

__all__ = ["measured"]


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
    return per_area(sales) if chosen == by_area else sales
