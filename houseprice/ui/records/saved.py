"""The list of saved valuations: search, pages, one of them in full, deletion, download."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence

import pandas as pd
import streamlit as st

from houseprice.formatting import display_step, percent, plural
from houseprice.market.contract import Contract
from houseprice.market.parsing import parse_cell
from houseprice.market.sales import Market
from houseprice.records import valuations
from houseprice.records.ledger import Author
from houseprice.records.texts import MAX_TEXT_CHARS
from houseprice.records.valuations import PAGE_ROWS
from houseprice.ui.charts.style import money_cells, rounded_amounts
from houseprice.ui.house.state import FORM_PAGE, row_link
from houseprice.ui.layout import download, error_boundary, escape, show_table, visitor_zone
from houseprice.ui.records.people import log_view_of_others, logged_export
from houseprice.ui.session import may, records

DOWNLOAD_ROWS = 100_000
"""Saved valuations in a download."""

_SEARCH, _BEFORE = "saved_search", "saved_before"
SOURCES = {"form": "Form", "table": "Table", "command": "Command", "api": "API"}
_STATUS = {"ok": "", "warning": "With a warning", "error": "No value"}


def show_saved(author: Author, market: Market) -> None:
    """Show the saved valuations that the visitor may see."""
    person = None if may("see all") else author.person
    if person is None:
        log_view_of_others(author, "Saved valuations")
    n_saved = valuations.count(records(), author.market, person=person)
    if not n_saved:
        st.info(
            "Nothing is saved yet. Value a house or a table, and use Save beside its downloads. "
            "The command is `houseprice predict --save`.",
            icon=":material/bookmark:",
        )
        st.page_link(FORM_PAGE, label="Value a house", icon=":material/real_estate_agent:")
        return
    search = st.text_input(
        f"Search in {plural(n_saved, 'saved valuation')}",
        key=_SEARCH,
        placeholder="Reference, note, address or number",
        icon=":material/search:",
        on_change=_show_newest,
        persist_state="session",
    )
    stack: list[int] = st.session_state.setdefault(_BEFORE, [])
    page = valuations.listing(
        records(),
        author.market,
        person=person,
        search=search,
        before=stack[-1] if stack else None,
        limit=PAGE_ROWS + 1,
    )
    if page.empty:
        st.info("No saved valuation matches. Search for a part of a word, or for a number.")
        return
    shown = page.head(PAGE_ROWS)
    numbers = _show_list(shown, market.contract)
    _show_pager(stack, shown, is_last=len(page) <= PAGE_ROWS)
    if len(numbers) == 1:
        saved = valuations.get(records(), author.market, numbers[0], person=person)
        show_one(saved, market)
    if numbers:
        _show_delete(author, numbers, person)
    else:
        st.caption("Select rows to open one of them in the form, or to delete what is personal.")
    database, contract = records(), market.contract

    def read() -> pd.DataFrame:
        return download_frame(
            valuations.listing(
                database, author.market, person=person, search=search, limit=DOWNLOAD_ROWS
            ),
            contract,
        )

    whose = "Saved valuations of all" if person is None else "Own saved valuations"
    download("Download the list", logged_export(author, whose, read), key="saved_valuations")
    if n_saved > DOWNLOAD_ROWS:
        st.caption(f"The download has the newest {DOWNLOAD_ROWS:,}.")


def _show_newest() -> None:
    st.session_state[_BEFORE] = []


def _show_list(page: pd.DataFrame, contract: Contract) -> list[int]:
    """Draw one page of the list; return the numbers of the selected rows."""
    column = st.column_config
    amount = column.NumberColumn(format=money_cells(contract))
    table = st.dataframe(
        listed(page),
        hide_index=True,
        placeholder="",
        # A selection is a position: another page has other rows at it.
        key=f"saved_{page['entry'].iloc[0]}_{page['entry'].iloc[-1]}",
        alt="Saved valuations, the newest first",
        column_config={
            "Number": column.NumberColumn(format="%d"),
            "Saved": column.DatetimeColumn(format="D MMM YYYY, HH:mm"),
            **dict.fromkeys(("Value", "From", "To"), amount),
        },
        on_select="rerun",
        selection_mode="multi-row",
    )
    return page["entry"].iloc[table.selection.rows].astype(int).tolist()


def listed(page: pd.DataFrame) -> pd.DataFrame:
    """Return saved valuations as a table for readers; money as exactly as it is known."""
    amounts = rounded_amounts(page)
    frame = pd.DataFrame(
        {
            "Number": page["entry"],
            "Saved": page["created_at"].dt.tz_convert(visitor_zone()),
            "Reference": page["reference"],
            "Address": page["address"],
            "Value": amounts["predicted_price"],
            "From": amounts["price_low"],
            "To": amounts["price_high"],
            "As of": page["as_of"],
            "Result": page["status"].map(_STATUS),
            "Note": page["note"],
            "By": page["person"],
            "Through": page["source"].map(SOURCES),
            "Model": page["model_version"],
        }
    )  # fmt: skip
    kept = ["Number", "Saved", "Value"]
    return frame[[name for name in frame if name in kept or frame[name].fillna("").ne("").any()]]


def _show_pager(stack: list[int], page: pd.DataFrame, *, is_last: bool) -> None:
    if is_last and not stack:
        return
    with st.container(horizontal=True):
        if st.button(
            "Newer", key="saved_newer", icon=":material/chevron_left:", disabled=not stack
        ):
            stack.pop()
            st.rerun()
        if st.button("Older", key="saved_older", icon=":material/chevron_right:", disabled=is_last):
            stack.append(int(page["entry"].iloc[-1]))
            st.rerun()


def show_one(saved: pd.Series, market: Market) -> None:
    """Show one saved valuation with its facts, and a link to the form."""
    contract, facts = market.contract, saved["facts"]
    heading = f"**Number {saved['entry']:,}**"
    if saved["status"] != "error":
        step = display_step(saved["predicted_price"], saved["fsd"])
        value, low, high = (
            "" if pd.isna(saved[name]) else contract.money(saved[name], step)
            for name in ("predicted_price", "price_low", "price_high")
        )
        heading += f": **{escape(value)}**"
        if low:
            level = percent(saved["interval"], 0)
            heading += f", {escape(f'{low} to {high} ({level} range)')}"
    texts = [heading]
    if saved["status"] == "error":
        codes = ", ".join(saved["reason_codes"].split(";"))
        texts[0] += f": no value ({escape(codes)})"
    texts += [
        f"{label}: {escape(saved[name])}"
        for label, name in (("Reference", "reference"), ("Address", "address"), ("Note", "note"))
        if saved[name]
    ]
    with st.container(border=True, key="saved_one"):
        st.markdown("  \n".join(texts))
        if not facts:
            st.caption("No facts: none was given, or they were deleted on request.")
            return
        show_table(facts_frame(facts, contract), key="saved_facts", alt="The facts as given")
        st.page_link(
            FORM_PAGE,
            label="Open in the form",
            icon=":material/edit:",
            query_params=row_link(pd.Series(facts), market),
        )
        st.caption("The form values the facts anew, with the present model.")


def facts_frame(facts: Mapping[str, str], contract: Contract) -> pd.DataFrame:
    """Return saved facts as a table for readers; a text that can't be read stays as it is."""
    rows = []
    for name, text in facts.items():
        field = contract.fields.get(name)
        value = math.nan if field is None else parse_cell(field, text).value
        shown = text if field is None or math.isnan(value) else field.format(value)
        rows.append((name if field is None else field.label, shown))
    return pd.DataFrame(rows, columns=["Field", "As given"])


