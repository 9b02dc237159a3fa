"""A chart with its sentence, and the figures that its button gives."""

from __future__ import annotations

import pandas as pd
from streamlit.testing.v1 import AppTest

from houseprice.ui.charts.panel import plain_text, readable_headers


def test_headers_are_words_and_column_codes_stay_behind() -> None:
    frame = pd.DataFrame({"column": ["x"], "value": [1.0], "lower_quarter": [2.0]})
    told = readable_headers(frame, {"value": "Living area (sq ft)"})
    assert list(told.columns) == ["Living area (sq ft)", "Lower quarter"]


def test_a_day_is_written_without_its_midnight() -> None:
    told = readable_headers(pd.DataFrame({"start": pd.to_datetime(["2006-01-01"])}))
    assert str(told["Start"].iloc[0]) == "2006-01-01"


def two_panels() -> None:
    import pandas as pd

    from houseprice.ui.charts.panel import panel
    from houseprice.ui.charts.style import figure

    full = pd.DataFrame({"price": [1.0]})
    panel("**Half** sold for $1.", figure(), full, key="full")
    panel("Half sold for nan.", figure(), full.iloc[:0], key="empty")


def test_a_chart_is_named_by_its_sentence_and_an_empty_one_is_not_drawn() -> None:
    page = AppTest.from_function(two_panels, default_timeout=60).run()
    assert not page.exception
    (chart,) = page.get("plotly_chart")
    assert chart.proto.alt == "Half sold for $1."
    assert [told.value for told in page.markdown] == ["**Half** sold for \\$1."]
    assert "nothing to draw" in page.info[0].value


def test_a_sentence_is_read_without_its_marks() -> None:
    assert plain_text(r"**Half** of 1\.5Fin, a \_b") == "Half of 1.5Fin, a _b"
