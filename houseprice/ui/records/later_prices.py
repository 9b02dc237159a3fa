"""The tab of later prices: one by one, as a table, and the matches that wait for a decision."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pandas as pd
import streamlit as st

from houseprice.formatting import join_words, plural
from houseprice.market.contract import Contract
from houseprice.market.problems import Problem
from houseprice.market.sales import Market
from houseprice.records import outcomes
from houseprice.records.ledger import Author
from houseprice.records.texts import MAX_KEY_CHARS
from houseprice.tables.outcomes import OutcomeTable, check_outcomes, read_outcomes
from houseprice.ui.charts.style import money_cells, money_title, price_text
from houseprice.ui.layout import download, error_boundary, escape, show_table, upload_table
from houseprice.ui.records.people import log_view_of_others, logged_export
from houseprice.ui.session import author, may, records, settings

_UPLOAD, _ADDED = "record_prices", "record_added"
_VISIBLE_MATCHES = 5
_LISTED_ROWS = 200
_STATES = {"accepted": "Matched", "unsure": "Unsure", "unmatched": "No valuation"}


def show_later_prices(who: Author, market: Market) -> None:
    """Show the entry of prices, the unsure matches, and the prices that are known."""
    person = None if may("see all") else who.person
    if person is None:
        log_view_of_others(who, "Later prices")
    if message := st.session_state.pop(_ADDED, None):
        st.success(escape(message), icon=":material/check:")
    if may("add outcomes"):
        one, table = st.columns(2, gap="large")
        with one, error_boundary("one_price"):
            _show_one(who, market.contract, person)
        with table, error_boundary("price_table"):
            _show_upload(market.contract, person)
    with error_boundary("unsure"):
        _show_unsure(who, market.contract, person)
    with error_boundary("known_prices"):
        _show_known(who, market.contract, person)


def _show_one(who: Author, contract: Contract, person: str | None) -> None:
    """Draw the form of one later price."""
    st.subheader("One price", anchor=False)
    with st.form("record_price", border=False):
        reference = st.text_input("Reference", key="price_reference", max_chars=MAX_KEY_CHARS)
        address = st.text_input("Address", key="price_address", max_chars=MAX_KEY_CHARS)
        today = datetime.now(UTC).date() + timedelta(days=1)  # somewhere it is tomorrow already
        sold_on = st.date_input("Date of sale", None, date(1900, 1, 1), today, key="price_sold_on")
        price = st.text_input(
            money_title(contract.market.price.label, contract), key="price_amount"
        )
        if not st.form_submit_button("Add the price", icon=":material/add:"):
            return
    row = {
        "reference": reference,
        "address": address,
        "sold_on": "" if sold_on is None else sold_on.isoformat(),
        contract.market.price.column: price,
    }
    checked = check_outcomes(pd.DataFrame([row], dtype="str"), contract)
    if checked.problems:
        st.error(
            "  \n".join(escape(_sentence(problem)) for problem in checked.problems),
            icon=":material/edit_note:",
        )
    if len(checked.sales):
        _add(who, checked, person)


def _sentence(problem: Problem) -> str:
    expected = f" Enter {problem.expected}." if problem.expected else ""
    return f"{problem.message}{expected}"


def _add(who: Author, checked: OutcomeTable, person: str | None) -> None:
    added = outcomes.add(records(), who, checked.sales, person=person)
    st.session_state[_ADDED] = f"Later prices: {added.summary}"
    st.rerun()


def _show_upload(contract: Contract, person: str | None) -> None:
    """Draw the upload of a table of prices: what can be added, and why the other rows can't."""
    st.subheader("A table", anchor=False)
    checked = upload_table(
        "Later prices (CSV, Excel or Parquet)",
        lambda data, name: read_outcomes(data, name, settings(), contract),
        key=_UPLOAD,
        help_text="One sale per row. Columns: price, sale date, and at least one of reference, "
        "property key and address. Columns of the market are kept as facts.",
    )
    if checked is None:
        return
    n_bad = checked.n_rows - len(checked.sales)
    st.markdown(
        f"{plural(checked.n_rows, 'row')}, {len(checked.sales):,} can be added"
        + (f", {n_bad:,} can't." if n_bad else ".")
    )
    if checked.notes:
        st.caption(escape(" ".join(checked.notes)))
    if checked.problems:
        table = _problems_frame(checked.problems)
        show_table(table, key="price_problems", alt="Rows with a problem", data=table)
    label = f"Add {plural(len(checked.sales), 'later price')}"
    who = author("table")
    if who and st.button(label, key="price_add", disabled=checked.sales.empty):
        with st.spinner("Matching the prices…"):
            _add(who, checked, person)


