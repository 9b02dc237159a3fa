"""A chart is shown with its caption, which is its text alternative, and its data."""

from __future__ import annotations

import pandas as pd
from streamlit.testing.v1 import AppTest

from houseprice.ui.charts.panel import plain_text, readable_headers


def test_headers_are_readable_and_codes_are_dropped():
    frame = pd.DataFrame({"column": ["x"], "value": [1.0], "lower_quarter": [2.0]})
    readable = readable_headers(frame, {"value": "Living area (sq ft)"})
    assert list(readable.columns) == ["Living area (sq ft)", "Lower quarter"]


def test_a_date_has_no_time():
    readable = readable_headers(pd.DataFrame({"start": pd.to_datetime(["2006-01-01"])}))
    assert str(readable["Start"].iloc[0]) == "2006-01-01"


def two_panels() -> None:
    import pandas as pd

    from houseprice.ui.charts.panel import Chart, panel
    from houseprice.ui.charts.style import figure

    full = pd.DataFrame({"price": [1.0]})
    panel(Chart(figure(), full, "**Half** sold for $1."), key="full")
    panel(Chart(figure(), full.iloc[:0], "Half sold for nan."), key="empty")


def test_the_caption_is_the_text_alternative_and_an_empty_chart_is_not_drawn():
    page = AppTest.from_function(two_panels, default_timeout=60).run()
    assert not page.exception
    (chart,) = page.get("plotly_chart")
    assert chart.proto.alt == "Half sold for $1."
    assert [block.value for block in page.markdown] == ["**Half** sold for \\$1."]
    assert "nothing to draw" in page.info[0].value


def test_a_text_alternative_has_no_markdown():
    assert plain_text(r"**Half** of 1\.5Fin, a \_b") == "Half of 1.5Fin, a _b"
