"""Charts: every one in words with units, money as money, and all of its frame drawn."""

from __future__ import annotations

import json

import plotly.graph_objects as go
import pytest

from houseprice.market.profile import associations, summaries
from houseprice.market.profile.selection import Sales, Selection
from houseprice.market.profile.summaries import location_map
from houseprice.market.sales import Market
from houseprice.ui.charts import data_quality as charts_fields
from houseprice.ui.charts import places as charts_places
from houseprice.ui.charts import prices as charts_prices
from houseprice.ui.charts import prices as charts_time
from houseprice.ui.charts import style as charts
from houseprice.ui.explore.feature_tabs import price_chart


@pytest.fixture(scope="module")
def sales(market: Market) -> Sales:
    return Selection().apply(market)


@pytest.fixture(scope="module")
def figures(sales: Sales) -> dict[str, go.Figure]:
    contract = sales.contract
    places, quarters = summaries.price_by_location(sales), summaries.price_by_period(sales)
    ties = associations.price_associations(sales).head(8)
    drawn = {
        "distribution": charts_prices.price_distribution(
            summaries.price_distribution(sales), 163_000, contract
        ),
        "places": charts_places.place_dots(places, contract),
        "map": charts_places.place_map(location_map(sales), contract),
        "periods": charts_time.price_by_period(quarters, contract),
        "seasons": charts_time.seasons(summaries.price_by_level(sales, "MoSold"), contract),
        "price ties": charts_fields.price_ties(ties),
        "ties": charts_fields.ties(associations.association_matrix(sales, list(ties["column"]))),
        "blanks": charts_fields.blank_shares(summaries.missing_values(sales)),
    }
    for column in ("GrLivArea", "YearBuilt", "YrSold", "KitchenQual", "GarageCars", "MoSold"):
        drawn[column] = price_chart(sales, contract.fields[column]).figure
    return drawn


def money_axes(drawn: go.Figure) -> list[str]:
    axes = (drawn.layout.xaxis, drawn.layout.yaxis)
    return [axis.title.text for axis in axes if axis.tickprefix == "$"]


def test_no_chart_shows_a_column_code(figures: dict[str, go.Figure], market: Market) -> None:
    odd = [column for column in market.contract.columns if column != column.capitalize()]
    for name, drawn in figures.items():
        text = json.dumps(json.loads(drawn.to_json())["data"]) + str(drawn.layout.xaxis.title.text)
        assert not [column for column in odd if f'"{column}"' in text], name


def test_no_chart_names_a_colour_that_one_theme_alone_could_bear(
    figures: dict[str, go.Figure],
) -> None:
    for name, drawn in figures.items():
        for trace in drawn.data:
            marker = getattr(trace, "marker", None)
            colour = None if marker is None else marker.color
            # Numbers are taken from the theme's own scale.
            assert not isinstance(colour, str) or colour == charts.FAINT, name


@pytest.mark.parametrize(
    "name", ["distribution", "places", "periods", "GrLivArea", "YearBuilt", "KitchenQual"]
)
def test_prices_stand_on_an_axis_that_says_money(figures: dict[str, go.Figure], name: str) -> None:
    assert money_axes(figures[name]) == ["Sale price (USD)"]


def test_sizes_carry_their_unit(figures: dict[str, go.Figure]) -> None:
    assert figures["GrLivArea"].layout.xaxis.title.text == "Living area above ground (sq ft)"
    assert figures["GarageCars"].layout.yaxis.title.text == "Garage places (cars)"


def test_a_dot_stands_for_every_sale_with_a_known_value(
    figures: dict[str, go.Figure], sales: Sales
) -> None:
    assert len(figures["GrLivArea"].data[0].x) == len(sales)


def test_levels_are_named_in_words_with_their_number_of_sales(
    figures: dict[str, go.Figure],
) -> None:
    assert list(figures["KitchenQual"].data[0].y) == [
        "Fair (39)",
        "Typical (735)",
        "Good (586)",
        "Excellent (100)",
    ]


def test_boxes_are_drawn_from_the_frame_alone(sales: Sales) -> None:
    chart = price_chart(sales, sales.contract.fields["KitchenQual"])
    box, frame = chart.figure.data[0], chart.frame
    assert list(box.median) == list(frame["median"])
    assert list(box.q1) == list(frame["lower_quarter"])
    assert box.x is None


def test_the_calendar_starts_on_top(figures: dict[str, go.Figure]) -> None:
    order = figures["MoSold"].layout.yaxis.categoryarray
    assert order[-1].startswith("January")
    assert figures["KitchenQual"].layout.yaxis.categoryarray[-1].startswith("Excellent")


def test_a_handful_of_years_is_joined_by_a_line_and_many_are_not(
    figures: dict[str, go.Figure],
) -> None:
    assert figures["YrSold"].data[0].mode == "lines+markers"
    assert figures["YearBuilt"].data[0].mode == "markers"


def test_a_long_label_is_broken_into_lines() -> None:
    assert charts.wrap_label("South and west of the State University") == (
        "South and west of the<br>State University"
    )
