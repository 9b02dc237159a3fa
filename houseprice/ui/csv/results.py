"""The result of a valued table: its summary, its downloads, and four tabs of which one runs."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import replace
from pathlib import PurePath
from typing import Any

import pandas as pd
import streamlit as st
from streamlit.elements.lib.column_types import ColumnConfig

from houseprice.formatting import display_step, percent, plural
from houseprice.market.contract import Contract
from houseprice.market.problems import Problem
from houseprice.market.sales import Market
from houseprice.tables.checks import Finding, run_checks
from houseprice.tables.excel import to_excel
from houseprice.tables.parquet import to_parquet
from houseprice.tables.portfolio import Portfolio, sum_portfolio
from houseprice.tables.scoring import ScoredTable
from houseprice.tables.table import Table
from houseprice.tables.writer import to_csv
from houseprice.ui.charts.panel import panel
from houseprice.ui.charts.style import money_cells, rounded_amounts
from houseprice.ui.charts.uploads import FEWEST, comparison_chart, confidence_chart
from houseprice.ui.csv.comparison import show_accuracy, show_drift, show_totals
from houseprice.ui.csv.problems import show_problems
from houseprice.ui.csv.upload import EVIDENCE_ROWS, ValuedUpload, with_evidence
from houseprice.ui.house.state import FORM_PAGE, TAB, row_link
from houseprice.ui.layout import NOT_SUPPORTED, error_boundary, escape, provenance, show_table
from houseprice.ui.records.save import show_save_table
from houseprice.ui.session import author, may

TABS = ("Results", "Problems", "Totals and drift", "Accuracy")

_STATUS = {"error": "No value", "warning": "With a warning", "ok": "Valued"}
_ROW_TABS = {"Explanation": ":material/insights:", "Comparables": ":material/compare_arrows:"}

_TAB_KEY = "csv_tab"
_LAST_TAB_KEY = "csv_last_tab"
_FILTER_KEY = "csv_show"
_FEW_COLUMNS = 5  # a message names them all
_SLOW_WORKBOOK_ROWS = 50_000


def show_result(result: ValuedUpload, market: Market) -> None:
    """Show the summary, the downloads and the tabs of a valued table."""
    contract = market.contract
    st.header(f"Result for {escape(result.name)}", anchor=False)
    total = result.cached(
        "total", lambda: sum_portfolio(result.table, result.scored, contract, result.info.metrics)
    )
    _show_summary(result, total, contract)
    if result.n_corrected:
        cells = plural(result.n_corrected, "corrected cell")
        st.caption(f"The table has {cells}. Download it to keep the corrections.")
    _show_downloads(result, contract)
    _show_file_notes(result.scored, contract)
    _show_tabs(result, total, market)


def _show_file_notes(scored: ScoredTable, contract: Contract) -> None:
    """Say what concerns the whole file: its columns, and how it was read."""
    problems = [problem for problem in scored.problems if problem.row is None]
    errors = [problem.sentence for problem in problems if problem.severity == "error"]
    notes = [problem.sentence for problem in problems if problem.severity != "error"]
    if errors:
        st.error("  \n".join(map(escape, errors)), icon=":material/error:")
    if notes or scored.notes:
        st.info("  \n".join(map(escape, [*notes, *scored.notes])), icon=":material/info:")
    columns = file_columns(problems, contract)
    if len(columns) <= _FEW_COLUMNS:
        return
    with st.expander(f"All {len(columns):,} missing or unused columns", on_change="rerun") as every:
        if every.open:
            show_table(columns, key="csv_columns_of_file", alt="The missing and the unused columns")


def file_columns(problems: Iterable[Problem], contract: Contract) -> pd.DataFrame:
    """Return the columns that problems of a whole table are about, with their meaning."""
    return pd.DataFrame(
        [
            (
                name,
                contract.fields[name].label if name in contract.fields else "",
                "not used" if problem.code == "unknown_columns" else "missing",
            )
            for problem in problems
            for name in problem.fields
        ],
        columns=["Column", "Meaning", "In your table"],
    )


def _show_tabs(result: ValuedUpload, total: Portfolio | None, market: Market) -> None:
    contract = market.contract
    # Streamlit drops the state of a widget when the visitor opens another page.
    if _TAB_KEY not in st.session_state:
        st.session_state[_TAB_KEY] = st.session_state.get(_LAST_TAB_KEY, TABS[0])
    tabs = st.tabs(TABS, key=_TAB_KEY, on_change="rerun")
    label, tab = next((label, tab) for label, tab in zip(TABS, tabs, strict=True) if tab.open)
    st.session_state[_LAST_TAB_KEY] = label
    with tab, error_boundary(f"csv_{label}"):
        if label == "Results":
            _show_houses(result, market)
            _show_charts(result.scored, market.prices, contract)
        elif label == "Problems":
            show_problems(result, _findings(result, contract), contract, _show_rows)
        elif label == "Totals and drift":
            show_totals(total, contract)
            show_drift(result, market)
        else:
            show_accuracy(result, market)


def _findings(result: ValuedUpload, contract: Contract) -> tuple[Finding, ...]:
    knows_sales = "comparables" in result.info.capabilities
    return result.cached(
        "findings",
        lambda: run_checks(result.table, result.scored, contract, knows_sales=knows_sales),
    )


def _show_rows(filter_key: str) -> None:
    st.session_state[_FILTER_KEY] = filter_key
    st.session_state[_TAB_KEY] = TABS[0]


def _show_summary(result: ValuedUpload, total: Portfolio | None, contract: Contract) -> None:
    summary, info = result.scored.summary, result.info
    with st.container(horizontal=True, key="csv_summary"):
        st.metric("Houses", f"{summary.rows:,}", border=True)
        st.metric("Valued", f"{summary.valued:,}", border=True)
        st.metric(
            "With a warning", f"{summary.warnings:,}", border=True, help="Valued all the same"
        )
        st.metric("Without a value", f"{summary.errors:,}", border=True)
        if total is not None:
            value = contract.money(total.total, total.step)
            st.metric("Total value", value, border=True)
    if total is None:
        return
    range_sentence = total.sentence if total.low is not None else NOT_SUPPORTED["range"]
    st.caption(escape(f"{range_sentence} {provenance(info)}"))
    if "evidence" not in info.capabilities:
        st.caption(NOT_SUPPORTED["evidence"])
    elif summary.rows > EVIDENCE_ROWS:
        st.caption(
            f"Downloads have drivers and comparable sales for tables of up to {EVIDENCE_ROWS:,} "
            "houses. Split this table to get them."
        )


def _show_downloads(result: ValuedUpload, contract: Contract) -> None:
    """Show a download button for each format; the file is written when the button is clicked."""
    stem = re.sub(r"[^\w-]+", "_", PurePath(result.name).stem)[:80].strip("_") or "houses"
    slow = " This takes about a minute." if result.scored.summary.rows > _SLOW_WORKBOOK_ROWS else ""
    with st.container(horizontal=True, key="csv_downloads"):
        st.download_button(
            "Download the valued table (CSV)",
            lambda: valued_csv(with_evidence(result), result.table),
            file_name=f"{stem}_valued.csv",
            mime="text/csv",
            key="csv_download",
            on_click="ignore",
            icon=":material/download:",
        )
        st.download_button(
            "Excel",
            lambda: to_excel(with_evidence(result), contract),
            file_name=f"{stem}_valued.xlsx",
            mime="application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
            key="csv_download_excel",
            help=f"A formatted sheet, and a second sheet with all problems.{slow}",
            on_click="ignore",
        )
        st.download_button(
            "Parquet",
            lambda: to_parquet(with_evidence(result)),
            file_name=f"{stem}_valued.parquet",
            mime="application/vnd.apache.parquet",
            key="csv_download_parquet",
            help="For programs: the same columns with their types.",
            on_click="ignore",
        )
        if may("save") and (who := author("table")) is not None:
            with (
                st.popover(
                    "Save these valuations",
                    icon=":material/bookmark_add:",
                    key="csv_saving",
                    on_change="rerun",
                ) as saving,
                error_boundary("csv_save_error"),
            ):
                if saving.open:
                    info = replace(result.info, as_of=result.as_of or result.info.as_of)
                    show_save_table(who, result.table, result.scored, info, contract, result.token)


def valued_csv(scored: ScoredTable, table: Table) -> bytes:
    """Write a valued table for the spreadsheet program that wrote the upload."""
    return to_csv(
        scored.frame,
        # A spreadsheet runs formulas, and reads UTF-8 without a byte order mark as another codec.
        escape_formulas=True,
        newline="\r\n",
        bom=True,
        # Where its decimal sign is the comma, a spreadsheet writes and expects semicolons.
        separator=";" if table.separator == ";" else ",",
        decimal=table.decimal,
    )


def _show_houses(result: ValuedUpload, market: Market) -> None:
    scored, contract = result.scored, market.contract
    filters = row_filters(scored, _findings(result, contract))
    if st.session_state.get(_FILTER_KEY) not in filters:
        st.session_state[_FILTER_KEY] = "all"  # the choice was made for another table
    key = st.selectbox(
        "Show",
        list(filters),
        format_func=lambda key: filters[key][0],
        key=_FILTER_KEY,
        persist_state="session",
        width=480,  # beside the toolbar of the table
    )
    frame, rows = result.cached("houses", lambda: valued_houses(scored)), filters[key][1]
    if rows is not None:
        frame = frame[frame["row"].isin(rows)]
    options: dict[str, Any] = {
        "hide_index": True,
        # A selection is a position: the key differs where the same position is another house.
        "key": f"csv_houses_{key}_{result.token}",
        "placeholder": "",
        "alt": "The houses of the table with their values",
        "column_config": _column_config(frame, contract),
    }
    if len(frame) > EVIDENCE_ROWS:
        # A browser can't hold such a table: it loads only the visible rows, and can't select one.
        st.dataframe(frame, lazy=True, **options)
        row = st.number_input("Row to open", 1, len(scored.valuations), None, key="csv_open_row")
    else:
        table = st.dataframe(frame, on_select="rerun", selection_mode="single-row", **options)
        row = next(iter(frame["row"].iloc[table.selection.rows]), None)
    if scored.summary.valued:
        st.caption(_rounding_note(scored))
    if row is None:
        st.caption("Select a row to open its explanation, its comparables and the form.")
    else:
        _show_row(result, row, market)


def _column_config(frame: pd.DataFrame, contract: Contract) -> dict[str, ColumnConfig]:
    column = st.column_config
    amount = money_cells(contract)
    inputs = [field for name, field in contract.fields.items() if name in frame.columns]
    return {
        **{
            field.column: column.TextColumn(field.label, help=field.help or None)
            for field in inputs
        },
        "row": column.NumberColumn("Row", help="Row 1 is the first house under the header"),
        "status": column.TextColumn("Result"),
        "predicted_price": column.NumberColumn("Value", format=amount),
        "price_low": column.NumberColumn("From", format=amount),
        "price_high": column.NumberColumn("To", format=amount),
        "confidence": column.NumberColumn("Confidence", format="%.0f", help="0 to 100"),
        "message": column.TextColumn("Message", width="large"),
    }


def _show_row(result: ValuedUpload, row: int, market: Market) -> None:
    """Show the value of a house with its problems, and links to its form and explanation."""
    valuation = result.scored.valuations.iloc[row - 1]
    link = row_link(result.table.rows.iloc[row - 1], market)
    links = {"Open in the form": (":material/edit:", link)}
    has_value = valuation["status"] != "error"
    texts = [f"**Row {row:,}**"]
    if has_value:
        step = display_step(valuation["predicted_price"], valuation["fsd"])
        value = market.contract.money(valuation["predicted_price"], step)
        texts[0] += f": {escape(value)}"
        links |= {tab: (icon, link | {TAB: tab}) for tab, icon in _ROW_TABS.items()}
    if valuation["message"]:
        texts.append(escape(valuation["message"]))
    with st.container(border=True, key="csv_row"):
        st.markdown("  \n".join(texts))
        with st.container(horizontal=True):
            for label, (icon, parameters) in links.items():
                st.page_link(FORM_PAGE, label=label, icon=icon, query_params=parameters)


def row_filters(
    scored: ScoredTable, findings: tuple[Finding, ...]
) -> dict[str, tuple[str, frozenset[int] | None]]:
    """Return label and rows (None: all) of each choice of houses: by status and by problem.

    The keys stay the same while the table is corrected.
    """
    valuations = scored.valuations
    filters: dict[str, tuple[str, frozenset[int] | None]] = {
        "all": (f"All houses ({len(valuations):,})", None)
    }
    for status, label in (("error", "Without a value"), ("warning", "With a warning")):
        rows = frozenset(valuations.loc[valuations["status"] == status, "row"].tolist())
        if rows:
            filters[status] = (f"{label} ({len(rows):,})", rows)
    for finding in findings:
        if finding.rows and finding.severity in ("issue", "tip"):
            label = f"{finding.title} ({len(finding.rows):,})"
            filters[f"{finding.severity}:{finding.code}"] = (label, frozenset(finding.rows))
    return filters


def valued_houses(scored: ScoredTable) -> pd.DataFrame:
    """Return the valued table for display, in the order of the file.

    Money is rounded to the precision that its uncertainty warrants. The columns of the valuation
    that the backend provides come first, then the columns of the upload.
    """
    valuations = scored.valuations
    rounded = rounded_amounts(valuations)
    shown = valuations[["row", "confidence", "message"]].assign(
        status=valuations["status"].map(_STATUS), **rounded
    )
    order = ["row", "status", *rounded, "confidence", "message"]
    if valuations["predicted_price"].notna().any():
        order = [name for name in order if name == "message" or shown[name].notna().any()]
    return pd.concat([shown[order], scored.inputs], axis=1)


def _rounding_note(scored: ScoredTable) -> str:
    level = scored.valuations["interval"].max()
    if pd.isna(level):
        return f"Values are rounded here and exact in the downloads. {NOT_SUPPORTED['range']}"
    return (
        "Values are rounded to the precision that their uncertainty warrants; the downloads have "
        f"the exact values. About {percent(level, 0)} of the sale prices of such houses are "
        "between From and To."
    )


def _show_charts(scored: ScoredTable, sale_prices: pd.Series, contract: Contract) -> None:
    """Compare the values with the sale prices of the market, and show their confidence."""
    values = scored.valuations["predicted_price"].dropna()
    if len(values) < FEWEST:
        return
    st.subheader("Your houses and the market", anchor=False)
    panel(comparison_chart(values, sale_prices, contract), key="csv_values")
    confidence = scored.valuations["confidence"].dropna()
    if len(confidence) < FEWEST:
        return
    st.subheader("Confidence of the values", anchor=False)
    panel(confidence_chart(confidence), key="csv_confidence")
