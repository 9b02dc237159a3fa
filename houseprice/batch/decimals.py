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
from dataclasses import dataclass

import pandas as pd

from houseprice.market.contract import Contract
from houseprice.market.fields import Field
from houseprice.market.problems import Problem

__all__ = ["Decimals", "read_decimals"]

# With D the decimal sign and T the sign between thousands.
_SURE = r"[+-]?(\d{1,3}(T\d{3})+D\d+|\d{1,3}(T\d{3}){2,}|\d*D(\d{1,2}|\d{4,})|(0\d*|\d{4,})?D\d{3})"
_COMMA = re.compile(_SURE.replace("T", r"\.").replace("D", ","), re.ASCII)
_POINT = re.compile(_SURE.replace("T", ",").replace("D", r"\."), re.ASCII)
_DOUBTFUL = re.compile(r"[+-]?[1-9]\d{0,2}[.,]\d{3}", re.ASCII)
_GROUPING_SPACE = re.compile(r"(?<=\d)[ '\u00a0\u202f’](?=\d{3})", re.ASCII)


@dataclass(frozen=True)
class Decimals:
    """Rows with decimal points, and what there is to say."""

    rows: pd.DataFrame
    problems: tuple[Problem, ...] = ()
    note: str | None = None


def read_decimals(rows: pd.DataFrame, contract: Contract) -> Decimals:
    """Read the numbers of a file whose cells are separated by semicolons.

    Parameters
    ----------
    rows : DataFrame, all text, columns named as in the contract; not changed
    contract : Contract
    """
    numbers = {
        name: {str(text): _number(str(text), field) for text in rows[name].unique()}
        for name, field in contract.fields.items()
        if field.is_numeric and name in rows.columns
    }
    spellings = [number for column in numbers.values() for number in column.values()]
    commas = [number for number in spellings if _COMMA.fullmatch(number)]
    points = any(_POINT.fullmatch(number) for number in spellings)
    if commas and not points:
        note = (
            "Numbers were read with a decimal comma: "
            f"{commas[0]} is {_with_point(commas[0])} with a decimal point."
        )
        return Decimals(_converted(rows, numbers), note=note)
    if points and not commas:
        return Decimals(rows)
    return Decimals(rows, tuple(_doubts(rows, numbers, contract)))


def _number(text: str, field: Field) -> str:
    """The number in a cell, without its unit and without spaces between thousands."""
    plain = text.strip()
    if field.unit:
        plain = plain.removesuffix(field.unit).strip()
    return _GROUPING_SPACE.sub("", plain)


def _with_point(number: str) -> str:
    return number.replace(".", "").replace(",", ".")


def _converted(rows: pd.DataFrame, numbers: dict[str, dict[str, str]]) -> pd.DataFrame:
    replaced = {}
    for name, column in numbers.items():
        changed = {
            text: _with_point(number)
            for text, number in column.items()
            if _COMMA.fullmatch(number) or _DOUBTFUL.fullmatch(number)
        }
        if changed:
            replaced[name] = rows[name].replace(changed)
    return rows.assign(**replaced)


def _doubts(
    rows: pd.DataFrame, numbers: dict[str, dict[str, str]], contract: Contract
) -> list[Problem]:
    problems = []
    for name, column in numbers.items():
        doubtful = {text for text, number in column.items() if _DOUBTFUL.fullmatch(number)}
        if not doubtful:
            continue
        field = contract.fields[name]
        for row, text in enumerate(rows[name], start=1):
            if text in doubtful:
                whole, digits = re.split("[.,]", column[text])
                problems.append(
                    Problem(
                        row,
                        name,
                        "ambiguous_number",
                        "error",
                        f"{field.label}: «{text}» may be {whole},{digits} or {whole}.{digits}, "
                        "because the file has semicolons between its cells.",
                        text,
                        f"{whole}{digits} or {whole}.{digits}0",
                    )
                )
    return problems
