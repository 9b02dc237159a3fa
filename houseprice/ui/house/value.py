"""The valuation of one house: value, range, confidence, and what is wrong."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pandas as pd
import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from houseprice.backend.base import BackendInfo, ValuationResult
from houseprice.formatting import display_step, percent, plural
from houseprice.market.contract import Contract
from houseprice.market.problems import Problem
from houseprice.model.report import confidence_band
from houseprice.ui.house.form import house_frame
from houseprice.ui.layout import (
    NOT_SUPPORTED,
    error_boundary,
    escape,
    provenance,
    retry_button,
)
from houseprice.ui.session import backend

__all__ = ["show_result", "show_valuation"]


def show_valuation(
    container: DeltaGenerator, row: Mapping[str, object], contract: Contract, note: str = ""
) -> ValuationResult | None:
    """Value a house and show the result; return None if the backend failed, which is shown too."""
    result = None
    with container, error_boundary("value"):
        result = backend().value(house_frame(row))
        show_result(result, contract, backend().info(), note)
    return result


def show_result(
    result: ValuationResult, contract: Contract, info: BackendInfo, note: str = ""
) -> None:
    """Show a value with its range and confidence, or its errors; then a note in Markdown."""
    problems = {
        severity: [problem for problem in result.problems if problem.severity == severity]
        for severity in ("error", "warning", "note")
    }
    with st.container(border=True, key="valuation"):
        if result.valuations["status"].iloc[0] == "error":
            _show_errors(problems["error"])
        else:
            _show_value(result.valuations.iloc[0], contract, info)
        if note:
            st.markdown(f":material/history: {note}")
    for severity, noun, icon in (
        ("warning", "warning", ":material/warning:"),
        ("note", "imputed field", ":material/info:"),
    ):
        if problems[severity]:
            with st.expander(plural(len(problems[severity]), noun), icon=icon):
                for problem in problems[severity]:
                    st.markdown(f"- {escape(problem.message)}")


def _show_value(valuation: pd.Series, contract: Contract, info: BackendInfo) -> None:
    value, fsd = valuation["predicted_price"], valuation["fsd"]
    step = display_step(value, fsd)
    left, middle, right = st.columns([3, 4, 4], vertical_alignment="center")
    with left:
        st.metric("Estimated value", contract.money(value, step))
    with middle:
        if pd.isna(valuation["price_low"]):
            st.markdown(f"**No range**  \n:small[{NOT_SUPPORTED['range']}]")
        else:
            low, high = (contract.money(valuation[f"price_{end}"], step) for end in ("low", "high"))
            st.markdown(
                f"**{low} to {high}**  \n:small[{percent(valuation['interval'], 0)} range: it "
                "contains the sale price of that share of such houses.]"
            )
    with right:
        if not pd.isna(fsd):
            st.markdown(
                f"**{confidence_band(valuation['confidence']).capitalize()} confidence**, "
                f"{valuation['confidence']:.0f} of 100  \n:small[Two sale prices in three are "
                f"within {percent(fsd, 0)} of the value.]"
            )
    st.caption(f"Unchanged fields are those of the typical house. {escape(provenance(info))}")


def _show_errors(problems: Sequence[Problem]) -> None:
    st.subheader("No value yet", anchor=False)
    text = "  \n".join(escape(problem.message) for problem in problems)
    st.error(text, icon=":material/edit_note:")
    if any(problem.field for problem in problems):
        st.caption("Correct the fields marked in red.")
    else:
        # No field is at fault as far as we know: the server refused the house.
        retry_button("refused")
