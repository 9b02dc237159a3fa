"""Filters, selections, the overlay and the alerts of the page "Explore the sales"."""

from __future__ import annotations

import pandas as pd

from houseprice.market.profile import summaries
from houseprice.market.profile.alerts import alerts
from houseprice.market.profile.selection import Selection
from houseprice.market.sales import read_rows
from houseprice.ui.charts.data_quality import alert_chart
from houseprice.ui.charts.prices import price_outliers_chart
from houseprice.ui.explore.filters import describe_filters
from houseprice.ui.explore.price_tabs import overlay_houses, sales_in_bars
from houseprice.ui.explore.quality_tabs import outlier_reasons
from houseprice.ui.explore.selected_sales import select_sales


def test_filters_are_described_by_labels(market):
    selection = Selection((9, 5), (100_000, 250_000), (("YearBuilt", 1950, 1970),))
    assert describe_filters(selection, market.contract) == [
        "Iowa DOT and railroad or College Creek",
        r"sale price \$100,000 to \$250,000",
        "year built 1950 to 1970",
    ]
    many = describe_filters(Selection(tuple(range(7))), market.contract)
    assert many[0].endswith("or 3 more")
    assert describe_filters(Selection(), market.contract) == []


def test_selected_sales_keep_their_order_and_unknown_ids_are_ignored(sales):
    assert list(select_sales(["7", "3", "no such sale"], sales).ids) == ["3", "7"]


def test_a_bar_of_the_distribution_selects_the_sales_that_it_counts(sales):
    frame = summaries.price_distribution(sales)
    bar = frame.iloc[7]
    assert len(sales_in_bars(sales, (str(bar["from"]),))) == bar["sales"]
    assert len(sales_in_bars(sales, tuple(frame["from"].astype(str)))) == len(sales)


def test_an_outlier_is_explained_by_its_side_and_the_range(sales):
    frame = pd.DataFrame([{"id": "7", "place": "Hill", "price": 50_000.0, "value": 100_000.0}])
    frame = frame.assign(low=80_000.0, high=120_000.0, off=-0.5)
    (reason,) = outlier_reasons(frame, sales.contract)
    assert reason == "50 % below the estimated value (range $80,000 to $120,000)"
    chart = price_outliers_chart(frame, 1, len(sales), sales.contract)
    assert [trace.customdata[0][0] for trace in chart.figure.data] == ["7", "7", "7"]


def test_valued_houses_are_overlaid_as_if_sold_for_their_values(market):
    rows = read_rows(market.sample_path).head(11)
    values = pd.Series([None, *(100_000.0 + 10_000 * row for row in range(10))])
    houses = overlay_houses(values, rows, market.contract)
    assert list(houses.ids) == [str(row) for row in range(2, 12)]
    assert list(houses.prices) == list(values.dropna())
    area = summaries.price_points(houses, "GrLivArea")
    assert area["value"].iloc[0] == float(rows["GrLivArea"].iloc[1])


def test_each_alert_has_a_chart_with_its_features(sales):
    for alert in alerts(sales):
        chart = alert_chart(alert, sales)
        assert chart.caption
        assert len(chart.frame) >= alert.n_fields or alert.kind == "same"
        assert chart.figure.layout.xaxis.title.text
