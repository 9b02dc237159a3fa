"""Valuing a table, and the guide to its columns."""

from __future__ import annotations

from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from houseprice.backend.base import Backend, ValuationResult
from houseprice.backend.factory import open_backend
from houseprice.errors import InputError
from houseprice.market.sales import Market
from houseprice.settings import Settings
from houseprice.tables.reader import read_table
from houseprice.tables.table import Table
from houseprice.ui.csv.upload import (
    EVIDENCE_ROWS,
    ValuedUpload,
    add_evidence,
    column_guide,
    value_table,
)
from tests.tables import value_table as value_at_once

NEVER = float("inf")


@pytest.fixture(scope="module")
def backend(market: Market, model_dir: Path) -> Backend:
    return open_backend(Settings(model_dir=model_dir), market)


@pytest.fixture(scope="module")
def table(market: Market) -> Table:
    """Six hundred houses, with invalid cells and unreadable rows."""
    lines = market.sample_path.read_text(encoding="utf-8").splitlines()[:601]
    for row in (2, 499, 500, 501, 600):
        lines[row] += ",surplus"
    lines[550] = lines[550].replace(",", ",,", 1)
    lines[40] = lines[40].replace("Pave", "Gold")
    lines[560] = lines[560].replace("Pave", "Gold")
    return read_table("\n".join(lines).encode(), "homes.csv", Settings(), market.contract)


class ChangingBackend:
    """A backend with another model version in each answer."""

    def __init__(self, backend: Backend) -> None:
        self._backend = backend
        self._version = count()
        self.info = backend.info

    def value(self, rows: pd.DataFrame, **options: Any) -> ValuationResult:
        answer = self._backend.value(rows, **options)
        valuations = answer.valuations.assign(model_version=f"m-{next(self._version)}")
        return replace(answer, valuations=valuations)


class SlowBackend(ChangingBackend):
    """A backend with one model that reports its progress after half of the houses, too."""

    def value(self, rows: pd.DataFrame, **options: Any) -> ValuationResult:
        options["progress"](0.5, "")
        return self._backend.value(rows, **options)


def ignore(share: float, text: str) -> None:
    del share, text


def test_the_result_is_that_of_valuing_the_table_at_once(backend: Backend, table: Table) -> None:
    progress: list[tuple[float, str]] = []
    valued = value_table(table, SlowBackend(backend), lambda *step: progress.append(step), NEVER)
    result = ValuedUpload("homes.csv", table, valued, backend.info())
    whole = value_at_once(table, backend)
    assert not valued.valuations["top_drivers"].astype(bool).any()
    valued = add_evidence(result, backend)
    pd.testing.assert_frame_equal(
        valued.valuations.drop(columns="valued_at"), whole.valuations.drop(columns="valued_at")
    )
    pd.testing.assert_frame_equal(valued.inputs, whole.inputs)
    assert valued.problems == whole.problems
    assert (valued.headers, valued.notes) == (whole.headers, whole.notes)
    assert valued.summary.errors_by_code == whole.summary.errors_by_code
    assert [share for share, _ in progress] == [0.5, 1.0]
    assert "300 houses valued" in progress[0][1]
    assert "left" in progress[0][1]


def test_no_chunk_starts_after_the_deadline(backend: Backend, table: Table) -> None:
    clock = count(0.0, 10.0)
    with pytest.raises(InputError, match="300 of 600 houses were valued by then"):
        value_table(table, SlowBackend(backend), ignore, 5.0, lambda: next(clock))


def test_drivers_are_computed_only_for_short_tables(backend: Backend, table: Table) -> None:
    times = EVIDENCE_ROWS // len(table.cells) + 1
    long = replace(
        table,
        cells=pd.concat([table.cells] * times, ignore_index=True),
        rows=pd.concat([table.rows] * times, ignore_index=True),
    )
    scored = value_table(table, backend, ignore, NEVER)
    result = ValuedUpload("homes.csv", long, scored, backend.info())
    assert len(long.cells) > EVIDENCE_ROWS
    assert add_evidence(result, backend) is scored
    valuations = add_evidence(replace(result, table=table), backend).valuations
    assert valuations.loc[valuations["status"] != "error", "top_drivers"].astype(bool).all()


def test_values_of_two_models_are_never_in_one_table(backend: Backend, table: Table) -> None:
    scored = value_table(table, backend, ignore, NEVER)
    result = ValuedUpload("homes.csv", table, scored, backend.info())
    assert add_evidence(result, ChangingBackend(backend)) is scored


def test_the_guide_has_every_column_with_its_accepted_values(market: Market) -> None:
    guide = column_guide().set_index("Column")
    assert list(guide.index) == list(market.contract.columns)
    assert "WD = " in guide.loc["SaleType", "Accepted values"]
    assert guide.loc["GrLivArea", "Required"] == "yes"
