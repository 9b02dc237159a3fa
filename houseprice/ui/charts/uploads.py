"""A visitor's own houses drawn over charts of the sales.

The values of a table beside the sales of the market.

Charts of a valued table: how sure its values are, and how they meet the prices paid.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from houseprice.formatting import percent
from houseprice.market.contract import Contract
from houseprice.market.fields import Field
from houseprice.model.report import CONFIDENCE_BANDS, confidence_band
from houseprice.ui.charts.prices import amount
from houseprice.ui.charts.style import FAINT, figure, money_axis, money_hover, price_title

__all__ = [
    "FEWEST",
    "area_finding",
    "beside_distribution",
    "comparison",
    "comparison_chart",
    "comparison_finding",
    "confidence_chart",
    "confidence_finding",
    "confidence_steps",
    "over_distribution",
    "over_points",
    "overlay_finding",
    "prices_chart",
]

FEW_HOUSES = 100
"""So many are drawn to be seen one by one; more as a cloud."""


def beside_distribution(frame: pd.DataFrame, values: pd.Series) -> pd.DataFrame:
    """Count houses by value in the steps of a distribution of prices, and in more where they reach.

    Parameters
    ----------
    frame : DataFrame
        from, to, sales (``profile.distribution``).
    values : Series of float

    Returns
    -------
    DataFrame
        from, to, sales, houses, and houses_scaled: as if there were as many of them as sales.
    """
    step = float(frame["to"].iloc[0] - frame["from"].iloc[0])
    first = np.floor(min(values.min(), frame["from"].min()) / step)
    last = np.ceil(max(values.max() + step / 1e6, frame["to"].max()) / step)
    edges = step * np.arange(first, last + 1)
    before = round(float(frame["from"].iloc[0]) / step - first)
    sales = np.zeros(len(edges) - 1, dtype=int)
    sales[before : before + len(frame)] = frame["sales"]
    houses, _ = np.histogram(values, edges)
    return pd.DataFrame(
        {
            "from": edges[:-1],
            "to": edges[1:],
            "sales": sales,
            "houses": houses,
            "houses_scaled": houses * sales.sum() / max(houses.sum(), 1),
        }
    )


def over_distribution(
    drawn: go.Figure, frame: pd.DataFrame, name: str, contract: Contract
) -> go.Figure:
    """Add the houses to a distribution of prices as a stepped line (``beside_distribution``)."""
    symbol = contract.market.price.symbol
    drawn.data[0].name = "Sales"
    drawn.add_scatter(
        x=(frame["from"] + frame["to"]) / 2,
        y=frame["houses_scaled"],
        customdata=frame[["from", "to", "houses"]],
        mode="lines",
        line={"shape": "hvh", "width": 2.5},
        name=f"{name}, drawn as if as many",
        hovertemplate=f"{symbol}%{{customdata[0]:,.0f}} to {symbol}%{{customdata[1]:,.0f}}"
        "<br>%{customdata[2]:,} of your houses<extra></extra>",
    )
    drawn.update_layout(showlegend=True)
    return drawn


def over_points(
    drawn: go.Figure, frame: pd.DataFrame, name: str, field: Field, contract: Contract
) -> go.Figure:
    """Add the houses to a chart of prices against a number (id, location, value, price)."""
    many = len(frame) > FEW_HOUSES
    drawn.add_scatter(
        x=frame["value"],
        y=frame["price"],
        text="Row " + frame["id"].astype(str) + ", " + frame["location"],
        mode="markers",
        marker={
            "size": 5 if many else 10,
            "opacity": 0.5 if many else 0.9,
            "symbol": "diamond",
            "line": {"width": 0},
        },
        name=name,
        hovertemplate=f"<b>Your file</b>, %{{text}}<br>Valued at {money_hover(contract, 'y')}"
        f"<br>%{{x:,}} {field.unit}<extra></extra>",
    )
    drawn.update_layout(showlegend=True)
    return drawn


def overlay_finding(values: pd.Series, prices: pd.Series, contract: Contract) -> str:
    """Whether the middle value of the houses lies above or below the middle price."""
    middle, paid = float(values.median()), float(prices.median())
    share = middle / paid - 1
    side = "about the same as" if abs(share) < 0.02 else ""
    if not side:
        side = f"{percent(abs(share), 0)} {'above' if share > 0 else 'below'}"
    return (
        f"The middle value of your houses is {amount(contract, middle)}, {side} the middle "
        f"price of these sales, {amount(contract, paid)}."
    )


def area_finding(own: pd.DataFrame, points: pd.DataFrame, field: Field) -> str:
    """Whether the houses lie where there are sales to learn from (id, location, value, price)."""
    if own.empty or points.empty:
        return f"{field.label} is not known where it would be needed."
    low, high = float(points["value"].min()), float(points["value"].max())
    outside = int(((own["value"] < low) | (own["value"] > high)).sum())
    middle, sold = (field.format(round(float(frame["value"].median()))) for frame in (own, points))
    reach = "All lie" if not outside else f"All but {outside:,} lie"
    return (
        f"{field.label}: {middle} in the middle of your houses, {sold} in the middle of these "
        f"sales. {reach} within what the sales span."
    )


FEWEST = 10
"""Fewer values than this make no distribution."""
_BARS = 30


def comparison(values: pd.Series, sales: pd.Series) -> pd.DataFrame:
    """Share of values and of sale prices in steps of a round width.

    Parameters
    ----------
    values, sales : Series of float
        Known values of the table's houses, and sale prices of the market.

    Returns
    -------
    DataFrame
        "from", "to" (money), "houses" (a count), "houses_pct" and "sales_pct" (percent). The first
        step holds everything below it too, and the last everything above.
    """
    both = np.concatenate([values.to_numpy(np.float64), sales.to_numpy(np.float64)])
    low, high = np.quantile(both, [0.002, 0.995])
    width = _round_width((high - low) / _BARS)
    edges = width * np.arange(np.floor(low / width), np.floor(high / width) + 2)
    inside = [
        np.histogram(np.clip(each, edges[0], edges[-1]), edges)[0] for each in (values, sales)
    ]
    return pd.DataFrame(
        {
            "from": edges[:-1],
            "to": edges[1:],
            "houses": inside[0],
            "houses_pct": 100 * inside[0] / max(len(values), 1),
            "sales_pct": 100 * inside[1] / max(len(sales), 1),
        }
    )


def comparison_chart(frame: pd.DataFrame, contract: Contract) -> go.Figure:
    """Bars of the table's values, and the outline of the market's sales."""
    drawn = figure()
    symbol = contract.market.price.symbol
    middle = (frame["from"] + frame["to"]) / 2
    span = f"{symbol}%{{customdata[0]:,.0f}} to {symbol}%{{customdata[1]:,.0f}}"
    drawn.add_bar(
        x=middle,
        y=frame["houses_pct"],
        width=frame["to"] - frame["from"],
        customdata=frame[["from", "to", "houses"]],
        marker={"line": {"width": 0}},
        name="Your houses, by value",
        hovertemplate=f"{span}<br>%{{y:.1f}} % of your houses (%{{customdata[2]:,}})"
        "<extra></extra>",
    )
    drawn.add_scatter(
        x=middle,
        y=frame["sales_pct"],
        customdata=frame[["from", "to"]],
        mode="lines",
        line={"shape": "hvh", "width": 2.5, "color": FAINT},
        name="The market's sales, by price",
        hovertemplate=f"{span}<br>%{{y:.1f}} % of the sales<extra></extra>",
    )
    drawn.update_layout(bargap=0.06, showlegend=True)
    title = f"Value or sale price ({contract.market.price.currency})"
    drawn.update_xaxes(title_text=title, **money_axis(contract))
    drawn.update_yaxes(title_text="Share of houses (%)", rangemode="tozero")
    return drawn


def comparison_finding(values: pd.Series, sales: pd.Series, contract: Contract) -> str:
    """Where the middle of the values lies, and how that compares with the market's sales."""
    low, middle, high = values.quantile([0.25, 0.5, 0.75])
    sold = float(sales.median())
    change = middle / sold - 1
    if abs(change) < 0.005:
        beside = "as much as"
    else:
        beside = f"{percent(abs(change), 0)} {'more' if change > 0 else 'less'} than"
    return (
        f"Half of your houses are worth {contract.money(low, 500)} to "
        f"{contract.money(high, 500)}, and the middle one {contract.money(middle, 500)}: "
        f"{beside} the middle sale of the market ({contract.money(sold, 500)})."
    )


