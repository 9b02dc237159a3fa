"""The versions of the model, and two of them held against each other.

What was tried for the model, kept and dropped, to be searched.
"""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd
import streamlit as st

from houseprice.backend.base import Backend, BackendInfo, VersionInfo
from houseprice.market.contract import Contract
from houseprice.market.sales import EXPERIMENT_METRICS, Market, load_experiments
from houseprice.model.gate import compare_versions, incomparable_reason
from houseprice.model.standards import short_label
from houseprice.ui.charts.panel import download, panel
from houseprice.ui.charts.performance import versions_chart
from houseprice.ui.layout import is_supported
from houseprice.ui.session import study_of

__all__ = ["chosen", "show_tried", "show_versions", "versions_table"]

_SHOWN = ("median_ape", "within_10", "rmsle", "coverage_90", "width_90")


def show_versions(backend: Backend, info: BackendInfo, contract: Contract) -> None:
    """List the versions, and compare two of them on the same sales."""
    if not is_supported(info, "study"):
        return
    known = backend.versions()
    st.dataframe(
        versions_table(known),
        hide_index=True,
        key="model_versions",
        alt="The versions of the model",
        column_config={
            "Trained": st.column_config.DatetimeColumn(format="D MMM YYYY, HH:mm"),
            "Sales": st.column_config.NumberColumn(format="%,d"),
            short_label("rmsle"): st.column_config.NumberColumn(format="%.4f"),
            **{
                short_label(name): st.column_config.NumberColumn(format="%.1f %%")
                for name in _SHOWN
                if name != "rmsle"
            },
        },
    )
    if len(known) < 2:
        st.info(
            "There is one version so far, so there is nothing to compare it with. Train another "
            "with `houseprice train` (after new sales, say, or a change of the contract): it is "
            "kept beside this one, and `houseprice models` lists both.",
            icon=":material/model_training:",
        )
        return
    st.subheader("Two versions on the same sales", anchor=False)
    names = [each.model_version for each in known]
    answering = next((each.model_version for each in known if each.is_answering), names[0])
    left, right = st.columns(2)
    first = left.selectbox(
        "Compare", names, index=names.index(answering), key="version", bind="query-params",
        persist_state="session",
    )  # fmt: skip
    others = [name for name in names if name != first]
    second = right.selectbox("with", others, key="other_version")
    _show_versus(first, second, contract)


def versions_table(known: Sequence[VersionInfo]) -> pd.DataFrame:
    """The versions with the figures that are most asked for."""
    return pd.DataFrame(
        [
            {
                "Version": each.model_version,
                "Answers": each.is_answering,
                "Trained": each.trained_at,
                "Sales": each.n_sales,
                **{short_label(name): _shown(name, each.metrics.get(name)) for name in _SHOWN},
            }
            for each in known
        ]
    )


def _shown(name: str, value: float | None) -> float | None:
    return value if value is None or name == "rmsle" else 100 * value


def _show_versus(first: str, second: str, contract: Contract) -> None:
    one, other = study_of(first).held_out, study_of(second).held_out
    hindered = incomparable_reason(one, other)
    if hindered:
        st.warning(
            f"{first} and {second} can't be compared sale by sale. {hindered} Their own figures "
            "stand in the table above.",
            icon=":material/compare_arrows:",
        )
        return
    found = compare_versions(one, other, contract.market.price.symbol)
    panel(versions_chart(found.groups, first, second), key="model_versus")
    st.caption(
        f"**How to read it.** Left of the dotted line {first} is closer to the prices, right of it "
        f"{second}; a bar that crosses the line decides nothing. Both versions valued each sale by "
        "a model that had learned from the same other sales. The difference of their errors is "
        "taken sale by sale, which is far sharper than to compare two averages; the bar is what "
        "resampling of the sales makes of it."
    )


_PLAIN = {"rmsle": "%.4f", "winkler": "%.3f"}
"""How the figures are written that are no shares."""


def show_tried(market: Market) -> None:
    """Draw the table of experiments with its filters."""
    tried = load_experiments(market)
    if tried.empty:
        st.info(
            "Nothing is written down of what was tried for this market. A file `experiments.csv` "
            "in its folder would be shown here.",
            icon=":material/science:",
        )
        return
    parts = list(dict.fromkeys(tried["part"]))
    st.markdown(
        f"**{len(tried)}** experiments in {len(parts)} rounds; **{int(tried['kept'].sum())}** were "
        "kept. Metrics are those of held-out sales, for the first seed where there are several."
    )
    with st.container(horizontal=True, vertical_alignment="bottom"):
        part = st.selectbox("Round", ["All", *parts], key="tried_part", bind="query-params")
        word = st.text_input("Search", key="tried_word", placeholder="trees, penalty, ...")
        only = st.toggle("Only what was kept", key="tried_kept")
    found = chosen(tried, "" if part == "All" else part, word, only)
    st.caption(f"{len(found)} of {len(tried)} shown.")
    told = [name for name in EXPERIMENT_METRICS if found[name].notna().any()]
    table = found.assign(**{name: 100 * found[name] for name in told if name not in _PLAIN})[
        [*([] if part in parts else ["part"]), "tried", "kept", *told, "verdict"]
    ].rename(
        columns={"part": "Round", "tried": "What was tried", "kept": "Kept", "verdict": "Verdict"}
        | {name: short_label(name) for name in told}
    )
    st.dataframe(
        table,
        hide_index=True,
        key="tried_table",
        alt="What was tried for the model",
        placeholder="",
        height=min(620, 45 + 35 * max(1, len(table))),
        column_config={
            "What was tried": st.column_config.TextColumn(width="large"),
            "Verdict": st.column_config.TextColumn(width="medium"),
            **{
                short_label(name): st.column_config.NumberColumn(format=_PLAIN.get(name, "%.1f %%"))
                for name in told
            },
        },
    )
    download("This table", table, key="tried_file")


def chosen(tried: pd.DataFrame, part: str, word: str, only_kept: bool) -> pd.DataFrame:
    """The experiments of a round ("" for all) that hold every word, or only those kept."""
    keep = pd.Series(True, index=tried.index)
    if part:
        keep &= tried["part"] == part
    text = (tried["part"] + " " + tried["tried"] + " " + tried["verdict"]).str.casefold()
    for each in word.casefold().split():
        keep &= text.str.contains(each, regex=False)
    if only_kept:
        keep &= tried["kept"].astype(bool)
    return tried[keep]
