"""The place of a house: its coordinates in fields and on a map, and the levels that follow."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import streamlit as st
from numpy.typing import NDArray

from houseprice.formatting import round_down
from houseprice.market.contract import Contract
from houseprice.market.geography import Projection
from houseprice.market.profile.selection import Selection
from houseprice.market.profile.summaries import location_centres, sale_positions
from houseprice.ui.charts.places import View, pick_map
from houseprice.ui.house.form import HouseForm
from houseprice.ui.house.state import enter
from houseprice.ui.layout import escape
from houseprice.ui.session import by_market, market, sales_domain

MAP, ZOOM, CLICK = "place_map", "place_zoom", "place_click"
_MAX_POINTS = 1_500
_CLOSER = (6, 40)
"""How many times smaller the parts of the market are that the map can show."""
_OUTERMOST = 0.005
"""Share of the sales on each side that may lie beyond the map."""
# A chart of Streamlit reports the clicks on its marks only.
_CLICKS = st.components.v2.component(
    "place_click", js=Path(__file__).with_name("place_click.js").read_text()
)
_DECIMALS = {True: 5, False: 0}
"""Digits of degrees and of metres that place a house to a metre."""


def place_fields(contract: Contract) -> Sequence[str]:
    """Return the coordinates and the fields that follow from them; none without coordinates."""
    if contract.coordinates is None:
        return ()
    roles, places = contract.market.roles, sales_domain().places
    followers = [*([roles.location] if roles.location else []), *(places.levels if places else ())]
    coordinates = [field.column for field in contract.coordinates]
    if roles.latitude is not None:
        coordinates.reverse()
    return tuple(dict.fromkeys([*coordinates, *followers]))


@dataclass(frozen=True)
class _SalesMap:
    """What the map of a market shows, per what its prices are, and how to read a place on it."""

    projection: Projection
    positions: pd.DataFrame
    centres: pd.DataFrame
    per: str


def show_place(form: HouseForm, columns: Sequence[str], houses: pd.DataFrame) -> None:
    """Draw the fields of the place beside a map; ``houses`` is the clean house alone."""
    fields, place_map = st.columns([1, 2], gap="medium")
    with fields:
        form.draw(columns, "place", per_row=1)
    with place_map:
        _show_map(houses)


@by_market
def _sales_map() -> _SalesMap | None:
    projection = Projection.fit(market().houses, market().contract)
    if projection is None:
        return None
    sales = Selection().apply(market())
    positions = sale_positions(sales, projection)
    return _SalesMap(projection, positions, location_centres(positions), sales.unit_prices[1])


def _show_map(houses: pd.DataFrame) -> None:
    sales, contract = _sales_map(), market().contract
    if sales is None or sales.positions.empty:
        return
    east, north = (sales.projection.metres(houses)[0] / 1000.0).tolist()
    house = None if np.isnan([east, north]).any() else (east, north)
    view = _choose_view(sales.positions, house)
    points = sales.positions[view.contains(sales.positions)]
    if len(points) > _MAX_POINTS:
        points = points.sample(_MAX_POINTS, random_state=0)
    centres = sales.centres[view.contains(sales.centres)]
    drawn = pick_map(points, centres, house, view, sales.per, contract)
    alt = "Map of the sales. The fields of the coordinates do the same as a click on it."
    st.plotly_chart(drawn, key=MAP, alt=alt, config={"displayModeBar": False})
    _CLICKS(key=CLICK, height=1, on_place_change=_pick)
    names = " and ".join(escape(field.label) for field in contract.coordinates or ())
    st.caption(f"Click or tap where the house is. With a keyboard, type {names} into the fields.")


def _choose_view(positions: pd.DataFrame, house: tuple[float, float] | None) -> View:
    """Let the visitor choose the part of the market to show, around the house if it has a place."""
    low = positions[["east", "north"]].quantile(_OUTERMOST)
    high = positions[["east", "north"]].quantile(1.0 - _OUTERMOST)
    width, height = (1.1 * (high - low)).clip(lower=0.1).tolist()
    largest = max(width, height)
    sides = [largest, *(round_down(largest / times) for times in _CLOSER)]
    number = st.segmented_control(
        "Part of the market on the map",
        range(len(sides)),
        default=0,
        format_func=lambda number: f"{_side(sides[number])} across" if number else "Whole market",
        key=ZOOM,
        persist_state="session",
        label_visibility="collapsed",
    )
    if not number:
        east, north = (0.5 * (low + high)).tolist()
        return View(east, north, width, height)
    east, north = house or positions[["east", "north"]].median().tolist()
    return View(east, north, sides[number], sides[number])


def _side(km: float) -> str:
    return f"{km:g} km" if km >= 1 else f"{1000 * km:g} m"


def _pick() -> None:
    """Enter the coordinates of the place that was clicked."""
    sales, place = _sales_map(), st.session_state[CLICK].place
    if sales is not None and place:
        enter(coordinate_cells(sales.projection, np.array([place]), market().contract))


def coordinate_cells(
    projection: Projection, km: NDArray[np.float64], contract: Contract
) -> dict[str, str]:
    """Return the cells of the coordinates, by column, of one position on the map."""
    digits = _DECIMALS[contract.market.roles.latitude is not None]
    values = projection.coordinates(1000.0 * km)[0]
    return {
        name: f"{value:.{digits}f}" for name, value in zip(projection.columns, values, strict=True)
    }
