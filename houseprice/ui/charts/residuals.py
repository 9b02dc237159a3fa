"""Charts of how far held-out values are off: sale by sale, along a fact, by place and price.

Frames come from ``model.studying.errors`` and the market's profile; errors are in percent.
"""

from __future__ import annotations

import pandas as pd
import plotly.graph_objects as go

from houseprice.market.contract import Contract
from houseprice.market.fields import Field
from houseprice.ui.charts.style import (
    BAND,
    FAINT,
    add_level_boxes,
    add_sale_dots,
    axis_title,
    error_bars,
    figure,
    interquartile_band,
    labels_with_counts,
    money_axis,
    money_hover,
    number_axis,
)

__all__ = [
    "error_by_group",
    "error_by_level",
    "error_by_number",
    "predicted_against_actual",
    "typical_error_by_group",
]

_ERROR = "Value above or below the price (%)"
_NONE = {"dash": "dot", "width": 2, "color": FAINT}


def predicted_against_actual(sales: pd.DataFrame, contract: Contract) -> go.Figure:
    """A dot a sale at its price and its value, with the line of equals and bands around it.

    Parameters
    ----------
    sales : DataFrame
        As ``missed`` gives it, with ``place``.
    contract : Contract
    """
    drawn = figure(560)
    for inside, name, symbol in (
        (True, "Price inside its 90 % range", "circle"),
        (False, "Price outside", "diamond"),
    ):
        part = sales[sales["inside"] == inside]
        drawn.add_scatter(
            x=part["price"],
            y=part["predicted_price"],
            customdata=part[["id", "place", "low_90", "high_90"]].assign(off=100 * part["error"]),
            mode="markers",
            marker={"size": 6 if inside else 7, "opacity": 0.5 if inside else 0.75}
            | {"symbol": symbol},
            name=f"{name} ({len(part):,})",
            hovertemplate="<b>%{customdata[1]}</b>, sale %{customdata[0]}"
            f"<br>Sold for {money_hover(contract, 'x')}"
            f"<br>Valued at {money_hover(contract, 'y')} (%{{customdata[4]:+.1f}} %)"
            f"<br>Range {money_hover(contract, 'customdata[2]')}"
            f" to {money_hover(contract, 'customdata[3]')}<extra></extra>",
        )
    _wedges(drawn, float(sales["price"].max()))
    money = {"rangemode": "tozero", **money_axis(contract)}
    drawn.update_xaxes(title_text="Sold for", **money | {"nticks": 6})
    drawn.update_yaxes(title_text="Valued at", **money)
    drawn.update_layout(showlegend=True)
    return drawn


def error_by_number(points: pd.DataFrame, trend: pd.DataFrame, field: Field) -> go.Figure:
    """A dot a sale, and the middle half of the errors along a fact.

    ``points`` and ``trend`` are those of the market's profile, with the error as their price.
    """
    drawn = figure(460)
    add_sale_dots(
        drawn,
        points,
        "<b>%{customdata[1]}</b>, sale %{customdata[0]}<br>Value %{y:+.1f} % off"
        f"<br>%{{x:,}} {field.unit}",
    )
    if len(trend) > 1:
        hover = f"Middle error %{{y:+.1f}} %<br>at %{{x:,}} {field.unit}<extra></extra>"
        line = {"name": "Middle error of similar homes", "hovertemplate": hover}
        interquartile_band(drawn, trend["value"], trend, line)
        drawn.for_each_trace(
            lambda trace: trace.update(name="Middle half of errors"),
            lambda trace: trace.fill == "tonexty",
        )
        drawn.update_layout(showlegend=True)
    drawn.add_hline(y=0, line=_NONE)
    drawn.update_xaxes(title_text=axis_title(field), **number_axis(field))
    drawn.update_yaxes(title_text=_ERROR, ticksuffix=" %", range=_reach(points["price"]))
    return drawn


def error_by_level(frame: pd.DataFrame, field: Field) -> go.Figure:
    """A box a level with its number of sales: its middle half and its middle 80 % of errors."""
    drawn = figure(rows=len(frame) + 1)
    names = add_level_boxes(drawn, frame)
    drawn.add_vline(x=0, line=_NONE)
    drawn.update_xaxes(title_text=_ERROR, ticksuffix=" %")
    drawn.update_yaxes(
        title_text=axis_title(field), type="category", categoryorder="array", categoryarray=names
    )
    return drawn


