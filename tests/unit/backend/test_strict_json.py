"""Strict JSON: one meaning, and an end at the deadline."""

from __future__ import annotations

import time

import pytest

from houseprice.backend.strict_json import StrictJsonError, read_json


def test_a_duplicate_key_is_named() -> None:
    with pytest.raises(StrictJsonError, match="the key 'b' twice"):
        read_json(b'{"a": 1, "b": {"b": 2}, "b": 3}')


def test_a_byte_order_mark_is_ignored() -> None:
    assert read_json(b'\xef\xbb\xbf{"a": 1}') == {"a": 1}


def test_nan_is_null_where_a_protocol_has_it() -> None:
    assert read_json(b"[NaN, 1]", nan_is_null=True) == [None, 1]
    for refused in (b"[Infinity]", b"[-Infinity]"):
        with pytest.raises(StrictJsonError):
            read_json(refused, nan_is_null=True)
    with pytest.raises(StrictJsonError, match="write null"):
        read_json(b"[NaN]")


def test_parsing_ends_at_its_deadline() -> None:
    assert read_json(b"[{}]", deadline=time.monotonic() + 60) == [{}]
    with pytest.raises(TimeoutError):
        read_json(b"[{}]", deadline=time.monotonic() - 1)
