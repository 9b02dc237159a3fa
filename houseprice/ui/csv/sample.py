"""The market's own table of houses without a price, to try a valuation on."""

from __future__ import annotations

from dataclasses import dataclass

import streamlit as st

from houseprice.market.sales import read_rows
from houseprice.ui.session import market

__all__ = ["Sample", "sample"]


@dataclass(frozen=True)
class Sample:
    """The bytes of the sample file, and how many houses it holds (none: there is no sample)."""

    data: bytes
    n_houses: int


@st.cache_resource(show_spinner=False)
def sample() -> Sample:
    """Read the sample once a process: it is the same for every visitor."""
    path = market().sample_path
    try:
        return Sample(path.read_bytes(), len(read_rows(path)))
    except OSError:
        return Sample(b"", 0)
