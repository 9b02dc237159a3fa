"""A large file is valued part by part, and can be broken off at any of them."""

from __future__ import annotations

import gzip
import io
import os
from pathlib import Path

import pandas as pd
import pytest

from houseprice.backend.base import Progress, ValuationResult
from houseprice.errors import BackendUnavailable, InputError
from houseprice.market.contract import Contract
from houseprice.settings import Settings
from houseprice.tables.parallel import FileOptions, value_to_file
from houseprice.tables.reader import open_csv
from houseprice.tables.streaming import StreamResult, value_stream
from tests.unit.tables.conftest import Surveyor

TEXT = "size;quarter;why\n" + "19,5;S;x\n-5;S;y\n90;S\n" * 4 + "\n"
ROWS = FileOptions(rows=5)


class Tired(Surveyor):
    """Answers so many times and no more."""

    def __init__(self, contract: Contract, times: int) -> None:
        super().__init__(contract)
        self.times = times

    def value(
        self,
        rows: pd.DataFrame,
        *,
        interval: float = 0.9,
        evidence: bool = False,
        progress: Progress | None = None,
    ) -> ValuationResult:
        if len(self.asked) == self.times:
            raise BackendUnavailable("It is too late.")
        return super().value(rows, interval=interval, evidence=evidence, progress=progress)


@pytest.fixture
def homes(tmp_path: Path) -> Path:
    path = tmp_path / "homes.csv"
    path.write_text(TEXT, encoding="utf-8")
    return path


def valued(
    homes: Path, backend: Surveyor, options: FileOptions = ROWS, progress: Progress | None = None
) -> StreamResult:
    output = homes.with_name("out.csv")
    with open_csv(homes, homes.name, Settings(), backend.contract) as source:
        return value_to_file(source, homes, output, backend, options, progress=progress)


def without_time(data: bytes) -> list[bytes]:
    return [line.rpartition(b";")[0] for line in data.splitlines()]


def test_it_is_what_a_stream_would_be(homes: Path, surveyor: Surveyor, contract: Contract) -> None:
    out = io.BytesIO()
    with open_csv(homes, homes.name, Settings(), contract) as source:
        streamed = value_stream(source, surveyor, out, FileOptions())
    parts = valued(homes, surveyor)
    assert without_time(homes.with_name("out.csv").read_bytes()) == without_time(out.getvalue())
    assert parts == streamed
    assert sorted(path.name for path in homes.parent.iterdir()) == ["homes.csv", "out.csv"]


def test_what_is_broken_off_goes_on_and_ends_as_if_it_never_was(
    homes: Path, surveyor: Surveyor, contract: Contract
) -> None:
    with pytest.raises(BackendUnavailable):
        valued(homes, Tired(contract, 2))
    assert not homes.with_name("out.csv").exists()
    told: list[tuple[float, str]] = []
    resumed = valued(
        homes, surveyor, FileOptions(rows=5, resume=True), lambda *now: told.append(now)
    )
    assert len(surveyor.asked) == 1
    assert told[0] == (10 / 12, "10 houses valued")
    assert told[-1][0] == 1.0
    data = homes.with_name("out.csv").read_bytes()
    assert resumed == valued(homes, surveyor)
    assert without_time(homes.with_name("out.csv").read_bytes()) == without_time(data)
    assert len({line.rpartition(b";")[2] for line in data.splitlines()}) == 3  # header, error, time


@pytest.mark.parametrize("what", ["input", "interval", "evidence", "rows"])
def test_another_input_or_option_starts_anew(
    homes: Path, surveyor: Surveyor, contract: Contract, what: str
) -> None:
    with pytest.raises(BackendUnavailable):
        valued(homes, Tired(contract, 2))
    other = {
        "interval": FileOptions(0.8, resume=True, rows=5),
        "evidence": FileOptions(evidence=True, resume=True, rows=5),
        "rows": FileOptions(resume=True, rows=6),
    }
    if what == "input":
        homes.write_text(TEXT.replace("-5", "-6"), encoding="utf-8")
    valued(homes, surveyor, other.get(what, FileOptions(resume=True, rows=5)))
    assert sum(map(len, surveyor.asked)) == 12 - 4  # those with a cell too few are not sent


def test_a_packed_file_goes_on_too(homes: Path, surveyor: Surveyor, contract: Contract) -> None:
    homes.write_bytes(gzip.compress(TEXT.encode()))
    with pytest.raises(BackendUnavailable):
        valued(homes, Tired(contract, 1))
    streamed = valued(homes, surveyor, FileOptions(rows=5, resume=True))
    assert streamed.counts.rows == 12
    assert len(surveyor.asked) == 2


def test_a_file_that_changes_under_way_is_not_half_the_old_and_half_the_new(
    homes: Path, surveyor: Surveyor
) -> None:
    def touch(share: float, _: str) -> None:
        if share > 0:
            os.utime(homes, (1, 1))

    with pytest.raises(InputError, match="changed while it was valued"):
        valued(homes, surveyor, progress=touch)
    assert not homes.with_name("out.csv").exists()
