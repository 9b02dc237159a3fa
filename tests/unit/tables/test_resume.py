"""Finished chunks survive any interruption, and are used again only if they are complete."""

import errno
import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from houseprice.errors import HousePriceError, InputError
from houseprice.market.problems import Problem
from houseprice.tables.resume import (
    Checkpoint,
    Task,
    checkpoint,
    digest,
    read_finished,
)
from houseprice.tables.scoring import RowCounts
from houseprice.tables.streaming import ValuedChunk
from tests.full_disk import run_without_room

posix_only = pytest.mark.skipif(os.name != "posix", reason="Windows has no such files and limits")

VALUED_AT = datetime(2021, 5, 6, 7, 8, 9, tzinfo=UTC)
TASK = Task("abc", "model 1", "90 %")
PROBLEM = Problem(None, None, "missing_columns", "warning", "Some columns are missing: größe.")
CHUNKS = [
    ValuedChunk(
        f"chunk {number}\n".encode() * 3, RowCounts(3, errors_by_code={"x": number}), (PROBLEM,)
    )
    for number in range(4)
]
WHOLE = b"".join(chunk.data for chunk in CHUNKS)


class Interruption(Exception):
    """What ends a run early."""


@pytest.fixture
def output(tmp_path):
    return tmp_path / "valued.csv"


@pytest.fixture
def work(tmp_path):
    folder = tmp_path / "chunks"
    folder.mkdir()
    work = Checkpoint(folder, VALUED_AT)
    yield work
    work.close()


@pytest.fixture
def interrupted(work, tmp_path):
    """The folder of a run that finished the first two chunks."""
    add(work, 2)
    work.close()
    return tmp_path / "chunks"


def add(work: Checkpoint, count: int = len(CHUNKS), error: Exception | None = None) -> None:
    """Add chunks until there are so many, and raise the error that follows them."""
    for chunk in CHUNKS[len(work.done) : count]:
        work.add(chunk)
    if error is not None:
        raise error


def finish(folder: Path, n_restored: int) -> bytes:
    """Restore the chunks, add the others, and return the result."""
    work = Checkpoint(folder, VALUED_AT)
    work.restore()
    assert len(work.done) == n_restored
    add(work)
    target = folder.with_name("valued.csv")
    work.publish(target)
    return target.read_bytes()


@contextmanager
def opened(
    output: Path,
    task: Task = TASK,
    *,
    resume: bool | None = None,
    messages: list[str] | None = None,
) -> Iterator[Checkpoint]:
    report = [].append if messages is None else messages.append
    with checkpoint(output, task, resume=resume, report=report) as work:
        yield work


def interrupt(output: Path, count: int) -> None:
    """Leave the checkpoint of a run that finished some chunks."""
    with pytest.raises(Interruption), opened(output) as work:
        add(work, count, Interruption())


def chunk_folder(output: Path) -> Path:
    return output.with_name(f".{output.name}.parts")


# ----------------------------------------------------------------------------------- the checkpoint
def test_finished_chunks_are_read_as_written(interrupted, tmp_path):
    assert read_finished(tmp_path) == []
    first, second = read_finished(interrupted)
    assert (second.counts, second.problems) == (CHUNKS[1].counts, CHUNKS[1].problems)
    assert first.size == len(CHUNKS[0].data)
    assert first.sha256 == hashlib.sha256(CHUNKS[0].data).hexdigest()


@pytest.mark.parametrize(
    "line", [b'{"size": 7, "si', b"[]", b"7", b'{"counts": {}}', b"\0\0", b"\xff\xfe", b"\n"]
)
def test_an_invalid_line_of_the_list_is_ignored(work, tmp_path, line):
    add(work, 2)
    with (tmp_path / "chunks" / "done.jsonl").open("ab") as file:
        file.write(line + b"\n")
    add(work, 3)
    assert read_finished(tmp_path / "chunks") == work.done


@posix_only
def test_the_list_is_unchanged_if_there_is_no_room_for_a_new_one(interrupted):
    before = read_finished(interrupted)
    program = """
from datetime import UTC, datetime
from pathlib import Path
from houseprice.tables.resume import Checkpoint
Checkpoint(Path(sys.argv[1]), datetime.now(UTC)).restore()
"""
    done = run_without_room(program, interrupted, max_bytes=100)
    assert "File too large" in done.stderr
    assert read_finished(interrupted) == before
    assert sorted(path.name for path in interrupted.iterdir()) == ["done.jsonl", "result"]


def test_the_checksum_of_a_missing_file_is_refused(tmp_path):
    with pytest.raises(InputError, match=r"missing can't be read \(No such file"):
        digest(tmp_path / "missing")


def test_a_chunk_is_in_the_result_as_soon_as_it_is_added(work, tmp_path, output):
    add(work, 3)
    assert (tmp_path / "chunks" / "result").read_bytes() == WHOLE[: -len(CHUNKS[3].data)]
    add(work)
    assert not output.exists()
    work.publish(output)
    assert output.read_bytes() == WHOLE
    assert list(tmp_path.iterdir()) == [output]


@pytest.mark.parametrize(
    ("name", "damage", "n_restored"),
    [
        ("result", lambda data: data + b"half of the next", 2),
        ("result", lambda data: data[:-1], 1),
        ("result", lambda data: data.replace(b"0", b"7"), 0),
        ("result", None, 0),
        ("done.jsonl", lambda data: data[:-9], 1),
        ("done.jsonl", lambda data: data * 2, 2),
    ],
)
def test_only_complete_chunks_are_restored(interrupted, name, damage, n_restored):
    path = interrupted / name
    if damage is None:
        path.unlink()
    else:
        path.write_bytes(damage(path.read_bytes()))
    assert finish(interrupted, n_restored) == WHOLE


