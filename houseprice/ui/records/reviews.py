"""The tabs of the track record about people: random reviews, and the answers to alarms."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd
import streamlit as st

from houseprice.formatting import percent, plural
from houseprice.market.sales import Market
from houseprice.records import alarms, reviews, valuations
from houseprice.records.alarms import ALARM_RATE
from houseprice.records.ledger import Author
from houseprice.records.report import LiveReport
from houseprice.records.text_tables import shares_text
from houseprice.records.texts import MAX_TEXT_CHARS
from houseprice.ui.charts.panel import readable_headers
from houseprice.ui.charts.style import money_cells
from houseprice.ui.house.state import house_frame, raw_row
from houseprice.ui.layout import error_boundary, escape, show_table, visitor_zone
from houseprice.ui.records.people import log_view_of_others
from houseprice.ui.records.saved import show_one
from houseprice.ui.session import backend, may, records

_VERDICTS = {"agree": "Agree", "too_high": "Too high", "too_low": "Too low"}
_COMPARABLE = ("price", "adjusted_price", "similarity", "sold", "differences")


def show_reviews(author: Author, market: Market, report: LiveReport) -> None:
    """Show the results of reviews, the next valuation to review, and the draw of a sample."""
    found = report.reviews
    st.markdown(
        "Valuations are drawn at random, in proportion to prices and areas. The draw is recorded, "
        "so no one can choose which are looked at."
    )
    if found.n_reviews:
        _show_results(found)
    else:
        st.info("There are no reviews yet.", icon=":material/rate_review:")
    if not may("review"):
        return
    waiting = reviews.open_reviews(records(), author.market, reviewer=author.person)
    if len(waiting):
        st.subheader(f"Next of {plural(len(waiting), 'open review')}", anchor=False)
        with error_boundary("review"):
            _show_next(author, market, waiting.iloc[0])
    with (
        st.popover("Draw a sample", icon=":material/casino:", key="record_draw"),
        error_boundary("draw"),
    ):
        size = st.number_input("Valuations", 1, reviews.MAX_SAMPLE, 20, key="record_sample_size")
        seed = st.number_input(
            "Seed", 0, 2**31, 0, key="record_seed", help="The same seed repeats a draw."
        )
        if st.button("Draw", key="record_draw_now"):
            drawn = reviews.draw_sample(records(), author, size, seed=seed)
            count = plural(len(drawn.valuations), "valuation")
            st.toast(f"Sample {drawn.number:,}: {count} of {drawn.n_eligible:,}.")
            st.rerun()


def _show_results(found: reviews.ReviewResults) -> None:
    st.markdown(f"**{plural(found.n_reviews, 'review')}**")
    alts = ("Verdicts of the reviews", "Agreement by reviewer")
    for column, alt, shares in zip(
        st.columns([2, 3]), alts, (found.shares, found.reviewers), strict=True
    ):
        with column:
            table = shares_text(shares)
            show_table(table, key=f"record_{shares.columns[0]}s", alt=alt, data=shares)


def _show_next(author: Author, market: Market, drawn: pd.Series) -> None:
    """Show a house with its value and comparables, and the verdict to give."""
    log_view_of_others(author, "Reviews")
    number, sample = int(drawn["valuation"]), int(drawn["sample"])
    saved = valuations.get(records(), author.market, number)
    show_one(saved, market)
    if saved["facts"] and "comparables" in backend().info().capabilities:
        with error_boundary("review_comparables"):
            rows = house_frame(raw_row(saved["facts"], market.contract))
            sales = backend().comparables(rows)
            st.markdown("**Comparables**")
            amount = st.column_config.NumberColumn(format=money_cells(market.contract))
            shown = readable_headers(sales[[name for name in _COMPARABLE if name in sales]])
            columns = {
                **{name: amount for name in ("Price", "Adjusted price") if name in shown},
                "Similarity": st.column_config.NumberColumn(format="%.0f %%"),
            }
            show_table(shown, key="review_comparables", alt="Comparable sales", columns=columns)
    verdict = st.radio(
        "The value is",
        list(_VERDICTS),
        format_func={"agree": "right", "too_high": "too high", "too_low": "too low"}.__getitem__,
        horizontal=True,
        key=f"record_verdict_{number}",
    )
    reason = st.text_input(
        "Why", key=f"record_reason_{number}", max_chars=MAX_TEXT_CHARS, live=True,
        placeholder="optional" if verdict == "agree" else "needed",
    )  # fmt: skip
    if st.button(
        "Record the review",
        key=f"record_review_{number}",
        disabled=verdict != "agree" and not reason.strip(),
    ):
        reviews.add_review(records(), author, number, verdict, reason, sample=sample)
        st.rerun()


def show_alarms(author: Author, found: pd.DataFrame) -> None:
    """Show what each alarm found, what to do, and what was done about it."""
    st.caption(
        "An alarm is raised when a version is less accurate than expected, or when the "
        "newest requests differ from its sales. However often the record is looked at, a model "
        "that is as accurate as expected raises one with a probability of at most "
        f"{percent(ALARM_RATE, 0)}."
    )
    if found.empty:
        st.success("No alarm.", icon=":material/check:")
    for alarm in found.to_dict("records"):
        with st.container(border=True), error_boundary(f"alarm_{alarm['entry']}"):
            _show_alarm(author, alarm)


def _show_alarm(author: Author, alarm: Mapping[Any, Any]) -> None:
    number, zone = int(alarm["entry"]), visitor_zone()
    icon = ":material/check:" if alarm["responses"] else ":orange[:material/warning:]"
    st.markdown(f"{icon} **{escape(alarm['message'])}**")
    st.markdown("\n".join(f"- {escape(advice)}" for advice in alarm["advice"]))
    st.caption(f"Alarm {number:,}, {alarm['created_at'].astimezone(zone):%-d %B %Y}")
    for each in alarm["responses"]:
        at = f"{each['at'].astimezone(zone):%-d %B %Y}"
        st.markdown(f"Done ({at}, {escape(each['person'])}): {escape(each['what'])}")
    if not may("change models"):
        return
    what = st.text_input("What was done", key=f"alarm_what_{number}", live=True)
    if st.button("Record it", key=f"alarm_respond_{number}", disabled=not what.strip()):
        alarms.respond(records(), author, number, what)
        st.rerun()
