"""Finished chunks survive any interruption, and are used again only if they are complete."""

import errno
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
    FinishedChunk,
    Task,
    add_finished,
    checkpoint,
    digest,
    read_finished,
    write_chunks,
    write_finished,
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
def folder(tmp_path):
    path = tmp_path / "chunks"
    path.mkdir()
    return path


@pytest.fixture
def finished(tmp_path):
    """The chunks as written to the files 0 to 3."""
    return [write(tmp_path / str(number), number) for number in range(4)]


@pytest.fixture
def work(folder):
    work = Checkpoint(folder, VALUED_AT)
    yield work
    work.close()


@pytest.fixture
def interrupted(work, folder):
    """The folder of a run that finished the first and the third chunk."""
    add(work, 0, 2)
    work.close()
    return folder


def write(path: Path, number: int) -> FinishedChunk:
    return write_chunks(path, number, [CHUNKS[number]])


def add(work: Checkpoint, *numbers: int, error: Exception | None = None) -> None:
    """Add chunks, and raise the error that follows them."""
    for number in numbers:
        work.add(write(work.path(number), number))
    if error is not None:
        raise error


def finish(folder: Path, *expected: int) -> bytes:
    """Restore the expected chunks, write the others, and return the result."""
    work = Checkpoint(folder, VALUED_AT)
    work.restore()
    assert sorted(work.done) == list(expected)
    add(work, *({0, 1, 2, 3} - {*expected}))
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


def interrupt(output: Path, *numbers: int) -> None:
    """Leave the checkpoint of a run that finished some chunks."""
    with pytest.raises(Interruption), opened(output) as work:
        add(work, *numbers, error=Interruption())


def chunk_folder(output: Path) -> Path:
    return output.with_name(f".{output.name}.parts")


# ------------------------------------------------------------------------- list of finished chunks
def test_finished_chunks_are_read_as_written(finished, tmp_path):
    assert read_finished(tmp_path) == []
    for chunk in finished:
        add_finished(tmp_path, chunk)
    assert read_finished(tmp_path) == finished
    assert (finished[1].counts, finished[1].problems) == (CHUNKS[1].counts, CHUNKS[1].problems)


def test_a_chunk_is_recognized_by_size_and_checksum(finished, tmp_path):
    path = tmp_path / "0"
    assert finished[0].is_at(path)
    assert finished[0].sha256 == digest(path)
    for damaged in (CHUNKS[0].data.upper(), CHUNKS[0].data[:-1]):
        path.write_bytes(damaged)
        assert not finished[0].is_at(path)
    assert not finished[0].is_at(tmp_path / "missing")


@pytest.mark.parametrize(
    "line", [b'{"number": 7, "si', b"[]", b"7", b'{"counts": {}}', b"\0\0", b"\xff\xfe", b"\n"]
)
def test_an_invalid_line_of_the_list_is_ignored(finished, tmp_path, line):
    write_finished(tmp_path, finished[:2])
    with (tmp_path / "done.jsonl").open("ab") as file:
        file.write(line + b"\n")
    add_finished(tmp_path, finished[2])
    assert read_finished(tmp_path) == finished[:3]


@posix_only
def test_the_list_is_unchanged_if_there_is_no_room_for_a_new_one(finished, tmp_path):
    write_finished(tmp_path, finished)
    program = """
from pathlib import Path
from houseprice.tables.resume import read_finished, write_finished
folder = Path(sys.argv[1])
write_finished(folder, read_finished(folder))
"""
    done = run_without_room(program, tmp_path, max_bytes=100)
    assert "File too large" in done.stderr
    assert read_finished(tmp_path) == finished
    assert len(list(tmp_path.iterdir())) == 1 + len(finished)


def test_the_checksum_of_a_missing_file_is_refused(tmp_path):
    with pytest.raises(InputError, match=r"missing can't be read \(No such file"):
        digest(tmp_path / "missing")


# ---------------------------------------------------------------------- chunks joined to the result
def test_a_chunk_is_joined_as_soon_as_all_before_it_are(work, folder):
    add(work, 2)
    assert (folder / "result").read_bytes() == b""
    add(work, 0)
    assert (folder / "result").read_bytes() == CHUNKS[0].data
    add(work, 1)
    assert (folder / "result").read_bytes() == WHOLE[: -len(CHUNKS[3].data)]
    assert sorted(path.name for path in folder.iterdir()) == ["done.jsonl", "result"]


def test_the_result_is_published_only_when_it_is_complete(work, folder, output):
    add(work, 3, 1, 2)
    with pytest.raises(AssertionError, match="chunk 0 was never finished"):
        work.publish(output)
    assert not output.exists()
    add(work, 0)
    work.publish(output)
    assert output.read_bytes() == WHOLE
    assert not folder.exists()


@pytest.mark.parametrize(
    ("name", "damage", "kept"),
    [
        ("part-000002", lambda data: data[:-1], [0]),
        ("part-000002", lambda data: data.replace(b"2", b"7"), [0]),
        ("part-000002", None, [0]),
        ("result", lambda data: data + b"half of the next", [0, 2]),
        ("result", lambda data: data[:-1], [2]),
        ("result", None, [2]),
        ("done.jsonl", lambda data: data[:-9], [0]),
        ("done.jsonl", lambda data: data + b'{"number": 1, "si', [0, 2]),
        ("done.jsonl", lambda data: data * 2, [0, 2]),
    ],
)
def test_only_complete_chunks_are_restored(interrupted, name, damage, kept):
    path = interrupted / name
    if damage is None:
        path.unlink()
    else:
        path.write_bytes(damage(path.read_bytes()))
    assert finish(interrupted, *kept) == WHOLE


