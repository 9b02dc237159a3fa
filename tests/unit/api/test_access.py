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
    for wrong in (first[:-1], second, ""):
        assert find_key(parse_keys(entry), wrong.encode()) is None
    assert find_key((), first.encode()) is None


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


@given(st.text(max_size=80))
def test_any_text_is_parsed_or_refused(text: str) -> None:
    try:
        keys = parse_keys(text)
    except SettingsError:
        return
    assert all(len(key.digest) == 32 for key in keys)


def test_a_bucket_allows_a_burst_and_then_one_request_for_each_refilled_token() -> None:
    now = [100.0]
    bucket = TokenBucket(3, lambda: now[0])
    assert [bucket.take() for _ in range(3)] == [0, 0, 0]
    assert [bucket.take() for _ in range(5)] == [pytest.approx(20)] * 5  # which take no token
    now[0] += 20
    assert bucket.take() == 0
    now[0] += 5
    assert bucket.take() == pytest.approx(15)
    now[0] += 3600  # which save only the tokens of a minute
    assert [bucket.take() > 0 for _ in range(4)] == [False, False, False, True]
