"""Charts of what homes were sold for: frames of ``market.profile`` as figures.

Charts of prices along time: years that a field holds, and the time of sale.

A chart of prices beside what the facts lead to.

What charts of prices by place and by time show, said in one sentence from their own figures.
"""

from __future__ import annotations

import pandas as pd
import plotly.graph_objects as go

from houseprice.formatting import percent, rounding_step
from houseprice.market.contract import Contract
from houseprice.market.fields import Field
from houseprice.ui.charts.captions import FEW, FLAT, ends
from houseprice.ui.charts.style import (
    BAND,
    FAINT,
    add_level_boxes,
    add_sale_dots,
    axis_title,
    error_bars,
    figure,
    interquartile_band,
    money_axis,
    money_hover,
    number_axis,
    price_title,
)
from houseprice.ui.charts.two_fields import filled

__all__ = [
    "FEW_YEARS",
    "amount",
    "contradiction_finding",
    "far_off_finding",
    "map_finding",
    "period_finding",
    "place_finding",
    "price_by_level",
    "price_by_number",
    "price_by_period",
    "price_by_year",
    "price_distribution",
    "prices_far_off",
    "season_finding",
    "seasons",
    "spread_finding",
]


def price_distribution(frame: pd.DataFrame, middle: float, contract: Contract) -> go.Figure:
    """Bars of sales by price, with the middle price marked (frame: ``distribution``)."""
    drawn = figure()
    symbol = contract.market.price.symbol
    drawn.add_bar(
        x=(frame["from"] + frame["to"]) / 2,
        y=frame["sales"],
        width=0.94 * (frame["to"] - frame["from"]),
        customdata=frame[["from", "to"]],
        marker={"line": {"width": 0}},
        hovertemplate=f"{symbol}%{{customdata[0]:,.0f}} to {symbol}%{{customdata[1]:,.0f}}"
        "<br>%{y:,} sales<extra></extra>",
    )
    text = f"Middle price {symbol}{middle:,.0f}"
    drawn.add_vline(
        x=middle, line={"dash": "dot", "width": 2, "color": FAINT}, annotation_text=text
    )
    drawn.update_xaxes(title_text=price_title(contract), **money_axis(contract))
    drawn.update_yaxes(title_text="Number of sales", tickformat=",d")
    return drawn


def price_by_number(
    points: pd.DataFrame,
    trend: pd.DataFrame,
    field: Field,
    contract: Contract,
    cells: pd.DataFrame | None = None,
) -> go.Figure:
    """A dot a sale, and the middle half of prices along the field (``points``, ``trend``).

    With `cells` (``two_fields.cells``) squares by their number of sales stand in for the dots.
    """
    drawn = figure(460)
    if cells is not None:
        drawn.add_heatmap(**filled(cells, None, contract))
    else:
        add_sale_dots(
            drawn,
            points,
            "Sale %{customdata[0]}, %{customdata[1]}<br>"
            f"{money_hover(contract, 'y')}<br>%{{x:,}} {field.unit}",
        )
    if len(trend) > 1:
        hover = f"Middle price {money_hover(contract, 'y')}<br>at %{{x:,}} {field.unit}"
        line = {"name": "Middle price of similar homes", "hovertemplate": f"{hover}<extra></extra>"}
        interquartile_band(drawn, trend["value"], trend, line)
        drawn.update_layout(showlegend=cells is None)
    drawn.update_xaxes(title_text=axis_title(field), **number_axis(field))
    drawn.update_yaxes(title_text=price_title(contract), rangemode="tozero", **money_axis(contract))
    return drawn


def price_by_level(frame: pd.DataFrame, field: Field, contract: Contract) -> go.Figure:
    """A box a level with its number of sales (``by_level``): its middle half, its middle 80 %."""
    drawn = figure(rows=len(frame) + 1)
    names = add_level_boxes(drawn, frame)
    drawn.update_xaxes(title_text=price_title(contract), rangemode="tozero", **money_axis(contract))
    # The best level stands on top; the calendar starts there instead.
    calendar = field.column == contract.market.roles.sale_month
    drawn.update_yaxes(
        title_text=axis_title(field),
        type="category",
        categoryorder="array",
        categoryarray=names[::-1] if calendar else names,
    )
    return drawn


