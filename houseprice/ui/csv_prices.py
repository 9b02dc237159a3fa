"""The values of a table beside the prices in it: the evaluation report, for this file."""

from __future__ import annotations

from collections.abc import Iterable

import pandas as pd
import streamlit as st

from houseprice.batch.against_prices import AgainstPrices
from houseprice.market.contract import Contract
from houseprice.model.measuring.report import Report
from houseprice.ui.csv_charts import prices_chart
from houseprice.ui.panel import download, in_words, panel
from houseprice.ui.plain_text import plain

__all__ = ["show_against_prices"]

_SHARES = (
    "share", "median_ape", "within_10", "within_20", "coverage_68", "coverage_90", "width_90",
)  # fmt: skip
_HEADERS = {
    "band": "Confidence",
    "group": "Group",
    "values": "Houses",
    "sales": "Houses",
    "share": "Of all (%)",
    "confidence": "Mean confidence",
    "median_ape": "Half are off by at most (%)",
    "within_10": "Within 10 % (%)",
    "within_20": "Within 20 % (%)",
    "coverage_68": "Within the 68 % range (%)",
    "coverage_90": "Within the 90 % range (%)",
    "width_90": "Width of the range (%)",
    "in_words": "In words",
}


def show_against_prices(found: AgainstPrices | None, contract: Contract) -> None:
    """Show how close the values come to the prices that the table has."""
    price = contract.market.price
    if found is None:
        st.info(
            f"To hold the values against prices, give the table a column {plain(price.column)} "
            f"({plain(price.label.lower())}), and upload it again. It is never used for valuing.",
            icon=":material/price_check:",
        )
        return
    first, *more = found.sentences
    panel(
        first,
        prices_chart(found.houses, contract),
        found.houses,
        key="csv_against",
        headers={
            "price": price.label,
            "predicted_price": "Value",
            "price_low": "From",
            "price_high": "To",
            "share_off": "Off, as a share of the price",
            "inside": "Price within the range",
        },
    )
    st.markdown(_listed(more))
    st.subheader("The report for this table", anchor=False)
    st.markdown(_listed(found.figures["in_words"]))
    if found.report is not None:
        _show_report(found.report, contract)
    if not found.equity.empty:
        st.markdown("**Fairness** (ratio study: value divided by price)")
        equity = in_words(found.equity)
        st.dataframe(equity, hide_index=True, key="csv_equity", alt="The ratio study")
        download("The ratio study (CSV)", equity, key="csv_equity_figures")


def _listed(sentences: Iterable[str]) -> str:
    return "\n".join(f"- {plain(sentence)}" for sentence in sentences)


def _show_report(report: Report, contract: Contract) -> None:
    place = contract.fields[contract.market.roles.location].label
    for title, frame, key in (
        ("By confidence", report.bands, "csv_by_confidence"),
        ("By price", report.by_price, "csv_by_price"),
        (f"By {place.lower()}, the lowest coverage first", report.by_location, "csv_by_place"),
    ):
        if frame.empty:
            continue
        st.markdown(f"**{plain(title)}**")
        table = _percents(frame)
        st.dataframe(table, hide_index=True, key=key, alt=title)
        download("This table (CSV)", table, key=f"{key}_figures")


def _percents(frame: pd.DataFrame) -> pd.DataFrame:
    shares = {name: (100 * frame[name]).round(1) for name in _SHARES if name in frame}
    kept = frame.assign(**shares).drop(columns=["lower", "upper"], errors="ignore")
    if "confidence" in kept:
        kept["confidence"] = kept["confidence"].round(0)
    return in_words(kept, _HEADERS)
