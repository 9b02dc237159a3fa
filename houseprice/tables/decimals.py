"""The decimal sign of the numbers of a file.

A file is examined as a whole, because "1,250" alone may be 1,250 or 1.25 (and so may "1.250"):

- A number like "12,5" or "1.250,5" has a decimal comma for certain; "12.5" or "1,250.5" has a
  decimal point.
- If all certain numbers have a comma, every number of the file is read so. If all have a point,
  every number is read as in any other file.
- If no number is certain, or there are both kinds, an ambiguous number is an error of its row: a
  question is better than a price that is wrong by a factor of a thousand. Only with commas between
  cells it has a decimal point then, because spreadsheets that use a decimal comma write semicolons
  or tabs.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Literal

import pandas as pd

from houseprice.market.contract import Contract
from houseprice.market.problems import Problem
from houseprice.market.units import split_quantity

Decimals = Literal["point", "comma", "unclear"]

# With D the decimal sign and T the sign between thousands.
_CERTAIN = (
    r"[+-]?(\d{1,3}(T\d{3})+D\d+|\d{1,3}(T\d{3}){2,}|\d*D(\d{1,2}|\d{4,})|(0\d*|\d{4,})?D\d{3})"
)
_COMMA = re.compile(_CERTAIN.replace("T", r"\.").replace("D", ","), re.ASCII)
_POINT = re.compile(_CERTAIN.replace("T", ",").replace("D", r"\."), re.ASCII)
_AMBIGUOUS = re.compile(r"[+-]?[1-9]\d{0,2}[.,]\d{3}", re.ASCII)
_ANY = re.compile(r"[+-]?\d+([.,]\d+)*", re.ASCII)
_SAMPLE = 200
_GROUPING_SPACE = re.compile(r"(?<=\d)[ '\u00a0\u2009\u202f’](?=\d{3})", re.ASCII)


def detect_decimals(
    chunks: Iterable[pd.DataFrame], contract: Contract | None, separator: str
) -> tuple[Decimals, str | None]:
    """Detect the decimal sign of a file, and return it with a note for the user.

    Only as many chunks of rows are read as needed; their columns are named as in the contract.
    Without one, the columns in which most cells are numbers decide.
    """
    examples: dict[str, str] = {}
    has_points = False
    otherwise: Decimals = "point" if separator == "," else "unclear"
    for rows in chunks:
        for name, _ in _number_fields(rows, contract):
            for number in (_number(str(text)) for text in rows[name].unique()):
                has_points = has_points or bool(_POINT.fullmatch(number))
                if name not in examples and _COMMA.fullmatch(number):
                    examples[name] = number
        if has_points and (examples or separator == ","):
            return otherwise, None
    if has_points:
        return "point", None
    for example in examples.values():
        return "comma", (
            "Numbers were read with a decimal comma: "
            f"{example} is {_with_point(example)} with a decimal point."
        )
    return otherwise, None


def to_decimal_points(rows: pd.DataFrame, contract: Contract | None) -> pd.DataFrame:
    """Return rows with decimal points instead of decimal commas."""
    replaced = {}
    for name, _ in _number_fields(rows, contract):
        codes, distinct = rows[name].factorize()
        texts = [_to_point(str(text)) for text in distinct]
        replaced[name] = pd.Series(texts, dtype="str").iloc[codes].set_axis(rows.index)
    return rows.assign(**replaced)


def ambiguous_numbers(rows: pd.DataFrame, contract: Contract) -> Iterator[Problem]:
    """Yield an error for each number that can be read in two ways."""
    for name, label in _number_fields(rows, contract):
        numbers = {text: _number(text) for text in rows[name].unique().tolist()}
        ambiguous = {text for text, number in numbers.items() if _AMBIGUOUS.fullmatch(number)}
        if not ambiguous:
            continue
        for row, text in enumerate(rows[name], start=1):
            if text in ambiguous:
                whole, digits = re.split("[.,]", numbers[text])
                yield Problem(
                    row,
                    name,
                    "ambiguous_number",
                    "error",
                    f"{label}: «{text}» may be {whole},{digits} or {whole}.{digits}, "
                    "and the file does not show whether it has decimal commas.",
                    text,
                    f"{whole}{digits} or {whole}.{digits}0",
                )


def _number_fields(rows: pd.DataFrame, contract: Contract | None) -> Iterator[tuple[str, str]]:
    """Yield name and label of the columns of numbers, that of the price among them."""
    if contract is None:
        for name in map(str, rows.columns):
            texts = rows[name].astype(str).str.strip()
            known = texts[texts != ""].drop_duplicates().head(_SAMPLE).tolist()
            if known and sum(map(_is_number, known)) > 0.9 * len(known):
                yield name, name
        return
    price = contract.market.price
    labels = {name: field.label for name, field in contract.fields.items() if field.is_numeric}
    for name, label in {**labels, price.column: price.label}.items():
        if name in rows.columns:
            yield name, label


def _is_number(text: str) -> bool:
    return bool(_ANY.fullmatch(_number(text)))


def _number(text: str) -> str:
    """Return the number in a cell, without its unit and spaces between thousands."""
    return _GROUPING_SPACE.sub("", split_quantity(text.strip()).number)


def _to_point(text: str) -> str:
    number = _number(text)
    decimal = _COMMA.fullmatch(number) or _AMBIGUOUS.fullmatch(number)
    return (
        f"{_with_point(number)} {split_quantity(text.strip()).unit}".rstrip() if decimal else text
    )


def _with_point(number: str) -> str:
    return number.replace(".", "").replace(",", ".")
