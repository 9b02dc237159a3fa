"""What was tried for the model, kept and dropped, to be searched."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from houseprice.market.experiments import FIGURES, experiments
from houseprice.market.sales import Market
from houseprice.model.measuring.words import short
from houseprice.ui.findings.model import tried_finding
from houseprice.ui.panel import download

__all__ = ["chosen", "show_tried"]

_PLAIN = {"rmsle": "%.4f", "winkler": "%.3f"}
"""How the figures are written that are no shares."""


def show_tried(market: Market) -> None:
    """Draw the table of experiments with its filters."""
    tried = experiments(market)
    if tried.empty:
        st.info(
            "Nothing is written down of what was tried for this market. A file `experiments.csv` "
            "in its folder would be shown here.",
            icon=":material/science:",
        )
        return
    st.markdown(tried_finding(tried))
    parts = list(dict.fromkeys(tried["part"]))
    with st.container(horizontal=True, vertical_alignment="bottom"):
        part = st.selectbox("Round", ["All", *parts], key="tried_part", bind="query-params")
        word = st.text_input("Search", key="tried_word", placeholder="trees, penalty, ...")
        only = st.toggle("Only what was kept", key="tried_kept")
    found = chosen(tried, "" if part == "All" else part, word, only)
    st.caption(f"{len(found)} of {len(tried)} shown.")
    told = [name for name in FIGURES if found[name].notna().any()]
    table = found.assign(**{name: 100 * found[name] for name in told if name not in _PLAIN})[
        [*([] if part in parts else ["part"]), "tried", "kept", *told, "verdict"]
    ].rename(
        columns={"part": "Round", "tried": "What was tried", "kept": "Kept", "verdict": "Verdict"}
        | {name: short(name) for name in told}
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
                short(name): st.column_config.NumberColumn(format=_PLAIN.get(name, "%.1f %%"))
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
