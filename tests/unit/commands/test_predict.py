"""The command that values a file: of any size, in any spreadsheet's format, as it was and more."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from houseprice.commands.predict import FEW

pytestmark = pytest.mark.usefixtures("fresh_logs", "surroundings", "trained")

LINES = ["size;quarter;grade;remark", '90,5;N;A;"é=1+1"', "80,25;S;;x", "-5;S;A;", "70,0;Q;B"]


@pytest.fixture
def trained(run, surroundings, place: Path) -> None:
    if not (place / "models" / "active").exists():
        assert run("train", "--quiet").code == 0


def predicted(run, data: bytes, folder: Path, *options: object) -> tuple[bytes, str]:
    given, answered = folder / "homes.csv", folder / "out.csv"
    given.write_bytes(data)
    done = run("predict", given, "-o", answered, *options)
    assert done.code == 0
    return answered.read_bytes(), done.err


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
def test_a_file_comes_back_in_its_own_format(run, tmp_path: Path, encoding: str) -> None:
    given = "\r\n".join(LINES)
    data, said = predicted(run, given.encode(encoding), tmp_path)
    lines = data.decode(encoding).split("\r\n")
    assert [line[: len(own)] for line, own in zip(lines, LINES, strict=False)] == LINES
    assert lines[5:] == [""]
    assert "Numbers were read with a decimal comma" in said
    assert "4 rows: " in said
    assert "  wrong_cell_count: 1" in said


def test_a_packed_file_is_valued_as_what_is_in_it(run, tmp_path: Path) -> None:
    given = "\n".join(LINES).encode()
    plain, _ = predicted(run, given, tmp_path)
    packed, _ = predicted(run, gzip.compress(given), tmp_path)
    assert packed.splitlines()[0] == plain.splitlines()[0]
    assert len(packed.splitlines()) == len(plain.splitlines())


def test_limits_of_uploads_are_none_of_the_commands(run, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setenv("HOUSEPRICE_MAX_ROWS", "1")
    monkeypatch.setenv("HOUSEPRICE_MAX_UPLOAD_MB", "1")
    row = f"90,N,{'x' * 1_000}\n"
    data, _ = predicted(run, f"size,quarter,remark\n{row * 1_100}".encode(), tmp_path)
    assert len(data.splitlines()) == 1_101


def test_evidence_is_given_for_few_rows_or_on_request(run, tmp_path: Path) -> None:
    few = b"size,quarter\n90,N\n"
    many = few + b"\n" * (FEW - 1) + b"80,S\n"
    left_out = "the sales most alike and the facts that move each value most were left out"

    def reasoned(data: bytes, *options: str) -> tuple[bool, bool]:
        out, said = predicted(run, data, tmp_path, *options)
        # The column before the model's version holds what moves the value.
        return b",hamlet-" in out.replace(b",,,hamlet-", b""), left_out in said

    assert reasoned(few) == (True, False)
    assert reasoned(few, "--no-evidence") == (False, False)
    assert reasoned(many) == (False, True)
    assert reasoned(many, "--evidence") == (True, False)
