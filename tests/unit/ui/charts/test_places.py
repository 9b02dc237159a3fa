"""The map of prices by location."""

from __future__ import annotations

import pandas as pd
import pytest

from houseprice.market.profile.selection import Selection
from houseprice.market.profile.summaries import location_map
from houseprice.ui.charts.places import label_positions, location_map_chart


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
