"""The tab of fairness: errors and coverage by attributes in a table of the owner's own."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

import pandas as pd
import streamlit as st

from houseprice.market.contract import Contract
from houseprice.records.fairness import SIGNIFICANCE, Fairness, fairness, key_column
from houseprice.records.ledger import last_entry
from houseprice.records.report import LiveReport
from houseprice.records.text_tables import groups_text, levels_text, tests_text
from houseprice.tables.reader import read_table
from houseprice.ui.layout import escape, show_table, upload_table
from houseprice.ui.records.track_record import GROUPS_CAPTION
from houseprice.ui.session import records, settings

_RESULT = "record_fairness_result"


def show_fairness(report: LiveReport, contract: Contract, since: date | None) -> None:
    """Draw the upload of attributes, and compare the groups of those that are chosen."""
    st.markdown(
        "Compares errors and coverage by an attribute that the model does not use, such as a "
        "census figure of an area. The table stays in this session and is not saved."
    )
    if report.pairs.empty:
        st.info("There are no later prices yet, so there are no groups.", icon=":material/groups:")
        return
    location = contract.field_of("location")
    area = f"area (“area” or “{location.label}”)" if location else "area"
    table = upload_table(
        "Attributes (CSV, Excel or Parquet)",
        lambda data, name: read_table(data, name, settings()).cells,
        key="record_attributes",
        help_text=f"One row per {area} or per reference (“reference”), and a column per attribute.",
    )
    if table is None:
        return
    key, _ = key_column(table, contract)
    names = [name for name in table.columns if name != key]
    chosen = st.multiselect(
        "Attributes to compare by",
        names,
        default=names[:1],
        key=f"record_attribute_{key}_{'|'.join(names)}",
        help="P-values and intervals are adjusted for all that are chosen.",
    )
    if not chosen:
        st.info("Choose a column of the table.", icon=":material/view_column:")
        return
    _show_result(_compare(report, table, contract, chosen, since))


def _compare(
    report: LiveReport,
    table: pd.DataFrame,
    contract: Contract,
    names: Sequence[str],
    since: date | None,
) -> Fairness:
    """Compare the pairs of the report, once for each choice."""
    key = tuple(names), since, last_entry(records())
    kept_table, kept_key, found = st.session_state.get(_RESULT, (None, None, None))
    if kept_table is not table or kept_key != key:
        with st.spinner("Comparing the groups…"):
            found = fairness(records(), report.pairs, table, contract, names)
        st.session_state[_RESULT] = table, key, found
    computed: Fairness = found
    return computed


def _show_result(found: Fairness) -> None:
    """Show the result in a sentence, the groups, the comparisons and the ratio study."""
    st.markdown(f"**{escape(found.sentence)}**")
    for remark in found.remarks:
        st.caption(escape(remark))
    for number, (by, groups) in enumerate(found.groups.groupby("by", sort=False)):
        name = str(by)
        st.subheader(f"By {escape(name)}", anchor=False)
        table = groups_text(groups, name)
        show_table(table, key=f"fairness_{number}", alt=f"The figures by {name}", data=groups)
    st.caption(f"{GROUPS_CAPTION} Groups without figures are not compared.")
    if len(found.tests):
        st.subheader("Comparisons", anchor=False)
        show_table(
            tests_text(found.tests),
            key="fairness_tests",
            alt="Each group against all others",
            data=found.tests,
        )
        st.caption(
            "Each group against all other later sales: rank-sum tests of bias and absolute error, "
            "an exact test of coverage. P-values are adjusted for their number (Holm); a group "
            f"differs below {SIGNIFICANCE}. Houses of one area share errors: with few areas in a "
            "group, a difference may be that of an area."
        )
    if len(found.equity):
        st.subheader("Ratio study", anchor=False)
        show_table(
            levels_text(found.equity),
            key="fairness_study",
            alt="The ratio study of each group",
            data=found.equity,
        )
        st.caption(
            "All intervals together contain their values in 90 % (Bonferroni). Outside are the "
            "statistics beyond the accepted range; the download has all statistics."
        )
