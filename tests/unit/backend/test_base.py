"""The frame of valuations, and chunks of rows."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
import pandas as pd
import pytest

from houseprice.backend.base import (
    LIST_COLUMNS,
    NUMBER_COLUMNS,
    VALUATION_COLUMNS,
    chunks,
    valuation_frame,
)
from houseprice.market.problems import Problem

NOW = datetime(2020, 1, 2, 3, 4, 5, tzinfo=UTC)


def values(n: int) -> pd.DataFrame:
    return pd.DataFrame({name: np.arange(n) + 0.5 for name in NUMBER_COLUMNS})


def test_valid_rows_have_values_and_invalid_rows_have_reasons() -> None:
    problems = [
        Problem(2, "size", "required", "error", "Size is blank.", "", "a size"),
        Problem(3, "grade", "unseen_level", "warning", "Unseen."),
        Problem(3, "grade", "read_as", "note", "Read."),
    ]
    frame = valuation_frame(np.array([True, False, True]), problems, values(2), "v-1", NOW)
    assert tuple(frame.columns) == VALUATION_COLUMNS
    assert frame["row"].tolist() == [1, 2, 3]
    assert frame["status"].tolist() == ["ok", "error", "warning"]
    for name in NUMBER_COLUMNS:
        np.testing.assert_array_equal(frame[name], [0.5, np.nan, 1.5])
    assert frame["reason_codes"].tolist() == ["", "required:size", "unseen_level:grade"]
    assert frame["message"].tolist() == ["", "Size is blank. Expected: a size.", "Unseen."]
    assert frame["comparables"].tolist() == frame["top_drivers"].tolist() == [(), (), ()]
    assert frame["model_version"].tolist() == ["v-1", "", "v-1"]
    assert frame["valued_at"].tolist() == ["2020-01-02T03:04:05+00:00", "", frame["valued_at"][0]]


def test_evidence_is_aligned_with_the_valid_rows() -> None:
    valued = values(1).assign(comparables=[("a", "b")], top_drivers=[("size",)])
    frame = valuation_frame(np.array([False, True]), [], valued, "v-1", NOW)
    assert frame["comparables"].tolist() == [(), ("a", "b")]
    assert frame["top_drivers"].tolist() == [(), ("size",)]


@pytest.mark.parametrize("n", [0, 1, 3])
@pytest.mark.parametrize("valid", [True, False])
def test_column_types_do_not_depend_on_the_rows(n: int, valid: bool) -> None:
    valued = values(n) if n and valid else pd.DataFrame()
    types = valuation_frame(np.full(n, valid), [], valued, "v-1", NOW).dtypes.astype(str)
    assert types.drop(["row", *NUMBER_COLUMNS, *LIST_COLUMNS]).unique().tolist() == ["str"]
    assert types[list(LIST_COLUMNS)].unique().tolist() == ["object"]
    assert types[list(NUMBER_COLUMNS)].unique().tolist() == ["float64"]


def test_text_columns_share_no_memory() -> None:
    frame = valuation_frame(np.array([True, True]), [], values(2), "v-1", NOW)
    frame.loc[0, "message"] = "changed"
    assert frame["message"].tolist() == ["changed", ""]
    assert frame["reason_codes"].tolist() == ["", ""]
    assert frame["status"].tolist() == ["ok", "ok"]


@pytest.mark.parametrize(
    ("n_rows", "size", "lengths"), [(0, 5, []), (5, 5, [5]), (12, 5, [5, 5, 2])]
)
def test_chunks_cover_all_rows_in_order(n_rows: int, size: int, lengths: list[int]) -> None:
    rows = list(range(n_rows))
    parts = [rows[chunk] for chunk in chunks(n_rows, size)]
    assert [len(part) for part in parts] == lengths
    assert [row for part in parts for row in part] == rows
