"""Charts of fields: how they tie together, what is not known of them, what they do to price.

Charts of what stands out in the sales: frames of ``market.alerts`` as figures.

What stands out in the sales, each in a sentence, and what a reader does about it.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from houseprice.formatting import percent
from houseprice.market.profile.alerts import Alert, AlertKind
from houseprice.market.profile.selection import Sales
from houseprice.ui.charts.style import FAINT, figure, money_hover, wrap_label

__all__ = [
    "MEANS",
    "alert_finding",
    "alike_shares",
    "blank_shares",
    "far_values",
    "long_tails",
    "price_ties",
    "same_pairs",
    "ties",
]

MOST_TOLD = 12
"""In a square of more fields the figures would not fit into the squares of a phone."""

DIRECTIONS = {
    "rises": "Dearer with more of it",
    "falls": "Cheaper with more of it",
    "differs": "Differs by kind",
}


def price_ties(frame: pd.DataFrame) -> go.Figure:
    """A bar a field for its tie with price, coloured by its direction (``with_price``)."""
    drawn = figure(rows=len(frame) + 2)
    for direction, words in DIRECTIONS.items():
        part = frame[frame["direction"] == direction]
        drawn.add_bar(
            x=part["strength"],
            y=part["field"],
            orientation="h",
            name=words,
            text=part["strength"].map("{:.2f}".format),
            textposition="outside",
            cliponaxis=False,
            hovertemplate="%{y}<br>%{x:.2f} of 1<extra>" + words + "</extra>",
        )
    drawn.update_layout(showlegend=True, barmode="overlay", bargap=0.3)
    drawn.update_xaxes(title_text="Tie with price (0 none, 1 perfect)", range=[0, 1])
    drawn.update_yaxes(categoryorder="array", categoryarray=list(frame["field"])[::-1])
    return drawn


def ties(frame: pd.DataFrame) -> go.Figure:
    """A square for each pair of fields, deeper with a closer tie (``association.between``).

    Each pair once. The rows name the fields and number them; the columns bear the numbers alone,
    so that a phone has room for the squares.
    """
    drawn = figure(rows=len(frame) + 3)
    numbers = [str(place) for place in range(1, len(frame) + 1)]
    below = np.tril(np.ones(frame.shape, dtype=bool), -1)
    table = frame.where(below)
    others = [list(frame.columns)] * len(frame)
    drawn.add_heatmap(
        z=table.to_numpy(),
        x=numbers,
        y=[
            wrap_label(f"{place} {name}", 22)
            for place, name in zip(numbers, frame.index, strict=True)
        ],
        customdata=others,
        zmin=0,
        zmax=1,
        xgap=2,
        ygap=2,
        hoverongaps=False,
        text=table.map(lambda tie: "" if np.isnan(tie) else f"{tie:.2f}".removeprefix("0")),
        texttemplate="%{text}" if len(frame) <= MOST_TOLD else None,
        hovertemplate="%{y}<br>and %{customdata}<br>%{z:.2f} of 1<extra></extra>",
        showscale=False,
    )
    drawn.update_xaxes(type="category", side="bottom", showgrid=False, tickangle=0)
    drawn.update_yaxes(type="category", autorange="reversed", showgrid=False)
    return drawn


def blank_shares(frame: pd.DataFrame) -> go.Figure:
    """Bars of how often a field is not known, and how often a home has none (``blanks``)."""
    drawn = figure(rows=len(frame) + 2)
    kinds = {"not_known": ("Not known", None), "has_none": ("The home has none", FAINT)}
    for name, (words, colour) in kinds.items():
        if not frame[name].any():
            continue
        drawn.add_bar(
            x=frame[f"share_{name}"],
            y=frame["field"],
            customdata=frame[name],
            orientation="h",
            name=words,
            marker={"color": colour},
            hovertemplate="%{y}<br>%{customdata:,} sales (%{x:.1%})<extra>" + words + "</extra>",
        )
    drawn.update_layout(showlegend=True, barmode="stack", bargap=0.3)
    drawn.update_xaxes(title_text="Share of sales", tickformat=".0%", range=[0, 1])
    drawn.update_yaxes(autorange="reversed")
    return drawn


TIMES = "Times the middle one"
LOG_STEPS = {
    "type": "log",
    "tickvals": [step * 10**power for power in range(-3, 5) for step in (1, 3)],
    "tickformat": "~g",
    "ticksuffix": "×",
}


def alike_shares(frame: pd.DataFrame) -> go.Figure:
    """A bar a field for the share of sales that have not its commonest value."""
    drawn = figure(rows=2 * len(frame) + 1)
    others = frame["known"] - frame["sales"]
    drawn.add_bar(
        x=1 - frame["share"],
        y=frame["field"].map(wrap_label) + "<br>not “" + frame["level"] + "”",
        customdata=others,
        orientation="h",
        text=others.map("{:,}".format),
        texttemplate="%{text}",
        textposition="outside",
        cliponaxis=False,
        hovertemplate="%{y}: %{customdata:,} sales (%{x:.1%})<extra></extra>",
    )
    drawn.update_layout(bargap=0.3)
    drawn.update_xaxes(title_text="Share of sales that differ", tickformat=".0%")
    drawn.update_yaxes(autorange="reversed")
    return drawn


def same_pairs(frame: pd.DataFrame) -> go.Figure:
    """A bar a pair of fields for its tie (``association.pairs``)."""
    drawn = figure(rows=2 * len(frame) + 1)
    drawn.add_bar(
        x=frame["strength"],
        y=frame["field"].map(wrap_label) + "<br>and " + frame["other_field"].map(wrap_label),
        orientation="h",
        text=frame["strength"].map("{:.2f}".format),
        textposition="inside",
        insidetextanchor="end",
        hovertemplate="%{y}<br>%{x:.2f} of 1<extra></extra>",
    )
    drawn.update_layout(bargap=0.3)
    drawn.update_xaxes(title_text="Tie (0 none, 1 perfect)", range=[0, 1])
    drawn.update_yaxes(autorange="reversed")
    return drawn


def long_tails(frame: pd.DataFrame, sales: Sales) -> go.Figure:
    """By field: the middle 80 % as a bar and the largest as a dot, in times the middle one."""
    drawn = figure(rows=len(frame) + 2)
    names = frame["field"].map(wrap_label)
    low, high = frame["lowest_tenth"] / frame["median"], frame["highest_tenth"] / frame["median"]
    drawn.add_scatter(
        x=[1.0] * len(frame),
        y=names,
        customdata=_words(frame, sales, ["lowest_tenth", "median", "highest_tenth"]),
        error_x={
            "type": "data",
            "symmetric": False,
            "array": high - 1,
            "arrayminus": 1 - low,
            "thickness": 8,
            "width": 0,
            "color": FAINT,
        },
        mode="markers",
        marker={"size": 10},
        name="The middle one, and the middle 80 %",
        hovertemplate="%{y}<br>The middle one: %{customdata[1]}<br>80 % lie between "
        "%{customdata[0]} and %{customdata[2]}<extra></extra>",
    )
    drawn.add_scatter(
        x=frame["largest"] / frame["median"],
        y=names,
        customdata=_words(frame, sales, ["largest"]),
        mode="markers",
        marker={"size": 10, "symbol": "diamond"},
        name="The largest",
        hovertemplate="%{y}<br>The largest: %{customdata[0]} (%{x:.1f}×)<extra></extra>",
    )
    drawn.update_layout(showlegend=True)
    drawn.update_xaxes(title_text=TIMES, **LOG_STEPS)
    drawn.update_yaxes(autorange="reversed", type="category", showgrid=True)
    return drawn


def far_values(frame: pd.DataFrame, sales: Sales) -> go.Figure:
    """A dot for each value far from the rest, in times the middle one (``alerts.far_out``)."""
    drawn = figure(rows=frame["field"].nunique() + 1)
    told = zip(frame["column"], frame["value"], strict=True)
    words = [sales.field(column).format(value) for column, value in told]
    drawn.add_scatter(
        x=frame["times"],
        y=frame["field"].map(wrap_label),
        customdata=frame.assign(words=words)[["id", "location", "words", "price"]],
        mode="markers",
        marker={"size": 8, "opacity": 0.6},
        hovertemplate="%{y}: %{customdata[2]} (%{x:.1f}×)<br>Sale %{customdata[0]}, "
        f"%{{customdata[1]}}<br>{money_hover(sales.contract, 'customdata[3]')}<extra></extra>",
    )
    drawn.add_vline(x=1, line={"dash": "dot", "width": 2, "color": FAINT})
    drawn.update_xaxes(title_text=TIMES, **LOG_STEPS)
    drawn.update_yaxes(autorange="reversed", type="category", showgrid=True)
    return drawn


def _words(frame: pd.DataFrame, sales: Sales, names: list[str]) -> list[list[str]]:
    return [
        [sales.field(row["column"]).format(round(row[name])) for name in names]
        for _, row in frame.iterrows()
    ]


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
    hardly = "hardly differ" if alert.n_fields > 1 else "hardly differs"
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
    words = sales.field(worst["column"]).format
    have = "have" if alert.n_fields > 1 else "has"
    return (
        f"{_of(alert, 'sizes and amounts')} {have} a long tail of few large ones; most of all "
        f"“{worst['field']}”: the middle is {words(round(worst['median']))}, the largest "
        f"{words(worst['largest'])}."
    )


def _far_out(alert: Alert, worst: pd.Series, sales: Sales) -> str:
    del sales
    count = worst["sales"]
    return (
        f"{_of(alert, 'sizes and amounts')} hold{'' if alert.n_fields > 1 else 's'} values far "
        f"from all the others; most of all “{worst['field']}”, in {count:,} "
        f"{'sales' if count > 1 else 'sale'}."
    )


def _of(alert: Alert, what: str) -> str:
    return f"**{alert.n_fields} of {alert.n_checked} {what}**"


def _are(alert: Alert) -> str:
    return "are" if alert.n_fields > 1 else "is"


_SAID: dict[AlertKind, Callable[[Alert, pd.Series, Sales], str]] = {
    "not_known": _not_known,
    "alike": _alike,
    "same": _same,
    "long_tail": _long_tail,
    "far_out": _far_out,
}
