"""The chart of the track record: the error on later sales by period, and the expected one."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd

from houseprice.formatting import list_some, percent
from houseprice.model.ratio_study import MIN_GROUP_SIZE
from houseprice.records.track_record import PairErrors, by_group
from houseprice.ui.charts.panel import Chart
from houseprice.ui.charts.style import REFERENCE_LINE, category_axis, error_bars, figure

_PERIODS = (("month", "M"), ("quarter", "Q"), ("year", "Y"))
_HEADERS = {
    "group": "Period",
    "cases": "Later sales",
    "median_ape": "Median absolute error (share of the price)",
    "median_ape_low": "From (95 % interval)",
    "median_ape_high": "To (95 % interval)",
}


def error_by_period_chart(pairs: pd.DataFrame, expected: float) -> Chart:
    """The median absolute error by month of sale, or by quarter or year where sales are few.

    ``expected`` is NaN if it is not known.
    """
    by, groups = _periods(pairs)
    frame = groups.dropna(subset=["median_ape"])[list(_HEADERS)].reset_index(drop=True)
    drawn = figure(360, legend=True)
    error, low, high = (
        100 * frame[name] for name in ("median_ape", "median_ape_low", "median_ape_high")
    )
    drawn.add_scatter(
        x=frame["group"],
        y=error,
        error_y=error_bars(error, low, high),
        customdata=np.column_stack([frame["cases"], low, high]),
        mode="lines+markers",
        marker={"size": 9},
        line={"width": 2},
        name="Observed, with its 95 % interval",
        hovertemplate="<b>%{x}</b><br>%{y:.1f} % (%{customdata[1]:.1f} to "
        "%{customdata[2]:.1f} %)<br>%{customdata[0]:,} later sales<extra></extra>",
    )
    if not math.isnan(expected):
        drawn.add_scatter(
            x=frame["group"],
            y=[100 * expected] * len(frame),
            mode="lines",
            line=REFERENCE_LINE,
            name="Expected",
            hovertemplate="Expected %{y:.1f} %<extra></extra>",
        )
    drawn.update_xaxes(title_text=f"{by.capitalize()} of sale", **category_axis(frame["group"]))
    drawn.update_yaxes(title_text="Median absolute error", ticksuffix=" %", rangemode="tozero")
    return Chart(drawn, frame, _caption(frame, by, expected), _HEADERS)


def _periods(pairs: pd.DataFrame) -> tuple[str, pd.DataFrame]:
    """Return the shortest period in which most sales are in a group that has figures."""
    sold_on, errors = pd.DatetimeIndex(pairs["sold_on"]), PairErrors(pairs)
    found = []
    for by, frequency in _PERIODS:
        labels = pd.Series(sold_on.to_period(frequency).astype(str), index=pairs.index)
        groups = by_group(errors, {by: labels})
        found.append((by, groups))
        if groups.loc[groups["median_ape"].notna(), "cases"].sum() > len(pairs) / 2:
            break
    return found[-1]


def _caption(frame: pd.DataFrame, by: str, expected: float) -> str:
    if frame.empty:
        return ""
    few = f" Periods of fewer than {MIN_GROUP_SIZE} later sales are not shown."
    span = (
        f"Median absolute error by {by} of sale: **{percent(frame['median_ape'].min())}** to "
        f"**{percent(frame['median_ape'].max())}**."
    )
    if math.isnan(expected):
        return span + few
    worse = frame.loc[frame["median_ape_low"] > expected, "group"].tolist()
    beyond = f" Beyond chance in {list_some(worse)}." if worse else " Nowhere beyond chance."
    return f"{span} Expected: {percent(expected)}.{beyond}{few}"
