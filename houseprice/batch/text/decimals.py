"""Numbers with a decimal comma, as spreadsheets of much of the world save them.

Where a comma is the decimal sign, spreadsheets separate cells by semicolons. So only such a file is
looked at, and as a whole, because "1,250" alone may be 1,250 or 1.25 (and so may "1.250"):

- A number like "12,5" or "1.250,5" has a decimal comma beyond doubt; "12.5" or "1,250.5" has a
  decimal point.
- If all numbers without doubt have a comma, every number of the file is read so. If all have a
  point, every number is read as in any other file.
- If there is no number without doubt, or there are both kinds, a doubtful one is an error of its
  row: a price that is wrong by a factor of a thousand is worse than a question.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Literal

import pandas as pd

from houseprice.market.contract import Contract
from houseprice.market.fields import Field
from houseprice.market.problems import Problem

__all__ = ["Decimals", "doubtful_numbers", "find_decimals", "with_points"]

Decimals = Literal["point", "comma", "unclear"]

# With D the decimal sign and T the sign between thousands.
_SURE = r"[+-]?(\d{1,3}(T\d{3})+D\d+|\d{1,3}(T\d{3}){2,}|\d*D(\d{1,2}|\d{4,})|(0\d*|\d{4,})?D\d{3})"
_COMMA = re.compile(_SURE.replace("T", r"\.").replace("D", ","), re.ASCII)
_POINT = re.compile(_SURE.replace("T", ",").replace("D", r"\."), re.ASCII)
_DOUBTFUL = re.compile(r"[+-]?[1-9]\d{0,2}[.,]\d{3}", re.ASCII)
_GROUPING_SPACE = re.compile(r"(?<=\d)[ '\u00a0\u202f’](?=\d{3})", re.ASCII)


def find_decimals(
    pieces: Iterable[pd.DataFrame], contract: Contract
) -> tuple[Decimals, str | None]:
    """Find the decimal sign of a file whose cells are separated by semicolons.

    Parameters
    ----------
    pieces : iterable of DataFrame, all text, columns named as in the contract
        The rows of the file; no more of them are taken than it needs.
    contract : Contract

    Returns
    -------
    decimals : {"point", "comma", "unclear"}
    note : str or None
        What the user should know.
    """
    examples: dict[str, str] = {}
    points = False
    for rows in pieces:
        for name, field in _number_fields(rows, contract):
            for number in (_number(str(text), field) for text in rows[name].unique()):
                points = points or bool(_POINT.fullmatch(number))
                if name not in examples and _COMMA.fullmatch(number):
                    examples[name] = number
        if points and examples:
            return "unclear", None
    if points:
        return "point", None
    for name in contract.columns:
        if name in examples:
            return "comma", (
                "Numbers were read with a decimal comma: "
                f"{examples[name]} is {_with_point(examples[name])} with a decimal point."
            )
    return "unclear", None


def with_points(rows: pd.DataFrame, contract: Contract) -> pd.DataFrame:
    """Write the numbers of a file with decimal commas with points; ``rows`` is not changed."""
    replaced = {}
    for name, field in _number_fields(rows, contract):
        codes, distinct = rows[name].factorize()
        texts = [_pointed(str(text), field) for text in distinct]
        replaced[name] = pd.Series(texts, dtype="str").iloc[codes].set_axis(rows.index)
    return rows.assign(**replaced)


def doubtful_numbers(rows: pd.DataFrame, contract: Contract) -> Iterator[Problem]:
    """Yield an error for each number that can be read in two ways."""
    for name, field in _number_fields(rows, contract):
        numbers = {text: _number(text, field) for text in rows[name].unique().tolist()}
        doubtful = {text for text, number in numbers.items() if _DOUBTFUL.fullmatch(number)}
        if not doubtful:
            continue
        for row, text in enumerate(rows[name], start=1):
            if text in doubtful:
                whole, digits = re.split("[.,]", numbers[text])
                yield Problem(
                    row,
                    name,
                    "ambiguous_number",
                    "error",
                    f"{field.label}: «{text}» may be {whole},{digits} or {whole}.{digits}, "
                    "because the file has semicolons between its cells.",
                    text,
                    f"{whole}{digits} or {whole}.{digits}0",
                )


def _number_fields(rows: pd.DataFrame, contract: Contract) -> Iterator[tuple[str, Field]]:
    for name, field in contract.fields.items():
        if field.is_numeric and name in rows.columns:
            yield name, field


def _number(text: str, field: Field) -> str:
    """The number in a cell, without its unit and without spaces between thousands."""
    plain = text.strip()
    if field.unit:
        plain = plain.removesuffix(field.unit).strip()
    return _GROUPING_SPACE.sub("", plain)


def _pointed(text: str, field: Field) -> str:
    number = _number(text, field)
    decimal = _COMMA.fullmatch(number) or _DOUBTFUL.fullmatch(number)
    return _with_point(number) if decimal else text


def _with_point(number: str) -> str:
    return number.replace(".", "").replace(",", ".")
