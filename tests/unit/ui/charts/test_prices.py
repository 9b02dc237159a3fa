"""Charts of prices and data quality: axes with units, all data drawn, captions that are true."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest

from houseprice.market.profile import associations, summaries
from houseprice.market.profile.selection import Selection, with_price_per_area
from houseprice.ui.charts.data_quality import (
    association_matrix_chart,
    missing_values_chart,
    price_associations_chart,
)
from houseprice.ui.charts.places import location_map_chart, location_prices_chart
from houseprice.ui.charts.prices import (
    contradictions_caption,
    distribution_chart,
    price_by_level_chart,
    price_by_number_chart,
    price_outliers_chart,
    seasonality_chart,
    trend_chart,
)
from houseprice.ui.charts.style import FAINT, wrap_label
from houseprice.ui.explore.feature_tabs import price_chart


@pytest.fixture(scope="module")
def charts(sales):
    contract = sales.contract
    related = associations.price_associations(sales)
    matrix = associations.association_matrix(sales, list(related["column"].head(8)))
    by_month = summaries.price_by_level(sales, "MoSold")
    return {
        "distribution": distribution_chart(
            summaries.price_distribution(sales), sales.prices, contract
        ),
        "locations": location_prices_chart(summaries.price_by_location(sales), contract),
        "map": location_map_chart(summaries.location_map(sales), contract),
        "periods": trend_chart(summaries.price_by_period(sales), contract),
        "seasons": seasonality_chart(by_month, contract),
        "associations": price_associations_chart(related, 8),
        "matrix": association_matrix_chart(matrix),
        "missing": missing_values_chart(summaries.missing_values(sales), len(sales), 79),
        **{
            column: price_chart(sales, contract.fields[column])
            for column in (
                "GrLivArea", "YearBuilt", "YrSold", "KitchenQual", "GarageCars", "MoSold",
            )
        },
    }  # fmt: skip


def test_no_chart_shows_a_column_code_or_names_a_colour(charts, market):
    codes = [column for column in market.contract.columns if column != column.capitalize()]
    for name, chart in charts.items():
        figure = chart.figure
        text = json.dumps(json.loads(figure.to_json())["data"]) + str(figure.layout.xaxis.title)
        assert not [column for column in codes if f'"{column}"' in text], name
        for trace in figure.data:
            # Numbers are coloured by the scale of the theme.
            colour = getattr(getattr(trace, "marker", None), "color", None)
            assert not isinstance(colour, str) or colour == FAINT, name


@pytest.mark.parametrize(
    ("name", "title"),
    [
        *((name, "Sale price (USD)") for name in ("distribution", "locations", "periods")),
        *((name, "Sale price (USD)") for name in ("GrLivArea", "YearBuilt", "KitchenQual")),
        ("GrLivArea", "Living area above ground (sq ft)"),
        ("GarageCars", "Garage places (cars)"),
    ],
)
def test_axes_have_units(charts, name, title):
    layout = charts[name].figure.layout
    axes = {axis.title.text: axis.tickprefix for axis in (layout.xaxis, layout.yaxis)}
    assert axes[title] == ("$" if "USD" in title else None)


def test_all_data_is_drawn_from_the_frame(charts, sales):
    assert len(charts["GrLivArea"].figure.data[0].x) == len(sales)
    box, frame = charts["KitchenQual"].figure.data[0], charts["KitchenQual"].frame
    assert list(box.y) == ["Fair (39)", "Typical (735)", "Good (586)", "Excellent (100)"]
    assert list(box.median) == list(frame["median"])
    assert list(box.q1) == list(frame["lower_quarter"])
    assert box.x is None


def test_months_start_at_the_top_and_few_years_are_a_line(charts):
    assert charts["MoSold"].figure.layout.yaxis.categoryarray[-1].startswith("January")
    assert charts["KitchenQual"].figure.layout.yaxis.categoryarray[-1].startswith("Excellent")
    assert charts["YrSold"].figure.data[0].mode == "lines+markers"
    assert charts["YearBuilt"].figure.data[0].mode == "markers"


def test_a_long_label_is_wrapped():
    assert wrap_label("South and west of the State University") == (
        "South and west of the<br>State University"
    )


@pytest.mark.parametrize(
    ("end", "text"), [(300_000, "rises from"), (80_000, "falls from"), (101_000, "hardly changes")]
)
def test_a_trend_rises_falls_or_hardly_changes(contract, end, text):
    points = pd.DataFrame({"value": [1.0], "price": 1.0, "id": "1", "location": "Hill"})
    trend = pd.DataFrame({"value": [812.0, 2_436.0], "median": [100_000.0, end]})
    trend = trend.assign(lower_quarter=1.0, upper_quarter=2.0)
    field = contract.fields["GrLivArea"]
    caption = price_by_number_chart(points, points, trend, field, contract).caption
    assert text in caption
    assert "810 sq ft" in caption
    assert "2,400 sq ft" in caption
    short = price_by_number_chart(points, points, trend.head(0), field, contract).caption
    assert short.startswith("Too few")


@pytest.mark.parametrize(
    ("medians", "sales", "parts"),
    [
        (
            {"Poor": 90_000, "Good": 150_000, "Grand": 400_000, "not known": 900_000},
            [20, 20, 2, 20],
            ["“Good” has the highest", "“Poor” the lowest"],
        ),
        ({"Paved": 1.0}, [20], ["the same value: Paved"]),
        ({"not known": 1.0}, [20], ["not known for any"]),
        (
            {"Gravel": 90_000, "Paved": 150_000},
            [3, 20],
            ["“Paved” is the most frequent, with 20 of 23 sales."],
        ),
    ],
)
def test_levels_are_compared_only_if_known_and_frequent(contract, medians, sales, parts):
    frame = pd.DataFrame({"level": [*medians], "sales": sales, "median": [*medians.values()]})
    quantiles = ("lowest_tenth", "lower_quarter", "upper_quarter", "highest_tenth")
    frame = frame.assign(**dict.fromkeys(quantiles, 1.0))
    caption = price_by_level_chart(frame, contract.fields["KitchenQual"], contract).caption
    assert [part for part in parts if part not in caption] == []


def test_the_distribution_is_summarized_by_its_quantiles(sales):
    whole, per_area = (
        distribution_chart(summaries.price_distribution(each), each.prices, each.contract).caption
        for each in (sales, with_price_per_area(sales))
    )
    assert whole == (
        "The median price is $163,000; half of the homes sold for $130,000 to $214,000. One in ten "
        "sold for more than $278,000."
    )
    assert per_area.startswith(
        "The median price is $120 per sq ft; half of the homes sold for $99.8 to $139."
    )


@pytest.mark.parametrize(
    ("medians", "sales", "caption"),
    [
        (
            {"Mill": 100_000, "Hill": 250_000},
            [20, 20],
            "Median prices range from $100,000 in Mill to $250,000 in Hill, 2.5 times as much.",
        ),
        (
            {"Mill": 100_000, "Hill": 250_000, "Lake": 900_000},
            [20, 20, 2],
            "1 location with fewer than 10 sales is not compared.",
        ),
        (
            {"Hill": 100_000},
            [20],
            "All of these sales are in Hill; the median price is $100,000.",
        ),
        (
            {"Hill": 100_000, "Lake": 900_000},
            [20, 2],
            "Too few locations have 10 sales or more to compare their prices.",
        ),
    ],
)
def test_locations_with_few_sales_are_not_compared(contract, medians, sales, caption):
    frame = pd.DataFrame({"level": [*medians], "sales": sales, "median": [*medians.values()]})
    frame = frame.assign(lower_quarter=1.0, upper_quarter=2.0, median_per_area=1.0)
    assert location_prices_chart(frame, contract).caption.endswith(caption)


def test_the_caption_of_the_map_names_the_most_expensive_side(sales, contract):
    frame = summaries.location_map(sales)
    assert location_map_chart(frame, contract).caption == (
        "The west is the most expensive side: the median price is about $128 per sq ft, and $117 "
        "in the east."
    )
    same = location_map_chart(frame.assign(median_per_area=100.0), contract).caption
    assert same.startswith("No side")
    assert location_map_chart(frame.head(2), contract).caption.startswith("Each circle")


def test_periods_and_months_with_few_sales_are_not_compared(market, sales, contract):
    caption = trend_chart(summaries.price_by_period(sales), contract).caption
    assert "highest in Q4 2007" in caption
    assert "Q3 2010" not in caption
    assert seasonality_chart(summaries.price_by_level(sales, "MoSold"), contract).caption == (
        "Most homes are sold in June (17 % of the sales), fewest in February (4 %)."
    )
    january = Selection(ranges=(("YrSold", 2006, 2006), ("MoSold", 0, 0))).apply(market)
    assert "Too few" in trend_chart(summaries.price_by_period(january), contract).caption
    by_month = summaries.price_by_level(january, "MoSold")
    only = seasonality_chart(by_month, contract).caption
    assert only == "All of these homes were sold in January."


def test_outliers_and_contradictions_are_counted(contract):
    frame = pd.DataFrame({"off": [-0.5, 0.4, 0.3], "place": "Hill", "id": ["1", "2", "3"]})
    frame = frame.assign(low=1.0, high=3.0, value=2.0, price=4.0)
    chart = price_outliers_chart(frame, 2, 30, contract)
    assert chart.caption.startswith("3 of 30 prices (10 %) are outside the 90 % range")
    assert "1 below, 2 above" in chart.caption
    assert len(chart.figure.data[0].x) == 2
    none = price_outliers_chart(frame.head(0), 2, 30, contract).caption
    assert none.startswith("No price is outside")
    assert contradictions_caption(frame, 30) == (
        "3 of 30 sales have fields that contradict each other."
    )
    assert contradictions_caption(frame.head(0), 30).startswith("No fields")


def test_missing_values_are_counted(sales):
    frame = summaries.missing_values(sales)
    caption = missing_values_chart(frame, len(sales), 79).caption
    assert "75 of 79 features" in caption
    assert "“Lot frontage”: 259 of 1,460 (18 %)" in caption
    known = frame[frame["not_known"] == 0]
    assert missing_values_chart(known, len(sales), 79).caption.startswith(
        "All 79 features are known"
    )


def test_the_strongest_associations_are_named(sales):
    frame = associations.price_associations(sales)
    assert "“Overall quality” (0.81), “Neighbourhood”" in price_associations_chart(frame, 5).caption
    assert "Too few" in price_associations_chart(frame.head(0), 5).caption
    matrix = pd.DataFrame([[np.nan, 0.9], [0.9, np.nan]], index=["A", "B"], columns=["A", "B"])
    assert association_matrix_chart(matrix).caption == (
        "The strongest association is between “A” and “B” (0.90): they are nearly redundant."
    )
    assert association_matrix_chart(matrix / 2).caption.endswith("“B” (0.45).")
    assert "Too few" in association_matrix_chart(matrix * np.nan).caption
