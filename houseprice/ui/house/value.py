"""The valuation of one house, as a person reads it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import pandas as pd
import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from houseprice.backend.base import BackendInfo, ValuationResult
from houseprice.formatting import display_step, percent
from houseprice.market.contract import Contract
from houseprice.market.problems import Problem, Severity
from houseprice.model.report import confidence_band
from houseprice.ui.house.form import house_frame
from houseprice.ui.layout import NOT_SUPPORTED, error_boundary, escape, provenance, retry_button
from houseprice.ui.session import backend

__all__ = ["show_result", "value_here"]


def value_here(
    place: DeltaGenerator, row: Mapping[str, object], contract: Contract, start: str = ""
) -> ValuationResult | None:
    """Value one house and show what came of it in its place; None if the backend failed.

    The failure is told there, and costs the page nothing else: the form stays, and goes on.

    Parameters
    ----------
    place : DeltaGenerator
    row : dict of str to object
        What stands in the form, by column.
    contract : Contract
    start : str
        Which sale the house started from, in Markdown.
    """
    answer = None
    with place, error_boundary("value"):
        answer = backend().value(house_frame(row))
        show_result(answer, contract, backend().info(), start)
    return answer


def show_result(
    answer: ValuationResult, contract: Contract, info: BackendInfo, start: str = ""
) -> None:
    """Show the value with its range and confidence, or why there is none.

    Parameters
    ----------
    answer : Answer
        Of one row.
    contract : Contract
    about : About
    start : str
        Which sale the house started from, in Markdown.
    """
    with st.container(border=True, key="valuation"):
        if answer.valuations["status"].iloc[0] == "error":
            _show_errors(answer.problems)
        else:
            _show_value(answer, contract, info)
        if start:
            st.markdown(f":material/history: {start}")
    _show_caveats(answer.problems)


def _show_caveats(problems: Iterable[Problem]) -> None:
    """Offer what to know about the value; a caution also stands beside its field."""
    found = list(problems)
    warnings, notes = _of(found, "warning"), _of(found, "note")
    if warnings:
        title = _counted(len(warnings), "thing to know about this value", "things to know about it")
        with st.expander(title, icon=":material/warning:"):
            _bullets(warnings)
    if notes:
        with st.expander(_counted(len(notes), "fact was worked out", "facts were worked out")):
            _bullets(notes)


def _show_value(answer: ValuationResult, contract: Contract, info: BackendInfo) -> None:
    valuation = answer.valuations.iloc[0]
    value, fsd = valuation["predicted_price"], valuation["fsd"]
    step = display_step(value, fsd)
    price, span, trust = st.columns([3, 4, 4], vertical_alignment="center")
    with price:
        st.metric("Estimated value", contract.money(value, step))
    with span:
        if pd.isna(valuation["price_low"]):
            st.markdown(f"**No range**  \n:small[{NOT_SUPPORTED['range']}]")
        else:
            low, high = (
                contract.money(valuation[key], step) for key in ("price_low", "price_high")
            )
            st.markdown(
                f"**{low} to {high}**  \n:small[The sale price lies in this range for "
                f"{percent(valuation['interval'], 0)} of such houses.]"
            )
    with trust:
        if not pd.isna(fsd):
            st.markdown(
                f"**{confidence_band(valuation['confidence']).capitalize()} confidence**, "
                f"{valuation['confidence']:.0f} of 100  \n:small[Two sale prices in three lie "
                f"within {percent(fsd, 0)} of the value.]"
            )
    st.caption(
        "Facts that you leave as they are count as those of the typical house. "
        + escape(provenance(info))
    )


def _show_errors(problems: Iterable[Problem]) -> None:
    errors = _of(problems, "error")
    st.subheader("No value yet", anchor=False)
    st.error(
        "  \n".join(escape(problem.message) for problem in errors), icon=":material/edit_note:"
    )
    if any(problem.field for problem in errors):
        st.caption("Mend what is marked in red, and the value comes back.")
    else:
        # Nothing is wrong with the house as far as we know: the server refused it.
        retry_button("refused")


def _of(problems: Iterable[Problem], severity: Severity) -> list[Problem]:
    return [problem for problem in problems if problem.severity == severity]


def _bullets(problems: Iterable[Problem]) -> None:
    for problem in problems:
        st.markdown(f"- {escape(problem.message)}")


def _counted(number: int, one: str, many: str) -> str:
    return f"{number} {one if number == 1 else many}"
