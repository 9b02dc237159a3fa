"""A valued table compared: its total, its drift from the market's sales, and its sale prices."""

from __future__ import annotations

from collections.abc import Iterable

import pandas as pd
import streamlit as st

from houseprice.formatting import display_step
from houseprice.market.contract import Contract
from houseprice.market.profile.drift import DriftReport, detect_drift
from houseprice.market.sales import Market
from houseprice.model.report import Report
from houseprice.model.standards import column_labels, detailed_label, format_metric
from houseprice.tables.portfolio import Portfolio
from houseprice.tables.price_comparison import PriceComparison, compare_prices
from houseprice.ui.charts.panel import panel, readable_headers
from houseprice.ui.charts.style import money_cells
from houseprice.ui.charts.uploads import prices_chart
from houseprice.ui.csv.upload import ValuedUpload
from houseprice.ui.layout import escape, show_table
from houseprice.ui.session import backend

_VISIBLE_DRIFTS = 8
_TOTAL_HEADERS = {"houses": "Houses", "total": "Total value", "low": "From", "high": "To"}
_DRIFT_HEADERS = {
    "field": "Field",
    "finding": "Finding",
    "blank_here": "Missing, yours (%)",
    "blank_sales": "Missing, sales (%)",
    "median_here": "Median, yours",
    "median_sales": "Median, sales",
    "shift_iqr": "Shift of the median (IQR)",
    "levels_apart": "Difference of the shares (%)",
    "new_levels": "New levels",
}
_SHARES = (
    "median_ape", "within_10", "within_20", "coverage_68", "coverage_90", "width_90",
)  # fmt: skip
_REPORT_HEADERS = {
    "band": "Confidence",
    "values": "Houses",
    "sales": "Houses",
    "share": "Of all (%)",
    "confidence": "Mean confidence",
    **column_labels(_SHARES, "%"),
}


def show_totals(total: Portfolio | None, contract: Contract) -> None:
    """Show the total value with its range, and the totals by market area."""
    st.subheader("Total value", anchor=False)
    if total is None:
        st.markdown("No house has a value yet, so there is no total.")
        return
    # The sentence about a total with a range is above the tabs.
    st.markdown(escape(total.sentence if total.low is None else total.why))
    location = contract.field_of("location")
    if location is None:
        return
    amounts = ["total", "low", "high"] if total.low is not None else ["total"]
    frame = total.by_location[["location", "houses", *amounts]]
    steps = frame["total"].map(lambda value: display_step(value, float("nan")))
    rounded = frame.assign(**{name: (frame[name] / steps).round() * steps for name in amounts})
    headers = {**_TOTAL_HEADERS, "location": location.label}
    money = st.column_config.NumberColumn(format=money_cells(contract))
    show_table(
        rounded.rename(columns=headers),
        key="csv_places",
        alt=f"The total value by {location.label.lower()}",
        columns={headers[name]: money for name in amounts},
        data=frame.rename(columns=headers),
    )
    if total.low is not None:
        st.caption(
            "The ranges of the areas do not add up to the range of the total, because errors of "
            "different areas partly cancel out."
        )


def show_drift(result: ValuedUpload, market: Market) -> None:
    """Show how the houses differ from the sales that the model learned from."""
    drift: DriftReport = result.cached(
        "drift", lambda: detect_drift(result.table.readable_rows, market)
    )
    st.subheader("Drift from the market's sales", anchor=False)
    st.markdown(escape(drift.summary))
    for sentence in drift.sentences[:_VISIBLE_DRIFTS]:
        st.markdown(f":orange[:material/warning:] {escape(sentence)}")
    if drift.fields.empty:
        return
    with st.expander(f"All {len(drift.fields):,} fields"):
        frame = drift_frame(drift)
        show_table(frame, key="csv_drift", alt="The drift of each field", data=frame)


