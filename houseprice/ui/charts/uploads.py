"""Charts of an uploaded table: its values and confidence, and its houses over charts of sales."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pandas as pd

from houseprice.formatting import join_words, percent
from houseprice.market.contract import Contract
from houseprice.market.fields import Field
from houseprice.market.profile.summaries import round_step
from houseprice.model.valuation import CONFIDENCE_BANDS, confidence_band
from houseprice.ui.charts.panel import Chart
from houseprice.ui.charts.residuals import values_figure
from houseprice.ui.charts.style import (
    FAINT,
    axis_title,
    axis_values,
    figure,
    money_axis,
    money_hover,
    money_title,
    price_text,
    price_title,
    sale_names,
    typical_text,
    value_hover,
)

FEWEST = 10
"""Fewer values than this have no distribution."""
MANY_HOUSES = 100
"""More houses than this are drawn as a cloud."""
_BINS = 30
_CONFIDENCE_STEP = 2
_LOWEST_CONFIDENCE = 60
"""Houses below this confidence are few, and share a bin."""


def overlay_points(chart: Chart, houses: pd.DataFrame, field: Field, contract: Contract) -> Chart:
    """Add the houses of a file (``price_points``) to a chart of prices along a number."""
    is_cloud = len(houses) > MANY_HOUSES
    drawn = chart.figure
    drawn.add_scatter(
        x=axis_values(houses["value"], field),
        y=houses["price"],
        text=sale_names(houses, noun="Row"),
        mode="markers",
        marker={
            "size": 5 if is_cloud else 10,
            "opacity": 0.5 if is_cloud else 0.9,
            "symbol": "diamond",
            "line": {"width": 0},
        },
        name="Your houses",
        hovertemplate=f"<b>Your file</b>, %{{text}}<br>Valued at {money_hover(contract, 'y')}"
        f"<br>{value_hover(field)}<extra></extra>",
    )
    drawn.update_layout(showlegend=True)
    headers = {"id": "Row", "value": axis_title(field), "price": price_title(contract)}
    return Chart(drawn, houses, _range_caption(houses, chart.frame, field), headers)


def _range_caption(houses: pd.DataFrame, sales: pd.DataFrame, field: Field) -> str:
    """Whether the houses are within the range of the sales."""
    if houses.empty or sales.empty:
        return f"{field.label} is not known for these houses or sales."
    low, high = float(sales["value"].min()), float(sales["value"].max())
    n_outside = int(((houses["value"] < low) | (houses["value"] > high)).sum())
    median, sold = (
        typical_text(field, float(frame["value"].median())) for frame in (houses, sales)
    )
    within = f"All but {n_outside:,} are" if n_outside else "All are"
    return (
        f"{field.label}: the median is {median} for your houses, and {sold} for these sales. "
        f"{within} within the range of the sales."
    )


def comparison(values: pd.Series, sales: pd.Series) -> pd.DataFrame:
    """Bin values of a table and sale prices: from, to, houses, houses_pct, sales_pct (percent).

    The first bin includes everything below it, and the last everything above.
    """
    both = np.concatenate([values.to_numpy(np.float64), sales.to_numpy(np.float64)])
    low, high = np.quantile(both, [0.002, 0.995])
    width = round_step((high - low) / _BINS)
    edges = width * np.arange(np.floor(low / width), np.floor(high / width) + 2)
    counts = [
        np.histogram(np.clip(each, edges[0], edges[-1]), edges)[0] for each in (values, sales)
    ]
    return pd.DataFrame(
        {
            "from": edges[:-1],
            "to": edges[1:],
            "houses": counts[0],
            "houses_pct": 100 * counts[0] / max(len(values), 1),
            "sales_pct": 100 * counts[1] / max(len(sales), 1),
        }
    )


def comparison_chart(values: pd.Series, sales: pd.Series, contract: Contract) -> Chart:
    """The distribution of the values of a table, and of the prices of sales."""
    frame = comparison(values, sales)
    drawn = figure(legend=True)
    centre = (frame["from"] + frame["to"]) / 2
    span = f"{money_hover(contract, 'customdata[0]')} to {money_hover(contract, 'customdata[1]')}"
    drawn.add_bar(
        x=centre,
        y=frame["houses_pct"],
        width=frame["to"] - frame["from"],
        customdata=frame[["from", "to", "houses"]],
        marker={"line": {"width": 0}},
        name="Your houses, by value",
        hovertemplate=f"{span}<br>%{{y:.1f}} % of your houses (%{{customdata[2]:,}})"
        "<extra></extra>",
    )
    drawn.add_scatter(
        x=centre,
        y=frame["sales_pct"],
        customdata=frame[["from", "to"]],
        mode="lines",
        line={"shape": "hvh", "width": 2.5, "color": FAINT},
        name="Sales, by price",
        hovertemplate=f"{span}<br>%{{y:.1f}} % of the sales<extra></extra>",
    )
    label = contract.market.price.label.lower()
    drawn.update_layout(bargap=0.06)
    drawn.update_xaxes(
        title_text=money_title(f"Value or {label}", contract), **money_axis(contract)
    )
    drawn.update_yaxes(title_text="Share of houses (%)", rangemode="tozero")
    low, median, high = (
        price_text(value, contract) for value in values.quantile([0.25, 0.5, 0.75])
    )
    sold = float(sales.median())
    difference = float(values.median()) / sold - 1
    relation = f"{percent(abs(difference), 0)} {'more' if difference > 0 else 'less'} than"
    if abs(difference) < 0.005:
        relation = "the same as"
    caption = (
        f"The median value of your houses is {median}, {relation} the median {label} of the sales "
        f"({price_text(sold, contract)}). Half of the values are from {low} to {high}."
    )
    headers = {
        "from": money_title("From", contract),
        "to": money_title("To", contract),
        "houses": "Your houses",
        "houses_pct": "Your houses (%)",
        "sales_pct": "Sales (%)",
    }
    return Chart(drawn, frame, caption, headers)


def confidence_steps(confidence: pd.Series) -> pd.DataFrame:
    """Count houses by confidence (0 to 100): band, from, to, houses, houses_pct.

    The first step includes everything below it.
    """
    # A step ends where a band ends, so that each has one band.
    ends = {lower for _, lower in CONFIDENCE_BANDS if lower > _LOWEST_CONFIDENCE}
    edges = np.array(sorted({*range(_LOWEST_CONFIDENCE, 101, _CONFIDENCE_STEP)} | ends))
    houses = np.histogram(np.clip(confidence, _LOWEST_CONFIDENCE, 100), edges)[0]
    return pd.DataFrame(
        {
            "band": [confidence_band(low) for low in edges[:-1]],
            "from": [0.0, *edges[1:-1]],
            "to": edges[1:],
            "houses": houses,
            "houses_pct": 100 * houses / max(len(confidence), 1),
        }
    )


def confidence_chart(confidence: pd.Series) -> Chart:
    """The number of houses by confidence, coloured by band."""
    frame = confidence_steps(confidence)
    drawn = figure(320)
    ends = [_LOWEST_CONFIDENCE, *frame["to"]]
    bars = frame.assign(left=ends[:-1], width=np.diff(ends))
    for band, _ in reversed(CONFIDENCE_BANDS):
        part = bars[bars["band"] == band]
        drawn.add_bar(
            x=part["left"] + part["width"] / 2,
            y=part["houses"],
            width=part["width"],
            customdata=part[["from", "to", "houses_pct"]],
            marker={"line": {"width": 0}},
            name=f"{band.capitalize()} confidence",
            hovertemplate="Confidence %{customdata[0]:.0f} to %{customdata[1]:.0f}"
            "<br>%{y:,} houses (%{customdata[2]:.1f} %)<extra></extra>",
        )
    drawn.update_layout(bargap=0.06, showlegend=True, barmode="overlay")
    drawn.update_xaxes(title_text="Confidence (0 to 100)", range=[_LOWEST_CONFIDENCE - 1, 101])
    drawn.update_yaxes(title_text="Houses", rangemode="tozero")
    limits = pairwise([*CONFIDENCE_BANDS, ("", np.inf)])
    shares = [
        (band, percent(float(((confidence >= low) & (confidence < high)).mean()), 0))
        for (band, low), (_, high) in limits
    ]
    (best, share), *others = reversed(shares)
    parts = [f"{best} for {share} of your houses", *(f"{b} for {share}" for b, share in others)]
    return Chart(drawn, frame, f"Confidence is {join_words(parts)}.", {"houses_pct": "Houses (%)"})


def prices_chart(houses: pd.DataFrame, caption: str, contract: Contract) -> Chart:
    """Values against sale prices of a table (``PriceComparison.houses``)."""
    names = {"row": "id", "price_low": "low_90", "price_high": "high_90"}
    inside = houses["inside"].astype("boolean").fillna(value=True)
    points = houses.rename(columns=names).assign(
        inside=inside, name="Row " + houses["row"].astype(str)
    )
    drawn = values_figure(points, contract)
    headers = {
        "price": contract.market.price.label,
        "predicted_price": "Value",
        "price_low": "From",
        "price_high": "To",
        "share_off": "Error, as a share of the price",
        "inside": "Price within the range",
    }
    return Chart(drawn, houses, caption, headers)