def typical_error_by_group(frame: pd.DataFrame, fewest: int) -> go.Figure:
    """A dot a place at its typical error, the best on top; open where there are few sales.

    ``frame`` is that of ``by_group``, the largest error first.
    """
    drawn = figure(rows=len(frame) + 1)
    names = pd.Series(labels_with_counts(frame["group"], frame["sales"]), index=frame.index)
    for few, told, symbol in (
        (False, f"{fewest} sales or more", "circle"),
        (True, "Fewer: only a hint", "circle-open"),
    ):
        part = frame[(frame["sales"] < fewest) == few]
        drawn.add_scatter(
            x=100 * part["median_ape"],
            y=names[part.index],
            customdata=100 * part[["within_10", "coverage_90", "median"]],
            mode="markers",
            marker={"size": 11, "symbol": symbol, "line": {"width": 2}},
            name=told,
            hovertemplate="<b>%{y}</b><br>Half are off by at most %{x:.1f} %"
            "<br>%{customdata[0]:.0f} % within 10 %"
            "<br>The 90 % range held in %{customdata[1]:.0f} %"
            "<br>Middle error %{customdata[2]:+.1f} %<extra></extra>",
        )
    drawn.update_xaxes(
        title_text="Half are off by at most (%)", rangemode="tozero", ticksuffix=" %"
    )
    drawn.update_yaxes(
        type="category", showgrid=True, categoryorder="array", categoryarray=list(names)
    )
    drawn.update_layout(showlegend=True)
    return drawn


def error_by_group(frame: pd.DataFrame) -> go.Figure:
    """A dot a group at its middle error, and a bar over its middle half (frame: ``by_group``)."""
    drawn = figure(rows=len(frame) + 1)
    drawn.add_scatter(
        x=100 * frame["median"],
        y=labels_with_counts(frame["group"], frame["sales"]),
        customdata=100 * frame[["lower_quarter", "upper_quarter", "median_ape", "coverage_90"]],
        error_x=error_bars(
            *(100 * frame[each] for each in ("median", "lower_quarter", "upper_quarter"))
        ),
        mode="markers+text",
        marker={"size": 11},
        text=[f"{100 * value:+.1f} %".replace("-", "−") for value in frame["median"]],
        textposition="top center",
        hovertemplate="<b>%{y}</b><br>Middle error %{x:+.1f} %"
        "<br>Half between %{customdata[0]:+.1f} % and %{customdata[1]:+.1f} %"
        "<br>Half are off by at most %{customdata[2]:.1f} %"
        "<br>The 90 % range held in %{customdata[3]:.0f} %<extra></extra>",
    )
    drawn.update_layout(height=90 + 52 * len(frame))
    drawn.add_vline(x=0, line=_NONE)
    drawn.update_xaxes(title_text=_ERROR, ticksuffix=" %")
    drawn.update_yaxes(type="category")
    return drawn


def _wedges(drawn: go.Figure, most: float) -> None:
    """The line of equals, and what lies within 10 and 20 % of it: shapes, which take no colour."""
    for share in (0.2, 0.1):
        low, high = most * (1 - share), most * (1 + share)
        drawn.add_shape(
            type="path",
            path=f"M 0,0 L {most},{high} L {most},{low} Z",
            fillcolor=BAND,
            line={"width": 0},
            layer="below",
        )
        drawn.add_annotation(
            x=most, y=high, text=f"+{100 * share:.0f} %", showarrow=False, xanchor="right",
            yanchor="bottom", font={"size": 12},
        )  # fmt: skip
        drawn.add_annotation(
            x=most, y=low, text=f"−{100 * share:.0f} %", showarrow=False, xanchor="right",
            yanchor="top", font={"size": 12},
        )  # fmt: skip
    drawn.add_shape(type="line", x0=0, y0=0, x1=most, y1=most, line=_NONE, layer="below")


def _reach(errors: pd.Series) -> list[float]:
    """Limits that leave no room empty for a single sale; the chart's buttons show the rest."""
    reach = 1.15 * max(5.0, float(errors.abs().quantile(0.99)))
    return [-reach, reach]
