"""What the owner's report of a house says, gathered from its valuation and the backend."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date
from typing import TypeVar

import pandas as pd

from houseprice.backend.base import About, Answer, Backend
from houseprice.errors import HousePriceError
from houseprice.market.checks import check
from houseprice.market.contract import Contract
from houseprice.ui.house.form import one_house
from houseprice.ui.house.report import Report, Scale
from houseprice.ui.messages import (
    answered_by,
    confidence_band,
    money,
    percent,
    stands_for,
    step_of,
)

__all__ = ["owners_report"]

logger = logging.getLogger(__name__)

T = TypeVar("T")

_LIMITS = (
    "It is no appraisal but a computer's estimate: nobody has seen the house.",
    "It knows only the facts of its form, not the view, the noise or the state inside.",
    "It holds for its date and its market. Prices elsewhere, or since then, may be others.",
)


def owners_report(
    backend: Backend,
    row: Mapping[str, object],
    answer: Answer,
    contract: Contract,
    columns: Sequence[str],
    title: str = "",
    today: date | None = None,
) -> Report:
    """Gather what the report says; what the backend can't say is left out.

    Parameters
    ----------
    backend : Backend
    row : mapping of str to object
        The house as the form holds it.
    answer : Answer
        Its valuation.
    contract : Contract
    columns : sequence of str
        The facts to tell, the most important first.
    title : str
        The owner's name for the house.
    today : date, optional
    """
    about, rows = backend.about(), one_house(row)
    valuation = answer.valuations.iloc[0]
    step = step_of(valuation["predicted_price"], valuation["fsd"])
    sales = _sales(backend, rows, about)
    low_high = _ends(valuation, contract, step)
    return Report(
        title=title or "The value of a house",
        subtitle=_when(about, today or date.today()),  # noqa: DTZ011 - the owner's day
        value=money(contract, valuation["predicted_price"], step),
        certainty=_certainty(valuation, low_high),
        scale=_scale(valuation, low_high, sales),
        reasons=_reasons(backend, rows, about),
        facts=_facts(row, contract, columns),
        sales=tuple(_sale(sale, contract) for _, sale in sales.iterrows()),
        sales_header=("Sold for", "Alike", "When", "What differs from this house"),
        notes=tuple(p.message for p in answer.problems if p.severity == "warning"),
        limits=_LIMITS,
        foot=f"{stands_for(about)} {answered_by(about)}",
    )


def _when(about: About, today: date) -> str:
    as_of = f"Estimated value as of {about.as_of:%B %Y}" if about.as_of else "Estimated value"
    return f"{as_of}, {about.market_title}. Written on {today.day} {today:%B %Y}."


def _ends(valuation: pd.Series, contract: Contract, step: float) -> tuple[str, str] | None:
    if pd.isna(valuation["price_low"]):
        return None
    return (
        money(contract, valuation["price_low"], step),
        money(contract, valuation["price_high"], step),
    )


def _certainty(valuation: pd.Series, ends: tuple[str, str] | None) -> tuple[str, ...]:
    if ends is None:
        return ("The server that valued it gives no range.",)
    share = percent(valuation["interval"], 0)
    span = f"Range: {ends[0]} to {ends[1]}."
    told = [f"{span} The sale price lies in this range for {share} of such houses."]
    if not pd.isna(valuation["fsd"]):
        band = confidence_band(valuation["confidence"]).capitalize()
        told.append(
            f"{band} confidence, {valuation['confidence']:.0f} of 100: two sale prices in three "
            f"lie within {percent(valuation['fsd'], 0)} of the value."
        )
    return tuple(told)


def _scale(valuation: pd.Series, ends: tuple[str, str] | None, sales: pd.DataFrame) -> Scale | None:
    if ends is None:
        return None
    value, low, high = (
        float(valuation[name]) for name in ("predicted_price", "price_low", "price_high")
    )
    sold = tuple(float(price) for price in sales["price"]) if len(sales) else ()
    return Scale(value, low, high, ends, sold)


def _reasons(backend: Backend, rows: pd.DataFrame, about: About) -> tuple[str, ...]:
    if "explain" not in about.capabilities:
        return ()
    return _or_nothing(lambda: backend.explain(rows).reasons(6), ())


def _sales(backend: Backend, rows: pd.DataFrame, about: About) -> pd.DataFrame:
    if "comparables" not in about.capabilities:
        return pd.DataFrame()
    return _or_nothing(lambda: backend.comparables(rows), pd.DataFrame())


def _or_nothing(ask: Callable[[], T], nothing: T) -> T:
    """A report without a part is better than none: the download runs apart from any page."""
    try:
        return ask()
    except HousePriceError:
        logger.warning("a report lacks a part", exc_info=True)
        return nothing


def _facts(
    row: Mapping[str, object], contract: Contract, columns: Iterable[str]
) -> tuple[tuple[str, str], ...]:
    house = check(one_house(row), contract).houses.iloc[0]
    return tuple(
        (contract.fields[column].label, contract.fields[column].words(float(house[column])))
        for column in columns
    )


def _sale(sale: pd.Series, contract: Contract) -> tuple[str, ...]:
    told = [str(sale["circumstances"]), *str(sale["differences"]).split("; ")[:2]]
    return (
        money(contract, sale["price"]),
        f"{sale['similarity']:.0f} %",
        str(sale["sold"]),
        "; ".join(filter(None, told)),
    )
