"""Charts of a number by level, and of levels by levels, a third field as the colour."""

from __future__ import annotations

import math

import pandas as pd
import plotly.graph_objects as go

from houseprice.market.contract import Contract
from houseprice.market.fields import Field
from houseprice.ui.charts.grammar import axis_title, figure, wrapped
from houseprice.ui.charts.scales import colour_bar, colour_limits, third_bar, value_axis

__all__ = ["boxes", "squares"]


def boxes(
    frame: pd.DataFrame, level: Field, number: Field, third: Field | None, contract: Contract
) -> go.Figure:
    """Boxes of a number by level, one of each colour for each group (``spread_by``)."""
    groups = list(dict.fromkeys(frame["group"]))
    counts = frame.groupby("level", sort=False)["sales"].sum()
    names = {name: wrapped(f"{name} ({sales:,})") for name, sales in counts.items()}
    drawn = figure(rows=round(len(names) * max(1.0, 0.6 * len(groups))) + 2)
    for group in groups:
        part = frame[frame["group"] == group]
        drawn.add_box(
            y=part["level"].map(names),
            q1=part["lower_quarter"],
            median=part["median"],
            q3=part["upper_quarter"],
            lowerfence=part["lowest_tenth"],
            upperfence=part["highest_tenth"],
            orientation="h",
            name=wrapped(group),
            offsetgroup=group,
            hoverinfo="x+name" if third else "x",
        )
    if third:
        drawn.update_layout(boxmode="group", showlegend=True, legend_title_text=third.label)
    drawn.update_xaxes(**value_axis(number, contract))
    drawn.update_yaxes(
        title_text=axis_title(level),
        type="category",
        categoryorder="array",
        categoryarray=list(names.values()),
    )
    return drawn


def squares(
    frame: pd.DataFrame,
    fields: tuple[Field, Field],
    third: Field | None,
    contract: Contract,
    commonest: str = "",
) -> go.Figure:
    """A square for each two levels: their share of the row, or the third field (``shares``).

    `commonest` names the level whose share the third field tells, where it has no order.
    """
    in_shares, limits = third is None or bool(commonest), (0.0, 1.0)
    table = frame.pivot_table(index="row", columns="column", values="third" if third else "share")
    rows, columns = _in_order(frame, "row", fields[0]), _in_order(frame, "column", fields[1])
    table = table.reindex(index=rows, columns=columns)
    counts = frame.pivot_table(index="row", columns="column", values="sales").reindex_like(table)
    if third is None or in_shares:
        title = f"{third.label}: share of “{commonest}”" if third else "Share of the row"
        bar, words = colour_bar(title, tickformat=".0%"), table.map("{:.0%}".format)
    else:
        title = f"{axis_title(third)}, the middle one"
        limits = colour_limits(frame["third"])
        bar, words = (
            third_bar(third, contract, title),
            table.map(lambda value: _words(third, value)),
        )
    drawn = figure(rows=len(table) + 8)
    drawn.add_heatmap(
        z=table.to_numpy(),
        x=[wrapped(name, 16) for name in table.columns],
        y=[wrapped(name) for name in table.index],
        customdata=counts.to_numpy(),
        text=words.to_numpy(),
        zmin=limits[0],
        zmax=limits[1],
        xgap=2,
        ygap=2,
        hoverongaps=False,
        texttemplate="%{text}" if in_shares and len(table.columns) <= 6 else None,
        hovertemplate=f"%{{y}}, %{{x}}<br>%{{customdata:,}} sales<br>{title}: %{{text}}"
        "<extra></extra>",
        colorbar=bar,
    )
    drawn.update_xaxes(title_text=fields[1].label, type="category", showgrid=False)
    drawn.update_yaxes(
        title_text=fields[0].label, type="category", autorange="reversed", showgrid=False
    )
    return drawn


def _in_order(frame: pd.DataFrame, name: str, field: Field) -> list[str]:
    """The levels that occur: in their own order, or, where they have none, the commonest first."""
    sales = frame.groupby(name)["sales"].sum().sort_values(ascending=False, kind="stable")
    if field.kind == "nominal":
        return list(sales.index)
    return [label for label in field.labels if label in sales.index]


def _words(field: Field, value: float) -> str:
    return field.words(value if math.isnan(value) else round(value))
