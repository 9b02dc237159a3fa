"""Whether ranges and confidence keep their word, and the assessors' ratio study."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from houseprice.backend.base import About
from houseprice.model.measuring.words import headings, in_words
from houseprice.ui.charts import standing as charts_standing
from houseprice.ui.findings.model import calibration_finding, confidence_finding, ratio_finding
from houseprice.ui.model.study import card_of
from houseprice.ui.offers import offered
from houseprice.ui.panel import panel
from houseprice.ui.session import study_of

__all__ = ["report_frame", "show_confidence", "show_ranges", "show_ratio_study"]

_BANDS = {
    "band": "Confidence",
    "share": "Of all values (share)",
    "confidence": "Mean confidence",
    **headings(("median_ape", "within_10", "within_20", "coverage_68", "coverage_90"), "share"),
}


def show_ranges(about: About) -> None:
    """Draw what ranges hold against what they promise."""
    if not offered(about, "study"):
        return
    study = study_of(about.model_version)
    if study.calibration.empty:
        st.info("This version was trained without its study. Train a new one: houseprice train.")
        return
    sales = len(study.held_out)
    panel(
        calibration_finding(study.calibration, sales),
        charts_standing.calibration(study.calibration, sales),
        study.calibration,
        key="model_calibration",
        headers={
            "level": "Meant to hold (share of prices)",
            "observed": "Held (share of prices)",
            "width": "Average width (share of the value)",
        },
    )
    st.caption(
        "**How to read it.** On the dotted line, a range holds just as many prices as it says. "
        "Below it, ranges are too narrow; above, wider than they need be. Within the grey band the "
        f"difference is no more than chance makes of {sales:,} sales."
    )


def show_confidence(about: About) -> None:
    """Draw the realised error by confidence."""
    bands = report_frame(about, "confidence_bands")
    if bands.empty:
        return
    st.subheader("Can the confidence be relied on?", anchor=False)
    finer = report_frame(about, "fine_confidence_bands")
    panel(
        confidence_finding(bands),
        charts_standing.confidence(finer if len(finer) else bands),
        finer if len(finer) else bands,
        key="model_confidence",
        headers=_BANDS,
    )
    limits = ", ".join(
        f"{band} from {lower:.0f}" for band, lower in bands[["band", "lower"]].to_numpy()
    )
    st.caption(
        f"**How to read it.** Each value has a confidence from 0 to 100 ({limits}). If it means "
        "something, bars get shorter from bottom to top. Bars of a few values are only a hint."
    )


def show_ratio_study(about: About) -> None:
    """Draw the assessors' figures on their accepted ranges."""
    study = report_frame(about, "ratio_study")
    study = study[study["value"].notna()] if len(study) else study
    if study.empty:
        return
    st.subheader("Is it fair, as assessors measure it?", anchor=False)
    panel(
        ratio_finding(study),
        charts_standing.ratio_study(study),
        study.assign(figure=[in_words(name) for name in study["figure"]]),
        key="model_ratio_study",
        headers={
            "low": "From (90 % interval)",
            "high": "To (90 % interval)",
            "accepted_low": "Accepted from",
            "accepted_high": "Accepted to",
            "met": "Reached",
        },
    )
    st.caption(
        "**How to read it.** Each figure has its own scale; the band is what the standard accepts "
        "for homes of mixed age, the bar a 90 % interval. A figure is reached where its interval "
        "touches the band. A spread (COD) below 5 would be suspicious where values may copy the "
        "prices; these can't, so the lower the better."
    )


def report_frame(about: About, table: str) -> pd.DataFrame:
    """A table of the evaluation report on the card; without one it says so, and has no rows."""
    if not offered(about, "card"):
        return pd.DataFrame()
    report = card_of(about.model_version).facts.get("report")
    if report is None:
        st.info("The card of this version holds no evaluation report.")
        return pd.DataFrame()
    return pd.DataFrame(report.get(table, []))
