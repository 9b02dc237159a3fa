"""Later prices in a table of any make: read and checked, row by row, for the records."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pandas as pd

from houseprice.errors import InputError
from houseprice.formatting import join_words
from houseprice.market.contract import Contract
from houseprice.market.dates import date_of, date_order, parse_date
from houseprice.market.fields import fold_name
from houseprice.market.parsing import is_blank, shorten
from houseprice.market.problems import Problem
from houseprice.market.sales import valuation_days
from houseprice.market.validation import suggest_header, unknown_columns, validate_prices
from houseprice.records.texts import not_savable, text_fault
from houseprice.records.valuations import facts_of, is_entry_number
from houseprice.settings import Settings
from houseprice.tables.decimals import ambiguous_numbers, detect_decimals
from houseprice.tables.reader import read_table

_HEADERS = {
    "reference": "reference, your reference, ref, file, file number, case, case number",
    "property_key": "property key, property id, parcel, parcel number, parcel id, apn, uprn",
    "address": "address, street address, property address, full address",
    "sold_on": "sale date, date of sale, sold on, date sold, sold, closing date, transaction date",
    "price": "price, sale price, price paid, sold price, selling price, sold for",
    "corrects": "corrects",
}
_COLUMNS = {
    fold_name(header): column for column, text in _HEADERS.items() for header in text.split(",")
}
_MAX_SUGGESTIONS = 3
_IDENTITY = ("reference", "property_key", "address")


@dataclass(frozen=True)
class OutcomeTable:
    """Later prices of a table.

    ``sales`` are the rows that can be added, as :func:`houseprice.records.outcomes.add` takes them,
    with their ``row`` in the table, from 1. ``problems`` say why the others can't.
    """

    sales: pd.DataFrame
    problems: tuple[Problem, ...]
    n_rows: int
    notes: tuple[str, ...] = ()


def read_outcomes(
    data: bytes | Path, name: str, settings: Settings, contract: Contract
) -> OutcomeTable:
    """Read a table of later prices: CSV, Excel or Parquet, with a header.

    Raises InputError if it can't be read, has no price or no date of sale, or nothing that a house
    is recognised by.
    """
    table = read_table(data, name, settings)
    rows = _rename(table.rows, contract)
    problems = list(table.problems)
    decimals, _ = detect_decimals([rows], contract, table.separator)
    if decimals == "unclear":
        problems += ambiguous_numbers(rows, contract)
    return check_outcomes(rows, contract, problems, table.notes)


def check_outcomes(
    rows: pd.DataFrame,
    contract: Contract,
    problems: Sequence[Problem] = (),
    notes: tuple[str, ...] = (),
) -> OutcomeTable:
    """Check rows of text with the columns of outcomes, of the contract or of both.

    Raises InputError as :func:`read_outcomes` does.
    """
    rows = _rename(rows, contract).reset_index(drop=True)
    _check_columns(rows, contract)
    unread = {problem.row for problem in problems}
    prices, price_problems = validate_prices(rows[contract.market.price.column], contract)
    days = _days(rows, contract)
    checked = [problem for problem in price_problems if problem.severity == "error"]
    checked += [*_row_problems(rows, prices, days, contract), *_text_problems(rows)]
    found = [*problems, *(problem for problem in checked if problem.row not in unread)]
    bad = {problem.row for problem in found if problem.severity == "error"}
    own = {name: rows[name].tolist() for name in (*_IDENTITY, "corrects") if name in rows}
    facts = rows[[name for name in contract.columns if name in rows]].to_dict("records")
    unknown = unknown_columns(rows.drop(columns=[*_HEADERS], errors="ignore"), contract)
    notes += tuple(f"{note.message}{_suggestions(note.fields, contract)}" for note in unknown)
    sales = pd.DataFrame(
        {
            "row": range(1, len(rows) + 1),
            **own,
            "sold_on": pd.Series(days, dtype=object),
            "price": prices.to_numpy(),
            "facts": [facts_of(house, contract) for house in facts],
        }
    )
    if "corrects" in sales:
        numbers = pd.to_numeric(sales["corrects"], errors="coerce")
        sales["corrects"] = numbers.where(~sales["row"].isin(bad))
    kept = sales[~sales["row"].isin(bad)].reset_index(drop=True)
    return OutcomeTable(
        kept, tuple(sorted(found, key=lambda each: each.row or 0)), len(rows), notes
    )


def _rename(rows: pd.DataFrame, contract: Contract) -> pd.DataFrame:
    """Name columns as outcomes do, or as the contract does; the key is both."""
    market = contract.market
    names: dict[str, str] = {}
    for header in map(str, rows.columns):
        match = contract.match_header(header)
        column = match[0] if match else _COLUMNS.get(fold_name(header), "")
        if column == "price":
            column = market.price.column
        if column and column not in names.values() and column != header:
            names[header] = column
    rows = rows.rename(columns={old: new for old, new in names.items() if new not in rows})
    key = contract.property_key
    if "property_key" not in rows and key in rows:
        rows = rows.assign(property_key=rows[key])
    return rows


def _check_columns(rows: pd.DataFrame, contract: Contract) -> None:
    lacking = []
    if contract.market.price.column not in rows:
        lacking.append("the price (“sale price”)")
    if "sold_on" not in rows and not {*contract.market.roles.dates} & {*rows}:
        lacking.append("the date of sale (“sale date”)")
    if not {*_IDENTITY} & {*rows}:
        lacking.append("what a house is recognised by (“reference”, “property key” or “address”)")
    if lacking:
        others = [name for note in unknown_columns(rows, contract) for name in note.fields]
        raise InputError(
            f"The table has no column of {join_words(lacking)}. Name the columns so."
            + _suggestions([name for name in others if name not in _HEADERS], contract)
        )


def _suggestions(names: Sequence[str], contract: Contract) -> str:
    """Return which columns were perhaps meant by headers that are not known."""
    headers = {fold_name(each): each.strip() for text in _HEADERS.values()
               for each in text.split(",")}  # fmt: skip
    headers |= {key: column for key, column in contract.headers.items() if key not in headers}
    near = {name: suggest_header(name, headers) for name in names}
    found = [
        f" “{shorten(name)}”: did you mean “{header}”?" for name, header in near.items() if header
    ]
    return "".join(found[:_MAX_SUGGESTIONS])


def _days(rows: pd.DataFrame, contract: Contract) -> list[date | None]:
    """Return the days of sale; a month without a day is its first, so that no value is too late."""
    if "sold_on" in rows:
        texts = rows["sold_on"].astype(str).str.strip()
        order = date_order(texts)
        years = [parse_date(text, order, missing_day="1") for text in texts]
        return [None if year is None else date_of(year) for year in years]
    roles = contract.market.roles
    days = valuation_days(rows, contract, None)
    if roles.sale_date is not None:
        return days
    first = {"day": 1} if roles.sale_month in rows.columns else {"day": 1, "month": 1}
    return [None if day is None else day.replace(**first) for day in days]


def _row_problems(
    rows: pd.DataFrame, prices: pd.Series, days: Sequence[date | None], contract: Contract
) -> Iterator[Problem]:
    names = ["sold_on"] if "sold_on" in rows else [*contract.market.roles.dates]
    shown = rows[[name for name in names if name in rows]].astype(str).agg(" ".join, axis=1)
    last = datetime.now(UTC).date() + timedelta(days=1)  # somewhere it is tomorrow already
    known = rows[[name for name in _IDENTITY if name in rows]]
    is_known = ~known.map(is_blank).all(axis=1)
    price = contract.market.price
    corrects = rows["corrects"].astype(str) if "corrects" in rows else [""] * len(rows)
    cells = zip(shown, days, prices, is_known, corrects, strict=True)
    for row, (text, day, amount, identified, corrected) in enumerate(cells, start=1):
        read, expected = shorten(text.strip()), "a date, such as 2024-05-31"
        if day is None and not read:
            yield Problem(row, "sold_on", "required", "error", "Date of sale: it is missing.",
                          read, expected)  # fmt: skip
        elif day is None:
            message = f"Date of sale: «{read}» is not a date."
            yield Problem(row, "sold_on", "not_a_date", "error", message, read, expected)
        elif day > last:
            message = f"Date of sale: {read} is in the future."
            yield Problem(row, "sold_on", "in_the_future", "error", message, read, "a past date")
        if math.isfinite(amount) and amount <= 0.0:
            message = f"{price.label}: {amount:g} is not above 0."
            yield Problem(row, price.column, "below_limit", "error", message, f"{amount:g}",
                          "a price above 0")  # fmt: skip
        if not identified:
            yield Problem(
                row, None, "no_identity", "error",
                "The row has nothing that the house is recognised by.", "",
                "a reference, a property key or an address",
            )  # fmt: skip
        if corrected.strip() and not is_entry_number(corrected.strip()):
            message = f"Corrects: «{shorten(corrected)}» is not the number of a later price."
            yield Problem(row, "corrects", "not_a_number", "error", message, shorten(corrected),
                          "a number as in the list of later prices")  # fmt: skip


def _text_problems(rows: pd.DataFrame) -> Iterator[Problem]:
    for name in _IDENTITY:
        for row, text in enumerate(rows[name].astype(str) if name in rows else (), start=1):
            if fault := text_fault(name, text.strip()):
                yield not_savable(row, name, fault, text)