def test_a_chunk_that_was_joined_but_not_yet_removed_is_not_joined_again(interrupted):
    (interrupted / "part-000000").write_bytes(CHUNKS[0].data)
    assert finish(interrupted, 0, 2) == WHOLE


# ------------------------------------------------------------------------------- runs of one output
def test_the_output_has_all_chunks_in_order_and_nothing_else_is_left(output):
    with opened(output) as work:
        add(work, 2, 0, 3, 1)
        assert not output.exists()
    assert output.read_bytes() == WHOLE
    assert list(output.parent.iterdir()) == [output]


@posix_only
def test_chunks_are_private_and_the_output_has_the_mode_of_a_new_file(output):
    with opened(output) as work:
        add(work, 0)
        assert chunk_folder(output).stat().st_mode & 0o777 == 0o700
    plain = output.with_name("plain")
    plain.touch()
    assert output.stat().st_mode == plain.stat().st_mode


def test_a_link_stays_a_link(output):
    real = output.with_name("real.csv")
    output.symlink_to(real)
    with opened(output) as work:
        add(work, 0)
    assert output.is_symlink()
    assert real.read_bytes() == CHUNKS[0].data


def test_the_name_of_the_output_may_be_as_long_as_the_disk_allows(tmp_path):
    output = tmp_path / ("x" * 255)
    with opened(output) as work:
        add(work, 0)
    assert output.read_bytes() == CHUNKS[0].data


def test_an_interrupted_run_resumes_from_its_finished_chunks(output):
    output.write_text("before", encoding="utf-8")
    interrupt(output, 0, 2)
    assert output.read_text(encoding="utf-8") == "before"
    messages = []
    with opened(output, resume=True, messages=messages) as work:
        assert sorted(work.done) == [0, 2]
        assert work.done[2].counts == CHUNKS[2].counts
        assert work.done[2].problems == (PROBLEM,)
        first = work.valued_at
        add(work, 1, 3)
    assert output.read_bytes() == WHOLE
    assert messages == ["Resuming from 2 finished chunks of an earlier run."]
    with opened(output) as work:
        assert work.valued_at > first
        add(work, 0)


@pytest.mark.parametrize("is_changed", [False, True])
def test_a_run_that_was_killed_after_its_result_got_its_name_is_complete(output, is_changed):
    interrupt(output, 0, 1, 2, 3)
    (chunk_folder(output) / "result").replace(output)
    if is_changed:
        output.write_bytes(WHOLE.replace(b"2", b"x"))
    before, inode = output.read_bytes(), output.stat().st_ino
    with opened(output, resume=True) as work:
        assert sorted(work.done) == ([] if is_changed else [0, 1, 2, 3])
        assert output.read_bytes() == before
        add(work, *({0, 1, 2, 3} - work.done.keys()))
    assert output.read_bytes() == WHOLE
    assert (output.stat().st_ino == inode) != is_changed
    assert list(output.parent.iterdir()) == [output]


def test_an_interrupted_run_without_a_finished_chunk_leaves_nothing(output):
    interrupt(output)
    assert not list(output.parent.iterdir())


@posix_only
def test_a_chunk_that_can_not_be_read_discards_nothing(output):
    interrupt(output, 2)
    chunk = chunk_folder(output) / "part-000002"
    chunk.unlink()
    chunk.symlink_to(chunk)
    with pytest.raises(HousePriceError, match="can't be written"), opened(output, resume=True):
        pass
    chunk.unlink()
    chunk.write_bytes(CHUNKS[2].data)
    with opened(output, resume=True) as work:
        assert list(work.done) == [2]
        add(work, 0, 1)


def test_by_default_finished_chunks_are_neither_used_nor_discarded(output):
    interrupt(output, 0)
    with (
        pytest.raises(InputError, match=r"after 1 finished chunk\. .* --resume, or start again"),
        opened(output),
    ):
        pass
    with opened(output, resume=True) as work:
        assert list(work.done) == [0]


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
@pytest.mark.parametrize(
    ("numbers", "count"), [([0], "1 finished chunk"), ([0, 1], "2 finished chunks")]
)
def test_chunks_are_discarded_on_request_or_if_the_task_changed(
    output, changed, resume, reason, numbers, count
):
    interrupt(output, *numbers)
    task = replace(TASK, **{changed: "another"}) if changed else TASK
    messages = []
    with opened(output, task, resume=resume, messages=messages) as work:
        assert not work.done
        add(work, 0)
    assert output.read_bytes() == CHUNKS[0].data
    assert messages == [f"Removed {count} of an earlier run, {reason}: all rows are valued."]


def test_a_run_with_an_unreadable_task_is_not_resumed(output):
    interrupt(output, 0)
    (chunk_folder(output) / "task.json").write_text("{", encoding="utf-8")
    with opened(output, resume=True) as work:
        assert not work.done
        add(work, 0)


@posix_only
def test_two_runs_do_not_write_one_output(output):
    with opened(output) as work:
        add(work, 0)
        with pytest.raises(HousePriceError, match="Another run"), opened(output):
            pass
        add(work, 1, 2, 3)
    assert output.read_bytes() == WHOLE


def test_a_full_disk_is_reported_and_finished_chunks_are_kept(output):
    full = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    with pytest.raises(HousePriceError, match=r"\(No space left on device\)\.$"), opened(output):
        raise full
    with (
        pytest.raises(HousePriceError, match=r"on device\)\. Finished chunks are kept: .*--resume"),
        opened(output) as work,
    ):
        add(work, 0, error=full)
    assert not output.exists()
    with opened(output, resume=True) as work:
        assert list(work.done) == [0]


def test_a_missing_folder_is_reported(tmp_path):
    with (
        pytest.raises(HousePriceError, match="can't be written"),
        opened(tmp_path / "no" / "o.csv"),
    ):
        pass
