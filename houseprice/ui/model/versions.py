"""The versions of the model, and two of them held against each other."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd
import streamlit as st

from houseprice.backend.base import About, Backend, KnownVersion
from houseprice.market.contract import Contract
from houseprice.model.measuring.words import short
from houseprice.model.studying.versus import hindrance, versus
from houseprice.ui.charts import standing as charts_standing
from houseprice.ui.findings.model import versus_finding
from houseprice.ui.offers import offered
from houseprice.ui.panel import panel
from houseprice.ui.session import study_of

__all__ = ["show_versions", "versions_table"]

_SHOWN = ("median_ape", "within_10", "rmsle", "coverage_90", "width_90")


def show_versions(backend: Backend, about: About, contract: Contract) -> None:
    """List the versions, and compare two of them on the same sales."""
    if not offered(about, "study"):
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
            short("rmsle"): st.column_config.NumberColumn(format="%.4f"),
            **{
                short(name): st.column_config.NumberColumn(format="%.1f %%")
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


def versions_table(known: Sequence[KnownVersion]) -> pd.DataFrame:
    """The versions with the figures that are most asked for."""
    return pd.DataFrame(
        [
            {
                "Version": each.model_version,
                "Answers": each.is_answering,
                "Trained": each.trained_at,
                "Sales": each.n_sales,
                **{short(name): _shown(name, each.metrics.get(name)) for name in _SHOWN},
            }
            for each in known
        ]
    )


def _shown(name: str, value: float | None) -> float | None:
    return value if value is None or name == "rmsle" else 100 * value


def _show_versus(first: str, second: str, contract: Contract) -> None:
    one, other = study_of(first).held_out, study_of(second).held_out
    hindered = hindrance(one, other)
    if hindered:
        st.warning(
            f"{first} and {second} can't be compared sale by sale. {hindered} Their own figures "
            "stand in the table above.",
            icon=":material/compare_arrows:",
        )
        return
    found = versus(one, other, contract.market.price.symbol)
    panel(
        versus_finding(found.groups, first, second),
        charts_standing.differences(found.groups, first),
        found.groups,
        key="model_versus",
        headers={
            "group": "Sales",
            "sales": "Number of sales",
            "difference": "Mean difference of errors (share of the price)",
            "low": "From (95 % interval)",
            "high": "To (95 % interval)",
            "closer": f"{first} is closer (share of sales)",
        },
    )
    st.caption(
        f"**How to read it.** Left of the dotted line {first} is closer to the prices, right of it "
        f"{second}; a bar that crosses the line decides nothing. Both versions valued each sale by "
        "a model that had learned from the same other sales. The difference of their errors is "
        "taken sale by sale, which is far sharper than to compare two averages; the bar is what "
        "resampling of the sales makes of it."
    )
