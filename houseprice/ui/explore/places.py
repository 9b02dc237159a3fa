"""Prices by place: side by side, and on a map where the contract says where places lie."""

from __future__ import annotations

import streamlit as st

from houseprice.market.exploring import profile
from houseprice.market.exploring.places import lie_of_places, sales_in
from houseprice.market.exploring.selection import Sales
from houseprice.ui.charts.places import place_dots, place_map
from houseprice.ui.explore.measure import measured
from houseprice.ui.explore.rows import show_picked
from houseprice.ui.findings.sales import map_finding, place_finding
from houseprice.ui.panel import panel

__all__ = ["show_places"]


def show_places(sales: Sales) -> None:
    """Show prices by place; a picked place shows its sales."""
    field = sales.contract.fields[sales.contract.market.roles.location]
    if not field.has_positions:
        picked = _side_by_side(sales)
    else:
        left, right = st.columns(2, gap="medium")
        with left:
            picked = _side_by_side(sales)
        with right:
            picked += _on_the_map(sales)
    show_picked(sales_in(sales, picked), sales, "picked_places")


def _side_by_side(sales: Sales) -> tuple[str, ...]:
    shown = measured(sales)
    if not len(shown):
        st.info("The area of none of these homes is known.")
        return ()
    frame = profile.by_location(shown)
    headers = {"level": shown.contract.fields[shown.contract.market.roles.location].label}
    picked = panel(
        place_finding(frame, shown.contract),
        place_dots(frame, shown.contract),
        # The middle price by area is that of the whole homes, told by the map.
        frame.drop(columns="median_per_area"),
        key="price_by_place",
        headers=headers,
        picks=True,
    )
    st.caption("A dot is the middle price, the bar the middle half. In brackets: sales.")
    return picked


def _on_the_map(sales: Sales) -> tuple[str, ...]:
    frame = lie_of_places(sales)
    if frame.empty:
        return ()
    picked = panel(
        map_finding(frame, sales.contract),
        place_map(frame, sales.contract),
        frame.drop(columns=["east", "north"]),
        key="map_of_places",
        headers={"level": sales.contract.fields[sales.contract.market.roles.location].label},
        picks=True,
    )
    st.caption(
        "A circle is a place, around its middle: larger with more sales, coloured by what a home "
        "costs there for its size. Positions are rough, and a circle is no boundary."
    )
    return picked
