"""Charts of the errors of held-out values: sale by sale, by feature, by location and price."""

from __future__ import annotations

import pandas as pd
import plotly.graph_objects as go

from houseprice.formatting import percent, plural
from houseprice.market.contract import Contract
from houseprice.market.fields import Field
from houseprice.model.diagnostics import ErrorTrend
from houseprice.model.standards import column_labels
from houseprice.ui.charts.panel import Chart
from houseprice.ui.charts.style import (
    BAND,
    REFERENCE_LINE,
    axis_title,
    category_axis,
    error_bars,
    figure,
    labels_with_counts,
    largest_levels,
    level_boxes,
    money_axis,
    money_hover,
    points_with_trend,
    sale_names,
)

HELD_OUT_HEADERS = {
    "id": "Sale",
    "place": "Location",
    "fifth": "Price quintile",
    "price": "Sold for",
    "predicted_price": "Valued at",
    "low_90": "From (90 % range)",
    "high_90": "To (90 % range)",
    "low_68": "From (68 % range)",
    "high_68": "To (68 % range)",
    "error": "Error, as a share of the price",
    "inside": "Inside the 90 % range",
}
_ERROR_HEADERS = {
    "id": "Sale",
    "price": "Error (%)",
    "lowest_tenth": "10th percentile (%)",
    "lower_quarter": "25th percentile (%)",
    "median": "Median error (%)",
    "upper_quarter": "75th percentile (%)",
    "highest_tenth": "90th percentile (%)",
}
_GROUP_HEADERS = {
    **column_labels(("median_ape", "within_10", "coverage_90"), "share"),
    "lower_quarter": "25th percentile of errors (share)",
    "median": "Median error (share)",
    "upper_quarter": "75th percentile of errors (share)",
}
_ERROR_AXIS = {"title_text": "Error: value above or below the price (%)", "ticksuffix": " %"}


def predicted_vs_actual_chart(sales: pd.DataFrame, contract: Contract) -> Chart:
    """Held-out values against prices (``prediction_errors``, with ``place``)."""
    drawn = values_figure(sales.assign(name=sale_names(sales, "place")), contract)
    contained = int(sales["inside"].sum())
    caption = (
        f"Of {len(sales):,} sales, **{percent((sales['error'].abs() <= 0.1).mean(), 0)}** were "
        "valued within 10 % of the price by a model that had not seen them. The 90 % range "
        f"contains the price of {contained:,} ({percent(contained / len(sales))})."
    )
    return Chart(drawn, sales, caption, HELD_OUT_HEADERS)


def values_figure(houses: pd.DataFrame, contract: Contract) -> go.Figure:
    """Values against prices, over bands of errors of 10 and 20 %.

    ``houses`` has id, name, price, predicted_price, low_90, high_90 and inside (bool: the range).
    """
    drawn = figure(560, legend=True)
    has_range = bool(houses["low_90"].notna().any())
    low, high = (money_hover(contract, f"customdata[{position}]") for position in (2, 3))
    for inside, name, symbol in (
        (True, "Price inside its 90 % range" if has_range else "A house", "circle"),
        (False, "Price outside", "diamond"),
    ):
        part = houses[houses["inside"] == inside]
        error = 100 * (part["predicted_price"] / part["price"] - 1)
        drawn.add_scatter(
            x=part["price"],
            y=part["predicted_price"],
            customdata=part[["id", "name", "low_90", "high_90"]].assign(error=error),
            mode="markers",
            marker={"size": 6 if inside else 7, "opacity": 0.5 if inside else 0.75}
            | {"symbol": symbol},
            name=f"{name} ({len(part):,})",
            showlegend=inside or has_range,
            hovertemplate="<b>%{customdata[1]}</b>"
            f"<br>Sold for {money_hover(contract, 'x')}"
            f"<br>Valued at {money_hover(contract, 'y')} (%{{customdata[4]:+.1f}} %)"
            f"{f'<br>Range {low} to {high}' if has_range else ''}<extra></extra>",
        )
    _add_error_bands(drawn, float(houses["price"].max()))
    money = {"rangemode": "tozero", **money_axis(contract)}
    drawn.update_xaxes(title_text="Sold for", **money | {"nticks": 6})
    drawn.update_yaxes(title_text="Valued at", **money)
    return drawn


def _add_error_bands(drawn: go.Figure, highest: float) -> None:
    # Shapes, because a trace would take a colour of the theme.
    for share in (0.2, 0.1):
        low, high = highest * (1 - share), highest * (1 + share)
        drawn.add_shape(
            type="path",
            path=f"M 0,0 L {highest},{high} L {highest},{low} Z",
            fillcolor=BAND,
            line={"width": 0},
            layer="below",
        )
        for y, sign, anchor in ((high, "+", "bottom"), (low, "−", "top")):
            drawn.add_annotation(
                x=highest, y=y, text=f"{sign}{100 * share:.0f} %", showarrow=False,
                xanchor="right", yanchor=anchor, font={"size": 12},
            )  # fmt: skip
    drawn.add_shape(
        type="line", x0=0, y0=0, x1=highest, y1=highest, line=REFERENCE_LINE, layer="below"
    )


def error_by_number_chart(
    points: pd.DataFrame, trend: pd.DataFrame, field: Field, errors: ErrorTrend
) -> Chart:
    """Errors along a number, with their median and interquartile range.

    ``points`` and ``trend`` are those of the market's profile, with the error in place of the
    price.
    """
    drawn = points_with_trend(points, trend, field, "error", "%{y:+.1f} %")
    drawn.add_hline(y=0, line=REFERENCE_LINE)
    # A single extreme error would leave the chart empty.
    limit = 1.15 * max(5.0, float(points["price"].abs().quantile(0.99)))
    drawn.update_yaxes(**_ERROR_AXIS, range=[-limit, limit])
    headers = _ERROR_HEADERS | {"value": axis_title(field)}
    return Chart(drawn, points, _trend_caption(errors, field), headers)


