"""The whole valued table to take away."""

from __future__ import annotations

import re
from pathlib import PurePath

import streamlit as st

from houseprice.batch.kinds.excel import to_excel
from houseprice.batch.kinds.parquet import to_parquet
from houseprice.batch.text.tables import Table
from houseprice.batch.text.writing import to_csv
from houseprice.batch.valuing.scoring import Scored
from houseprice.market.contract import Contract

__all__ = ["show_downloads", "valued_csv"]

LONG = 50_000
"""Houses from which a workbook takes its time."""


def show_downloads(table: Table, scored: Scored, name: str, contract: Contract) -> None:
    """The whole table to take away, in three formats, each made when it is pressed."""
    stem = re.sub(r"[^\w-]+", "_", PurePath(name).stem)[:80].strip("_") or "houses"
    slow = " It takes a minute for a table of this size." if scored.summary.rows > LONG else ""
    with st.container(horizontal=True, key="csv_downloads"):
        st.download_button(
            "Download the valued table (CSV)",
            lambda: valued_csv(table, scored),
            file_name=f"{stem}_valued.csv",
            mime="text/csv",
            key="csv_download",
            on_click="ignore",
            icon=":material/download:",
        )
        st.download_button(
            "Excel",
            lambda: to_excel(scored, contract),
            file_name=f"{stem}_valued.xlsx",
            mime="application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
            key="csv_download_excel",
            help=f"A formatted sheet, and a second one with every problem.{slow}",
            on_click="ignore",
        )
        st.download_button(
            "Parquet",
            lambda: to_parquet(scored),
            file_name=f"{stem}_valued.parquet",
            mime="application/vnd.apache.parquet",
            key="csv_download_parquet",
            help="For programs: the same columns with their types.",
            on_click="ignore",
        )


def valued_csv(table: Table, scored: Scored) -> bytes:
    """The file for a spreadsheet, written as the one that wrote the upload would read it."""
    return to_csv(
        scored.frame,
        # It would run formulas in it, and take UTF-8 without its mark for something else.
        neutralise=True,
        newline="\r\n",
        bom=True,
        # It saves semicolons where its comma is a decimal sign, and opens no other file right.
        separator=";" if table.separator == ";" else ",",
        decimal=table.decimal,
    )