def _round_width(width: float) -> float:
    power = 10.0 ** np.floor(np.log10(max(width, 1.0)))
    return float(next(step * power for step in (1, 2, 2.5, 5, 10) if step * power >= width))


_STEP = 2
_LOWEST = 60
"""Houses below this confidence are few, and stand together."""


def confidence_steps(confidence: pd.Series) -> pd.DataFrame:
    """Count houses by confidence.

    Parameters
    ----------
    confidence : Series of float
        Known ones, from 0 to 100.

    Returns
    -------
    DataFrame
        "band" (in words), "from", "to", "houses" and "houses_pct". The first step holds everything
        below it too.
    """
    # A step ends where a band ends, so that each has one band.
    ends = {lower for _, lower in CONFIDENCE_BANDS if lower > _LOWEST}
    edges = np.array(sorted({*range(_LOWEST, 101, _STEP)} | ends))
    houses = np.histogram(np.clip(confidence, _LOWEST, 100), edges)[0]
    return pd.DataFrame(
        {
            "band": [confidence_band(low) for low in edges[:-1]],
            "from": [0.0, *edges[1:-1]],
            "to": edges[1:],
            "houses": houses,
            "houses_pct": 100 * houses / max(len(confidence), 1),
        }
    )


def confidence_chart(steps: pd.DataFrame) -> go.Figure:
    """Bars of the houses by confidence, a colour a band."""
    drawn = figure(320)
    ends = [_LOWEST, *steps["to"]]
    steps = steps.assign(left=ends[:-1], width=np.diff(ends))
    for word, part in [
        (word, steps[steps["band"] == word]) for word, _ in reversed(CONFIDENCE_BANDS)
    ]:
        drawn.add_bar(
            x=part["left"] + part["width"] / 2,
            y=part["houses"],
            width=part["width"],
            customdata=part[["from", "to", "houses_pct"]],
            marker={"line": {"width": 0}},
            name=f"{word.capitalize()} confidence",
            hovertemplate="Confidence %{customdata[0]:.0f} to %{customdata[1]:.0f}"
            "<br>%{y:,} houses (%{customdata[2]:.1f} %)<extra></extra>",
        )
    drawn.update_layout(bargap=0.06, showlegend=True, barmode="overlay")
    drawn.update_xaxes(title_text="Confidence (0 to 100)", range=[_LOWEST - 1, 101])
    drawn.update_yaxes(title_text="Houses", rangemode="tozero")
    return drawn