def error_by_level_chart(frame: pd.DataFrame, field: Field, errors: ErrorTrend) -> Chart:
    """Errors by level, as boxes over the middle half and the middle 80 %."""
    drawn, note = level_boxes(frame, field)
    drawn.add_vline(x=0, line=REFERENCE_LINE)
    drawn.update_xaxes(**_ERROR_AXIS)
    return Chart(drawn, frame, _trend_caption(errors, field) + note, _ERROR_HEADERS)


def _trend_caption(errors: ErrorTrend, field: Field) -> str:
    medians = errors.medians
    if len(medians) < 2:
        return f"Too few sales differ in **{field.label}** to test for a trend of the error."
    if not errors.is_significant():
        span = f"{medians.min():+.1f} % and {medians.max():+.1f} %".replace("-", "−")
        return (
            f"The error does not depend on **{field.label}**: the median errors of its groups lie "
            f"between {span}, no further apart than expected by chance."
        )
    return (
        f"**The error depends on {field.label}**: the median value is {_bias(medians.max())} for "
        f"{medians.idxmax()}, and {_bias(medians.min())} for {medians.idxmin()}. Chance alone "
        "would rarely show this."
    )


def error_by_location_chart(frame: pd.DataFrame, min_sales: int, label: str) -> Chart:
    """The median absolute error by location, the largest first; hollow below ``min_sales``."""
    shown, note = largest_levels(frame, "locations")
    drawn = figure(rows=len(shown) + 1, legend=True)
    names = pd.Series(labels_with_counts(shown["group"], shown["sales"]), index=shown.index)
    for is_small, name, symbol in (
        (False, f"{min_sales} sales or more", "circle"),
        (True, "Fewer sales", "circle-open"),
    ):
        part = shown[(shown["sales"] < min_sales) == is_small]
        drawn.add_scatter(
            x=100 * part["median_ape"],
            y=names[part.index],
            customdata=100 * part[["within_10", "coverage_90", "median"]],
            mode="markers",
            marker={"size": 11, "symbol": symbol, "line": {"width": 2}},
            name=name,
            hovertemplate="<b>%{y}</b><br>Median absolute error %{x:.1f} %"
            "<br>%{customdata[0]:.0f} % within 10 %"
            "<br>The 90 % range contains %{customdata[1]:.0f} % of the prices"
            "<br>Median error %{customdata[2]:+.1f} %<extra></extra>",
        )
    drawn.update_xaxes(title_text="Median absolute error (%)", rangemode="tozero", ticksuffix=" %")
    drawn.update_yaxes(**category_axis(names), showgrid=True)
    large = frame[frame["sales"] >= min_sales].sort_values("median_ape")
    if len(large) < 2:
        caption = (
            f"{len(large)} of {plural(len(frame), 'location')} have {min_sales} sales or more, too "
            "few to compare."
        )
    else:
        best, worst = large.iloc[0], large.iloc[-1]
        caption = (
            f"Of the locations with {min_sales} sales or more, the median absolute error is "
            f"smallest in **{best['group']}** ({percent(best['median_ape'])}) and largest in "
            f"**{worst['group']}** ({percent(worst['median_ape'])})."
        )
    return Chart(drawn, frame, caption + note, _GROUP_HEADERS | {"group": label})


def error_by_price_chart(frame: pd.DataFrame) -> Chart:
    """The median error and the middle half of errors by price quintile (``by_group``)."""
    drawn = figure(height=90 + 52 * len(frame))
    median, low, high = (100 * frame[name] for name in ("median", "lower_quarter", "upper_quarter"))
    drawn.add_scatter(
        x=median,
        y=labels_with_counts(frame["group"], frame["sales"]),
        customdata=100 * frame[["lower_quarter", "upper_quarter", "median_ape", "coverage_90"]],
        error_x=error_bars(median, low, high),
        mode="markers+text",
        marker={"size": 11},
        text=[f"{value:+.1f} %".replace("-", "−") for value in median],
        textposition="top center",
        hovertemplate="<b>%{y}</b><br>Median error %{x:+.1f} %"
        "<br>Middle half from %{customdata[0]:+.1f} % to %{customdata[1]:+.1f} %"
        "<br>Median absolute error %{customdata[2]:.1f} %"
        "<br>The 90 % range contains %{customdata[3]:.0f} % of the prices<extra></extra>",
    )
    drawn.add_vline(x=0, line=REFERENCE_LINE)
    drawn.update_xaxes(**_ERROR_AXIS, showgrid=True)
    drawn.update_yaxes(type="category")
    caption = (
        f"The median value of the cheapest fifth of the sales is **{_bias(median.iloc[0])}**, "
        f"that of the most expensive fifth **{_bias(median.iloc[-1])}**. Part of this is in the "
        "nature of any estimate: a sale is among the cheapest partly because it sold for less than "
        "similar homes."
    )
    return Chart(drawn, frame, caption, _GROUP_HEADERS | {"group": "Price quintile"})


def _bias(median_error: float) -> str:
    """A median error in percent as text: "2.1 % too high"."""
    if abs(median_error) < 0.05:
        return "right"
    return f"{abs(median_error):.1f} % too {'high' if median_error > 0 else 'low'}"
