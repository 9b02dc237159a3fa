"""What is not whole has a private name, and goes with the run that it was written for."""

from __future__ import annotations

from pathlib import Path

import pytest

from houseprice.errors import HousePriceError
from houseprice.tables.writer import publish_file, staging_folder
from tests.clusters import left_in


def test_a_result_gets_its_name_when_it_is_whole(tmp_path: Path) -> None:
    target = tmp_path / "valued.csv"
    with staging_folder(target) as drafts:
        with publish_file(drafts / "a", target) as out:
            out.write(b"all of it")
            assert not target.exists()
        assert target.read_bytes() == b"all of it"
    assert left_in(tmp_path) == ["valued.csv"]


def test_a_worker_that_is_at_it_when_its_run_ends_leaves_nothing(tmp_path: Path) -> None:
    target = tmp_path / "valued.csv"
    with staging_folder(target) as drafts:
        late = publish_file(drafts / "a", target)
        late.__enter__().write(b"all of it")
    with pytest.raises(HousePriceError, match=r"can't be written"):
        late.__exit__(None, None, None)
    with (
        pytest.raises(HousePriceError, match=r"there is no folder"),
        publish_file(drafts / "b", target),
    ):
        pass
    assert left_in(tmp_path) == []


def test_drafts_that_cant_be_kept_are_told(tmp_path: Path) -> None:
    with (
        pytest.raises(HousePriceError, match=r"can't be written to \(No such file or directory\)"),
        staging_folder(tmp_path / "none" / "valued.csv"),
    ):
        pass