def confidence_finding(confidence: pd.Series) -> str:
    """How many houses lie in each band, the surest first."""
    ends = [*CONFIDENCE_BANDS, ("", np.inf)]
    shares = {
        word: float(((confidence >= low) & (confidence < high)).mean())
        for (word, low), (_, high) in pairwise(ends)
    }
    (first, _), *others = reversed(CONFIDENCE_BANDS)
    told = [f"{word} for {percent(shares[word], 0)}" for word, _ in others]
    told.insert(0, f"{first} for {percent(shares[first], 0)} of your houses")
    return f"Confidence is {', '.join(told[:-1])} and {told[-1]}."


def prices_chart(houses: pd.DataFrame, contract: Contract) -> go.Figure:
    """Value against price paid, a dot a house; on the line they are the same.

    Parameters
    ----------
    houses : DataFrame
        "row", "price", "predicted_price" and "inside" (whether the range holds the price).
    contract : Contract
    """
    drawn = figure(460)
    both = houses[["price", "predicted_price"]].to_numpy()
    ends = [both.min(), both.max()]
    inside = houses["inside"].astype("boolean").fillna(value=True).to_numpy(bool)
    for name, part in (
        ("Price within the range", houses[inside]),
        ("Price beyond the range", houses[~inside]),
    ):
        if len(part):
            drawn.add_scatter(
                x=part["price"],
                y=part["predicted_price"],
                customdata=part[["row"]],
                mode="markers",
                marker={"size": 6, "opacity": 0.6},
                name=name if houses["inside"].notna().any() else "Your houses",
                hovertemplate="Row %{customdata[0]}<br>Price "
                f"{money_hover(contract, 'x')}<br>Value {money_hover(contract, 'y')}"
                "<extra></extra>",
            )
    drawn.add_scatter(
        x=ends,
        y=ends,
        mode="lines",
        line={"width": 1.5, "color": FAINT},
        hoverinfo="skip",
        name="Value is price",
    )
    drawn.update_layout(showlegend=True)
    # So few that they stand side by side on a phone.
    drawn.update_xaxes(title_text=price_title(contract), **(money_axis(contract) | {"nticks": 5}))
    drawn.update_yaxes(
        title_text=f"Value ({contract.market.price.currency})", **money_axis(contract)
    )
    return drawn
