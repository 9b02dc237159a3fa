"""What the page of the sales draws, lists and lays over, without a page."""

from __future__ import annotations

import pandas as pd
import pytest

from houseprice.market.profile import summaries
from houseprice.market.profile.selection import Sales, Selection
from houseprice.market.profile.summaries import location_map
from houseprice.market.sales import Market, read_rows
from houseprice.ui.charts import uploads as charts_overlay
from houseprice.ui.charts.places import label_places, place_map
from houseprice.ui.charts.prices import prices_far_off
from houseprice.ui.explore.filters import conditions
from houseprice.ui.explore.price_tabs import ids_between, valued_houses
from houseprice.ui.explore.quality_tabs import why_far_off
from houseprice.ui.explore.selected_sales import picked_sales


@pytest.fixture(scope="module")
def sales(market: Market) -> Sales:
    return Selection().apply(market)


def test_conditions_are_said_in_words(market: Market) -> None:
    chosen = Selection((9, 5), (100_000, 250_000), (("YearBuilt", 1950, 1970),))
    assert conditions(chosen, market.contract) == [
        "Iowa DOT and railroad or College Creek",
        r"sale price \$100,000 to \$250,000",
        "year built 1950 to 1970",
    ]
    many = conditions(Selection(tuple(range(7))), market.contract)
    assert many[0].endswith("or 3 more")
    assert conditions(Selection(), market.contract) == []


def test_picked_sales_keep_their_order_and_strangers_are_left_out(sales: Sales) -> None:
    picked = picked_sales(["7", "3", "no such sale"], sales)
    assert list(picked.ids) == ["3", "7"]


def test_a_bar_of_the_distribution_gives_the_sales_that_it_counts(sales: Sales) -> None:
    frame = summaries.price_distribution(sales)
    bar = frame.iloc[7]
    assert len(ids_between(sales, (str(bar["from"]),))) == bar["sales"]
    everything = tuple(frame["from"].astype(str))
    assert len(ids_between(sales, everything)) == len(sales)


def test_the_map_is_in_true_proportion_and_each_bubble_carries_its_place(sales: Sales) -> None:
    drawn = place_map(location_map(sales), sales.contract)
    (places,) = drawn.data
    assert (drawn.layout.yaxis.scaleanchor, drawn.layout.yaxis.scaleratio) == ("x", 1)
    assert places.customdata[0][0] == "North Ames"
    sizes, counts = list(places.marker.size), [row[1] for row in places.customdata]
    assert (sizes[0] / sizes[-1]) ** 2 == pytest.approx(counts[0] / counts[-1])
    assert {note.text for note in drawn.layout.annotations} == {"<b>N</b><br>↑", "2 km", "1 mi"}


def test_a_name_stands_only_where_it_hides_nothing() -> None:
    frame = pd.DataFrame(
        {"level": ["Old Town", "Mill", "Far away"], "east": [0.0, 0.0, 9.0], "north": [0.0, 0.0, 0]}
    )
    crowd = pd.concat([frame, *[frame.assign(north=up / 4) for up in range(-6, 6)]])
    names = label_places(crowd.reset_index(drop=True), pd.Series([20.0] * len(crowd)))
    assert 0 < (names["text"] != "").sum() < len(crowd)
    alone = label_places(frame.tail(2).reset_index(drop=True), pd.Series([20.0, 20.0]))
    assert list(alone["text"]) == ["Mill", "Far away"]
    assert list(alone["position"]) == ["middle right", "middle left"]


def test_a_price_far_off_is_told_with_its_side_and_its_range(sales: Sales) -> None:
    frame = pd.DataFrame(
        {
            "id": ["7"],
            "place": ["Hill"],
            "price": [50_000.0],
            "value": [100_000.0],
            "low": [80_000.0],
            "high": [120_000.0],
            "off": [-0.5],
        }
    )
    assert why_far_off(frame, sales.contract) == [
        "50 % less than its facts lead to ($80,000 to $120,000)"
    ]
    drawn = prices_far_off(frame, sales.contract)
    assert [trace.customdata[0][0] for trace in drawn.data] == ["7", "7", "7"]


def test_a_visitors_houses_are_laid_over_as_if_sold_for_their_values(market: Market) -> None:
    rows = read_rows(market.sample_path).head(11)
    values = pd.Series([None, *(100_000.0 + 10_000 * row for row in range(10))])
    overlay = valued_houses("mine.csv", values, rows, market.contract)
    assert overlay is not None
    assert (overlay.of, len(overlay.houses)) == (10, 10)
    assert overlay.houses.ids.iloc[0] == "2"
    area = summaries.price_points(overlay.houses, "GrLivArea")
    assert area["value"].iloc[0] == float(rows["GrLivArea"].iloc[1])
    few = valued_houses("mine.csv", values, rows, market.contract, most=3)
    assert few is not None
    assert (few.of, list(few.houses.ids)) == (10, ["2", "6", "11"])
    nothing = pd.Series([None] * 11, dtype="Float64")
    assert valued_houses("mine.csv", nothing, rows, market.contract) is None


def test_laid_over_houses_are_all_counted_even_beyond_the_sales(sales: Sales) -> None:
    frame = summaries.price_distribution(sales)
    values = pd.Series([5_000.0, 163_000.0, 163_000.0, 2_000_000.0])
    beside = charts_overlay.beside_distribution(frame, values)
    assert beside["houses"].sum() == 4
    assert beside["sales"].sum() == len(sales)
    assert beside["houses_scaled"].sum() == pytest.approx(len(sales))
    merged = beside.merge(frame, on=["from", "to"], suffixes=("", "_before"))
    assert (merged["sales"] == merged["sales_before"]).all()
    assert len(merged) == len(frame)


def test_it_is_said_how_a_visitors_houses_stand_to_the_sales(sales: Sales) -> None:
    text = charts_overlay.overlay_finding(1.1 * sales.prices, sales.prices, sales.contract)
    assert "10 % above the middle price of these sales, $163,000" in text
    points = summaries.price_points(sales, "GrLivArea")
    field = sales.contract.fields["GrLivArea"]
    far = points.head(3).assign(value=[1_000.0, 1_500.0, 99_000.0])
    assert "All but 1 lie within" in charts_overlay.area_finding(far, points, field)
