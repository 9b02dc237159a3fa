"""The map of prices by location."""

from __future__ import annotations

import pandas as pd
import pytest

from houseprice.market.profile.selection import Selection
from houseprice.market.profile.summaries import location_map
from houseprice.ui.charts.places import View, label_positions, location_map_chart, pick_map


def test_the_map_is_to_scale_and_the_area_of_a_circle_is_its_number_of_sales(market):
    drawn = location_map_chart(location_map(Selection().apply(market)), market.contract).figure
    (places,) = drawn.data
    assert (drawn.layout.yaxis.scaleanchor, drawn.layout.yaxis.scaleratio) == ("x", 1)
    assert places.customdata[0][0] == "North Ames"
    sizes, counts = list(places.marker.size), [row[1] for row in places.customdata]
    assert (sizes[0] / sizes[-1]) ** 2 == pytest.approx(counts[0] / counts[-1])
    assert {note.text for note in drawn.layout.annotations} == {"<b>N</b><br>↑", "2 km", "1 mi"}


def test_a_label_is_drawn_only_where_it_covers_nothing():
    frame = pd.DataFrame(
        {"level": ["Old Town", "Mill", "Far away"], "east": [0.0, 0.0, 9.0], "north": [0.0, 0.0, 0]}
    )
    crowd = pd.concat([frame, *[frame.assign(north=up / 4) for up in range(-6, 6)]])
    labels = label_positions(crowd.reset_index(drop=True), pd.Series([20.0] * len(crowd)))
    assert 0 < (labels["text"] != "").sum() < len(crowd)
    alone = label_positions(frame.tail(2).reset_index(drop=True), pd.Series([20.0, 20.0]))
    assert list(alone["text"]) == ["Mill", "Far away"]
    assert list(alone["position"]) == ["middle right", "middle left"]


def test_the_map_to_pick_a_place_on_shows_the_view_and_the_house(market):
    points = pd.DataFrame(
        {"east": [0.0, 1.0, 40.0], "north": [0.0, -1.0, 0.0], "price": [90.0, 120.0, 100.0]}
    )
    centres = pd.DataFrame({"level": ["Mill"], "east": [0.5], "north": [0.0], "sales": [2]})
    view = View(0.5, 0.0, 4.0, 2.0)
    assert view.contains(points).tolist() == [True, True, False]
    drawn = pick_map(points.head(2), centres, None, view, " per sq ft", market.contract)
    sales, names = drawn.data
    assert list(sales.customdata) == ["$90", "$120"]
    assert list(names.text) == ["Mill"]
    assert tuple(drawn.layout.xaxis.range) == (-1.5, 2.5)
    assert tuple(drawn.layout.yaxis.range) == (-1.0, 1.0)
    assert (drawn.layout.yaxis.scaleanchor, drawn.layout.yaxis.scaleratio) == ("x", 1)
    assert sales.marker.cmin >= 0  # below, Plotly takes colours of two directions
    house = pick_map(points, centres, (0.2, 0.3), view, "", market.contract).data[-1]
    assert (house.x, house.y) == ((0.2,), (0.3,))