FEW_YEARS = 12
"""So many years are joined by a line; more are dots around a trend."""


def price_by_year(
    frame: pd.DataFrame, trend: pd.DataFrame, field: Field, contract: Contract
) -> go.Figure:
    """A dot a year, larger with more sales, over the middle half (``by_year``, ``trend``)."""
    drawn = figure(460)
    few = len(frame) <= FEW_YEARS
    drawn.add_scatter(
        x=frame["year"],
        y=frame["median"],
        customdata=frame["sales"],
        mode="lines+markers" if few else "markers",
        marker={
            "size": frame["sales"],
            "sizemode": "area",
            "sizeref": 2.0 * max(frame["sales"].max(), 1) / 20**2,
            "sizemin": 3,
            "opacity": 1 if few else 0.55,
        },
        name="Middle price of a year (larger: more sales)",
        hovertemplate=f"%{{x}}: {money_hover(contract, 'y')}"
        "<br>%{customdata:,} sales<extra></extra>",
    )
    if few:
        interquartile_band(drawn, frame["year"], frame)
    elif len(trend) > 1:
        hover = f"About %{{x}}: {money_hover(contract, 'y')}<extra></extra>"
        line = {"name": "Middle price of homes of about that year", "hovertemplate": hover}
        interquartile_band(drawn, trend["value"], trend, line)
    drawn.update_layout(showlegend=True)
    drawn.update_xaxes(title_text=field.label, dtick=1 if few else None, tickformat="d")
    drawn.update_yaxes(title_text=price_title(contract), rangemode="tozero", **money_axis(contract))
    return drawn


def price_by_period(frame: pd.DataFrame, contract: Contract) -> go.Figure:
    """A line of the middle price through time over the middle half of prices (``by_period``)."""
    drawn = figure(400)
    line = {
        "name": "Middle price",
        "mode": "lines+markers",
        "customdata": frame[["period", "sales"]],
        "hovertemplate": f"<b>%{{customdata[0]}}</b><br>{money_hover(contract, 'y')}"
        "<br>%{customdata[1]:,} sales<extra></extra>",
    }
    interquartile_band(drawn, frame["start"], frame, line)
    drawn.update_layout(showlegend=True)
    drawn.update_xaxes(title_text="Time of sale")
    drawn.update_yaxes(title_text=price_title(contract), rangemode="tozero", **money_axis(contract))
    return drawn


def seasons(frame: pd.DataFrame, contract: Contract) -> go.Figure:
    """By part of the year: the middle price over its middle half, and the sales under it.

    `frame` is ``by_level`` of the month of sale.
    """
    drawn = figure(400)
    field = contract.fields[contract.market.roles.sale_month]
    drawn.add_scatter(
        x=frame["level"],
        y=frame["median"],
        error_y=error_bars(frame["median"], frame["lower_quarter"], frame["upper_quarter"]),
        mode="markers",
        marker={"size": 11},
        name="Middle price and middle half",
        hovertemplate=f"<b>%{{x}}</b><br>Middle price {money_hover(contract, 'y')}<extra></extra>",
    )
    drawn.add_bar(
        x=frame["level"],
        y=frame["sales"],
        yaxis="y2",
        marker={"color": FAINT, "line": {"width": 0}},
        name="Sales",
        hovertemplate="<b>%{x}</b><br>%{y:,} sales<extra></extra>",
    )
    drawn.update_layout(
        bargap=0.3,
        yaxis={"domain": [0.42, 1], "title": {"text": price_title(contract)}},
        yaxis2={"domain": [0, 0.32], "title": {"text": "Sales"}, "tickformat": ",d", "anchor": "x"},
    )
    drawn.layout.yaxis.update(rangemode="tozero", **money_axis(contract))
    drawn.update_yaxes(automargin=True, zeroline=False, tickfont={"size": 13})
    drawn.update_xaxes(title_text=field.label, type="category", anchor="y2")
    return drawn


