"""The tab that downloads the evidence pack of a period."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import partial

import streamlit as st

from houseprice.market.sales import Market
from houseprice.model.store.store import ModelStore
from houseprice.records.database import Database
from houseprice.records.evidence import Period, collect
from houseprice.records.ledger import Author, log_event
from houseprice.ui.session import records, settings


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
