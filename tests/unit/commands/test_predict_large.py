"""Large files: a full disk costs no finished work, and it never matters how many processes work."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.full_disk import run_without_room

pytestmark = pytest.mark.usefixtures("fresh_logs")

COMMAND = "from houseprice.cli import main; main()"
HOUSES = b"size,quarter\n" + b"".join(b"%d,N\n" % (50 + number % 40) for number in range(50_000))


@pytest.fixture
def homes(tmp_path):
    path = tmp_path / "homes.csv"
    path.write_bytes(HOUSES)
    return path


@pytest.fixture
def trained(run, surroundings, place):
    if not (place / "models" / "active").exists():
        assert run("train", "--quiet").code == 0


def valued(run, homes: Path, *options: object) -> bytes:
    """Value the houses; give the result without the time that each value is given."""
    output = homes.with_name("valued.csv")
    assert run("predict", homes, "-o", output, *options).code == 0
    data = output.read_bytes()
    stamps = {line.rpartition(b",")[2] for line in data.splitlines()[1:]} - {b""}
    assert len(stamps) == 1
    return data.replace(stamps.pop(), b"")


@pytest.mark.skipif(os.name != "posix", reason="Windows has no such limits")
@pytest.mark.usefixtures("trained")
@pytest.mark.parametrize("jobs", [1, 2])
def test_a_full_disk_leaves_the_finished_parts_and_no_half_file(run, homes, jobs):
    whole = valued(run, homes)
    output = homes.with_name("valued.csv")
    output.write_text("as before", encoding="utf-8")
    command = "predict", homes, "-o", output, "--jobs", jobs
    # A part has 20,000 of the 50,000 rows: each fits, and two together do not.
    full = run_without_room(COMMAND, *command, max_bytes=len(whole) * 6 // 10)
    assert full.returncode == 1
    message = "can't be written (File too large). Finished chunks are kept: continue with"
    assert message in full.stderr
    assert output.read_text(encoding="utf-8") == "as before"
    assert (homes.parent / ".valued.csv.parts").is_dir()
    assert valued(run, homes, "--resume") == whole
    assert sorted(path.name for path in homes.parent.iterdir()) == ["homes.csv", "valued.csv"]


@pytest.mark.skipif(os.name != "posix", reason="Windows has no such limits")
@pytest.mark.usefixtures("trained")
@pytest.mark.parametrize("jobs", [1, 2])
def test_a_disk_without_room_for_a_part_is_left_as_it_was(homes, jobs):
    output = homes.with_name("valued.csv")
    command = "predict", homes, "-o", output, "--jobs", jobs
    full = run_without_room(COMMAND, *command, max_bytes=100_000)
    assert full.returncode == 1
    assert full.stderr.endswith(f"{output} can't be written (File too large).\n")
    assert [path.name for path in homes.parent.iterdir()] == ["homes.csv"]


@pytest.mark.usefixtures("model_dir")
def test_two_processes_write_what_one_does_of_the_embedded_market(run, tmp_path, market):
    header, *rows = market.sample_path.read_bytes().splitlines(keepends=True)
    given = [header, *(rows * 17)[:24_000]]
    homes = tmp_path / "homes.csv"
    homes.write_bytes(b"".join(given))
    one, two = (valued(run, homes, "--jobs", jobs) for jobs in (1, 2))
    assert two == one
    lines = one.splitlines()
    assert len(lines) == len(given)
    assert all(line.startswith(own.rstrip()) for line, own in zip(lines, given, strict=True))
