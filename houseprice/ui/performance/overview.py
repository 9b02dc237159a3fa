"""The tabs of the measured accuracy: Model performance, Interval calibration and equity."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd
import streamlit as st

from houseprice.backend.base import BackendInfo
from houseprice.market.contract import Contract
from houseprice.model.card import Card
from houseprice.model.standards import (
    BASELINE_LABELS,
    STANDARD_SOURCES,
    STANDARDS,
    format_metric,
    metric_help,
    metric_label,
    short_label,
)
from houseprice.ui.charts import performance as charts
from houseprice.ui.charts.panel import panel
from houseprice.ui.layout import escape, is_supported, measurement_note, show_table
from houseprice.ui.session import backend, by_version, study_of

_MAIN_METRICS = (
    "median_ape", "within_10", "coverage_90", "width_90", "median_ratio", "cod", "prd", "prb",
    "mki",
)  # fmt: skip
_OTHER_METRICS = (
    "within_5", "within_20", "mean_ape", "bias", "mae", "rmse", "rmsle", "r2", "coverage_68",
    "width_68", "coverage_80", "width_80", "vei",
)  # fmt: skip


def show_performance(info: BackendInfo, contract: Contract) -> None:
    """Show the metrics with their standards, and the model compared with baselines."""
    st.markdown(escape(measurement_note(info)))
    metrics, symbol = info.metrics, contract.market.price.symbol
    if metrics:
        has_card = "card" in info.capabilities
        by_price = _report_table(info, "ranges_by_price") if has_card else pd.DataFrame()
        st.markdown(verdict(metrics, by_price).replace("$", "\\$"))
        with st.grid("auto", min_column_width=250):
            for name in (name for name in _MAIN_METRICS if name in metrics):
                _show_metric(name, metrics[name], symbol)
        table = metrics_frame(metrics, symbol)
        with st.expander(f"All {len(table)} metrics"):
            text = st.column_config.TextColumn
            columns = {"Value": text(alignment="right"), "Meaning": text(width="large")}
            alt = "All metrics of the model"
            show_table(table, key="model", alt=alt, columns=columns, data=table)
    if is_supported(info, "card"):
        report = active_card().data.get("report")
        if report is not None and report["baselines"]:
            st.subheader("Comparison with baselines", anchor=False)
            panel(charts.baselines_chart(baseline_frame(report)), key="model_guesses")


def verdict(metrics: Mapping[str, float], by_price: pd.DataFrame) -> str:
    """Return in Markdown which standards the metrics meet, those that they do not meet first.

    ``by_price`` has the coverage of the 90 % interval by price; a low one is named, too.
    """
    names = [name for name in (*_MAIN_METRICS, *_OTHER_METRICS) if name in metrics]
    failed = [
        f"**{metric_label(name)}** {_format(name, metrics[name])}, standard {_standard(name)}"
        for name in names
        if standard_met(name, metrics[name]) is False
    ]
    met = [metric_label(name) for name in names if standard_met(name, metrics[name])]
    n_standards = len(met) + len(failed)
    if not n_standards:
        return ""
    lines = [f"### {len(met)} of {n_standards} standards are met"]
    if failed:
        lines.append(f":material/close: Not met: {'; '.join(failed)}.")
    if len(by_price) and (low := charts.low_coverage(by_price)):
        lines.append(
            ":material/close: The 90 % interval contains fewer prices than chance allows at "
            f"**{low}**."
        )
    if met:
        lines.append(f":material/check: Met: {', '.join(met)}.")
    return "\n\n".join(lines)


def _show_metric(name: str, value: float, symbol: str) -> None:
    with st.container(border=True, height="stretch"):
        st.metric(short_label(name), _format(name, value, symbol))
        st.markdown(escape(metric_help(name)))
        st.space("stretch")
        if name in STANDARDS:
            standard = f"Standard: {_standard(name)}"
            if standard_met(name, value):
                st.badge(standard, icon=":material/check:", color="green")
            else:
                st.badge(f"{standard}, not met", icon=":material/close:", color="orange")
            st.caption(f"This is {STANDARD_SOURCES[name]}.")


def standard_met(name: str, value: float) -> bool | None:
    """Return whether a metric is within its accepted range; None without a standard."""
    if name not in STANDARDS:
        return None
    low, high = STANDARDS[name]
    return low <= value <= high


def _standard(name: str) -> str:
    if name not in STANDARDS:
        return ""
    low, high = (_format(name, end) for end in STANDARDS[name])
    return f"up to {high}" if STANDARDS[name][0] == 0 else f"{low} to {high}"


def _format(name: str, value: float, symbol: str = "") -> str:
    return format_metric(name, value, symbol).replace("-", "−")


def metrics_frame(metrics: Mapping[str, float], symbol: str) -> pd.DataFrame:
    """Return all metrics with their standard and meaning, formatted for readers."""
    met = {True: "yes", False: "no", None: ""}
    return pd.DataFrame(
        [
            {
                "Metric": metric_label(name),
                "Value": _format(name, metrics[name], symbol),
                "Standard": _standard(name),
                "Met": met[standard_met(name, metrics[name])],
                "Meaning": metric_help(name),
            }
            for name in (*_MAIN_METRICS, *_OTHER_METRICS)
            if name in metrics
        ]
    )


def baseline_frame(report: Mapping[str, Any]) -> pd.DataFrame:
    """Return the accuracy of the model and of the baselines: estimate, median_ape, within_10."""
    estimates = {"This model": report["metrics"]} | {
        BASELINE_LABELS.get(name, name.replace("_", " ").capitalize()): metrics
        for name, metrics in report["baselines"].items()
    }
    rows = [
        {"estimate": name} | {metric: metrics.get(metric) for metric in ("median_ape", "within_10")}
        for name, metrics in estimates.items()
    ]
    frame = pd.DataFrame(rows).dropna()
    return pd.concat([frame.head(1), frame.iloc[1:].sort_values("median_ape")], ignore_index=True)


def show_calibration(info: BackendInfo, contract: Contract) -> None:
    """Show the coverage of the intervals, overall and by group, and the error by confidence."""
    _show_coverage(info)
    location = contract.field_of("location")
    tables = {"price": "ranges_by_price"}
    if location is not None:
        tables[location.label.lower()] = "ranges_by_location"
    for by, table in tables.items():
        groups = _report_table(info, table)
        if len(groups):
            st.subheader(f"Coverage by {by}", anchor=False)
            panel(charts.group_coverage_chart(groups, by), key=f"model_{table}")
    bands = _report_table(info, "confidence_bands")
    if bands.empty:
        return
    st.subheader("Error by confidence", anchor=False)
    chart = charts.confidence_chart(bands, _report_table(info, "fine_confidence_bands"))
    panel(chart, key="model_confidence")
    limits = ", ".join(
        f"{band} from {lower:.0f}" for band, lower in bands[["band", "lower"]].to_numpy()
    )
    st.caption(
        f"**How to read it.** Each value has a confidence from 0 to 100 ({limits}). If confidence "
        "is informative, the error decreases from bottom to top. Bars of few values are uncertain."
    )


def _show_coverage(info: BackendInfo) -> None:
    if not is_supported(info, "study"):
        return
    study = study_of(info.model_version)
    if study.calibration.empty:
        st.info("This version was saved without held-out values.")
        return
    n_sales = len(study.held_out)
    panel(charts.calibration_chart(study.calibration, n_sales), key="model_calibration")
    st.caption(
        "**How to read it.** On the dotted line, the observed coverage of an interval equals its "
        "nominal coverage. Below the line intervals are too narrow, above it wider than necessary. "
        f"Within the grey band the difference may be due to chance, given {n_sales:,} sales."
    )


def show_ratio_study(info: BackendInfo) -> None:
    """Show the statistics of the ratio study on their accepted ranges."""
    study = _report_table(info, "ratio_study")
    study = study[study["value"].notna()] if len(study) else study
    if study.empty:
        return
    st.subheader("Ratio study", anchor=False)
    panel(charts.ratio_study_chart(study), key="model_ratio_study")
    st.caption(
        "**How to read it.** Each statistic has its own scale. The band is the accepted range for "
        "homes of mixed age, the bar is a 90 % interval. A standard is met where the interval "
        "overlaps the band. A COD below 5 can indicate values that were copied from sale prices; "
        "these values are held out, so for them a lower COD is better."
    )


@by_version
def active_card() -> Card:
    """Return the model card of the version that answers."""
    return backend().card()


def _report_table(info: BackendInfo, table: str) -> pd.DataFrame:
    """Return a table of the evaluation report in the card; it is empty if there is none."""
    if not is_supported(info, "card"):
        return pd.DataFrame()
    report = active_card().data.get("report")
    if report is None:
        st.info("The model card of this version has no evaluation report.")
        return pd.DataFrame()
    return pd.DataFrame(report.get(table, []))
