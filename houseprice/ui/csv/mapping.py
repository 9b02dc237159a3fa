"""Mapping the columns of an uploaded table by hand, remembered for the session."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from houseprice.market.contract import Contract
from houseprice.tables.mapping import ColumnMapping, suggest_columns
from houseprice.ui.csv.upload import FailedUpload, ValuedUpload, remember_mapping, session_mapping

_EXAMPLES = 3
_NOT_USED = "Not used"


def show_mapping(result: ValuedUpload | FailedUpload, contract: Contract) -> None:
    """Show the user's columns beside ours with the best guesses, to confirm; nothing if none lack.

    A required column that the table lacks gets one value for all houses.
    """
    cells = _unmapped(result)
    if cells is None:
        return
    st.subheader("Map the columns", anchor=False)
    st.markdown(
        "Some columns that a value needs are not recognized. Say which of your columns mean which "
        "of ours. What you do not know can stay “unknown”: the range is wider then."
    )
    labels = {name: field.label for name, field in contract.fields.items()}
    price = contract.market.price
    labels |= {contract.market.id: contract.market.id, price.column: price.label}
    columns = _edit_columns(cells, contract, labels)
    lacking = [
        field
        for name, field in contract.fields.items()
        if field.required and name not in columns.values()
    ]
    with st.grid(3, min_column_width=220):
        values = {
            field.column: st.text_input(
                f"{field.label}, for all houses",
                value=session_mapping().fixed.get(field.column, "unknown"),
                key=f"csv_value_{field.column}",
                help=f"{field.help} Enter “unknown”, or one value for every house of the table.",
            )
            for field in lacking
        }
    mapping = ColumnMapping(columns, values)
    with st.container(horizontal=True):
        st.button(
            "Value with this mapping",
            type="primary",
            key="csv_map",
            on_click=remember_mapping,
            args=(mapping,),
        )
        st.download_button(
            "Download the mapping (TOML)",
            mapping.to_toml(),
            file_name="mapping.toml",
            mime="application/toml",
            key="csv_map_download",
            on_click="ignore",
            help="For the command: houseprice predict --map mapping.toml",
        )


def _unmapped(result: ValuedUpload | FailedUpload) -> pd.DataFrame | None:
    """Return the cells of a table whose columns have to be mapped, under the user's headers."""
    if isinstance(result, FailedUpload):
        return result.cells
    codes = {problem.code for problem in result.scored.problems if problem.row is None}
    if "missing_required_columns" not in codes:
        return None
    return result.table.cells.set_axis(
        [header.strip() for header in result.table.headers], axis="columns"
    )


def _edit_columns(
    cells: pd.DataFrame, contract: Contract, labels: dict[str, str]
) -> dict[str, str]:
    guesses = suggest_columns(cells, contract) | dict(session_mapping().columns)
    headers = list(cells.columns)
    frame = pd.DataFrame(
        {
            "Your column": headers,
            "First values": [_first_values(cells[header]) for header in headers],
            "Our column": [labels.get(guesses[header], _NOT_USED) for header in headers],
        }
    )
    edited = st.data_editor(
        frame,
        hide_index=True,
        disabled=["Your column", "First values"],
        column_config={
            "Our column": st.column_config.SelectboxColumn(
                options=[_NOT_USED, *labels.values()], required=True
            )
        },
        key="csv_columns",
    )
    by_label = {label: name for name, label in labels.items()}
    chosen = zip(edited["Your column"], edited["Our column"], strict=True)
    return {str(header): by_label.get(str(label), "") for header, label in chosen}


def _first_values(cells: pd.Series) -> str:
    return ", ".join(cells[cells.str.strip() != ""].unique()[:_EXAMPLES].tolist())
