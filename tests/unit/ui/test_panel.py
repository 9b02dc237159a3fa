"""The figures that a chart's button gives."""

from __future__ import annotations

import pandas as pd

from houseprice.ui.panel import in_words


def test_headers_are_words_and_column_codes_stay_behind() -> None:
    frame = pd.DataFrame({"column": ["x"], "value": [1.0], "lower_quarter": [2.0]})
    told = in_words(frame, {"value": "Living area (sq ft)"})
    assert list(told.columns) == ["Living area (sq ft)", "Lower quarter"]


def test_a_day_is_written_without_its_midnight() -> None:
    told = in_words(pd.DataFrame({"start": pd.to_datetime(["2006-01-01"])}))
    assert str(told["Start"].iloc[0]) == "2006-01-01"
