"""What is found out about a valued table: once, when it is first looked at."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import streamlit as st

from houseprice.ui.csv.outcome import outcome

__all__ = ["kept"]

_KEPT = "csv_kept"
T = TypeVar("T")


def kept(what: str, find: Callable[[], T]) -> T:
    """Give what was found out about the present result, and find it out the first time.

    It is kept in the session, as the result is, and goes with it.
    """
    of, found = st.session_state.get(_KEPT, (None, {}))
    present = outcome()
    if of is not present:
        found = {}
        st.session_state[_KEPT] = (present, found)
    if what not in found:
        found[what] = find()
    known: T = found[what]
    return known
