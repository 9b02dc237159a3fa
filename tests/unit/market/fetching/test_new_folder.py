"""A folder that appears whole or not at all."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
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
with atomic_folder(Path(sys.argv[1]), ("a.txt", "b.txt"), replace=True) as (made, beside):
    (made / "a.txt").write_text("new")
    print("half done", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def place(tmp_path: Path) -> Path:
    return tmp_path / "new"


def fill(place: Path, content: str, **options: bool) -> None:
    with atomic_folder(place, NAMES, **options) as (made, beside):
        for name in NAMES:
            (made / name).write_text(content)
        (beside / "scratch").write_text("x")


def content(folder: Path) -> dict[str, str]:
    return {path.name: path.read_text() for path in sorted(folder.iterdir())}


def test_what_was_made_is_there_and_nothing_else_is(place: Path) -> None:
    fill(place, "new")
    assert content(place) == {"a.txt": "new", "b.txt": "new"}
    assert [path.name for path in place.parent.iterdir()] == ["new"]


def test_folders_on_the_way_are_made(tmp_path: Path) -> None:
    fill(tmp_path / "far" / "away", "new")
    assert content(tmp_path / "far" / "away")["a.txt"] == "new"


def test_an_empty_folder_may_be_taken(place: Path) -> None:
    place.mkdir()
    fill(place, "new")
    assert content(place)["b.txt"] == "new"


def test_a_folder_with_something_in_it_is_kept(place: Path) -> None:
    fill(place, "old")
    with pytest.raises(FetchError, match=r"is there already: .* --force"):
        fill(place, "new")
    assert content(place) == {"a.txt": "old", "b.txt": "old"}


def test_it_is_replaced_when_asked_for(place: Path) -> None:
    fill(place, "old")
    fill(place, "new", replace=True)
    assert content(place) == {"a.txt": "new", "b.txt": "new"}
    assert [path.name for path in place.parent.iterdir()] == ["new"]


def test_a_folder_with_anything_else_in_it_is_never_replaced(place: Path) -> None:
    fill(place, "old")
    (place / "diary.txt").write_text("mine")
    with pytest.raises(FetchError, match=r"diary\.txt for one, and is not replaced"):
        fill(place, "new", replace=True)
    assert content(place)["diary.txt"] == "mine"


def test_what_comes_while_it_is_made_is_kept(place: Path) -> None:
    with ExitStack() as stack:
        stack.enter_context(atomic_folder(place, NAMES))
        place.mkdir()
        (place / "a.txt").write_text("of another")
        with pytest.raises(FetchError, match="is there already"):
            stack.close()
    assert content(place) == {"a.txt": "of another"}


def test_a_file_is_not_replaced(place: Path) -> None:
    place.write_text("a file")
    with pytest.raises(FetchError, match="is no folder"):
        fill(place, "new", replace=True)
    assert place.read_text() == "a file"


def test_a_link_stays_a_link(tmp_path: Path, place: Path) -> None:
    fill(place, "old")
    (tmp_path / "link").symlink_to(place)
    fill(tmp_path / "link", "new", replace=True)
    assert (tmp_path / "link").is_symlink()
    assert content(place)["a.txt"] == "new"


def test_a_failure_leaves_what_was_there(place: Path) -> None:
    fill(place, "old")
    with (
        pytest.raises(FetchError, match="no such house"),
        atomic_folder(place, NAMES, replace=True),
    ):
        raise FetchError("no such house")
    assert content(place) == {"a.txt": "old", "b.txt": "old"}
    assert [path.name for path in place.parent.iterdir()] == ["new"]


def test_a_place_that_can_not_be_written_to_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(FetchError, match=r"can't be written .*-o"):
        fill(tmp_path / "file" / "new", "new")


@pytest.fixture
def half_done(place: Path) -> Iterator[subprocess.Popen[str]]:
    """A process that is in the middle of replacing a folder."""
    fill(place, "old")
    process = subprocess.Popen(
        [sys.executable, "-c", WRITER, place],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with process:
        assert process.stdout is not None
        assert process.stdout.readline() == "half done\n"
        yield process
        process.kill()


def test_a_kill_leaves_what_was_there(half_done: subprocess.Popen[str], place: Path) -> None:
    half_done.kill()
    half_done.wait()
    assert content(place) == {"a.txt": "old", "b.txt": "old"}


def test_what_a_killed_process_left_is_removed_when_it_is_old(place: Path) -> None:
    old, young = (place.with_name(f".new.fetching-{age}") for age in ("old", "young"))
    for draft in (old, young):
        draft.mkdir()
    os.utime(old, (0, 0))
    fill(place, "new")
    assert (old.exists(), young.exists()) == (False, True)


def test_a_kill_between_the_two_renames_is_made_good(place: Path) -> None:
    fill(place, "old")
    place.rename(place.with_name(".new.before"))
    with pytest.raises(FetchError, match="is there already"):
        fill(place, "new")
    assert content(place) == {"a.txt": "old", "b.txt": "old"}
