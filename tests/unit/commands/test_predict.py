"""The command that values a file: of any size, in any spreadsheet's format, as it was and more."""

from __future__ import annotations

import gzip
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from houseprice.commands.predict import EVIDENCE_ROWS

pytestmark = pytest.mark.usefixtures("fresh_logs", "surroundings", "trained")

LINES = ["size;quarter;grade;remark", '90,5;N;A;"é=1+1"', "80,25;S;;x", "-5;S;A;", "70,0;Q;B"]


@pytest.fixture
def trained(run, surroundings, place):
    if not (place / "models" / "active").exists():
        assert run("train", "--quiet").code == 0


def predicted(run, data: bytes, folder: Path, *options: object) -> tuple[bytes, str]:
    given, answered = folder / "homes.csv", folder / "out.csv"
    given.write_bytes(data)
    done = run("predict", given, "-o", answered, *options)
    assert done.code == 0
    return answered.read_bytes(), done.err


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
def test_a_file_comes_back_in_its_own_format(run, tmp_path, encoding):
    given = "\r\n".join(LINES)
    data, said = predicted(run, given.encode(encoding), tmp_path)
    lines = data.decode(encoding).split("\r\n")
    assert [line[: len(own)] for line, own in zip(lines, LINES, strict=False)] == LINES
    assert lines[5:] == [""]
    assert "Numbers were read with a decimal comma" in said
    assert "4 rows: " in said
    assert "  wrong_cell_count: 1" in said


def test_a_packed_file_is_valued_as_what_is_in_it(run, tmp_path):
    given = "\n".join(LINES).encode()
    plain, _ = predicted(run, given, tmp_path)
    packed, _ = predicted(run, gzip.compress(given), tmp_path)
    assert packed.splitlines()[0] == plain.splitlines()[0]
    assert len(packed.splitlines()) == len(plain.splitlines())


def test_limits_of_uploads_are_none_of_the_commands(run, tmp_path, monkeypatch):
    monkeypatch.setenv("HOUSEPRICE_MAX_ROWS", "1")
    monkeypatch.setenv("HOUSEPRICE_MAX_UPLOAD_MB", "1")
    row = f"90,N,{'x' * 1_000}\n"
    data, _ = predicted(run, f"size,quarter,remark\n{row * 1_100}".encode(), tmp_path)
    assert len(data.splitlines()) == 1_101


def test_evidence_is_given_for_few_rows_or_on_request(run, tmp_path):
    few = b"size,quarter\n90,N\n"
    many = few + b"\n" * (EVIDENCE_ROWS - 1) + b"80,S\n"
    left_out = "the most similar sales and the features that move each value most were left out"

    def reasoned(data: bytes, *options: str) -> tuple[bool, bool]:
        out, said = predicted(run, data, tmp_path, *options)
        # The column before the model's version holds what moves the value.
        return b",hamlet-" in out.replace(b",,,hamlet-", b""), left_out in said

    assert reasoned(few) == (True, False)
    assert reasoned(few, "--no-evidence") == (False, False)
    assert reasoned(many) == (False, True)
    assert reasoned(many, "--evidence") == (True, False)


HOUSES = b"size,quarter,remark\n" + b"".join(
    b'%d,N,"number %d, of many"\n' % (50 + number % 40, number) for number in range(25_000)
)
MANY = HOUSES + HOUSES.partition(b"\n")[2] * 5


def without_time(data: bytes) -> list[bytes]:
    return [line.rpartition(b",")[0] for line in data.splitlines()]


def started(folder: Path, *options: str) -> subprocess.Popen[bytes]:
    """Start the command for many houses, in a process of its own, and wait for finished parts."""
    (folder / "homes.csv").write_bytes(MANY)
    command = [sys.executable, "-m", "houseprice", "predict", folder / "homes.csv"]
    process = subprocess.Popen(
        [*command, "-o", folder / "out.csv", *options], stderr=subprocess.PIPE
    )
    until = time.monotonic() + 100
    finished = folder / ".out.csv.parts" / "done.jsonl"
    while not (finished.exists() and finished.stat().st_size):
        assert process.poll() is None
        assert time.monotonic() < until
        time.sleep(0.02)  # another process works; nothing here can be waited for
    return process


def test_several_processes_write_what_one_does(run, tmp_path):
    one, said = predicted(run, HOUSES, tmp_path)
    two, said_by_two = predicted(run, HOUSES, tmp_path, "--jobs", 2)
    assert without_time(two) == without_time(one)
    assert said_by_two.splitlines()[-1] == said.splitlines()[-1]
    assert "25,000 rows: " in said
    given = HOUSES.splitlines()
    assert [line[: len(own)] for line, own in zip(one.splitlines(), given, strict=True)] == given
    assert one.splitlines()[-1].startswith(given[-1] + b",25000,")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["homes.csv", "out.csv"]


@pytest.mark.skipif(os.name != "posix", reason="Windows has no such signals")
@pytest.mark.parametrize("jobs", ["1", "2"])
def test_a_kill_at_any_time_leaves_no_half_file_and_the_work_goes_on(run, tmp_path, jobs):
    process = started(tmp_path, "--jobs", jobs)
    process.kill()
    process.communicate()
    assert not (tmp_path / "out.csv").exists()
    again = run("predict", tmp_path / "homes.csv", "-o", tmp_path / "out.csv")
    assert again.code == 1
    assert "Continue with --resume, or start again with --no-resume" in again.err
    resumed, said = predicted(run, MANY, tmp_path, "--resume")
    assert "Resuming from " in said
    assert resumed.count(b"\n") == MANY.count(b"\n")
    stamps = {line.rpartition(b",")[2] for line in resumed.splitlines()}
    assert len(stamps) == 2  # the header's, and one for all houses


@pytest.mark.skipif(os.name != "posix", reason="Windows has no such signals")
def test_ctrl_c_says_how_to_go_on(tmp_path):
    process = started(tmp_path, "--jobs", "2")
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 130
    assert said.decode().endswith("continue with --resume.\n")
    assert not (tmp_path / "out.csv").exists()


def test_a_whole_file_needs_a_server_that_takes_one_and_a_place_for_the_answer(
    run, tmp_path, monkeypatch
):
    path = tmp_path / "homes.csv"
    path.write_bytes(HOUSES)
    out = tmp_path / "out.csv"
    assert "it needs a file for the answer" in run("predict", path, "--whole").err
    done = run("predict", path, "-o", out, "--whole")
    assert done.code == 2
    assert "there is no server to send the file to" in done.err
    assert "can't be used with it" in run("predict", path, "-o", out, "--whole", "--strict").err
    monkeypatch.setenv("HOUSEPRICE_API_URL", "http://127.0.0.1:9")
    assert run("predict", path, "-o", out, "--whole").code == 1
    assert not out.exists()
