"""The tabs of the track record about accuracy: the overview, groups, and the evidence pack."""

from __future__ import annotations

import math
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, date, datetime, timedelta
from functools import partial
from typing import Any

import streamlit as st

from houseprice.errors import HousePriceError
from houseprice.formatting import percent, plural, signed_percent
from houseprice.market.contract import Contract
from houseprice.market.sales import Market
from houseprice.model.ratio_study import MIN_GROUP_SIZE
from houseprice.model.standards import metric_help, short_label
from houseprice.model.store.store import ModelStore
from houseprice.records.database import Database
from houseprice.records.evidence import Period, collect
from houseprice.records.ledger import Author, last_entry, log_event
from houseprice.records.report import LiveReport, live_report
from houseprice.records.text_tables import groups_text
from houseprice.ui.charts.panel import panel
from houseprice.ui.charts.performance import ratio_study_chart
from houseprice.ui.charts.track_record import error_by_period_chart
from houseprice.ui.layout import choose_option, escape, show_table
from houseprice.ui.records.saved import SOURCES
from houseprice.ui.session import backend, records, settings

_REPORT = "record_report"
_DAYS = {"All": None, "Last 12 months": 365, "Last 90 days": 90}
GROUPS_CAPTION = (
    f"Intervals are of 95 %; the download has those of all figures. Groups below {MIN_GROUP_SIZE} "
    "later sales have no figures. Expected is the mean level of the ranges."
)


def choose_period() -> date | None:
    """Draw the choice of the period of sales; return its first day, None for all."""
    chosen = choose_option("Sold", list(_DAYS), "All", "record_period")
    days = _DAYS[chosen]
    return None if days is None else datetime.now(UTC).date() - timedelta(days=days)


def read_report(author: Author, market: Market, since: date | None) -> LiveReport:
    """Return the report on the sales since a day; it is computed again when a record is added."""
    version = ""
    with suppress(HousePriceError):  # the notes of the report say why
        version = backend().info().model_version
    key = (author.market, since, version)
    kept, n_entries, report = st.session_state.get(_REPORT, (None, 0, None))
    if report is None or report.notes or (kept, n_entries) != (key, last_entry(records())):
        with st.spinner("Computing the track record…"):
            report = live_report(records(), author, market, backend, since=since)
        # The report itself may add an alarm.
        st.session_state[_REPORT] = key, last_entry(records()), report
    computed: LiveReport = report
    return computed


def show_overview(report: LiveReport) -> None:
    """Show each figure with its expected value, the error over time, and the ratio study."""
    record = report.record
    with st.grid("auto", min_column_width=230):
        for row in record.figures.dropna(subset=["value"]).to_dict("records"):
            _show_figure(row)
    if record.n_added_later:
        st.caption(
            f"Of {plural(record.n_sales, 'value')}, {record.n_added_later:,} were saved on the day "
            "of the sale or later: they are no proof that the price was not known."
        )
    if record.n_sales < MIN_GROUP_SIZE:
        st.info(
            "Save the value of a house or a table when it is valued, and add the price under Later "
            f"prices when it is sold. Accuracy is shown from {MIN_GROUP_SIZE} later prices on.",
            icon=":material/price_check:",
        )
        return
    st.subheader("Error over time", anchor=False)
    panel(error_by_period_chart(report.pairs, expected_error(report)), key="record_error")
    study = record.equity
    if len(study := study[study["value"].notna()]):
        st.subheader("Ratio study", anchor=False)
        panel(ratio_study_chart(study), key="record_ratio_study")


def expected_error(report: LiveReport) -> float:
    """Return the median absolute error at training; NaN if it is not known."""
    figures = report.record.figures.set_index("figure")["expected"]
    return float(figures.get("median_ape", math.nan))


def _show_figure(row: Mapping[Any, Any]) -> None:
    name, cases = str(row["figure"]), int(row["cases"])
    with st.container(border=True, height="stretch"):
        st.metric(short_label(name), _share(name, row["value"]))
        low, high = (_share(name, row[end]) for end in ("low", "high"))
        st.markdown(f"{low} to {high} (95 % interval, {plural(cases, 'case')})")
        st.caption(escape(metric_help(name)))
        st.space("stretch")
        if not math.isnan(row["expected"]):
            expected, finding = f"Expected: {_share(name, row['expected'])}", row["finding"]
            if finding == "worse":
                st.badge(f"{expected}, not reached", icon=":material/close:", color="orange")
            elif finding in ("as expected", "better"):
                st.badge(expected, icon=":material/check:", color="green")
            else:
                st.badge(expected, color="gray")


def _share(name: str, value: float) -> str:
    return signed_percent(value) if name == "bias" else percent(value)


def show_groups(report: LiveReport, contract: Contract) -> None:
    """Show the figures of each group of one grouping."""
    location = contract.field_of("location")
    names = {
        "version": "Version of the model",
        "month": "Month of sale",
        "area": location.label if location else "Area",
        "price": "Price (fifths)",
        "source": "Entrance",
    }
    groups = report.record.groups
    if groups.empty:
        st.info("There are no later prices yet, so there are no groups.", icon=":material/groups:")
        return
    options = [name for name in names if (groups["by"] == name).any()]
    by = choose_option("By", options, options[0], "record_by", names.__getitem__)
    shown = groups[groups["by"] == by]
    table = groups_text(shown.assign(group=shown["group"].replace(SOURCES)), names[by])
    show_table(table, key=f"record_by_{by}", alt=f"The figures by {names[by]}", data=shown)
    st.caption(f"{GROUPS_CAPTION} With many groups, some differ by chance.")


def show_evidence(who: Author, market: Market) -> None:
    """Draw the choice of the period and the download, which is an event in the log."""
    st.markdown(
        "One page, to print or to save as a PDF, and the tables behind it: track record, fairness, "
        "reviews, alarms and what was done, data lineage, tests before use, model cards and log of "
        "a period, by the five points of the quality control rule for automated valuation models."
    )
    today = datetime.now(UTC).date()
    with st.container(horizontal=True, vertical_alignment="bottom"):
        since = st.date_input("First day", today.replace(month=1, day=1), key="evidence_since")
        until = st.date_input("Last day", today, key="evidence_until")
        # The download has no session: it gets what belongs to this one.
        database, store = records(), ModelStore.from_settings(settings())
        st.download_button(
            "Download the evidence pack",
            partial(evidence_zip, database, who, market, store, Period(since, until)),
            file_name=f"evidence-{since}-{until}.zip",
            mime="application/zip",
            key="evidence_pack",
            disabled=until < since,
            on_click="ignore",
            icon=":material/folder_zip:",
        )
    if until < since:
        st.error("The last day is before the first.", icon=":material/event_busy:")


def evidence_zip(
    database: Database, who: Author, market: Market, store: ModelStore, period: Period
) -> bytes:
    """Return the evidence pack of a period as an archive, and log that it was exported."""
    content = collect(database, market, store, period).to_zip()
    log_event(database, who, "export", f"evidence pack, {period}")
    return content
