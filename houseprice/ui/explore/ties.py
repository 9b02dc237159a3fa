"""How closely facts go together: each with the price, and chosen ones with each other."""

from __future__ import annotations

import streamlit as st

from houseprice.market.exploring import association
from houseprice.market.exploring.selection import Sales
from houseprice.ui.charts import fields as charts_fields
from houseprice.ui.explore.frames import ties_with_price
from houseprice.ui.findings import fields as findings_fields
from houseprice.ui.panel import panel

__all__ = ["show_ties"]

MOST_WITH_PRICE = 15
CHOSEN_AT_FIRST = 8
MOST_CHOSEN = 20
SQUARES, LIST = "Squares", "List"


def show_ties(sales: Sales) -> None:
    """Show the ties with the price, then those of chosen facts with it and with each other."""
    frame = ties_with_price(sales)
    panel(
        findings_fields.price_tie_finding(frame),
        charts_fields.price_ties(frame.head(MOST_WITH_PRICE)),
        frame,
        key="ties_with_price",
        headers={"field": "Fact"},
    )
    if len(frame) > MOST_WITH_PRICE:
        st.caption(f"The first {MOST_WITH_PRICE} of {len(frame)}; the figures hold them all.")
    st.subheader("And with each other", anchor=False)
    _each_other(sales, list(frame["column"]))
    st.caption(
        "A tie says that two facts go together, not that one causes the other. Numbers and "
        "ordered levels are compared by rank (Spearman); levels without an order by the "
        "correlation ratio, and two of these by Cramér's V, both corrected for chance."
    )


def _each_other(sales: Sales, ordered: list[str]) -> None:
    contract = sales.contract
    columns = list(dict.fromkeys([*ordered, *contract.columns]))
    by_label = {contract.fields[column].label: column for column in columns}
    chosen = st.multiselect(
        "Facts beside the price",
        list(by_label),
        default=list(by_label)[:CHOSEN_AT_FIRST],
        max_selections=MOST_CHOSEN,
        placeholder="Choose facts",
        key="tied",
        bind="query-params",
        persist_state="session",
    )
    if not chosen:
        st.info("Choose one fact or more.")
        return
    asked = [contract.market.price.column, *(by_label[label] for label in chosen)]
    square = association.between(sales, asked)
    finding = findings_fields.tie_finding(square)
    as_list = st.segmented_control(
        "Show as",
        [SQUARES, LIST],
        default=SQUARES,
        required=True,
        key="ties_as",
        bind="query-params",
        persist_state="session",
    )
    if as_list == SQUARES:
        drawn = charts_fields.ties(square)
        panel(finding, drawn, square.reset_index(names="Fact"), key="ties_between_facts")
        return
    st.markdown(finding)
    _list(sales, asked)


def _list(sales: Sales, columns: list[str]) -> None:
    pairs = association.pairs(sales, 0.0, columns)[["strength", "field", "other_field"]]
    st.dataframe(
        pairs,
        hide_index=True,
        column_config={
            "strength": st.column_config.ProgressColumn(
                "Tie", min_value=0.0, max_value=1.0, format="%.2f", width="small"
            ),
            "field": "Fact",
            "other_field": "And",
        },
        key="ties_list",
        alt="How closely each two of the chosen facts go together, closest first",
    )
