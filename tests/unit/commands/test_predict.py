"""``houseprice predict``: files of any size and format, interruptions and full disks."""

import gzip
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from houseprice.commands.predict import EVIDENCE_ROWS
from tests.full_disk import run_without_room

pytestmark = pytest.mark.usefixtures("fresh_logs", "surroundings", "trained")

COMMAND = "from houseprice.cli import main; main()"
LINES = ["size;quarter;grade;remark", '90,5;N;A;"é=1+1"', "80,25;S;;x", "-5;S;A;", "70,0;Q;B"]


def predicted(run, data: bytes, folder: Path, *options: object) -> tuple[bytes, str]:
    source, output = folder / "homes.csv", folder / "out.csv"
    source.write_bytes(data)
    done = run("predict", source, "-o", output, *options)
    assert done.code == 0
    return output.read_bytes(), done.err


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
def test_a_file_comes_back_in_its_own_format(run, tmp_path, encoding):
    given = "\r\n".join(LINES)
    data, messages = predicted(run, given.encode(encoding), tmp_path)
    lines = data.decode(encoding).split("\r\n")
    assert [line[: len(own)] for line, own in zip(lines, LINES, strict=False)] == LINES
    assert lines[5:] == [""]
    assert "Numbers were read with a decimal comma" in messages
    assert "4 rows: " in messages
    assert "  wrong_cell_count: 1" in messages


def test_a_compressed_file_is_valued_like_its_content(run, tmp_path):
    given = "\n".join(LINES).encode()
    plain, _ = predicted(run, given, tmp_path)
    compressed, _ = predicted(run, gzip.compress(given), tmp_path)
    assert compressed.splitlines()[0] == plain.splitlines()[0]
    assert len(compressed.splitlines()) == len(plain.splitlines())


def test_the_command_has_no_upload_limits(run, tmp_path, monkeypatch):
    monkeypatch.setenv("HOUSEPRICE_MAX_ROWS", "1")
    monkeypatch.setenv("HOUSEPRICE_MAX_UPLOAD_MB", "1")
    row = f"90,N,{'x' * 1_000}\n"
    data, _ = predicted(run, f"size,quarter,remark\n{row * 1_100}".encode(), tmp_path)
    assert len(data.splitlines()) == 1_101


def test_evidence_is_included_for_few_rows_or_on_request(run, tmp_path):
    few = b"size,quarter\n90,N\n"
    many = few + b"\n" * (EVIDENCE_ROWS - 1) + b"80,S\n"
    left_out = "the most similar sales and the features that move each value most were left out"

    def has_evidence(data: bytes, *options: str) -> tuple[bool, bool]:
        out, messages = predicted(run, data, tmp_path, *options)
        # The column before the model's version holds what moves the value.
        return b",hamlet-" in out.replace(b",,,hamlet-", b""), left_out in messages

    assert has_evidence(few) == (True, False)
    assert has_evidence(few, "--no-evidence") == (False, False)
    assert has_evidence(many) == (False, True)
    assert has_evidence(many, "--evidence") == (True, False)


HOUSES = b"size,quarter,remark\n" + b"".join(
    b'%d,N,"number %d, of many"\n' % (50 + number % 40, number) for number in range(25_000)
)
MANY = HOUSES + HOUSES.partition(b"\n")[2] * 5


def without_time(data: bytes) -> list[bytes]:
    return [line.rsplit(b",", 2)[0] for line in data.splitlines()]


def started(folder: Path, *options: str) -> subprocess.Popen[bytes]:
    """Start the command in another process, and wait for its first finished chunk."""
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
        time.sleep(0.02)
    return process


def test_several_processes_write_the_same_file_as_one(run, tmp_path):
    one, messages = predicted(run, HOUSES, tmp_path)
    two, messages_of_two = predicted(run, HOUSES, tmp_path, "--jobs", 2)
    assert without_time(two) == without_time(one)
    assert messages_of_two.splitlines()[-1] == messages.splitlines()[-1]
    assert "25,000 rows: " in messages
    given = HOUSES.splitlines()
    assert [line[: len(own)] for line, own in zip(one.splitlines(), given, strict=True)] == given
    assert one.splitlines()[-1].startswith(given[-1] + b",25000,")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["homes.csv", "out.csv"]


@pytest.mark.skipif(os.name != "posix", reason="Windows has no such signals")
@pytest.mark.parametrize("jobs", ["1", "2"])
def test_a_killed_run_leaves_no_partial_file_and_can_be_resumed(run, tmp_path, jobs):
    process = started(tmp_path, "--jobs", jobs)
    process.kill()
    process.communicate()
    assert not (tmp_path / "out.csv").exists()
    again = run("predict", tmp_path / "homes.csv", "-o", tmp_path / "out.csv")
    assert again.code == 1
    assert "Continue with --resume, or start again with --no-resume" in again.err
    resumed, messages = predicted(run, MANY, tmp_path, "--resume")
    assert "Resuming from " in messages
    assert resumed.count(b"\n") == MANY.count(b"\n")
    stamps = {line.rsplit(b",", 2)[1] for line in resumed.splitlines()}
    assert len(stamps) == 2  # of the header, and one for all houses


