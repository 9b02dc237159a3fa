"""The houses of a table taken together, and how they differ from the market's sales.

The values of a table beside the prices in it: the evaluation report, for this file.
"""

from __future__ import annotations

from collections.abc import Iterable

import pandas as pd
import streamlit as st

from houseprice.backend.base import BackendInfo
from houseprice.formatting import display_step
from houseprice.market.contract import Contract
from houseprice.model.report import Report
from houseprice.model.standards import column_labels, detailed_label, format_metric
from houseprice.tables.drift import DriftReport
from houseprice.tables.portfolio import Portfolio, sum_portfolio
from houseprice.tables.price_comparison import PriceComparison
from houseprice.tables.scoring import ScoredTable
from houseprice.tables.table import Table
from houseprice.ui.charts.panel import download, panel, readable_headers
from houseprice.ui.charts.uploads import prices_chart
from houseprice.ui.csv.upload import kept
from houseprice.ui.layout import escape

__all__ = [
    "drifted_fields",
    "equity_told",
    "show_against_prices",
    "show_drift",
    "show_totals",
    "together",
]

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


def together(
    table: Table, scored: ScoredTable, info: BackendInfo, contract: Contract
) -> Portfolio | None:
    """The houses of the present result taken together; none if none has a value."""
    return kept("totals", lambda: sum_portfolio(table, scored, contract, info.metrics))


def show_totals(total: Portfolio | None, contract: Contract) -> None:
    """The sum of the values with its range, and by market area."""
    st.subheader("All houses together", anchor=False)
    if total is None:
        st.markdown("No house has a value yet, so there is no sum.")
        return
    # With a range, the sentence stands above all tabs.
    st.markdown(escape(total.sentence if total.low is None else total.why))
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
    steps = frame["total"].map(lambda value: display_step(value, float("nan")))
    return frame.assign(**{name: (frame[name] / steps).round() * steps for name in amounts})


def show_drift(found: DriftReport) -> None:
    """How the table differs from the sales: a warning at the most, never a refusal."""
    st.subheader("Beside the sales that values are learned from", anchor=False)
    st.markdown(escape(found.summary))
    for sentence in found.sentences[:_FIRST]:
        st.markdown(f":orange[:material/warning:] {escape(sentence)}")
    if found.fields.empty:
        return
    with st.expander(f"All {len(found.fields):,} facts compared"):
        frame = drifted_fields(found)
        st.dataframe(
            frame, hide_index=True, key="csv_drift", placeholder="", alt="Your houses by fact"
        )
        download("This table (CSV)", frame, key="csv_drift_figures")


_FIRST = 8


def drifted_fields(found: DriftReport) -> pd.DataFrame:
    """The comparison by field with headers and figures that people read."""
    shares = ["blank_here", "blank_sales", "levels_apart"]
    frame = found.fields.assign(
        verdict=found.fields["verdict"].str.capitalize(),
        **{name: (100 * found.fields[name].astype(float)).round(1) for name in shares},
        shift_iqr=found.fields["shift_iqr"].astype(float).round(2),
    )
    order = ["field", "verdict", "finding", "blank_here", "blank_sales", "median_here"]
    order += ["median_sales", "shift_iqr", "levels_apart", "new_levels"]
    return readable_headers(frame[order], _HEADERS)


_SHARES = (
    "median_ape", "within_10", "within_20", "coverage_68", "coverage_90", "width_90",
)  # fmt: skip
_PRICES_HEADERS = {
    "band": "Confidence",
    "group": "Group",
    "values": "Houses",
    "sales": "Houses",
    "share": "Of all (%)",
    "confidence": "Mean confidence",
    "in_words": "In words",
    **column_labels(_SHARES, "%"),
}


def show_against_prices(found: PriceComparison | None, contract: Contract) -> None:
    """Show how close the values come to the prices that the table has."""
    price = contract.market.price
    if found is None:
        st.info(
            f"To hold the values against prices, give the table a column {escape(price.column)} "
            f"({escape(price.label.lower())}), and upload it again. It is never used for valuing.",
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
    return "\n".join(f"- {escape(sentence)}" for sentence in sentences)


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
        st.markdown(f"**{escape(title)}**")
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
    figures = readable_headers(study.drop(columns="group"), _PRICES_HEADERS)
    download("This table (CSV)", figures, key="csv_equity_figures")


def equity_told(study: pd.DataFrame) -> pd.DataFrame:
    """Write a ratio study of all houses for people, a row a figure.

    Parameters
    ----------
    study : DataFrame
        From :func:`houseprice.model.ratio_study.ratio_study`.
    """
    rows = []
    for each in study.to_dict("records"):
        figure = str(each["figure"])
        here, low, high = (format_metric(figure, each[end], "") for end in ("value", "low", "high"))
        known = not pd.isna(each["met"])
        rows.append(
            {
                "What is measured": detailed_label(figure),
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
    return readable_headers(kept, _PRICES_HEADERS)
