"""Parts are joined in their order, and used again only where they are whole."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from houseprice.tables.resume import Checkpoint, write_chunks
from houseprice.tables.scoring import RowCounts
from houseprice.tables.streaming import ValuedChunk

THEN = datetime(2021, 5, 6, 7, 8, 9, tzinfo=UTC)
PARTS = [ValuedChunk(f"part {number}\n".encode() * 3, RowCounts(rows=3), ()) for number in range(4)]
WHOLE = b"".join(part.data for part in PARTS)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    path = tmp_path / "parts"
    path.mkdir()
    return path


@pytest.fixture
def work(folder: Path) -> Iterator[Checkpoint]:
    begun = Checkpoint(folder, THEN)
    yield begun
    begun.close()


@pytest.fixture
def broken_off(folder: Path) -> Path:
    """A folder that a run has left after the first and the third part."""
    earlier = Checkpoint(folder, THEN)
    write(earlier, 0, 2)
    earlier.close()
    return folder


def write(work: Checkpoint, *numbers: int) -> None:
    for number in numbers:
        work.add(write_chunks(work.path(number), number, [PARTS[number]]))


def gone_on(folder: Path, *expected: int) -> bytes:
    """Take up the expected parts, write the others, and return the result."""
    work = Checkpoint(folder, THEN)
    work.restore()
    assert sorted(work.done) == list(expected)
    write(work, *({0, 1, 2, 3} - {*expected}))
    target = folder.with_name("valued.csv")
    work.publish(target)
    return target.read_bytes()


def test_a_part_is_joined_as_soon_as_those_before_it_are(work: Checkpoint, folder: Path) -> None:
    write(work, 2)
    assert (folder / "result").read_bytes() == b""
    write(work, 0)
    assert (folder / "result").read_bytes() == PARTS[0].data
    write(work, 1)
    assert (folder / "result").read_bytes() == WHOLE[: -len(PARTS[3].data)]
    assert sorted(path.name for path in folder.iterdir()) == ["done.jsonl", "result"]


def test_the_result_gets_its_name_when_all_is_joined(work: Checkpoint, folder: Path) -> None:
    target = folder.with_name("valued.csv")
    write(work, 3, 1, 2)
    with pytest.raises(AssertionError, match="chunk 0 was never finished"):
        work.publish(target)
    assert not target.exists()
    write(work, 0)
    work.publish(target)
    assert target.read_bytes() == WHOLE
    assert not folder.exists()


@pytest.mark.parametrize(
    ("name", "damage", "kept"),
    [
        ("part-000002", lambda data: data[:-1], [0]),
        ("part-000002", lambda data: data.replace(b"2", b"7"), [0]),
        ("result", lambda data: data + b"half of the next", [0, 2]),
        ("result", lambda data: data[:-1], [2]),
        ("done.jsonl", lambda data: data[:-9], [0]),
        ("done.jsonl", lambda data: data + b'{"number": 1, "si', [0, 2]),
        ("done.jsonl", lambda data: data * 2, [0, 2]),
    ],
)
def test_only_whole_parts_are_used_again(
    broken_off: Path, name: str, damage: Callable[[bytes], bytes], kept: list[int]
) -> None:
    path = broken_off / name
    path.write_bytes(damage(path.read_bytes()))
    assert gone_on(broken_off, *kept) == WHOLE


@pytest.mark.parametrize("name", ["part-000002", "result"])
def test_what_is_gone_is_done_again(broken_off: Path, name: str) -> None:
    (broken_off / name).unlink()
    assert gone_on(broken_off, *([0] if name != "result" else [2])) == WHOLE


def test_a_kill_between_joining_and_forgetting_a_part_does_no_harm(broken_off: Path) -> None:
    (broken_off / "part-000000").write_bytes(PARTS[0].data)
    assert gone_on(broken_off, 0, 2) == WHOLE
