"""The values of a table beside the prices in it: the evaluation report, for this file."""

from __future__ import annotations

from collections.abc import Iterable

import pandas as pd
import streamlit as st

from houseprice.batch.findings.against_prices import AgainstPrices
from houseprice.market.contract import Contract
from houseprice.model.measuring.report import Report
from houseprice.model.measuring.words import headings, leaning, written
from houseprice.ui.csv.charts import prices_chart
from houseprice.ui.panel import download, in_words, panel
from houseprice.ui.plain_text import plain

__all__ = ["equity_told", "show_against_prices"]

_SHARES = (
    "median_ape", "within_10", "within_20", "coverage_68", "coverage_90", "width_90",
)  # fmt: skip
_HEADERS = {
    "band": "Confidence",
    "group": "Group",
    "values": "Houses",
    "sales": "Houses",
    "share": "Of all (%)",
    "confidence": "Mean confidence",
    "in_words": "In words",
    **headings(_SHARES, "%"),
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
        _show_equity(found.equity)


def _listed(sentences: Iterable[str]) -> str:
    return "\n".join(f"- {plain(sentence)}" for sentence in sentences)


def _show_report(report: Report, contract: Contract) -> None:
    place = contract.fields[contract.market.roles.location].label
    for title, frame, key in (
        ("By confidence", report.bands, "csv_by_confidence"),
        ("By price", report.by_price, "csv_by_price"),
        (
            f"By {place.lower()}, the ranges that hold least first",
            report.by_location,
            "csv_by_place",
        ),
    ):
        if frame.empty:
            continue
        st.markdown(f"**{plain(title)}**")
        table = _percents(frame)
        st.dataframe(table, hide_index=True, key=key, alt=title)
        download("This table (CSV)", table, key=f"{key}_figures")


def _show_equity(study: pd.DataFrame) -> None:
    st.markdown("**Fairness to cheap and dear homes**")
    st.dataframe(
        equity_told(study), hide_index=True, key="csv_equity", placeholder="", alt="The ratio study"
    )
    st.caption(
        "The ratio study by which assessors judge values: each value divided by its price. What is "
        "good is reached where the 90 % interval touches it."
    )
    figures = in_words(study.drop(columns="group"), _HEADERS)
    download("This table (CSV)", figures, key="csv_equity_figures")


def equity_told(study: pd.DataFrame) -> pd.DataFrame:
    """Write a ratio study of all houses for people, a row a figure.

    Parameters
    ----------
    study : DataFrame
        From :func:`houseprice.model.measuring.ratio_study.ratio_study`.
    """
    rows = []
    for each in study.to_dict("records"):
        figure = str(each["figure"])
        here, low, high = (written(figure, each[end], "") for end in ("value", "low", "high"))
        known = not pd.isna(each["met"])
        rows.append(
            {
                "What is measured": leaning(figure),
                "Here": here if known else "",
                "90 % interval": f"{low} to {high}" if known else "",
                "Good": f"{each['accepted_low']:g} to {each['accepted_high']:g}",
                "Reached": ("yes" if each["met"] else "no") if known else "can't be told",
            }
        )
    return pd.DataFrame(rows)


def _percents(frame: pd.DataFrame) -> pd.DataFrame:
    shares = {name: (100 * frame[name]).round(1) for name in (*_SHARES, "share") if name in frame}
    kept = frame.assign(**shares).drop(columns=["lower", "upper"], errors="ignore")
    if "confidence" in kept:
        kept["confidence"] = kept["confidence"].round(0)
    return in_words(kept, _HEADERS)
