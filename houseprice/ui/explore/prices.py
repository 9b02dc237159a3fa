"""What homes were sold for, and the visitor's own houses beside them."""

from __future__ import annotations

from dataclasses import replace

import streamlit as st

from houseprice.market.exploring import profile
from houseprice.market.exploring.per_area import per_area
from houseprice.market.exploring.selection import Sales
from houseprice.ui.charts import overlay as charts_overlay
from houseprice.ui.charts import prices as charts_prices
from houseprice.ui.charts.grammar import axis_title, price_title
from houseprice.ui.explore.measure import measured
from houseprice.ui.explore.overlay import Overlay, laid_over
from houseprice.ui.explore.rows import show_picked
from houseprice.ui.findings.sales import spread_finding
from houseprice.ui.panel import panel

__all__ = ["ids_between", "show_prices"]


def show_prices(sales: Sales) -> None:
    """Show how many homes were sold for how much; a picked bar shows its sales."""
    shown = measured(sales)
    over = laid_over(sales.contract)
    if not len(shown):
        st.info("The area of none of these homes is known.")
        return
    if over is not None and shown is not sales:
        over = replace(over, houses=per_area(over.houses))
    if over is None or not len(over.houses):
        picked = _distribution(shown)
        show_picked(ids_between(shown, picked), sales, "picked_prices")
        return
    _with_own_houses(shown, over)


def ids_between(sales: Sales, starts: tuple[str, ...]) -> tuple[str, ...]:
    """Return the ids of the sales in some bars of ``profile.distribution``, given their starts."""
    frame = profile.distribution(sales)
    bars = frame[frame["from"].isin([float(start) for start in starts])]
    found = [
        (sales.prices >= low) & (sales.prices < high)
        for low, high in zip(bars["from"], bars["to"], strict=True)
    ]
    return tuple(dict.fromkeys(str(one) for each in found for one in sales.ids[each]))


def _distribution(sales: Sales) -> tuple[str, ...]:
    contract = sales.contract
    frame = profile.distribution(sales)
    return panel(
        spread_finding(sales.prices, contract),
        charts_prices.price_distribution(frame, float(sales.prices.median()), contract),
        frame,
        key="price_distribution",
        picks=True,
    )


def _with_own_houses(sales: Sales, over: Overlay) -> None:
    contract, houses = sales.contract, over.houses
    frame = profile.distribution(sales)
    drawn = charts_prices.price_distribution(frame, float(sales.prices.median()), contract)
    beside = charts_overlay.beside_distribution(frame, houses.prices)
    panel(
        charts_overlay.overlay_finding(houses.prices, sales.prices, contract),
        charts_overlay.over_distribution(drawn, beside, over.name, contract),
        beside,
        key="price_distribution_with_file",
    )
    area = contract.fields[contract.market.roles.area]
    points, trend = profile.points(sales, area.column), profile.trend(sales, area.column)
    own = profile.points(houses, area.column)
    drawn = charts_prices.price_by_number(points, trend, area, contract)
    panel(
        charts_overlay.area_finding(own, points, area),
        charts_overlay.over_points(drawn, own, over.name, area, contract),
        own,
        key="price_by_area_with_file",
        headers={"id": "Row", "value": axis_title(area), "price": price_title(contract)},
    )
