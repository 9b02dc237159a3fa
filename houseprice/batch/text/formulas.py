"""Cells that a spreadsheet would run as a formula, made into plain text.

A house's description that starts with "=" is run by Excel, LibreOffice and Google Sheets when the
file is opened, quoted or not, and may send the sheet's contents elsewhere. A leading apostrophe
makes it text (OWASP ASVS 1.2.10; beyond its list: line breaks, blanks before the sign, and the
full-width signs that some spreadsheets take for the plain ones).

A text that would look the same after that, because the user put apostrophes before a formula, gets
one more. So each text has one form and each form one text, and :func:`restored` undoes it.
"""

from __future__ import annotations

import re

__all__ = ["is_dangerous", "is_neutral_form", "neutral", "restored"]

_STARTS_FORMULA = re.compile(r"[\s\u200b\ufeff]*[=+\-@＝＋－＠]|[\s\u200b\ufeff]*[\t\r\n\0]")
_NUMBER = re.compile(
    r" *[+-]?((\d{1,3}(,\d{3})+|\d+)([.,]\d*)?|[.,]\d+)([eE][+-]?\d+)? *", re.ASCII
)


def is_dangerous(text: str) -> bool:
    """Whether a spreadsheet might run the text: numbers such as -5 or +1.5e3 are none of these."""
    return bool(_STARTS_FORMULA.match(text)) and not _NUMBER.fullmatch(text)


def is_neutral_form(text: str) -> bool:
    """Whether the text is what :func:`neutral` makes of some other."""
    return text.startswith("'") and is_dangerous(text.lstrip("'"))


def neutral(text: str) -> str:
    """Give the text, with a leading apostrophe if a spreadsheet might run it.

    >>> neutral("=1+1"), neutral("-5"), neutral("brick"), neutral("'=1+1")
    ("'=1+1", '-5', 'brick', "''=1+1")
    """
    return f"'{text}" if is_dangerous(text) or is_neutral_form(text) else text


def restored(text: str) -> str:
    """Give the text of which :func:`neutral` made this.

    >>> restored("'=1+1"), restored("''=1+1"), restored("'t Hooge Huis")
    ('=1+1', "'=1+1", "'t Hooge Huis")
    """
    return text[1:] if is_neutral_form(text) else text
