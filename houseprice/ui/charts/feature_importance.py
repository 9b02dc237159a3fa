"""Charts of what drives price: how much facts matter by several readings, and how few will do.

How much facts matter, by several readings, said in sentences computed from the figures.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from houseprice.formatting import percent
from houseprice.market.contract import Contract
from houseprice.ui.charts.style import FAINT, figure, money_axis, money_hover, wrap_label

__all__ = [
    "MEASURES",
    "ROW_HEIGHT",
    "Reading",
    "amount",
    "chosen_finding",
    "contribution_finding",
    "fewer",
    "fewer_finding",
    "group_finding",
    "importance_finding",
    "reading",
    "readings_finding",
]

ROW_HEIGHT = 36
"""Of a bar whose name may take two lines, in pixels."""
MEASURES = {
    "median_ape": "Half of the values are off by less than",
    "mean_ape": "Values are off on average by",
    "within_10": "Share of values within 10 %",
}
"""How accurate a model is, in shares of the price or of the values; the axis titles in words."""


@dataclass(frozen=True)
class Reading:
    """What the bars of a chart of importance mean.

    Attributes
    ----------
    column : str
        Of the frame: the lengths of the bars, in money or in percent of the price.
    spread : str
        Of the frame: how much that varies; "" if it was not measured.
    title : str
        Of the axis, without its unit.
    hover : str
        What follows the amount: "further off without it".
    names : str
        Of the frame: what the bars stand for.
    key : str
        Of the frame: what a picked bar gives.
    """

    column: str
    spread: str
    title: str
    hover: str
    names: str = "label"
    key: str = "column"


def reading(
    frame: pd.DataFrame, told: Reading, contract: Contract, money: bool, rows: int = 0
) -> go.Figure:
    """A bar a fact, or a group of facts, with its spread; the frame's first row on top.

    A bar that is no longer than its own spread is grey: it may be nothing.

    Parameters
    ----------
    frame : DataFrame
    told : Reading
    contract : Contract
    money : bool
        In money or, if not, in percent of the price.
    rows : int
        Room for so many bars, for charts that stand side by side.
    """
    drawn = figure(90 + ROW_HEIGHT * max(rows, len(frame)))
    clear = frame[told.column] > (frame[told.spread] if told.spread else 0)
    amount = money_hover(contract, "x") if money else "%{x:.2f} % of the price"
    for part, colour in ((frame[clear], None), (frame[~clear], FAINT)):
        drawn.add_bar(
            x=part[told.column],
            y=part[told.names].map(_short),
            orientation="h",
            marker={"color": colour},
            customdata=part[[told.key, told.names]],
            hovertemplate=f"%{{customdata[1]}}<br>{amount} {told.hover}<extra></extra>",
        )
        if told.spread:
            drawn.data[-1].error_x = {
                "type": "data",
                "array": part[told.spread],
                "color": FAINT,
                "thickness": 2,
                "width": 4,
            }
    drawn.update_layout(bargap=0.3, barmode="overlay")
    axis = money_axis(contract) if money else {"tickangle": 0}
    unit = contract.market.price.currency if money else "% of the price"
    # Three of these stand side by side: few ticks, and a title of two lines.
    drawn.update_xaxes(title_text=f"{told.title}<br>({unit})", showgrid=True, **axis)
    drawn.update_xaxes(rangemode="tozero", nticks=4)
    order = [_short(name) for name in frame[told.names]]
    drawn.update_yaxes(categoryorder="array", categoryarray=order[::-1])
    return drawn


def fewer(frame: pd.DataFrame, measure: str) -> go.Figure:
    """How accurate models are that know only some of the facts (``Study.fewer``)."""
    drawn = figure(340)
    drawn.add_scatter(
        x=frame["n_fields"],
        y=100 * frame[measure],
        mode="lines+markers+text",
        line={"width": 3},
        marker={"size": 10},
        text=[f"{100 * share:.1f} %" for share in frame[measure]],
        # Beside the line, which falls for an error and rises for a share.
        textposition=f"{'bottom' if measure == 'within_10' else 'top'} right",
        cliponaxis=False,
        customdata=frame[["n_fields"]],
        hovertemplate=f"%{{x}} facts<br>{MEASURES[measure]} %{{y:.1f}} %<extra></extra>",
    )
    most = float(frame["n_fields"].max())
    drawn.update_xaxes(title_text="Facts that the model knows", tickvals=frame["n_fields"])
    drawn.update_xaxes(range=[0, 1.1 * most])
    # The ends of the scale keep room for the words at the dots.
    top = 100.0 if measure == "within_10" else 115 * float(frame[measure].max())
    drawn.update_yaxes(title_text=MEASURES[measure], ticksuffix=" %", range=[0, top])
    return drawn


def _short(name: str) -> str:
    return wrap_label(name, 18)


_NEAR = 0.01
"""A gap between two shares that is called near."""


def importance_finding(frame: pd.DataFrame, contract: Contract, in_money: bool) -> str:
    """What the most important field is worth knowing, and how much the first few hold.

    Parameters
    ----------
    frame : DataFrame
        label, importance_pct and importance_money, of every field.
    contract : Contract
    in_money : bool
    """
    ordered = frame[["label", f"importance_{_unit(in_money)}"]]
    ordered = ordered.sort_values(ordered.columns[1], ascending=False)
    rises = ordered.iloc[:, 1].clip(lower=0)
    told = f"Without a true “{ordered['label'].iloc[0]}”, values would be another "
    told += f"{amount(rises.iloc[0], contract, in_money)} off on average."
    if rises.sum() > 0:
        first = percent(rises.head(5).sum() / rises.sum(), 0)
        told += f" The first five facts make up {first} of the total."
    return told


def contribution_finding(frame: pd.DataFrame, contract: Contract, in_money: bool) -> str:
    """Which field moves values most, and how many move them by something."""
    column = f"contribution_{_unit(in_money)}"
    ordered = frame.sort_values(column, ascending=False)
    first = ordered.iloc[0]
    small = int((frame[column] < 0.1 * first[column]).sum())
    return (
        f"“{first['label']}” moves a value by {amount(first[column], contract, in_money)} on "
        f"average, up or down. {small} of {len(frame)} facts move it by less than a tenth of that."
    )


def group_finding(frame: pd.DataFrame, contract: Contract, in_money: bool) -> str:
    """Which group of fields would be missed most, and which differences are within their spread.

    Parameters
    ----------
    frame : DataFrame
        title, loss and spread in both units (``Study.groups``).
    contract : Contract
    in_money : bool
    """
    if frame.empty:
        return "No groups of facts were left out when this model was trained."
    loss, spread = (f"{name}_{_unit(in_money)}" for name in ("loss", "spread"))
    ordered = frame.sort_values(loss, ascending=False)
    clear = ordered[ordered[loss] > ordered[spread]]
    if clear.empty:
        return (
            "No group of facts would be missed for sure: each loss is within its spread. The other "
            "facts stand in."
        )
    first = clear.iloc[0]
    further = amount(first[loss], contract, in_money)
    told = [f"“{first['title']}” would be missed most: {further} further off."]
    apart = ordered[loss].iloc[0] - clear[loss]
    # Two spreads together, as those of independent figures.
    alike = clear[(apart <= np.hypot(first[spread], clear[spread])) & (apart > 0)]
    if len(alike):
        told.append(f"{_listed(alike['title'])} can't be told from it: that is within the spread.")
    nothing = len(ordered) - len(clear)
    if nothing:
        told.append(
            f"Nothing is lost for sure without any one of the {nothing} in grey."
            if nothing > 1
            else f"Nothing is lost for sure without “{ordered['title'].iloc[-1]}”."
        )
    return " ".join(told)


def readings_finding(facts: pd.DataFrame, groups: pd.DataFrame) -> list[str]:
    """How the three readings differ, and why, a sentence each; in percent of the price.

    Parameters
    ----------
    facts : DataFrame
        label, group, importance_pct, spread_pct, contribution_pct, of every field.
    groups : DataFrame
        group, title, n_fields, loss_pct.
    """
    told = [_first_of_both(facts), _furthest_apart(facts), _stood_in_for(facts, groups)]
    return [sentence for sentence in told if sentence]


def fewer_finding(frame: pd.DataFrame) -> str:
    """How near to all facts a few of them come (``Study.fewer``)."""
    every, some = frame.iloc[-1], frame.iloc[:-1]
    n_all = int(every["n_fields"])
    if some.empty:
        return f"Only models that know all {n_all} facts were tried."
    gaps = some["median_ape"] - every["median_ape"]
    # The fewest that come near; if none does, the most.
    enough = some[gaps < _NEAR].iloc[0] if (gaps < _NEAR).any() else some.iloc[-1]
    gap = enough["median_ape"] - every["median_ape"]
    told = (
        f"{enough['n_fields']:.0f} facts bring you within {max(100 * gap, 0.1):.1f} points of all "
        f"{n_all}: half of the values are off by less than {percent(enough['median_ape'])}, "
        f"against {percent(every['median_ape'])}."
    )
    fewest = some.iloc[0]
    if fewest["n_fields"] < enough["n_fields"]:
        told += f" With {fewest['n_fields']:.0f} it is {percent(fewest['median_ape'])}."
    return told


def chosen_finding(frame: pd.DataFrame) -> str:
    """How far the choice of facts hangs on the sales that it was made from (``Study.chosen``)."""
    sure = int((frame["folds"] > 1 - 1e-9).sum())
    if sure == len(frame):
        return f"The same {sure} facts were chosen whichever sales the choice was made from."
    return (
        f"{sure} of these {len(frame)} facts were chosen whichever sales the choice was made from; "
        f"the other {len(frame) - sure} change places with facts that do nearly as well."
    )


def amount(value: float, contract: Contract, in_money: bool) -> str:
    """An amount in the unit that is shown: "$2,500", "1.6 % of the price"."""
    return contract.money(value, 100) if in_money else f"{value:.1f} % of the price"


def _first_of_both(facts: pd.DataFrame) -> str:
    lost, moves = (
        str(facts["label"].iloc[int(facts[column].argmax())])
        for column in ("importance_pct", "contribution_pct")
    )
    if lost == moves:
        return f"Both readings of single facts put “{lost}” first."
    return (
        f"“{lost}” comes first by how wrong values get without it, “{moves}” by how far it moves "
        "them."
    )


def _furthest_apart(facts: pd.DataFrame) -> str:
    columns = {"importance_pct": "lost", "contribution_pct": "moves"}
    places = facts[list(columns)].rank(ascending=False, method="first").rename(columns=columns)
    # What is within its spread has no place worth telling.
    sure = (facts["importance_pct"] > facts["spread_pct"]) & (places.min(axis=1) <= 10)
    known = places.assign(label=facts["label"])[sure]
    gap = known["lost"] - known["moves"]
    if not gap.abs().max() >= 2:
        return "Their orders are nearly the same."
    furthest = known.iloc[int(gap.abs().argmax())]
    label, lost, moves = furthest["label"], int(furthest["lost"]), int(furthest["moves"])
    if lost > moves:
        return (
            f"They differ most on “{label}”, number {moves} by how far it moves values and number "
            f"{lost} by how wrong they get without it: moving values is not yet making them truer."
        )
    return (
        f"They differ most on “{label}”, number {lost} by how wrong values get without it and "
        f"number {moves} by how far it moves them: for most homes it moves little, and for the "
        "others it matters."
    )


def _stood_in_for(facts: pd.DataFrame, groups: pd.DataFrame) -> str:
    if groups.empty:
        return ""
    alone = groups["group"].map(facts.groupby("group")["importance_pct"].sum())
    spared = (alone - groups["loss_pct"]).where(groups["n_fields"] > 1)
    if not spared.max() > 0:
        return ""
    at = int(spared.argmax())
    group, sum_of_facts = groups.iloc[at], float(alone.iloc[at])
    return (
        f"One at a time, the {group['n_fields']:.0f} facts of “{group['title']}” add up to "
        f"{sum_of_facts:.1f} % of the price; a model that learns without all of them loses "
        f"{max(group['loss_pct'], 0):.1f}: it learns to make do with the others, where the first "
        "reading confuses a model that counts on them."
    )


def _listed(titles: pd.Series) -> str:
    quoted = [f"“{title}”" for title in titles]
    return quoted[0] if len(quoted) == 1 else f"{', '.join(quoted[:-1])} and {quoted[-1]}"


def _unit(in_money: bool) -> str:
    return "money" if in_money else "pct"
