"""The few figures that matter: what each means, and whether it reaches what is accepted."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd
import streamlit as st

from houseprice.backend.base import About
from houseprice.market.contract import Contract
from houseprice.model.measuring.good import GOOD, WHOSE
from houseprice.model.measuring.words import BASELINES, headings, in_words, meaning, short, written
from houseprice.ui.accuracy import how_measured
from houseprice.ui.charts import standing as charts_standing
from houseprice.ui.findings.model import guesses_finding
from houseprice.ui.model.study import card_of
from houseprice.ui.offers import offered
from houseprice.ui.panel import download, panel
from houseprice.ui.plain_text import plain

__all__ = ["figures_table", "guesses", "show_in_short", "standing"]

_FIRST = (
    "median_ape", "within_10", "within_20", "coverage_90", "width_90", "median_ratio", "cod", "prd",
    "prb",
)  # fmt: skip
_MORE = (
    "within_5", "mean_ape", "bias", "mae", "rmse", "rmsle", "r2", "coverage_68", "width_68",
    "coverage_80", "width_80", "mki", "vei",
)  # fmt: skip


def show_in_short(about: About, contract: Contract) -> None:
    """Draw the figures, the model beside simple guesses, and the rest as a table."""
    st.markdown(plain(how_measured(about)))
    metrics = about.metrics
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
    if offered(about, "card"):
        _beside_guesses(card_of(about.model_version).facts.get("report"))


def standing(metric: str, value: float) -> str:
    """Say whether a figure reaches its accepted range; "" where there is none."""
    if metric not in GOOD:
        return ""
    low, high = GOOD[metric]
    return "reached" if low <= value <= high else "not reached"


def figures_table(metrics: Mapping[str, float], symbol: str) -> pd.DataFrame:
    """All figures with their meaning, as people read them."""
    return pd.DataFrame(
        [
            {
                "Figure": in_words(name),
                "Value": written(name, metrics[name], symbol),
                "Accepted": _accepted(name),
                "Reached": {"reached": "yes", "not reached": "no"}.get(
                    standing(name, metrics[name]), ""
                ),
                "What it says": meaning(name),
            }
            for name in (*_FIRST, *_MORE)
            if name in metrics
        ]
    )


def guesses(report: Mapping[str, Any]) -> pd.DataFrame:
    """The typical error of the model and of simple guesses: estimate, median_ape, within_10."""
    found = {"This model": report["metrics"]} | {
        BASELINES.get(name, name.replace("_", " ").capitalize()): measured
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
        st.metric(short(name), written(name, value, symbol).replace("-", "−"))
        st.markdown(plain(meaning(name)))
        st.space("stretch")
        reached = standing(name, value)
        if reached:
            told = f"Accepted: {_accepted(name)}"
            if reached == "reached":
                st.badge(told, icon=":material/check:", color="green")
            else:
                st.badge(f"{told}, not reached", icon=":material/close:", color="orange")
            st.caption(f"That is {WHOSE[name]}.")


def _accepted(name: str) -> str:
    if name not in GOOD:
        return ""
    low, high = (written(name, end, "") for end in GOOD[name])
    return f"up to {high}" if GOOD[name][0] == 0 else f"{low} to {high}"


def _beside_guesses(report: Mapping[str, Any] | None) -> None:
    if report is None or not report["baselines"]:
        return
    frame = guesses(report)
    st.subheader("Is it better than a simple guess?", anchor=False)
    panel(
        guesses_finding(frame),
        charts_standing.beside_guesses(frame),
        frame,
        key="model_guesses",
        headers={
            "estimate": "Estimate",
            **headings(("median_ape", "within_10"), "share"),
        },
    )
