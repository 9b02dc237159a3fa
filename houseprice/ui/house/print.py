"""The owner's report of a house: the button that gives it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial

import streamlit as st

from houseprice.backend.base import Answer, Backend
from houseprice.market.contract import Contract
from houseprice.ui.house.report import to_html
from houseprice.ui.house.reported import owners_report
from houseprice.ui.plain_text import plain

__all__ = ["show_print"]


def show_print(
    backend: Backend,
    row: Mapping[str, object],
    answer: Answer,
    contract: Contract,
    columns: Sequence[str],
) -> None:
    """Offer the report as a file, made only when it is asked for.

    Parameters
    ----------
    backend : Backend
    row : mapping of str to object
        The house as the form holds it.
    answer : Answer
        Its valuation.
    contract : Contract
    columns : sequence of str
        The facts to tell, the most important first.
    """
    with st.popover("Report", icon=":material/print:", key="report", on_change="rerun") as report:
        if not report.open:
            return
        st.markdown("One page to print or to keep: value, range, reasons and similar sales.")
        title = st.text_input(
            "Name or address of the house",
            key="report_title",
            placeholder="may stay empty",
            help="Stands on top of the page. It is not kept.",
            max_chars=80,
            # While it is typed: a click on the download must not meet a page that runs anew.
            live=True,
            persist_state="session",
        )
        st.download_button(
            "Download the report",
            partial(_made, backend, dict(row), answer, contract, tuple(columns), title.strip()),
            file_name="house_value.html",
            mime="text/html",
            key="report_file",
            on_click="ignore",
            icon=":material/download:",
        )
        headed = f"“{plain(title.strip())}” stands on top. " if title.strip() else ""
        st.caption(f"{headed}The file opens in any browser. Print it there, or save it as a PDF.")


def _made(
    backend: Backend,
    row: Mapping[str, object],
    answer: Answer,
    contract: Contract,
    columns: Sequence[str],
    title: str,
) -> bytes:
    return to_html(owners_report(backend, row, answer, contract, columns, title))