def _show_delete(author: Author, numbers: Sequence[int], person: str | None) -> None:
    """Draw the reason and the button that deletes what is personal in the selected rows."""
    count = plural(len(numbers), "saved valuation")
    with (
        st.popover("Delete", icon=":material/delete:", key="saved_deletion"),
        error_boundary("saved_deletion_error"),
    ):
        st.markdown(
            f"Deletes from {count}: facts, reference, note, address and key. Value, range and date "
            "stay as evidence. This can't be undone."
        )
        reason = st.text_input(
            "Reason, for the log", key="saved_reason", max_chars=MAX_TEXT_CHARS, live=True
        ).strip()
        if st.button("Delete what is personal", key="saved_delete", disabled=not reason):
            valuations.delete(records(), author, numbers, reason, person=person)
            st.toast(f"Deleted what is personal from {count}.", icon=":material/delete:")
            st.rerun()


def download_frame(found: pd.DataFrame, contract: Contract) -> pd.DataFrame:
    """Return saved valuations as a table: its own columns, then one per fact."""
    facts = pd.DataFrame([json.loads(text or "{}") for text in found["facts"]], index=found.index)
    given = facts[[name for name in contract.columns if name in facts]]
    own = found.drop(columns=["facts", "address_block"]).rename(columns={"entry": "number"})
    return pd.concat([own, given], axis=1)
