"""A folder is created completely or not at all."""

import os
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path

import pytest

from houseprice.errors import FetchError
from houseprice.market.fetch import atomic_folder

NAMES = ("a.txt", "b.txt")
WRITER = """
import sys
from pathlib import Path
from houseprice.market.fetch import atomic_folder
with atomic_folder(Path(sys.argv[1]), ("a.txt", "b.txt"), replace=True) as (new, scratch):
    (new / "a.txt").write_text("new")
    print("started", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def target(tmp_path):
    return tmp_path / "new"


def fill(target: Path, content: str, **options: bool) -> None:
    with atomic_folder(target, NAMES, **options) as (new, scratch):
        for name in NAMES:
            (new / name).write_text(content)
        (scratch / "scratch").write_text("x")


def content(folder: Path) -> dict[str, str]:
    return {path.name: path.read_text() for path in sorted(folder.iterdir())}


@pytest.mark.parametrize("name", ["new", "far/away", "empty"])
def test_only_the_new_folder_is_created(tmp_path, name):
    (tmp_path / "empty").mkdir()
    fill(tmp_path / name, "new")
    assert content(tmp_path / name) == {"a.txt": "new", "b.txt": "new"}
    assert {path.name for path in tmp_path.iterdir()} == {"empty", Path(name).parts[0]}


def test_an_existing_folder_is_replaced_only_on_request(target):
    fill(target, "old")
    with pytest.raises(FetchError, match=r"exists already: .* --force"):
        fill(target, "new")
    assert content(target) == {"a.txt": "old", "b.txt": "old"}
    fill(target, "new", replace=True)
    assert content(target) == {"a.txt": "new", "b.txt": "new"}
    assert [path.name for path in target.parent.iterdir()] == ["new"]


def test_a_folder_with_other_files_is_never_replaced(target):
    fill(target, "old")
    (target / "diary.txt").write_text("mine")
    with pytest.raises(
        FetchError, match=r"is not replaced, because it has other files, such as diary\.txt"
    ):
        fill(target, "new", replace=True)
    assert content(target)["diary.txt"] == "mine"


def test_a_folder_that_appears_meanwhile_is_kept(target):
    with ExitStack() as stack:
        stack.enter_context(atomic_folder(target, NAMES))
        target.mkdir()
        (target / "a.txt").write_text("other")
        with pytest.raises(FetchError, match="exists already"):
            stack.close()
    assert content(target) == {"a.txt": "other"}


def test_a_file_is_not_replaced(target):
    target.write_text("a file")
    with pytest.raises(FetchError, match="is not a folder"):
        fill(target, "new", replace=True)
    assert target.read_text() == "a file"


def test_a_link_stays_a_link(tmp_path, target):
    fill(target, "old")
    (tmp_path / "link").symlink_to(target)
    fill(tmp_path / "link", "new", replace=True)
    assert (tmp_path / "link").is_symlink()
    assert content(target)["a.txt"] == "new"


def test_a_failure_leaves_the_existing_folder(target):
    fill(target, "old")
    with (
        pytest.raises(FetchError, match="no such house"),
        atomic_folder(target, NAMES, replace=True),
    ):
        raise FetchError("no such house")
    assert content(target) == {"a.txt": "old", "b.txt": "old"}
    assert [path.name for path in target.parent.iterdir()] == ["new"]


def test_a_target_that_cannot_be_written_is_a_failure(tmp_path):
    (tmp_path / "file").write_text("x")
    with pytest.raises(FetchError, match=r"can't be written .*-o"):
        fill(tmp_path / "file" / "new", "new")


@pytest.fixture
def writer(target):
    """A process that is replacing a folder."""
    fill(target, "old")
    process = subprocess.Popen(
        [sys.executable, "-c", WRITER, target],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with process:
        assert process.stdout is not None
        assert process.stdout.readline() == "started\n"
        yield process
        process.kill()


def test_a_kill_leaves_the_existing_folder(writer, target):
    writer.kill()
    writer.wait()
    assert content(target) == {"a.txt": "old", "b.txt": "old"}


def test_stale_drafts_are_removed(target):
    old, young = (target.with_name(f".new.fetching-{age}") for age in ("old", "young"))
    for draft in (old, young):
        draft.mkdir()
    os.utime(old, (0, 0))
    fill(target, "new")
    assert (old.exists(), young.exists()) == (False, True)


def test_a_kill_between_the_two_renames_is_repaired(target):
    fill(target, "old")
    target.rename(target.with_name(".new.before"))
    with pytest.raises(FetchError, match="exists already"):
        fill(target, "new")
    assert content(target) == {"a.txt": "old", "b.txt": "old"}
