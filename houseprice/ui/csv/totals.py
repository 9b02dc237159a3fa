"""The houses of a table taken together, and how they differ from the market's sales."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from houseprice.backend.base import About
from houseprice.batch.findings.drift import Drift
from houseprice.batch.findings.portfolio import Portfolio, portfolio
from houseprice.batch.text.tables import Table
from houseprice.batch.valuing.scoring import Scored
from houseprice.market.contract import Contract
from houseprice.ui.csv.kept import kept
from houseprice.ui.messages import step_of
from houseprice.ui.panel import download, in_words
from houseprice.ui.plain_text import plain

__all__ = ["drifted_fields", "show_drift", "show_totals", "together"]

_HEADERS = {
    "blank_here": "Not known, yours (%)",
    "blank_sales": "Not known, sales (%)",
    "median_here": "Middle, yours",
    "median_sales": "Middle, sales",
    "shift_iqr": "Shift (middle halves)",
    "levels_apart": "Otherwise spread (%)",
    "new_levels": "Never sold",
    "field": "Fact",
    "finding": "What there is to say",
}


def together(table: Table, scored: Scored, about: About, contract: Contract) -> Portfolio | None:
    """The houses of the present result taken together; none if none has a value."""
    return kept("totals", lambda: portfolio(table, scored, contract, about.metrics))


def show_totals(total: Portfolio | None, contract: Contract) -> None:
    """The sum of the values with its range, and by market area."""
    st.subheader("All houses together", anchor=False)
    if total is None:
        st.markdown("No house has a value yet, so there is no sum.")
        return
    # With a range, the sentence stands above all tabs.
    st.markdown(plain(total.sentence if total.low is None else total.why))
    place = contract.fields[contract.market.roles.location].label
    amounts = ["total", "low", "high"] if total.low is not None else ["total"]
    frame = total.by_location[["location", "houses", *amounts]]
    symbol = contract.market.price.symbol
    money = {name: st.column_config.NumberColumn(format=f"{symbol}%,d") for name in _MONEY.values()}
    headers = {**_MONEY, "location": place, "houses": "Houses"}
    st.dataframe(
        _rounded(frame, amounts).rename(columns=headers),
        hide_index=True,
        key="csv_places",
        column_config=money,
        alt=f"The sum of the values by {place.lower()}",
    )
    if total.low is not None:
        st.caption(
            "The ranges of single areas do not add up to that of all: not all are off at once, and "
            "in one direction."
        )
    download("This table (CSV)", frame.rename(columns=headers), key="csv_places_figures")


_MONEY = {"total": "Value together", "low": "From", "high": "To"}


def _rounded(frame: pd.DataFrame, amounts: list[str]) -> pd.DataFrame:
    """Round money to what its uncertainty warrants."""
    steps = frame["total"].map(lambda value: step_of(value, float("nan")))
    return frame.assign(**{name: (frame[name] / steps).round() * steps for name in amounts})


def show_drift(found: Drift) -> None:
    """How the table differs from the sales: a warning at the most, never a refusal."""
    st.subheader("Beside the sales that values are learned from", anchor=False)
    st.markdown(plain(found.summary))
    for sentence in found.sentences[:_FIRST]:
        st.markdown(f":orange[:material/warning:] {plain(sentence)}")
    if found.fields.empty:
        return
    with st.expander(f"All {len(found.fields):,} facts compared"):
        frame = drifted_fields(found)
        st.dataframe(
            frame, hide_index=True, key="csv_drift", placeholder="", alt="Your houses by fact"
        )
        download("This table (CSV)", frame, key="csv_drift_figures")


_FIRST = 8


def drifted_fields(found: Drift) -> pd.DataFrame:
    """The comparison by field with headers and figures that people read."""
    shares = ["blank_here", "blank_sales", "levels_apart"]
    frame = found.fields.assign(
        verdict=found.fields["verdict"].str.capitalize(),
        **{name: (100 * found.fields[name].astype(float)).round(1) for name in shares},
        shift_iqr=found.fields["shift_iqr"].astype(float).round(2),
    )
    order = ["field", "verdict", "finding", "blank_here", "blank_sales", "median_here"]
    order += ["median_sales", "shift_iqr", "levels_apart", "new_levels"]
    return in_words(frame[order], _HEADERS)
