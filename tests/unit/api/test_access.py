"""API keys and their rate limit: keys fit their entries, and no error shows a key."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from houseprice.api.access import TokenBucket, find_key, new_key, parse_keys
from houseprice.errors import SettingsError

DIGEST = "0123456789abcdef" * 4


def test_each_new_key_is_found_by_its_entry_only() -> None:
    pairs = [new_key(name) for name in ("agent-1", "b", "c")]
    keys = parse_keys(",".join(entry for _, entry in pairs))
    matches = [find_key(keys, key.encode()) for key, _ in pairs]
    assert [match.name for match in matches if match] == ["agent-1", "b", "c"]
    (first, entry), (second, _) = new_key("a"), new_key("a")
    assert first != second
    assert first not in entry


def test_a_wrong_key_is_not_found() -> None:
    key, entry = new_key("a")
    keys = parse_keys(entry)
    assert find_key(keys, key[:-1].encode()) is None
    assert find_key(keys, b"") is None
    assert find_key((), key.encode()) is None


def test_entries_are_separated_by_commas_or_lines_and_may_have_a_rate() -> None:
    text = f"a:{DIGEST}:30,\n b:{DIGEST.upper()}\n\nc:{DIGEST},"
    rates = {key.name: key.rate for key in parse_keys(text)}
    assert rates == {"a": 30, "b": None, "c": None}


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
        f"fine:{DIGEST}",
    ],
)
def test_a_bad_entry_is_named_by_its_number_and_not_shown(entry: str) -> None:
    with pytest.raises(SettingsError, match="entry 2 ") as caught:
        parse_keys(f"fine:{DIGEST},{entry}")
    assert entry not in str(caught.value)


def test_no_key_is_made_for_a_name_that_no_entry_could_have() -> None:
    with pytest.raises(ValueError, match="letters"):
        new_key("a:b")


@given(st.text(max_size=80))
def test_any_text_is_parsed_or_refused(text: str) -> None:
    try:
        keys = parse_keys(text)
    except SettingsError:
        return
    assert all(len(key.digest) == 32 for key in keys)


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def test_a_bucket_allows_a_burst_and_then_one_request_for_each_refilled_token() -> None:
    clock = Clock()
    bucket = TokenBucket(3, clock)
    assert [bucket.take() for _ in range(3)] == [0, 0, 0]
    assert bucket.take() == pytest.approx(20)
    clock.now += 20
    assert bucket.take() == 0
    clock.now += 5
    assert bucket.take() == pytest.approx(15)


def test_a_refused_request_takes_no_token_and_an_idle_hour_saves_only_a_minute() -> None:
    clock = Clock()
    bucket = TokenBucket(1, clock)
    bucket.take()
    assert all(bucket.take() > 0 for _ in range(5))
    clock.now += 3600
    assert [bucket.take() > 0 for _ in range(2)] == [False, True]
