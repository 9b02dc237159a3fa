"""The valuation of one house, as a person reads it."""

from __future__ import annotations

import streamlit as st

from houseprice.backend.base import About, Answer
from houseprice.market.contract import Contract
from houseprice.ui.messages import confidence_band, money, percent, provenance, rounding_step
from houseprice.ui.plain_text import plain

__all__ = ["show_valuation"]


def show_valuation(answer: Answer, contract: Contract, about: About) -> None:
    """Show the value with its range and confidence, or why there is none.

    Parameters
    ----------
    answer : Answer
        Of one row.
    contract : Contract
    about : About
    """
    valuation = answer.valuations.iloc[0]
    if valuation["status"] == "error":
        errors = [problem for problem in answer.problems if problem.severity == "error"]
        with st.container(border=True, key="valuation"):
            st.subheader("No value yet")
            st.error(
                "  \n".join(plain(problem.message) for problem in errors),
                icon=":material/edit_note:",
            )
            st.caption("Mend what is marked in red, and the value comes back.")
        return
    value, fsd = valuation["predicted_price"], valuation["fsd"]
    step = rounding_step(value * fsd)
    low, high = (money(contract, valuation[key], step) for key in ("price_low", "price_high"))
    with st.container(border=True, key="valuation"):
        st.metric("Estimated value", money(contract, value, step))
        st.markdown(
            f"**{low} to {high}**  \n"
            f"In {percent(valuation['interval'], 0)} of cases like this one the sale price lies "
            "in this range."
        )
        st.markdown(
            f"Confidence **{confidence_band(valuation['confidence'])}** "
            f"({valuation['confidence']:.0f} of 100): two sales in three lie within "
            f"{percent(fsd, 0)} of the value."
        )
        st.caption(
            "Facts that you leave as they are count as those of the typical house. "
            + provenance(about)
        )
    warnings = [problem for problem in answer.problems if problem.severity == "warning"]
    if warnings:
        with st.expander(f"{len(warnings)} things to know about this value", expanded=True):
            for problem in warnings:
                st.markdown(f"- {plain(problem.message)}")
    notes = [problem for problem in answer.problems if problem.severity == "note"]
    if notes:
        with st.expander(f"{len(notes)} facts were worked out"):
            for problem in notes:
                st.markdown(f"- {plain(problem.message)}")
