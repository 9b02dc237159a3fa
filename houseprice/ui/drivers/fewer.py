"""How few facts will do, and which."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from houseprice.market.contract import Contract
from houseprice.ui.charts import drivers as charts_drivers
from houseprice.ui.charts.drivers import MEASURES
from houseprice.ui.drivers.asked import study
from houseprice.ui.drivers.frames import chosen_facts
from houseprice.ui.findings import drivers as findings_drivers
from houseprice.ui.offers import offered
from houseprice.ui.panel import download, in_words, panel
from houseprice.ui.session import backend

__all__ = ["show_fewer"]

_SHORT = {"median_ape": "Middle error", "mean_ape": "Mean error", "within_10": "Within 10 %"}


def show_fewer(contract: Contract) -> None:
    """Show how accurate models are that know only some of the facts, and which these are."""
    if not offered(backend().about(), "study"):
        return
    studied = study()
    if studied.fewer.empty:
        st.info("Models that know fewer facts were not tried when this model was trained.")
        return
    measure = st.segmented_control(
        "Accuracy as",
        list(_SHORT),
        default="median_ape",
        format_func=lambda name: _SHORT[name],
        required=True,
        key="accuracy_as",
    )
    panel(
        findings_drivers.fewer_finding(studied.fewer),
        charts_drivers.fewer(studied.fewer, measure or "median_ape"),
        studied.fewer,
        key="fewer",
        headers={"n_fields": "Facts", **MEASURES, "rmsle": "Root mean squared log error"},
    )
    _show_chosen(studied.chosen, contract)
    st.caption(
        "**How it is measured.** In each of several sets of sales a model says which facts it "
        "rests on most. A new model learns from these alone, and values sales that neither it nor "
        "the choice had seen. More facts cost little: the form fills in what you do not know."
    )


def _show_chosen(chosen: pd.DataFrame, contract: Contract) -> None:
    sizes = sorted({int(n) for n in chosen["n_fields"]})
    if not sizes:
        return
    n_fields = st.segmented_control(
        "Which facts",
        sizes,
        default=sizes[min(1, len(sizes) - 1)],
        format_func=lambda n: f"{n} facts",
        required=True,
        key="n_facts",
    )
    facts = chosen_facts(chosen, float(n_fields or sizes[0]), contract)
    told = findings_drivers.chosen_finding(facts)
    st.markdown(told)
    st.dataframe(
        facts.assign(folds=100 * facts["folds"]),
        hide_index=True,
        key="chosen_table",
        alt=told,
        column_config={
            "label": st.column_config.TextColumn("Fact"),
            "group": st.column_config.TextColumn("Group"),
            "folds": st.column_config.ProgressColumn(
                "Chosen in", format="%.0f %% of the sets", min_value=0, max_value=100
            ),
        },
    )
    download(
        "These facts as a file",
        in_words(facts, {"label": "Fact", "folds": "Share of the sets that chose it"}),
        key="chosen_facts",
    )