def _problems_frame(problems: Sequence[Problem]) -> pd.DataFrame:
    rows = [(each.row, each.message, each.read, each.expected) for each in problems]
    frame = pd.DataFrame(rows, columns=["Row", "Problem", "Read", "Expected"])
    return frame.astype({"Row": "Int64"})


def _show_unsure(who: Author, contract: Contract, person: str | None) -> None:
    """Show the matches that wait for a decision, the first few with buttons to decide."""
    found = outcomes.unsure(records(), who.market, person=person)
    if found.empty:
        return
    n_open = found["outcome"].nunique()
    st.subheader(f"{plural(n_open, 'unsure match', 'unsure matches')}", anchor=False)
    for number, candidates in list(found.groupby("outcome", sort=False))[:_VISIBLE_MATCHES]:
        sale = candidates.iloc[0]
        with st.container(border=True):
            price = contract.money(sale["price"])
            day = f"{sale['sold_on']:%-d %B %Y}"
            st.markdown(f"Sold for **{escape(price)}** on {day}: {_identity(sale, '')}")
            for row in candidates.to_dict("records"):
                _show_candidate(who, int(str(number)), row, contract)
    if n_open > _VISIBLE_MATCHES:
        st.caption(f"The first {_VISIBLE_MATCHES} of {n_open:,}.")


def _show_candidate(who: Author, outcome: int, row: Mapping[Any, Any], contract: Contract) -> None:
    valuation = int(row["valuation"])
    value = "no value"
    if not pd.isna(row["predicted_price"]):
        value = price_text(row["predicted_price"], contract)
    with st.container(horizontal=True, vertical_alignment="center"):
        st.markdown(
            f"Valuation {valuation:,}, {escape(value)} on {row['valued_at']:%-d %B %Y}: "
            f"{_identity(row, 'valuation_')} :small[({row['score']:.0f} of 100)]"
        )
        if not may("decide matches"):
            return
        for label, accept in (("Same house", True), ("Another house", False)):
            if st.button(label, key=f"decide_{outcome}_{valuation}_{accept}"):
                outcomes.decide(records(), who, outcome, valuation, accept=accept)
                st.rerun()


def _identity(row: Mapping[Any, Any] | pd.Series, prefix: str) -> str:
    names = ("reference", "property_key", "address")
    return escape(join_words([row[f"{prefix}{name}"] for name in names if row[f"{prefix}{name}"]]))


def _show_known(who: Author, contract: Contract, person: str | None) -> None:
    """Show the newest prices with the state of their match."""
    known = outcomes.listing(records(), who.market, person=person, limit=_LISTED_ROWS)
    if known.empty:
        st.info("No later prices are known yet.", icon=":material/price_check:")
        return
    st.subheader("Known prices", anchor=False)
    shown = pd.DataFrame(
        {
            "Number": known["entry"],
            "Date of sale": known["sold_on"],
            "Price": known["price"],
            "Reference": known["reference"],
            "Address": known["address"],
            "Match": known["state"].map(_STATES),
            "Valuation": known["valuation"],
            "By": known["person"],
        }
    )
    amount = st.column_config.NumberColumn(format=money_cells(contract))
    number = st.column_config.NumberColumn(format="%d")
    columns = {
        "Price": amount,
        "Number": number,
        "Valuation": number,
        "Address": st.column_config.TextColumn(width="medium"),
    }
    show_table(shown, key="known_prices", alt="The newest later prices", columns=columns)
    if len(known) == _LISTED_ROWS:
        st.caption(f"The newest {_LISTED_ROWS:,}; the download has all.")
    database, market = records(), who.market

    def read() -> pd.DataFrame:
        return outcomes.listing(database, market, person=person, limit=1_000_000)

    download(
        "Download all later prices", logged_export(who, "Later prices", read), key="later_prices"
    )
