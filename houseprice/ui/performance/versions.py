"""The tabs Versions, Experiments and Model card: how the model came about."""

from __future__ import annotations

import re
from collections.abc import Sequence

import pandas as pd
import streamlit as st
from streamlit.elements.lib.column_types import ColumnConfig

from houseprice.backend.base import Backend, BackendInfo, VersionInfo
from houseprice.market.contract import Contract
from houseprice.market.sales import EXPERIMENT_METRICS, Market, load_experiments
from houseprice.model.gate import compare_versions, incomparable_reason
from houseprice.model.standards import short_label
from houseprice.ui.charts.panel import panel
from houseprice.ui.charts.performance import versions_chart
from houseprice.ui.layout import choose, escape, is_supported, provenance, show_table
from houseprice.ui.performance.overview import active_card
from houseprice.ui.session import study_of

_VERSION_METRICS = ("median_ape", "within_10", "rmsle", "coverage_90", "width_90")
_NUMBER_FORMATS = {"rmsle": "%.4f", "winkler": "%.3f"}  # of the metrics that are not shares


def show_versions(backend: Backend, info: BackendInfo, contract: Contract) -> None:
    """Show the stored versions, and compare two of them on the same sales."""
    if not is_supported(info, "study"):
        return
    versions = backend.versions()
    show_table(
        versions_frame(versions),
        key="model_versions",
        alt="The versions of the model",
        columns={
            "Trained": st.column_config.DatetimeColumn(format="D MMM YYYY, HH:mm"),
            "Sales": st.column_config.NumberColumn(format="%,d"),
            **_metric_columns(_VERSION_METRICS),
        },
    )
    if len(versions) < 2:
        st.info(
            "There is only one version, so there is nothing to compare. A new version is trained "
            "after new sales or a change of the contract, and all versions are kept.",
            icon=":material/model_training:",
        )
        return
    st.subheader("Compare two versions on the same sales", anchor=False)
    names = [version.model_version for version in versions]
    active = next((v.model_version for v in versions if v.is_answering), names[0])
    left, right = st.columns(2)
    with left:
        first = choose("Version", names, "version", active)
    others = [name for name in names if name != first]
    second = right.selectbox("Compare with", others, key="other_version")
    _show_comparison(first, second, contract)


def versions_frame(versions: Sequence[VersionInfo]) -> pd.DataFrame:
    """Return the versions with their main metrics, shares in percent."""

    def scaled(name: str, value: float | None) -> float | None:
        return value if value is None or name in _NUMBER_FORMATS else 100 * value

    return pd.DataFrame(
        [
            {
                "Version": version.model_version,
                "Active": version.is_answering,
                "Trained": version.trained_at,
                "Sales": version.n_sales,
                **{
                    short_label(name): scaled(name, version.metrics.get(name))
                    for name in _VERSION_METRICS
                },
            }
            for version in versions
        ]
    )


def _metric_columns(names: Sequence[str]) -> dict[str, ColumnConfig]:
    return {
        short_label(name): st.column_config.NumberColumn(
            format=_NUMBER_FORMATS.get(name, "%.1f %%")
        )
        for name in names
    }


def _show_comparison(first: str, second: str, contract: Contract) -> None:
    predictions, others = study_of(first).held_out, study_of(second).held_out
    reason = incomparable_reason(predictions, others)
    if reason:
        st.warning(
            f"{first} and {second} cannot be compared sale by sale. {reason} The table above has "
            "the metrics of each version.",
            icon=":material/compare_arrows:",
        )
        return
    groups = compare_versions(predictions, others, contract.market.price.symbol).groups
    panel(versions_chart(groups, first, second), key="model_versus")
    st.caption(
        f"**How to read it.** To the left of the dotted line {first} is closer to the prices, to "
        f"the right {second}. If a bar crosses the line, the difference is not significant. Both "
        "versions valued each sale with a model that was trained on the same other sales, and the "
        "difference of their errors is taken sale by sale; the bar is a bootstrap interval."
    )


def show_experiments(market: Market) -> None:
    """Show the log of experiments with filters."""
    log = load_experiments(market)
    if log.empty:
        st.info(
            "This market has no log of experiments. To show one here, add a file `experiments.csv` "
            "to its folder.",
            icon=":material/science:",
        )
        return
    rounds = list(dict.fromkeys(log["part"]))
    st.markdown(
        f"**{len(log)}** experiments in {len(rounds)} rounds; **{int(log['kept'].sum())}** were "
        "adopted. Metrics are those of held-out sales, for the first seed where there are several."
    )
    with st.container(horizontal=True, vertical_alignment="bottom"):
        part = st.selectbox("Round", ["All", *rounds], key="tried_part", bind="query-params")
        query = st.text_input("Search", key="tried_word", placeholder="trees, penalty, ...")
        only_kept = st.toggle("Only adopted changes", key="tried_kept")
    selected = filter_experiments(log, "" if part == "All" else part, query, only_kept)
    st.caption(f"{len(selected)} of {len(log)} experiments.")
    metrics = [name for name in EXPERIMENT_METRICS if selected[name].notna().any()]
    shares = {name: 100 * selected[name] for name in metrics if name not in _NUMBER_FORMATS}
    columns = [*([] if part in rounds else ["part"]), "tried", "kept", *metrics, "verdict"]
    headers = {"part": "Round", "tried": "Experiment", "kept": "Adopted", "verdict": "Conclusion"}
    headers |= {name: short_label(name) for name in metrics}
    table = selected.assign(**shares)[columns].rename(columns=headers)
    text = st.column_config.TextColumn
    widths = {"Experiment": text(width="large"), "Conclusion": text(width="medium")}
    widths |= _metric_columns(metrics)
    show_table(table, key="experiments", alt="The experiments", columns=widths, data=table)


def filter_experiments(log: pd.DataFrame, part: str, query: str, only_kept: bool) -> pd.DataFrame:
    """Return the experiments of a round ("" for all) that contain every word of the query."""
    selected = pd.Series(True, index=log.index)
    if part:
        selected &= log["part"] == part
    text = (log["part"] + " " + log["tried"] + " " + log["verdict"]).str.casefold()
    for word in query.casefold().split():
        selected &= text.str.contains(word, regex=False)
    if only_kept:
        selected &= log["kept"].astype(bool)
    return log[selected]


def show_card(info: BackendInfo) -> None:
    """Show the model card, with a download."""
    if not is_supported(info, "card"):
        st.markdown(escape(provenance(info)))
        return
    card = active_card()
    st.download_button(
        "Download the model card (Markdown)",
        card.markdown.encode(),
        file_name=f"{info.model_version}.md",
        mime="text/markdown",
        on_click="ignore",
        icon=":material/download:",
    )
    # The page has a title of its own, so the headings of the card go down one level.
    text = re.sub(r"^#", "##", card.markdown, flags=re.MULTILINE)
    text, _, version = text.partition("\n### Version\n")
    st.markdown(text)
    with st.expander("Version and checksums"):
        st.markdown(version)
