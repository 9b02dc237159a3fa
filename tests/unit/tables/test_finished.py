"""A finished part is known by its checksum; the list of them outlives a kill and a full disk."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from houseprice.errors import InputError
from houseprice.market.problems import Problem
from houseprice.tables.resume import (
    FinishedChunk,
    add_finished,
    digest,
    read_finished,
    write_chunks,
    write_finished,
)
from houseprice.tables.scoring import RowCounts
from houseprice.tables.streaming import ValuedChunk
from tests.full_disk import run_without_room

PROBLEM = Problem(None, None, "missing_columns", "warning", "Some columns are missing: größe.")
PART = ValuedChunk(b"90,ok\n", RowCounts(rows=1, errors_by_code={"x": 1}), (PROBLEM,))


@pytest.fixture
def parts(tmp_path: Path) -> list[FinishedChunk]:
    return [write_chunks(tmp_path / f"part-{number}", number, [PART]) for number in range(3)]


def test_what_is_known_of_a_part_is_read_as_it_was_written(
    parts: list[FinishedChunk], tmp_path: Path
) -> None:
    assert read_finished(tmp_path) == []
    for part in parts:
        add_finished(tmp_path, part)
    assert read_finished(tmp_path) == parts
    assert (parts[0].counts, parts[0].problems) == (PART.counts, PART.problems)


def test_a_part_is_known_by_its_size_and_its_checksum(
    parts: list[FinishedChunk], tmp_path: Path
) -> None:
    place = tmp_path / "part-0"
    assert parts[0].is_at(place)
    assert parts[0].sha256 == digest(place)
    place.write_bytes(PART.data.upper())
    assert not parts[0].is_at(place)
    place.write_bytes(PART.data[:-1])
    assert not parts[0].is_at(place)
    assert not parts[0].is_at(tmp_path / "gone")


@pytest.mark.parametrize(
    "rubbish", [b'{"number": 7, "si', b"[]", b"7", b'{"counts": {}}', b"\0\0", b"\xff\xfe", b"\n"]
)
def test_a_line_that_tells_of_no_part_is_passed_over(
    parts: list[FinishedChunk], tmp_path: Path, rubbish: bytes
) -> None:
    write_finished(tmp_path, parts[:2])
    with (tmp_path / "done.jsonl").open("ab") as file:
        file.write(rubbish + b"\n")
    add_finished(tmp_path, parts[2])
    assert read_finished(tmp_path) == parts


@pytest.mark.skipif(os.name != "posix", reason="Windows has no such limits")
def test_a_list_stays_as_it_was_if_there_is_no_room_for_a_new_one(
    parts: list[FinishedChunk], tmp_path: Path
) -> None:
    write_finished(tmp_path, parts)
    program = """
from pathlib import Path
from houseprice.tables.resume import read_finished, write_finished
folder = Path(sys.argv[1])
write_finished(folder, read_finished(folder))
"""
    done = run_without_room(program, tmp_path, max_bytes=100)
    assert "File too large" in done.stderr
    assert read_finished(tmp_path) == parts
    assert len(list(tmp_path.iterdir())) == 1 + len(parts)


def test_the_checksum_of_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"gone can't be read \(No such file"):
        digest(tmp_path / "gone")
