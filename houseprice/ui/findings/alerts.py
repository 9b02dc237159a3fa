"""What stands out in the sales, each in a sentence, and what a reader does about it."""

from __future__ import annotations

from collections.abc import Callable

import pandas as pd

from houseprice.market.exploring.alerts import Alert, AlertKind
from houseprice.market.exploring.selection import Sales
from houseprice.ui.messages import percent

__all__ = ["MEANS", "alert_finding"]

MEANS: dict[AlertKind, str] = {
    "not_known": (
        "A value uses the typical one in place of a fact that is not known, and its range gets "
        "wider. Before you read a pattern into blanks, ask why nobody wrote them down."
    ),
    "alike": (
        "A fact that is the same for nearly every home can't tell two of them apart. A difference "
        "in price beside it rests on very few sales."
    ),
    "same": (
        "Of two facts that go together so closely, either can stand for both. Don't add up what "
        "each of them seems to be worth."
    ),
    "long_tail": (
        "Few very large ones pull the average up. Read the middle one, and compare in proportion: "
        "twice as large, not so much larger. Homes without any are left out here."
    ),
    "far_out": (
        "A dot is a sale more than three times the middle half's width away from it. It may be a "
        "slip, or a home unlike the others: look at it before you trust a trend that it pulls on. "
        "Homes without any are left out here."
    ),
}
"""What to make of each kind of alert."""


def alert_finding(alert: Alert, sales: Sales) -> str:
    """Say how many facts an alert concerns, and which of them the most."""
    return _SAID[alert.kind](alert, alert.frame.iloc[0], sales)


def _not_known(alert: Alert, worst: pd.Series, sales: Sales) -> str:
    return (
        f"{_of(alert, 'facts')} {_are(alert)} not known for every sale; least of all "
        f"“{worst['field']}”, not known for {worst['not_known']:,} of {len(sales):,} sales "
        f"({percent(worst['share_not_known'], 0)})."
    )


def _alike(alert: Alert, worst: pd.Series, sales: Sales) -> str:
    del sales
    hardly = "hardly differ" if alert.concerned > 1 else "hardly differs"
    return (
        f"{_of(alert, 'facts')} {hardly} from home to home; least of all “{worst['field']}”: "
        f"“{worst['level']}” for {worst['sales']:,} of {worst['known']:,} sales."
    )


def _same(alert: Alert, worst: pd.Series, sales: Sales) -> str:
    del sales
    pairs = len(alert.frame)
    return (
        f"{_of(alert, 'facts')} say nearly the same as another, in {pairs} "
        f"{'pairs' if pairs > 1 else 'pair'}; most of all “{worst['field']}” and "
        f"“{worst['other_field']}” ({worst['strength']:.2f} of 1)."
    )


def _long_tail(alert: Alert, worst: pd.Series, sales: Sales) -> str:
    words = sales.field(worst["column"]).words
    have = "have" if alert.concerned > 1 else "has"
    return (
        f"{_of(alert, 'sizes and amounts')} {have} a long tail of few large ones; most of all "
        f"“{worst['field']}”: the middle is {words(round(worst['median']))}, the largest "
        f"{words(worst['largest'])}."
    )


def _far_out(alert: Alert, worst: pd.Series, sales: Sales) -> str:
    del sales
    count = worst["sales"]
    return (
        f"{_of(alert, 'sizes and amounts')} hold{'' if alert.concerned > 1 else 's'} values far "
        f"from all the others; most of all “{worst['field']}”, in {count:,} "
        f"{'sales' if count > 1 else 'sale'}."
    )


def _of(alert: Alert, what: str) -> str:
    return f"**{alert.concerned} of {alert.of} {what}**"


def _are(alert: Alert) -> str:
    return "are" if alert.concerned > 1 else "is"


_SAID: dict[AlertKind, Callable[[Alert, pd.Series, Sales], str]] = {
    "not_known": _not_known,
    "alike": _alike,
    "same": _same,
    "long_tail": _long_tail,
    "far_out": _far_out,
}