def prices_far_off(frame: pd.DataFrame, contract: Contract) -> go.Figure:
    """A row a sale: the range and the value that its facts lead to, and what was paid.

    `frame` is ``far_off``, the least believable on top; each point carries its sale.
    """
    drawn = figure(rows=len(frame) + 2)
    rows = [f"{row.place}, sale {row.id}" for row in frame.itertuples()]
    data = frame[["id", "low", "high"]]
    drawn.add_bar(
        x=frame["high"] - frame["low"],
        base=frame["low"],
        y=rows,
        orientation="h",
        marker={"color": BAND, "line": {"width": 0}},
        customdata=data,
        name="90 % range from the facts",
        hovertemplate=f"90 % range {money_hover(contract, 'customdata[1]')} to "
        f"{money_hover(contract, 'customdata[2]')}<extra></extra>",
    )
    for column, name, symbol, line in (
        ("value", "Value from the facts", "line-ns-open", 2),
        ("price", "Price paid", "circle", 0),
    ):
        drawn.add_scatter(
            x=frame[column],
            y=rows,
            mode="markers",
            marker={"size": 12, "symbol": symbol, "line": {"width": line}},
            customdata=data,
            name=name,
            hovertemplate=f"{name} {money_hover(contract, 'x')}<extra></extra>",
        )
    drawn.update_layout(showlegend=True, bargap=0.45)
    drawn.update_xaxes(title_text=price_title(contract), rangemode="tozero", **money_axis(contract))
    # The names of the sales leave a phone little room.
    drawn.update_xaxes(nticks=5)
    drawn.update_yaxes(
        type="category", categoryorder="array", categoryarray=rows[::-1], showgrid=False
    )
    return drawn


def spread_finding(prices: pd.Series, contract: Contract) -> str:
    """Where the middle of the prices lies, and how far the dear end reaches."""
    if prices.empty:
        return "There is no price to speak of."
    low, middle, high, dear = (
        amount(contract, value) for value in prices.quantile([0.25, 0.5, 0.75, 0.9])
    )
    return (
        f"Half of these homes sold for {low} to {high}{_by(contract)}, and the middle one for "
        f"{middle}. One in ten went for more than {dear}."
    )


def place_finding(frame: pd.DataFrame, contract: Contract) -> str:
    """The dearest and the cheapest place with some sales, and how many times dearer it is."""
    if len(frame) < 2:
        place = frame.iloc[0]
        return (
            f"All of these sales lie in {place['level']}: {_price(place, contract)} in the middle."
        )
    told = frame[frame["sales"] >= FEW]
    if len(told) < 2:
        return f"Too few places have {FEW} sales or more for their prices to be compared."
    low, high = ends(told, "median")
    times = high["median"] / low["median"]
    few = len(frame) - len(told)
    left = f" {few} with fewer than {FEW} sales {'is' if few == 1 else 'are'} not compared."
    return (
        f"Middle prices run from {_price(low, contract)} in {low['level']} to "
        f"{_price(high, contract)} in {high['level']}, {times:.1f} times as much."
        f"{left if few else ''}"
    )


def map_finding(frame: pd.DataFrame, contract: Contract) -> str:
    """Which side of the market is dear by area, as far as its places show it."""
    told = frame[frame["sales"] >= FEW]
    if len(told) < 4:
        return "Each circle is a place: larger with more sales, coloured by its price by area."
    parts = {
        "north": told[told["north"] > 0],
        "south": told[told["north"] < 0],
        "east": told[told["east"] > 0],
        "west": told[told["east"] < 0],
    }
    prices = {side: _middle(part) for side, part in parts.items() if len(part) > 1}
    unit = contract.fields[contract.market.roles.area].unit
    side = max(prices, key=lambda name: prices[name])
    other = {"north": "south", "south": "north", "east": "west", "west": "east"}[side]
    if other not in prices or prices[side] / prices[other] - 1 < FLAT:
        return "No side of the market is much dearer by area than the other."
    dear, cheap = (amount(contract, prices[name]) for name in (side, other))
    return (
        f"The {side} is the dearest side by area: about {dear} for one {unit}, and {cheap} in "
        f"the {other}."
    )


