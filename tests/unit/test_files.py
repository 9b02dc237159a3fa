"""Temporary folders are private, and none outlives its process for long."""

import os
import signal
import subprocess
import sys
import tempfile
from contextlib import suppress
from pathlib import Path

import pytest

from houseprice.files import ABANDONED_S, replace_file, temporary_folder

pytestmark = pytest.mark.skipif(os.name != "posix", reason="Windows has no such signals and locks")

WAIT = """
import sys, time
from pathlib import Path
from houseprice import cli
from houseprice.files import temporary_folder

@cli.cli.command()
def wait(parent: Path):
    with temporary_folder(parent) as folder:
        print(folder, flush=True)
        time.sleep(60)

cli.main(["wait", sys.argv[1]])
"""


@pytest.fixture
def waiting(tmp_path):
    """A command that holds a temporary folder."""
    command = [sys.executable, "-c", WAIT, str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        yield process, Path(process.stdout.readline().strip())
        process.kill()


def test_a_folder_is_for_its_owner_only_and_is_removed_also_after_an_error(tmp_path):
    with suppress(ZeroDivisionError), temporary_folder(tmp_path) as folder:
        assert folder.stat().st_mode & 0o777 == 0o700
        (folder / "file").touch()
        assert 1 / 0
    assert not folder.exists()
    assert not any(tmp_path.iterdir())


def test_a_terminated_command_removes_its_folder(waiting, tmp_path):
    process, folder = waiting
    assert folder.is_dir()
    process.send_signal(signal.SIGTERM)
    assert process.wait(60) == 128 + signal.SIGTERM
    assert not any(tmp_path.iterdir())


def test_the_folder_of_a_killed_command_is_removed_by_the_next_one(waiting, tmp_path):
    process, folder = waiting
    with temporary_folder(tmp_path):
        assert folder.is_dir()
    process.kill()
    process.wait(60)
    assert folder.is_dir()
    with temporary_folder(tmp_path) as other:
        assert list(tmp_path.iterdir()) == [other]


def test_the_sockets_of_killed_processes_are_removed_by_the_next_command():
    program = (
        "import time; from houseprice.tables.processes import start_server; start_server('json'); "
        "print(flush=True); time.sleep(60)"
    )
    with tempfile.TemporaryDirectory(prefix="hp-", dir="/tmp") as name:
        command, environment = [sys.executable, "-c", program], os.environ | {"TMPDIR": name}
        with subprocess.Popen(command, stdout=subprocess.PIPE, env=environment) as process:
            process.stdout.readline()
            process.kill()
        assert list(Path(name).glob("houseprice-*/pymp-*/listener-*"))
        with temporary_folder(Path(name)) as other:
            assert list(Path(name).iterdir()) == [other]


def test_an_old_draft_of_a_replaced_file_is_removed(tmp_path):
    old, new = tmp_path / ".active-aa", tmp_path / ".active-bb"
    for path in (old, new):
        path.touch()
    os.utime(old, (0, old.stat().st_mtime - 2 * ABANDONED_S))
    replace_file(tmp_path / "active", b"x")
    assert sorted(path.name for path in tmp_path.iterdir()) == [".active-bb", "active"]