@pytest.mark.skipif(os.name != "posix", reason="Windows has no such signals")
def test_ctrl_c_says_how_to_continue(tmp_path):
    process = started(tmp_path, "--jobs", "2")
    process.send_signal(signal.SIGINT)
    _, messages = process.communicate(timeout=60)
    assert process.returncode == 130
    assert messages.decode().endswith("continue with --resume.\n")
    assert not (tmp_path / "out.csv").exists()


def test_a_whole_file_needs_a_server_and_an_output(run, tmp_path, monkeypatch):
    path = tmp_path / "homes.csv"
    path.write_bytes(HOUSES)
    out = tmp_path / "out.csv"
    assert "it needs a file for the answer" in run("predict", path, "--whole").err
    done = run("predict", path, "-o", out, "--whole")
    assert done.code == 2
    assert "there is no server to send the file to" in done.err
    refused = run("predict", path, "-o", out, "--whole", "--strict").err
    assert "can't be used with it" in " ".join(refused.replace("│", "").split())
    monkeypatch.setenv("HOUSEPRICE_API_URL", "http://127.0.0.1:9")
    assert run("predict", path, "-o", out, "--whole").code == 1
    assert not out.exists()


# Three chunks of at most 20,000 rows: one fits on the disk of the test, two do not.
HOMES = b"size,quarter\n" + b"".join(b"%d,N\n" % (50 + number % 40) for number in range(50_000))


@pytest.mark.skipif(os.name != "posix", reason="Windows has no such limits")
@pytest.mark.parametrize("jobs", [1, 2])
def test_a_full_disk_leaves_the_finished_chunks_and_no_partial_file(run, tmp_path, jobs):
    complete, _ = predicted(run, HOMES, tmp_path)
    homes, output = tmp_path / "homes.csv", tmp_path / "out.csv"
    command = "predict", homes, "-o", output, "--jobs", jobs
    output.write_bytes(b"old")
    full = run_without_room(COMMAND, *command, max_bytes=len(complete) * 6 // 10)
    assert full.returncode == 1
    message = "can't be written (File too large). Finished chunks are kept: continue with"
    assert message in full.stderr
    assert output.read_bytes() == b"old"
    assert (tmp_path / ".out.csv.parts").is_dir()
    resumed, _ = predicted(run, HOMES, tmp_path, "--resume")
    assert without_time(resumed) == without_time(complete)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["homes.csv", "out.csv"]


@pytest.mark.skipif(os.name != "posix", reason="Windows has no such limits")
@pytest.mark.parametrize("jobs", [1, 2])
def test_a_disk_without_room_for_a_chunk_is_unchanged(tmp_path, jobs):
    homes, output = tmp_path / "homes.csv", tmp_path / "out.csv"
    homes.write_bytes(HOMES)
    command = "predict", homes, "-o", output, "--jobs", jobs
    full = run_without_room(COMMAND, *command, max_bytes=100_000)
    assert full.returncode == 1
    assert full.stderr.endswith(f"{output} can't be written (File too large).\n")
    assert [path.name for path in tmp_path.iterdir()] == ["homes.csv"]


def test_a_day_is_the_date_of_rows_without_one(run, tmp_path):
    def price(data: bytes, *options: object) -> bytes:
        lines, _ = predicted(run, data, tmp_path, *options)
        header, row = (line.split(b",") for line in lines.splitlines())
        return row[header.index(b"predicted_price")]

    early = price(b"size,quarter,sold,month\n90,N,2016,1\n")
    assert price(b"size,quarter\n90,N\n", "--as-of", "2016-03-01") == early
    assert price(b"size,quarter\n90,N\n") != early


@pytest.mark.parametrize("name", ["out.csv", "out.xlsx"])
def test_rows_are_saved_on_request(run, tmp_path, monkeypatch, name):
    monkeypatch.setenv("HOUSEPRICE_DATABASE_URL", f"sqlite:///{tmp_path}/records.sqlite")
    (tmp_path / "homes.csv").write_text("\n".join(LINES), encoding="utf-8")
    options = ("--save", "--reference", "remark", "--note", "spring")
    done = run("predict", tmp_path / "homes.csv", "-o", tmp_path / name, *options)
    assert (done.code, "4 rows saved with references from remark." in done.err) == (0, True)
    saved = json.loads(run("records", "--search", "spring", "--json").out)
    assert [each["reference"] for each in saved] == [None, None, "x", "é=1+1"]
    assert [each["status"] for each in saved] == ["error", "error", "warning", "warning"]
    assert {each["source"] for each in saved} == {"command"}


@pytest.mark.parametrize(
    "options",
    [["--note", "x"], ["--save", "--dask", "tcp://x:1"], ["--save", "--note", "x" * 2_001]],
)
def test_texts_without_save_and_a_save_by_others_are_wrong_calls(run, tmp_path, options):
    (tmp_path / "homes.csv").write_bytes(HOUSES[:50])
    assert run("predict", tmp_path / "homes.csv", *options).code == 2
