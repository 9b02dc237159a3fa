"""Charts that compare the houses of a visitor with the sales of the market."""

from __future__ import annotations

import pandas as pd
import pytest

from houseprice.market.profile import summaries
from houseprice.ui.charts import uploads
from houseprice.ui.explore.feature_tabs import price_chart


def test_the_comparison_counts_every_house_and_every_sale(market):
    values = market.prices.sample(100, random_state=0).reset_index(drop=True) * 1.1
    frame = uploads.comparison(values, market.prices)
    assert frame["houses"].sum() == 100
    assert frame[["houses_pct", "sales_pct"]].sum().tolist() == pytest.approx([100, 100])
    assert (frame["from"].iloc[1:].to_numpy() == frame["to"].iloc[:-1].to_numpy()).all()
    bars, outline = uploads.comparison_chart(values, market.prices, market.contract).figure.data
    assert list(bars.y) == frame["houses_pct"].tolist()
    assert list(outline.y) == frame["sales_pct"].tolist()


@pytest.mark.parametrize(
    ("factor", "words"), [(1.2, "20 % more"), (0.9, "10 % less"), (1, "the same")]
)
def test_the_caption_compares_the_medians(market, factor, words):
    caption = uploads.comparison_chart(
        market.prices * factor, market.prices, market.contract
    ).caption
    assert words in caption
    assert "$163,000" in caption


def test_the_caption_of_an_overlay_counts_the_houses_beyond_the_sales(sales):
    points = summaries.price_points(sales, "GrLivArea")
    outside = points.head(3).assign(value=[1_000.0, 1_500.0, 99_000.0])
    field = sales.contract.fields["GrLivArea"]
    chart = uploads.overlay_points(price_chart(sales, field), outside, field, sales.contract)
    assert "All but 1" in chart.caption
    assert len(chart.figure.data[-1].x) == 3


def test_every_band_of_confidence_is_drawn_and_in_the_caption():
    chart = uploads.confidence_chart(pd.Series([95.0, 92.0, 88.0, 50.0]))
    assert chart.caption == (
        "Confidence is high for 50 % of your houses, medium for 25 % and low for 25 %."
    )
    assert sum(sum(trace.y) for trace in chart.figure.data) == 4
