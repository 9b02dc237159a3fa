"""How much each fact matters: three readings side by side, and how they differ.

How few facts will do, and which.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd
import streamlit as st

from houseprice.market.contract import Contract
from houseprice.ui.charts import feature_importance as charts_drivers
from houseprice.ui.charts import feature_importance as findings_drivers
from houseprice.ui.charts.feature_importance import MEASURES, Reading, reading
from houseprice.ui.charts.panel import download, panel, readable_headers
from houseprice.ui.drivers.inputs import chosen_facts, facts_by_both, importance, shown_facts, study
from houseprice.ui.layout import is_supported
from houseprice.ui.session import backend

if TYPE_CHECKING:
    from houseprice.model.study import Study

__all__ = ["show_fewer", "show_readings"]

UNITS = ("Percent", "Money")
_NOTHING = "This model was stored without a study. Train it again: houseprice train."


def show_readings(contract: Contract) -> None:
    """Show how much each fact matters, by as many readings as the backend gives."""
    info = backend().info()
    if not is_supported(info, "importance"):
        st.markdown("What goes together with price in the sales themselves can be seen here:")
        st.page_link(
            "pages/market/explore.py", label="Explore the sales", icon=":material/query_stats:"
        )
        return
    studied = study() if is_supported(info, "study") else None
    if studied is not None and studied.contributions.empty:
        st.info(_NOTHING, icon=":material/info:")
        studied = None
    unit = st.segmented_control(
        "Show in", UNITS, default=UNITS[0], required=True, key="unit", bind="query-params"
    )
    in_money = unit == "Money"
    if studied is None:
        _show_importance(importance(), contract, in_money, rows=0)
    else:
        _show_all(facts_by_both(importance(), studied, contract), studied, contract, in_money)
    _show_how()


def _show_all(facts: pd.DataFrame, studied: Study, contract: Contract, in_money: bool) -> None:
    told = findings_drivers.readings_finding(facts, studied.groups)
    st.markdown("\n".join(f"- {sentence}" for sentence in told))
    shown = shown_facts(facts, in_money)
    groups = studied.groups.sort_values("loss_money" if in_money else "loss_pct", ascending=False)
    rows = max(len(shown), len(groups))
    # Aligned at the bottom, so that a fact stands at the same height in the first two.
    side_by_side = st.grid(3, min_column_width=240, vertical_alignment="bottom", gap="medium")
    with side_by_side.cell():
        _show_importance(facts, contract, in_money, rows)
    with side_by_side.cell():
        _show_contributions(facts, contract, in_money, rows)
    with side_by_side.cell():
        _show_groups(groups, contract, in_money, rows)
    with st.expander(f"All {len(facts)} facts in a table"):
        _show_table(facts, contract, in_money)


def _show_importance(facts: pd.DataFrame, contract: Contract, in_money: bool, rows: int) -> None:
    unit = "money" if in_money else "pct"
    both = "contribution_money" in facts
    shown = shown_facts(facts, in_money) if both else facts.head(15)
    panel(
        "**If it said nothing.** " + findings_drivers.importance_finding(facts, contract, in_money),
        reading(
            shown,
            Reading(
                f"importance_{unit}", f"spread_{unit}", "Further off", "further off without it"
            ),
            contract,
            in_money,
            rows,
        ),
        facts[
            ["label", "importance_pct", "spread_pct", "importance_money", "spread_money"]
        ].sort_values(f"importance_{unit}", ascending=False),
        key="importance",
        headers=_headers(contract, "Further off without it"),
    )


def _show_contributions(facts: pd.DataFrame, contract: Contract, in_money: bool, rows: int) -> None:
    unit = "money" if in_money else "pct"
    panel(
        "**How far it moves values.** "
        + findings_drivers.contribution_finding(facts, contract, in_money),
        reading(
            shown_facts(facts, in_money),
            Reading(f"contribution_{unit}", "", "Moves a value by", "up or down on average"),
            contract,
            in_money,
            rows,
        ),
        facts[["label", "contribution_money", "contribution_pct"]].sort_values(
            "contribution_money", ascending=False
        ),
        key="contributions",
        headers=_headers(contract, "Moves a value by"),
    )


def _show_groups(groups: pd.DataFrame, contract: Contract, in_money: bool, rows: int) -> None:
    unit = "money" if in_money else "pct"
    panel(
        "**If a whole group were never told.** "
        + findings_drivers.group_finding(groups, contract, in_money),
        reading(
            groups,
            Reading(
                f"loss_{unit}",
                f"spread_{unit}",
                "Further off",
                "further off without them",
                names="title",
                key="group",
            ),
            contract,
            in_money,
            rows,
        ),
        groups.drop(columns="group"),
        key="groups",
        headers=_headers(contract, "Further off without them"),
    )


def _show_table(facts: pd.DataFrame, contract: Contract, in_money: bool) -> None:
    unit = "money" if in_money else "pct"
    number = st.column_config.NumberColumn
    form = f"{contract.market.price.symbol}%,d" if in_money else "%.2f %%"
    st.dataframe(
        facts.sort_values(f"importance_{unit}", ascending=False)[
            ["label", f"importance_{unit}", f"spread_{unit}", f"contribution_{unit}"]
        ],
        hide_index=True,
        key="importance_table",
        alt="How much each fact matters, by both readings of single facts",
        column_config={
            "label": st.column_config.TextColumn("Fact"),
            f"importance_{unit}": number("Further off without it", format=form),
            f"spread_{unit}": number("Spread of that", format=form),
            f"contribution_{unit}": number("Moves a value by", format=form),
        },
    )


def _show_how() -> None:
    st.caption(
        "**How it is measured.** *If it said nothing:* sales are valued by a model that had not "
        "seen them; then one fact is dealt out anew among these homes, and they are valued again. "
        "*How far it moves values:* what the fact adds to or takes off the value of a home beside "
        "the typical one, on average, whichever the direction; in percent of the average price. "
        "*If a whole group were never told:* models learn again without it. The thin line is how "
        "much a figure varies between sets of sales. A grey bar is no longer than its line: it may "
        "be nothing, and one below zero means that nothing is lost."
    )


def _headers(contract: Contract, what: str) -> dict[str, str]:
    currency = contract.market.price.currency
    told = {"label": "Fact", "title": "Group of facts", "n_fields": "Facts"}
    for name in ("importance", "contribution", "loss"):
        told[f"{name}_pct"] = f"{what} (% of the price)"
        told[f"{name}_money"] = f"{what} ({currency})"
    return told | {
        "spread_pct": "Spread (% of the price)",
        "spread_money": f"Spread ({currency})",
    }


_SHORT = {"median_ape": "Middle error", "mean_ape": "Mean error", "within_10": "Within 10 %"}


def show_fewer(contract: Contract) -> None:
    """Show how accurate models are that know only some of the facts, and which these are."""
    if not is_supported(backend().info(), "study"):
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
        readable_headers(facts, {"label": "Fact", "folds": "Share of the sets that chose it"}),
        key="chosen_facts",
    )
