"""API keys: what is made fits what is read, and nothing of a key is ever told."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from houseprice.api.access import find_key, new_key, read_keys
from houseprice.errors import SettingsError

DIGEST = "0123456789abcdef" * 4


def test_a_new_key_is_found_by_the_entry_that_was_printed_with_it() -> None:
    key, entry = new_key("agent-1")
    (read,) = read_keys(entry)
    assert find_key([read], key.encode()) == read
    assert read.name == "agent-1"


def test_no_two_keys_are_alike_and_no_entry_holds_its_key() -> None:
    first, entry = new_key("a")
    second, _ = new_key("a")
    assert first != second
    assert first not in entry


def test_the_right_one_of_several_keys_is_found() -> None:
    made = [new_key(name) for name in "abc"]
    keys = read_keys(",".join(entry for _, entry in made))
    found = [find_key(keys, key.encode()) for key, _ in made]
    assert [key.name for key in found if key] == ["a", "b", "c"]


def test_a_wrong_key_is_nobodys() -> None:
    key, entry = new_key("a")
    keys = read_keys(entry)
    assert find_key(keys, key[:-1].encode()) is None
    assert find_key(keys, b"") is None
    assert find_key((), key.encode()) is None


def test_entries_are_separated_by_commas_or_lines_and_may_have_a_rate() -> None:
    text = f"a:{DIGEST}:30,\n b:{DIGEST.upper()}\n\nc:{DIGEST},"
    assert [(key.name, key.rate) for key in read_keys(text)] == [
        ("a", 30), ("b", None), ("c", None),
    ]  # fmt: skip


@pytest.mark.parametrize(
    "entry",
    [
        "secret",
        f"name {DIGEST}",
        f"na me:{DIGEST}",
        f":{DIGEST}",
        "name:abc",
        f"name:{DIGEST}0",
        f"name:{DIGEST}:0",
        f"name:{DIGEST}:-1",
        f"name:{DIGEST}:many",
        f"{'n' * 41}:{DIGEST}",
    ],
)
def test_a_bad_entry_is_told_by_its_number_and_not_by_what_it_holds(entry: str) -> None:
    with pytest.raises(SettingsError, match="entry 2 is not") as caught:
        read_keys(f"fine:{DIGEST},{entry}")
    assert entry not in str(caught.value)


def test_two_keys_of_one_name_are_refused() -> None:
    with pytest.raises(SettingsError, match="entry 2 has the name of an entry before it"):
        read_keys(f"a:{DIGEST},a:{DIGEST}")


def test_no_key_is_made_for_a_name_that_no_entry_could_have() -> None:
    with pytest.raises(ValueError, match="letters"):
        new_key("a:b")


@given(st.text(max_size=80))
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        keys = read_keys(text)
    except SettingsError:
        return
    assert all(len(key.digest) == 32 for key in keys)
