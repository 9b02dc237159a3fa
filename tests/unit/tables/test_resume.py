"""Finished parts outlive whatever breaks the work off, and are used again only where they fit."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from houseprice.errors import HousePriceError, InputError
from houseprice.market.problems import Problem
from houseprice.tables.resume import Checkpoint, Task, checkpoint, write_chunks
from houseprice.tables.scoring import RowCounts
from houseprice.tables.streaming import ValuedChunk

TASK = Task("abc", "model 1", "90 %")
PROBLEM = Problem(None, None, "missing_columns", "warning", "Some columns are missing.")
PARTS = [
    ValuedChunk(
        f"part {number}\n".encode() * 3, RowCounts(rows=3, errors_by_code={"x": number}), (PROBLEM,)
    )
    for number in range(4)
]
WHOLE = b"".join(part.data for part in PARTS)


class Stop(Exception):
    """What breaks the work off."""


@pytest.fixture
def output(tmp_path: Path) -> Path:
    return tmp_path / "valued.csv"


@contextmanager
def opened(
    output: Path, task: Task = TASK, resume: bool | None = None, said: list[str] | None = None
) -> Iterator[Checkpoint]:
    with checkpoint(
        output, task, resume=resume, report=[].append if said is None else said.append
    ) as w:
        yield w


def write(work: Checkpoint, *numbers: int, then: Exception | None = None) -> None:
    for number in numbers:
        work.add(write_chunks(work.path(number), number, [PARTS[number]]))
    if then:
        raise then


def break_off(output: Path, *numbers: int) -> None:
    with pytest.raises(Stop), opened(output) as work:
        write(work, *numbers, then=Stop())


def hidden(output: Path) -> Path:
    return output.with_name(f".{output.name}.parts")


def test_parts_are_joined_in_order_and_nothing_else_is_left(output: Path) -> None:
    with opened(output) as work:
        write(work, 2, 0, 3, 1)
        assert not output.exists()
    assert output.read_bytes() == WHOLE
    assert list(output.parent.iterdir()) == [output]


@pytest.mark.skipif(os.name != "posix", reason="Windows has no such modes")
def test_parts_are_for_their_owner_only_and_the_result_is_as_any_file(output: Path) -> None:
    with opened(output) as work:
        write(work, 0)
        assert hidden(output).stat().st_mode & 0o777 == 0o700
    plain = output.with_name("plain")
    plain.touch()
    assert output.stat().st_mode == plain.stat().st_mode


def test_a_link_stays_a_link(output: Path) -> None:
    real = output.with_name("real.csv")
    output.symlink_to(real)
    with opened(output) as work:
        write(work, 0)
    assert output.is_symlink()
    assert real.read_bytes() == PARTS[0].data


def test_a_name_may_be_as_long_as_the_disk_allows(tmp_path: Path) -> None:
    output = tmp_path / ("x" * 255)
    with opened(output) as work:
        write(work, 0)
    assert output.read_bytes() == PARTS[0].data


def test_what_is_broken_off_goes_on_from_its_finished_parts(output: Path) -> None:
    output.write_text("before", encoding="utf-8")
    break_off(output, 0, 2)
    assert output.read_text(encoding="utf-8") == "before"
    said: list[str] = []
    with opened(output, resume=True, said=said) as work:
        assert sorted(work.done) == [0, 2]
        assert work.done[2].counts == PARTS[2].counts
        assert work.done[2].problems == (PROBLEM,)
        first = work.valued_at
        write(work, 1, 3)
    assert output.read_bytes() == WHOLE
    assert said == ["Resuming from 2 finished chunks of an earlier run."]
    with opened(output) as work:
        assert work.valued_at > first
        write(work, 0)


def test_nothing_is_kept_of_work_without_a_finished_part(output: Path) -> None:
    break_off(output)
    assert not list(output.parent.iterdir())


@pytest.mark.skipif(os.name != "posix", reason="Windows has no such links")
def test_parts_are_not_lost_if_they_can_not_be_looked_through(output: Path) -> None:
    break_off(output, 2)
    part = hidden(output) / "part-000002"
    part.unlink()
    part.symlink_to(part)
    with pytest.raises(HousePriceError, match="can't be written"), opened(output, resume=True):
        pass
    part.unlink()
    part.write_bytes(PARTS[2].data)
    with opened(output, resume=True) as work:
        assert list(work.done) == [2]
        write(work, 0, 1)


def test_finished_parts_are_neither_used_nor_lost_unasked(output: Path) -> None:
    break_off(output, 0)
    with (
        pytest.raises(InputError, match=r"after 1 finished chunk\. .* --resume, or start again"),
        opened(output),
    ):
        pass
    with opened(output, resume=True) as work:
        assert list(work.done) == [0]


def test_finished_parts_are_thrown_away_on_request(output: Path) -> None:
    break_off(output, 0, 1)
    said: list[str] = []
    with opened(output, resume=False, said=said) as work:
        assert not work.done
        write(work, 0)
    assert output.read_bytes() == PARTS[0].data
    assert said == [
        "Removed 2 finished chunks of an earlier run, as requested: all rows are valued."
    ]


@pytest.mark.parametrize("resume", [True, None])
@pytest.mark.parametrize("what", ["input", "model", "options"])
def test_parts_of_another_task_are_thrown_away_with_the_reason(
    output: Path, what: str, resume: bool | None
) -> None:
    break_off(output, 0)
    said: list[str] = []
    with opened(output, replace(TASK, **{what: "another"}), resume=resume, said=said) as work:
        assert not work.done
        write(work, 0)
    why = f"because the {what} changed: all rows are valued."
    assert said == [f"Removed 1 finished chunk of an earlier run, {why}"]


def test_an_unreadable_task_is_begun_anew(output: Path) -> None:
    break_off(output, 0)
    (hidden(output) / "task.json").write_text("{", encoding="utf-8")
    with opened(output, resume=True) as work:
        assert not work.done
        write(work, 0)


@pytest.mark.skipif(os.name != "posix", reason="Windows has no flock")
def test_two_runs_do_not_write_one_file(output: Path) -> None:
    with opened(output) as work:
        write(work, 0)
        with pytest.raises(HousePriceError, match="Another run"), opened(output):
            pass
        write(work, 1, 2, 3)
    assert output.read_bytes() == WHOLE


def test_a_full_disk_is_told_in_a_sentence_and_finished_parts_stay(output: Path) -> None:
    full = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    with pytest.raises(HousePriceError, match=r"\(No space left on device\)\.$"), opened(output):
        raise full
    with (
        pytest.raises(HousePriceError, match=r"on device\)\. Finished chunks are kept: .*--resume"),
        opened(output) as work,
    ):
        write(work, 0, then=full)
    assert not output.exists()
    with opened(output, resume=True) as work:
        assert list(work.done) == [0]


def test_a_folder_that_is_not_there_is_told_in_a_sentence(tmp_path: Path) -> None:
    with (
        pytest.raises(HousePriceError, match="can't be written"),
        opened(tmp_path / "no" / "o.csv"),
    ):
        pass
