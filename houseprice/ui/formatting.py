"""Numbers and problems in words.

A stranger's text shown as it is: Streamlit reads most texts as Markdown, files hold anything.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import pandas as pd

from houseprice.backend.base import BackendInfo
from houseprice.market.contract import Contract
from houseprice.market.problems import Problem
from houseprice.model.report import BANDS

__all__ = [
    "answered_by",
    "as_of_sentence",
    "confidence_band",
    "display_step",
    "escape",
    "money",
    "percent",
    "problem_table",
    "provenance",
    "rounding_step",
]


def money(contract: Contract, value: float, step: float = 1.0) -> str:
    """Write an amount with its currency, rounded to a multiple of ``step``: "$181,000"."""
    amount = round(value / step) * step
    sign = "−" if amount < 0 else ""
    return f"{sign}{contract.market.price.symbol}{abs(amount):,.0f}"


def rounding_step(half_width: float) -> float:
    """The step to round a value to, so that its digits do not claim more than is known.

    The largest of 1, 2, 5, 10… that is a tenth of the half-width of the 68 % range at the most.
    """
    tenth = max(half_width / 10, 1.0)
    power = 10.0 ** math.floor(math.log10(tenth))
    return max(step * power for step in (1, 2, 5) if step * power <= tenth)


def percent(share: float, digits: int = 1) -> str:
    """Write a share as a percentage: 0.0512 is "5.1 %"."""
    return f"{100 * share:.{digits}f} %"


def confidence_band(confidence: float) -> str:
    """The word for a confidence of 0 to 100, by the bands of the evaluation report."""
    return next(name for name, lower in reversed(BANDS) if confidence >= lower)


def display_step(value: float, fsd: float) -> float:
    """The step to round a value to; where its spread is not known, as if it were a tenth."""
    return rounding_step(value * (0.1 if math.isnan(fsd) else fsd))


def as_of_sentence(info: BackendInfo) -> str:
    """Say which sales and which day values stand for, as far as the backend tells."""
    sales = f"{info.n_sales:,} sales" if info.n_sales else "sales"
    if info.as_of is None:
        return f"Values from {sales} in {info.market_title}; the server does not say of which day."
    return f"Values as of {info.as_of:%B %Y}, from {sales} in {info.market_title}."


def provenance(info: BackendInfo) -> str:
    """Say what a value stands on: date, sales, model."""
    return f"{as_of_sentence(info)} {answered_by(info)} An estimate, not an appraisal."


def answered_by(info: BackendInfo) -> str:
    """Say which model answers, and where."""
    model = f"Model {info.model_version}, answered" if info.model_version else "Answered"
    return f"{model} by {info.backend}."


def problem_table(problems: Sequence[Problem], contract: Contract) -> pd.DataFrame:
    """Problems as a table for people: row, field in words, what is wrong, what was read."""
    return pd.DataFrame(
        [
            {
                "Row": problem.row,
                "Field": contract.fields[problem.field].label
                if problem.field in contract.fields
                else (problem.field or ""),
                "Kind": problem.severity,
                "What is the matter": problem.message,
                "Read": problem.read or "",
                "What would do": problem.expected or "",
            }
            for problem in problems
        ],
        columns=["Row", "Field", "Kind", "What is the matter", "Read", "What would do"],
    ).astype({"Row": "Int64"})


_MARKS = frozenset(r"\`*_{}[]()#+-!$:<>|~&.")


def escape(text: str) -> str:
    """Keep a text from being read as Markdown: no image is fetched, no link or formula made."""
    return "".join(f"\\{mark}" if mark in _MARKS else mark for mark in " ".join(text.split()))
