"""The few figures that matter: what each means, and whether it reaches what is accepted.

Whether ranges and confidence keep their word, and the assessors' ratio study.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd
import streamlit as st

from houseprice.backend.base import BackendInfo
from houseprice.market.contract import Contract
from houseprice.model.standards import (
    BASELINE_LABELS,
    STANDARD_SOURCES,
    STANDARDS,
    format_metric,
    metric_help,
    metric_label,
    short_label,
)
from houseprice.ui.charts.panel import download, panel
from houseprice.ui.charts.performance import (
    baselines_chart,
    calibration_chart,
    confidence_chart,
    ratio_study_chart,
)
from houseprice.ui.layout import escape, is_supported, measurement_note
from houseprice.ui.performance.held_out import card_of
from houseprice.ui.session import study_of

__all__ = [
    "figures_table",
    "guesses",
    "report_frame",
    "show_confidence",
    "show_in_short",
    "show_ranges",
    "show_ratio_study",
    "standing",
]

_FIRST = (
    "median_ape", "within_10", "within_20", "coverage_90", "width_90", "median_ratio", "cod", "prd",
    "prb",
)  # fmt: skip
_MORE = (
    "within_5", "mean_ape", "bias", "mae", "rmse", "rmsle", "r2", "coverage_68", "width_68",
    "coverage_80", "width_80", "mki", "vei",
)  # fmt: skip


def show_in_short(info: BackendInfo, contract: Contract) -> None:
    """Draw the figures, the model beside simple guesses, and the rest as a table."""
    st.markdown(escape(measurement_note(info)))
    metrics = info.metrics
    if metrics:
        symbol = contract.market.price.symbol
        with st.grid("auto", min_column_width=250):
            for name in (name for name in _FIRST if name in metrics):
                _card(name, metrics[name], symbol)
        table = figures_table(metrics, symbol)
        with st.expander(f"All {len(table)} figures"):
            st.dataframe(
                table, hide_index=True, key="model_figures", alt="All figures of the model",
                column_config={
                    "Value": st.column_config.TextColumn(alignment="right"),
                    "What it says": st.column_config.TextColumn(width="large"),
                },
            )  # fmt: skip
            download("These figures", table, key="model_figures_file")
    if is_supported(info, "card"):
        _beside_guesses(card_of(info.model_version).data.get("report"))


def standing(metric: str, value: float) -> str:
    """Say whether a figure reaches its accepted range; "" where there is none."""
    if metric not in STANDARDS:
        return ""
    low, high = STANDARDS[metric]
    return "reached" if low <= value <= high else "not reached"


def figures_table(metrics: Mapping[str, float], symbol: str) -> pd.DataFrame:
    """All figures with their meaning, as people read them."""
    return pd.DataFrame(
        [
            {
                "Figure": metric_label(name),
                "Value": format_metric(name, metrics[name], symbol),
                "Accepted": _accepted(name),
                "Reached": {"reached": "yes", "not reached": "no"}.get(
                    standing(name, metrics[name]), ""
                ),
                "What it says": metric_help(name),
            }
            for name in (*_FIRST, *_MORE)
            if name in metrics
        ]
    )


def guesses(report: Mapping[str, Any]) -> pd.DataFrame:
    """The typical error of the model and of simple guesses: estimate, median_ape, within_10."""
    found = {"This model": report["metrics"]} | {
        BASELINE_LABELS.get(name, name.replace("_", " ").capitalize()): measured
        for name, measured in report["baselines"].items()
    }
    rows = [
        {"estimate": name} | {each: measured.get(each) for each in ("median_ape", "within_10")}
        for name, measured in found.items()
    ]
    frame = pd.DataFrame(rows).dropna()
    return pd.concat([frame.head(1), frame.iloc[1:].sort_values("median_ape")], ignore_index=True)


def _card(name: str, value: float, symbol: str) -> None:
    with st.container(border=True, height="stretch"):
        st.metric(short_label(name), format_metric(name, value, symbol).replace("-", "−"))
        st.markdown(escape(metric_help(name)))
        st.space("stretch")
        reached = standing(name, value)
        if reached:
            told = f"Accepted: {_accepted(name)}"
            if reached == "reached":
                st.badge(told, icon=":material/check:", color="green")
            else:
                st.badge(f"{told}, not reached", icon=":material/close:", color="orange")
            st.caption(f"That is {STANDARD_SOURCES[name]}.")


def _accepted(name: str) -> str:
    if name not in STANDARDS:
        return ""
    low, high = (format_metric(name, end, "") for end in STANDARDS[name])
    return f"up to {high}" if STANDARDS[name][0] == 0 else f"{low} to {high}"


def _beside_guesses(report: Mapping[str, Any] | None) -> None:
    if report is None or not report["baselines"]:
        return
    frame = guesses(report)
    st.subheader("Is it better than a simple guess?", anchor=False)
    panel(baselines_chart(frame), key="model_guesses")


def show_ranges(info: BackendInfo) -> None:
    """Draw what ranges hold against what they promise."""
    if not is_supported(info, "study"):
        return
    study = study_of(info.model_version)
    if study.calibration.empty:
        st.info("This version was trained without its study. Train a new one: houseprice train.")
        return
    sales = len(study.held_out)
    panel(calibration_chart(study.calibration, sales), key="model_calibration")
    st.caption(
        "**How to read it.** On the dotted line, a range holds just as many prices as it says. "
        "Below it, ranges are too narrow; above, wider than they need be. Within the grey band the "
        f"difference is no more than chance makes of {sales:,} sales."
    )


def show_confidence(info: BackendInfo) -> None:
    """Draw the realised error by confidence."""
    bands = report_frame(info, "confidence_bands")
    if bands.empty:
        return
    st.subheader("Can the confidence be relied on?", anchor=False)
    chart = confidence_chart(bands, report_frame(info, "fine_confidence_bands"))
    panel(chart, key="model_confidence")
    limits = ", ".join(
        f"{band} from {lower:.0f}" for band, lower in bands[["band", "lower"]].to_numpy()
    )
    st.caption(
        f"**How to read it.** Each value has a confidence from 0 to 100 ({limits}). If it means "
        "something, bars get shorter from bottom to top. Bars of a few values are only a hint."
    )


def show_ratio_study(info: BackendInfo) -> None:
    """Draw the assessors' figures on their accepted ranges."""
    study = report_frame(info, "ratio_study")
    study = study[study["value"].notna()] if len(study) else study
    if study.empty:
        return
    st.subheader("Is it fair, as assessors measure it?", anchor=False)
    panel(ratio_study_chart(study), key="model_ratio_study")
    st.caption(
        "**How to read it.** Each figure has its own scale; the band is what the standard accepts "
        "for homes of mixed age, the bar a 90 % interval. A figure is reached where its interval "
        "touches the band. A spread (COD) below 5 would be suspicious where values may copy the "
        "prices; these can't, so the lower the better."
    )


def report_frame(info: BackendInfo, table: str) -> pd.DataFrame:
    """A table of the evaluation report on the card; without one it says so, and has no rows."""
    if not is_supported(info, "card"):
        return pd.DataFrame()
    report = card_of(info.model_version).data.get("report")
    if report is None:
        st.info("The card of this version holds no evaluation report.")
        return pd.DataFrame()
    return pd.DataFrame(report.get(table, []))
