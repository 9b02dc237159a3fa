"""Track record: saved values beside the prices of later sales, and what to do about it."""

import streamlit as st

from houseprice.ui.layout import error_boundary, escape, show_tabs
from houseprice.ui.records.fairness import show_fairness
from houseprice.ui.records.later_prices import show_later_prices
from houseprice.ui.records.retraining import show_retraining
from houseprice.ui.records.reviews import show_alarms, show_reviews
from houseprice.ui.records.track_record import (
    choose_period,
    read_report,
    show_evidence,
    show_groups,
    show_overview,
)
from houseprice.ui.session import author, market, may, settings

st.title("Track record")
who = author()
if who is None:
    st.info(
        "Only signed-in people, or the user of this computer, can save valuations.",
        icon=":material/lock:",
    )
else:
    with error_boundary("track_record"):
        since = choose_period()
        report = read_report(who, market(), since)
        st.markdown(f"**{escape(report.record.sentence)}**")
        if report.notes:
            st.warning(escape(" ".join(report.notes)), icon=":material/cloud_off:")
        if n_open := report.n_open_alarms:
            st.warning(
                "An alarm waits for an answer, under Alarms."
                if n_open == 1
                else f"{n_open:,} alarms wait for an answer, under Alarms.",
                icon=":material/notification_important:",
            )
        TABS = {
            "Overview": lambda: show_overview(report),
            "Later prices": lambda: show_later_prices(who, market()),
            "Groups": lambda: show_groups(report, market().contract),
            "Reviews": lambda: show_reviews(who, market(), report),
            "Alarms": lambda: show_alarms(who, report.alarms),
        }
        if may("see all"):
            TABS["Fairness"] = lambda: show_fairness(report, market().contract, since)
        if may("change models") and not settings().api_url:
            TABS["Retrain"] = lambda: show_retraining(who, market())
        if may("export evidence"):
            TABS["Evidence pack"] = lambda: show_evidence(who, market())
        show_tabs(TABS, key="record_tab", former_labels={})
