"""Price against any one fact: the chart that suits its kind, its figures and its sentence."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

from houseprice.market.exploring import profile, two_fields
from houseprice.market.exploring.selection import Sales
from houseprice.market.fields import Field
from houseprice.ui.charts import prices as charts_prices
from houseprice.ui.charts import time as charts_time
from houseprice.ui.charts.time import FEW_YEARS
from houseprice.ui.findings import market as findings

if TYPE_CHECKING:
    import plotly.graph_objects as go

__all__ = ["MANY", "price_against", "thinned"]

MANY = 4_000
"""More dots than these hide one another and make a page heavy: a draw of them is shown."""


def price_against(
    sales: Sales, field: Field, dense: bool = False
) -> tuple[str, go.Figure, pd.DataFrame]:
    """Pick the chart for a field: dots for sizes, dots by year for years, boxes for the rest.

    Parameters
    ----------
    sales : Sales
    field : Field
    dense : bool
        Draw how many sales lie where, and not each of them, for a size.

    Returns
    -------
    finding : str
    drawn : Figure
    frame : DataFrame
        What the chart draws.
    """
    contract, column = sales.contract, field.column
    if field.kind == "number":
        frame, trend = profile.points(sales, column), profile.trend(sales, column)
        cells = two_fields.cells(frame, "value", "price") if dense and len(frame) else None
        drawn = charts_prices.price_by_number(thinned(frame), trend, field, contract, cells)
        return findings.trend_finding(trend, field, contract), drawn, frame
    if field.kind == "year":
        frame, trend = profile.by_year(sales, column), profile.trend(sales, column)
        drawn = charts_time.price_by_year(frame, trend, field, contract)
        # A handful of years is its own trend.
        told = frame.rename(columns={"year": "value"}) if len(frame) <= FEW_YEARS else trend
        return findings.trend_finding(told, field, contract), drawn, frame
    frame = profile.by_level(sales, column)
    drawn = charts_prices.price_by_level(frame, field, contract)
    return findings.level_finding(frame, contract), drawn, frame


def thinned(points: pd.DataFrame) -> pd.DataFrame:
    """At most :data:`MANY` of the rows, drawn by chance but the same each time."""
    return points if len(points) <= MANY else points.sample(MANY, random_state=0).sort_index()