# ------------------------------------------------------------------------------- runs of one output
def test_the_output_has_all_chunks_and_nothing_else_is_left(output):
    with opened(output) as work:
        add(work)
        assert not output.exists()
    assert output.read_bytes() == WHOLE
    assert list(output.parent.iterdir()) == [output]


@posix_only
def test_chunks_are_private_and_the_output_has_the_mode_of_a_new_file(output):
    with opened(output) as work:
        add(work, 1)
        assert chunk_folder(output).stat().st_mode & 0o777 == 0o700
    plain = output.with_name("plain")
    plain.touch()
    assert output.stat().st_mode == plain.stat().st_mode


def test_a_link_stays_a_link(output):
    real = output.with_name("real.csv")
    output.symlink_to(real)
    with opened(output) as work:
        add(work, 1)
    assert output.is_symlink()
    assert real.read_bytes() == CHUNKS[0].data


def test_the_name_of_the_output_may_be_as_long_as_the_disk_allows(tmp_path):
    output = tmp_path / ("x" * 255)
    with opened(output) as work:
        add(work, 1)
    assert output.read_bytes() == CHUNKS[0].data


def test_an_interrupted_run_resumes_from_its_finished_chunks(output):
    output.write_text("before", encoding="utf-8")
    interrupt(output, 2)
    assert output.read_text(encoding="utf-8") == "before"
    messages = []
    with opened(output, resume=True, messages=messages) as work:
        assert len(work.done) == 2
        assert work.done[1].counts == CHUNKS[1].counts
        assert work.done[1].problems == (PROBLEM,)
        first = work.valued_at
        add(work)
    assert output.read_bytes() == WHOLE
    assert messages == ["Resuming from 2 finished chunks of an earlier run."]
    with opened(output) as work:
        assert work.valued_at > first
        add(work, 1)


@pytest.mark.parametrize("is_changed", [False, True])
def test_a_run_that_was_killed_after_its_result_got_its_name_is_complete(output, is_changed):
    interrupt(output, 4)
    (chunk_folder(output) / "result").replace(output)
    if is_changed:
        output.write_bytes(WHOLE.replace(b"2", b"x"))
    before, inode = output.read_bytes(), output.stat().st_ino
    with opened(output, resume=True) as work:
        assert len(work.done) == (0 if is_changed else 4)
        assert output.read_bytes() == before
        add(work)
    assert output.read_bytes() == WHOLE
    assert (output.stat().st_ino == inode) != is_changed
    assert list(output.parent.iterdir()) == [output]


def test_an_interrupted_run_without_a_finished_chunk_leaves_nothing(output):
    interrupt(output, 0)
    assert not list(output.parent.iterdir())


@posix_only
def test_a_result_that_can_not_be_read_discards_nothing(output):
    interrupt(output, 2)
    result = chunk_folder(output) / "result"
    data = result.read_bytes()
    result.unlink()
    result.symlink_to(result)
    with pytest.raises(HousePriceError, match="can't be written"), opened(output, resume=True):
        pass
    result.unlink()
    result.write_bytes(data)
    with opened(output, resume=True) as work:
        assert len(work.done) == 2
        add(work)


def test_by_default_finished_chunks_are_neither_used_nor_discarded(output):
    interrupt(output, 1)
    with (
        pytest.raises(InputError, match=r"after 1 finished chunk\. .* --resume, or start again"),
        opened(output),
    ):
        pass
    with opened(output, resume=True) as work:
        assert len(work.done) == 1


@pytest.mark.parametrize(
    ("changed", "resume", "reason"),
    [
        (None, False, "as requested"),
        *[
            (field, resume, f"because the {field} changed")
            for field in ("input", "model", "options")
            for resume in (True, None)
        ],
    ],
)
@pytest.mark.parametrize(("number", "count"), [(1, "1 finished chunk"), (2, "2 finished chunks")])
def test_chunks_are_discarded_on_request_or_if_the_task_changed(
    output, changed, resume, reason, number, count
):
    interrupt(output, number)
    task = replace(TASK, **{changed: "another"}) if changed else TASK
    messages = []
    with opened(output, task, resume=resume, messages=messages) as work:
        assert not work.done
        add(work, 1)
    assert output.read_bytes() == CHUNKS[0].data
    assert messages == [f"Removed {count} of an earlier run, {reason}: all rows are valued."]


def test_a_run_with_an_unreadable_task_is_not_resumed(output):
    interrupt(output, 1)
    (chunk_folder(output) / "task.json").write_text("{", encoding="utf-8")
    with opened(output, resume=True) as work:
        assert not work.done
        add(work, 1)


@posix_only
def test_two_runs_do_not_write_one_output(output):
    with opened(output) as work:
        add(work, 1)
        with pytest.raises(HousePriceError, match="Another run"), opened(output):
            pass
        add(work)
    assert output.read_bytes() == WHOLE


def test_a_full_disk_is_reported_and_finished_chunks_are_kept(output):
    full = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    with pytest.raises(HousePriceError, match=r"\(No space left on device\)\.$"), opened(output):
        raise full
    with (
        pytest.raises(HousePriceError, match=r"on device\)\. Finished chunks are kept: .*--resume"),
        opened(output) as work,
    ):
        add(work, 1, full)
    assert not output.exists()
    with opened(output, resume=True) as work:
        assert len(work.done) == 1


def test_a_missing_folder_is_reported(tmp_path):
    with (
        pytest.raises(HousePriceError, match="can't be written"),
        opened(tmp_path / "no" / "o.csv"),
    ):
        pass