def period_finding(frame: pd.DataFrame, contract: Contract) -> str:
    """How the middle price moved through time; its ups and downs if it went nowhere."""
    told = frame[frame["sales"] >= FEW]
    if len(told) < 2:
        return "Too few of these sales for a movement through time."
    first, last = told.iloc[0], told.iloc[-1]
    low, high = told["median"].min(), told["median"].max()
    change = last["median"] / first["median"] - 1
    moved = f"{'up' if change > 0 else 'down'} {percent(abs(change), 0)}"
    if abs(change) < FLAT:
        moved = "hardly changed"
    few = f" Times with fewer than {FEW} sales are not compared."
    return (
        f"The middle price{_by(contract)} was {_price(first, contract)} in {first['period']} and "
        f"{_price(last, contract)} in {last['period']} ({moved}); on the way it lay between "
        f"{amount(contract, low)} and {amount(contract, high)}."
        f"{few if len(told) < len(frame) else ''}"
    )


def season_finding(by_month: pd.DataFrame, contract: Contract) -> str:
    """When most homes are sold, and whether the price follows (``by_level`` of the month)."""
    low, high = ends(by_month, "sales")
    of = by_month["sales"].sum()
    if len(by_month) < 2:
        return f"All of these homes were sold in {high['level']}."
    sold = (
        f"Most homes are sold in {high['level']} ({percent(high['sales'] / of, 0)} of the sales), "
        f"fewest in {low['level']} ({percent(low['sales'] / of, 0)})."
    )
    told = by_month[by_month["sales"] >= FEW]
    if len(told) < 2:
        return sold
    cheap, dear = ends(told, "median")
    return (
        f"{sold} The middle price{_by(contract)} lies between {_price(cheap, contract)} in "
        f"{cheap['level']} and {_price(dear, contract)} in {dear['level']}."
    )


def far_off_finding(frame: pd.DataFrame, sales: int) -> str:
    """How many prices lie outside their range, and on which side."""
    if frame.empty:
        return "No price here lies outside the 90 % range that its facts lead to."
    dear = int((frame["off"] > 0).sum())
    return (
        f"{len(frame):,} of {sales:,} prices ({percent(len(frame) / sales, 0)}) lie outside the "
        f"90 % range of a value worked out without them: {len(frame) - dear:,} below it, "
        f"{dear:,} above. About 10 % would without anything being wrong; look at the first ones."
    )


def contradiction_finding(frame: pd.DataFrame, sales: int) -> str:
    """How many sales have facts that can't all be right."""
    if frame.empty:
        return "No facts of these sales contradict each other."
    count = frame["id"].nunique()
    return (
        f"{count:,} of {sales:,} sales {'has' if count == 1 else 'have'} facts that can't all be "
        "right."
    )


def _middle(places: pd.DataFrame) -> float:
    """The price by area half of the sales stand below, each at the middle of its place."""
    ordered = places.sort_values("median_per_area")
    half = ordered["sales"].cumsum() >= ordered["sales"].sum() / 2
    return float(ordered.loc[half, "median_per_area"].iloc[0])


def _price(row: pd.Series, contract: Contract) -> str:
    return amount(contract, row["median"])


def amount(contract: Contract, value: float) -> str:
    """An amount to about three digits, whether it is a house or a square foot."""
    return contract.money(value, rounding_step(0.05 * value))


def _by(contract: Contract) -> str:
    """What a price is by, where it is not that of a home ("Sale price per sq ft")."""
    head, by, unit = contract.market.price.label.partition(" per ")
    return f"{by}{unit}" if head and by else ""
