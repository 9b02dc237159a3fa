"""Saving valuations on request: the one of the form, or those of a table."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime

import streamlit as st

from houseprice.backend.base import BackendInfo, ValuationResult
from houseprice.formatting import list_some, plural
from houseprice.market.contract import Contract
from houseprice.records.ledger import Author, append
from houseprice.records.schema import valuations
from houseprice.records.texts import MAX_KEY_CHARS, MAX_TEXT_CHARS
from houseprice.records.valuations import OwnTexts, save
from houseprice.tables.saving import SaveOptions, record_rows, unsavable
from houseprice.tables.scoring import ScoredTable
from houseprice.tables.table import Table
from houseprice.ui.house.state import house_frame
from houseprice.ui.session import records

SAVED_PAGE = "pages/records/saved.py"

_SAVED = "house_saved"


def show_save(
    author: Author,
    given: Mapping[str, str],
    result: ValuationResult,
    info: BackendInfo,
    contract: Contract,
) -> None:
    """Draw the texts to save with the value of the form, and the button that saves it."""
    st.markdown("Keeps the value, its range and the fields as given, to compare with a later sale.")
    texts = OwnTexts(
        *(
            st.text_input(
                label,
                key=f"save_{label.lower()}",
                placeholder="optional",
                help=help_text,
                max_chars=most,
                # While typing: a click on the button must not meet a page that is being rerun.
                live=True,
                persist_state="session",
            )
            for label, most, help_text in (
                (
                    "Reference",
                    MAX_KEY_CHARS,
                    "Your own number of the house. A later price is matched by it.",
                ),
                ("Note", MAX_TEXT_CHARS, None),
                (
                    "Address",
                    MAX_KEY_CHARS,
                    "A later price without a reference is matched by it.",
                ),
            )
        )
    )  # fmt: skip
    shown = (dict(given), info.model_version, texts)
    if st.button(
        "Save this value",
        key="save_house",
        icon=":material/bookmark_add:",
        disabled=st.session_state.get(_SAVED, (None, 0))[0] == shown,
    ):
        number = save(records(), author, house_frame(given), result, info, contract, texts=[texts])[
            0
        ]
        st.session_state[_SAVED] = shown, number
        st.rerun()
    saved, number = st.session_state.get(_SAVED, (None, 0))
    if saved == shown:
        _show_saved(f"number {number:,}")


def show_save_table(
    author: Author,
    table: Table,
    scored: ScoredTable,
    info: BackendInfo,
    contract: Contract,
    token: str,
) -> None:
    """Draw the columns to save with the values of a table, and the button that saves them.

    ``token`` differs for each result: one is saved once.
    """
    saved_key, columns = f"csv_saved_{token}", list(table.cells.columns)
    if (saved := st.session_state.get(saved_key)) is not None:
        numbers, problems = saved
        first, last = numbers[0], numbers[-1]
        text = f"number {first:,}" if first == last else f"numbers {first:,} to {last:,}"
        _show_saved(text)
        if problems:
            faults = [f"row {each.row:,} ({each.message.rstrip('.')})" for each in problems]
            st.warning(f"Rows saved without a text: {list_some(faults)}.")
        return
    st.markdown(
        "Keeps every row with its value, or the reason why it has none, to compare with later "
        "sales. Other columns of the table are not kept."
    )
    usual = SaveOptions.usual(columns, contract)
    reference, address = (
        st.selectbox(
            f"Column of the {name}",
            columns,
            index=None if named is None else columns.index(named),
            placeholder="none",
            key=f"csv_save_{name}_{token}",
        )
        for name, named in (("reference", usual.reference), ("address", usual.address))
    )
    note = st.text_input(
        "Note",
        key="csv_save_note",
        placeholder="optional",
        help="The same for all rows.",
        max_chars=MAX_TEXT_CHARS,
        live=True,
    )
    label = f"Save {plural(len(table.cells), 'valuation')}"
    if st.button(label, key="csv_save", icon=":material/bookmark_add:"):
        options = SaveOptions(reference, address, note)
        result = ValuationResult(scored.valuations, scored.problems, scored.facts_given)
        with st.spinner("Saving…"):
            rows = record_rows(table, table.rows, result, info, options, datetime.now(UTC))
            numbers = append(records(), author, valuations, rows)
            st.session_state[saved_key] = numbers, unsavable(table, options)
        st.rerun()


def _show_saved(numbers: str) -> None:
    st.success(f"Saved as {numbers}.", icon=":material/bookmark_added:")
    st.page_link(SAVED_PAGE, label="Saved valuations", icon=":material/list:")
