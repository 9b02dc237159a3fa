"""A table valued step by step: the same as all at once, with its pace told and within its time."""

from __future__ import annotations

from dataclasses import replace
from itertools import count
from pathlib import Path

import pandas as pd
import pytest

from houseprice.backend.base import Backend, ValuationResult
from houseprice.backend.factory import open_backend
from houseprice.errors import BackendUnavailable, InputError
from houseprice.market.sales import Market
from houseprice.settings import Settings
from houseprice.tables.reader import read_table
from houseprice.tables.scoring import value_table
from houseprice.tables.table import Table
from houseprice.ui.csv.upload import FEW, value_in_steps


@pytest.fixture(scope="module")
def backend(market: Market, model_dir: Path) -> Backend:
    return open_backend(Settings(model_dir=model_dir), None, market)


@pytest.fixture(scope="module")
def table(market: Market) -> Table:
    """Six hundred houses; wrong cells and rows that can't be read on both sides of the step."""
    lines = market.sample_path.read_text(encoding="utf-8").splitlines()[:601]
    for row in (2, 499, 500, 501, 600):
        lines[row] += ",surplus"
    lines[550] = lines[550].replace(",", ",,", 1)
    lines[40] = lines[40].replace("Pave", "Gold")
    lines[560] = lines[560].replace("Pave", "Gold")
    return read_table("\n".join(lines).encode(), "homes.csv", Settings(), market.contract)


class OfManyVersions:
    """Answers, each time as another model."""

    def __init__(self, backend: Backend) -> None:
        self._backend = backend
        self._version = count()

    def info(self):
        return self._backend.info()

    def value(self, rows: pd.DataFrame, **asked) -> ValuationResult:
        answer = self._backend.value(rows, **asked)
        named = answer.valuations.assign(model_version=f"m-{next(self._version)}")
        return replace(answer, valuations=named)


def test_the_rows_come_out_as_all_at_once(backend: Backend, table: Table) -> None:
    told = []
    steps = value_in_steps(table, backend, lambda share, what: told.append((share, what)), 1e9)
    whole = value_table(table, backend)
    apart = ["valued_at"]
    pd.testing.assert_frame_equal(
        steps.valuations.drop(columns=apart), whole.valuations.drop(columns=apart)
    )
    pd.testing.assert_frame_equal(steps.inputs, whole.inputs)
    assert steps.problems == whole.problems
    assert (steps.headers, steps.notes) == (whole.headers, whole.notes)
    assert steps.summary.errors_by_code == whole.summary.errors_by_code
    assert [share for share, _ in told] == [pytest.approx(500 / 600), 1.0]
    assert "500 houses valued" in told[0][1]
    assert "left" in told[0][1]


def test_work_ends_at_its_limit_in_words(backend: Backend, table: Table) -> None:
    clock = count(0.0, 10.0)
    with pytest.raises(InputError, match="500 of its 600 houses were done by then") as refused:
        value_in_steps(table, backend, lambda *_: None, 15.0, lambda: next(clock))
    assert "15 seconds that this page allows" in str(refused.value)


def test_the_limit_counts_the_time_of_reading_too(backend: Backend, table: Table) -> None:
    clock = count(20.0, 0.001)
    with pytest.raises(InputError, match="longer to read and value than the 15 seconds"):
        value_in_steps(table, backend, lambda *_: None, 15.0, lambda: next(clock), begun=0.0)


def test_reasons_of_a_long_table_are_left_to_the_command(backend: Backend, table: Table) -> None:
    times = FEW // len(table.cells) + 1
    long = replace(
        table,
        cells=pd.concat([table.cells] * times, ignore_index=True),
        rows=pd.concat([table.rows] * times, ignore_index=True),
    )
    valued = value_in_steps(long, backend, lambda *_: None, 1e9).valuations
    assert len(valued) > FEW
    assert not valued["top_drivers"].astype(bool).any()
    few = value_in_steps(table, backend, lambda *_: None, 1e9).valuations
    assert few.loc[few["status"] != "error", "top_drivers"].astype(bool).all()


def test_values_of_two_models_never_stand_in_one_table(backend: Backend, table: Table) -> None:
    with pytest.raises(BackendUnavailable, match="changed its model"):
        value_in_steps(table, OfManyVersions(backend), lambda *_: None, 1e9)