def drift_frame(drift: DriftReport) -> pd.DataFrame:
    """Return the drift of each field with readable headers and percentages."""
    shares = ["blank_here", "blank_sales", "levels_apart"]
    frame = drift.fields.assign(
        verdict=drift.fields["verdict"].str.capitalize(),
        **{name: (100 * drift.fields[name].astype(float)).round(1) for name in shares},
        shift_iqr=drift.fields["shift_iqr"].astype(float).round(2),
    )
    order = ["field", "verdict", "finding", "blank_here", "blank_sales", "median_here"]
    order += ["median_sales", "shift_iqr", "levels_apart", "new_levels"]
    return readable_headers(frame[order], _DRIFT_HEADERS)


def show_accuracy(result: ValuedUpload, market: Market) -> None:
    """Compare the values with the sale prices of the table, as an evaluation does."""
    contract, price = market.contract, market.contract.market.price
    # Takes half a minute for a table of the maximum size.
    with st.spinner("Comparing the values with the prices…"):
        comparison: PriceComparison | None = result.cached(
            "prices", lambda: compare_prices(result.table, result.scored, market, backend())
        )
    if comparison is None:
        st.info(
            f"To measure the accuracy, add a column {escape(price.column)} "
            f"({escape(price.label.lower())}) to the table and upload it again. It is not used for "
            "the valuation.",
            icon=":material/price_check:",
        )
        return
    caption, *sentences = comparison.sentences
    panel(prices_chart(comparison.houses, caption, contract), key="csv_against")
    st.markdown(_bullets(sentences))
    st.subheader("Evaluation of this table", anchor=False)
    st.markdown(_bullets(comparison.figures["in_words"]))
    if comparison.report is not None:
        _show_report(comparison.report, contract)
    if not comparison.equity.empty:
        _show_equity(comparison.equity)


def _bullets(sentences: Iterable[str]) -> str:
    return "\n".join(f"- {escape(sentence)}" for sentence in sentences)


def _show_report(report: Report, contract: Contract) -> None:
    location = contract.field_of("location")
    place = location.label.lower() if location else "location"
    for title, frame, key in (
        ("By confidence", report.bands, "csv_by_confidence"),
        ("By price", report.by_price, "csv_by_price"),
        (f"By {place}, lowest coverage first", report.by_location, "csv_by_place"),
    ):
        if frame.empty:
            continue
        st.markdown(f"**{escape(title)}**")
        table = _in_percent(frame)
        show_table(table, key=key, alt=title, data=table)


def _in_percent(frame: pd.DataFrame) -> pd.DataFrame:
    shares = {name: (100 * frame[name]).round(1) for name in (*_SHARES, "share") if name in frame}
    table = frame.assign(**shares).drop(columns=["lower", "upper"], errors="ignore")
    if "confidence" in table:
        table["confidence"] = table["confidence"].round(0)
    return readable_headers(table, _REPORT_HEADERS)


def _show_equity(study: pd.DataFrame) -> None:
    st.markdown("**Equity (ratio study)**")
    data = readable_headers(study.drop(columns="group"))
    show_table(equity_frame(study), key="csv_equity", alt="Ratio study", data=data)
    st.caption(
        "The ratio study is how assessors judge values: each value is divided by its sale price. A "
        "figure meets the standard if its 90 % interval overlaps the accepted range."
    )


def equity_frame(study: pd.DataFrame) -> pd.DataFrame:
    """Return a ratio study (``model.ratio_study``) as a table for readers, one figure per row."""
    rows = []
    for row in study.to_dict("records"):
        name = str(row["figure"])
        value, low, high = (format_metric(name, row[key], "") for key in ("value", "low", "high"))
        is_known = not pd.isna(row["met"])
        rows.append(
            {
                "Figure": detailed_label(name),
                "Value": value if is_known else "",
                "90 % interval": f"{low} to {high}" if is_known else "",
                "Accepted": f"{row['accepted_low']:g} to {row['accepted_high']:g}",
                "Met": ("yes" if row["met"] else "no") if is_known else "not known",
            }
        )
    return pd.DataFrame(rows)
