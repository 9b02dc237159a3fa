"""Any field against any other: the chart that suits their kinds, its figures and its sentence."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pandas as pd

from houseprice.market.exploring import association, two_fields
from houseprice.market.exploring.field_profile import field_profile
from houseprice.market.exploring.selection import Sales
from houseprice.market.fields import Field
from houseprice.ui.charts import dots as charts_dots
from houseprice.ui.charts import levels as charts_levels
from houseprice.ui.charts.grammar import axis_title
from houseprice.ui.explore.against import thinned
from houseprice.ui.findings import facts as findings_facts

if TYPE_CHECKING:
    import plotly.graph_objects as go

__all__ = ["Pair", "pair_chart"]


@dataclass(frozen=True)
class Pair:
    """A chart of two fields.

    Attributes
    ----------
    finding : str
    drawn : Figure
    frame : DataFrame
        What the chart draws.
    headers : dict of str to str
        Words for its columns.
    dots : bool
        Whether its points are sales, which can be picked.
    """

    finding: str
    drawn: go.Figure
    frame: pd.DataFrame
    headers: dict[str, str]
    dots: bool = False


def pair_chart(
    sales: Sales, one: str, other: str, third: str | None = None, dense: bool = False
) -> Pair | None:
    """Draw one field along the bottom and another up the side, coloured by a third.

    Parameters
    ----------
    sales : Sales
    one, other, third : str
        Columns of fields, or of the price.
    dense : bool
        Draw how many sales lie where, and not each of them, for two numbers.

    Returns
    -------
    Pair or None
        None where there is nothing to draw: no sale has both known.
    """
    fields = sales.field(one), sales.field(other)
    said = [findings_facts.pair_finding(*fields, association.tie(sales, one, other))]
    numbers = all(field.is_numeric for field in fields)
    if third and numbers and dense and not _ordered(sales.field(third)):
        said.append(f"“{sales.field(third).label}” has no order and can't colour what is counted.")
        third = None
    elif third:
        ties = association.tie(sales, third, one), association.tie(sales, third, other)
        said.append(findings_facts.colour_finding(sales.field(third), fields, ties))
    if numbers:
        made = _dots(sales, fields, third, dense)
    elif any(field.is_numeric for field in fields):
        made = _boxes(sales, fields, third)
    else:
        made = _squares(sales, fields, third)
    if made is None:
        return None
    finding = " ".join(part for part in (said[0], made.finding, *said[1:]) if part)
    return Pair(finding, made.drawn, made.frame, made.headers, made.dots)


def _dots(sales: Sales, fields: tuple[Field, Field], third: str | None, dense: bool) -> Pair | None:
    contract, colour = sales.contract, sales.field(third) if third else None
    columns = [field.column for field in fields]
    points = two_fields.pair_points(sales, columns[0], columns[1], third)
    if points.empty:
        return None
    if dense:
        cells = two_fields.cells(points, "one", "other", "third" if third else None)
        drawn = charts_dots.density(cells, fields, colour, contract)
        headers = dict(zip(("x", "y"), map(axis_title, fields), strict=True))
        return Pair("", drawn, cells, _with_third(headers, colour))
    names = None
    if third and not _ordered(sales.field(third)):
        group, names = two_fields.groups(sales, third)
        by_id = dict(zip(sales.ids, group, strict=True))
        points = points.assign(group=points["id"].map(by_id))
    headers = dict(zip(("one", "other"), map(axis_title, fields), strict=True))
    drawn = charts_dots.dots(thinned(points), fields, colour, contract, names)
    return Pair("", drawn, points, _with_third(headers, colour), dots=True)


def _boxes(sales: Sales, fields: tuple[Field, Field], third: str | None) -> Pair | None:
    number, level = sorted(fields, key=lambda field: not field.is_numeric)
    plain = two_fields.spread_by(sales, level.column, number.column)
    if plain.empty:
        return None
    finding = findings_facts.boxes_finding(plain, level, number, sales.contract)
    frame = two_fields.spread_by(sales, level.column, number.column, third) if third else plain
    colour = sales.field(third) if third else None
    drawn = charts_levels.boxes(frame, level, number, colour, sales.contract)
    headers = {"level": level.label, "group": colour.label if colour else "Group"}
    shown = frame if colour else frame.drop(columns="group")
    return Pair(finding, drawn, shown, headers)


def _squares(sales: Sales, fields: tuple[Field, Field], third: str | None) -> Pair | None:
    across, up = fields
    frame = two_fields.shares(sales, up.column, across.column, third)
    if frame.empty:
        return None
    colour, commonest = sales.field(third) if third else None, ""
    if colour and not _ordered(colour):
        commonest = colour.words(field_profile(sales, colour.column).typical)
    drawn = charts_levels.squares(frame, (up, across), colour, sales.contract, commonest)
    headers = {"row": up.label, "column": across.label}
    if colour is None:
        frame = frame.drop(columns="third")
    return Pair(
        findings_facts.squares_finding(frame), drawn, frame, _with_third(headers, colour, commonest)
    )


def _ordered(field: Field) -> bool:
    """Whether its values can stand on one scale of colours."""
    return field.kind not in ("nominal", "flag")


def _with_third(
    headers: dict[str, str], third: Field | None, commonest: str = ""
) -> dict[str, str]:
    if third is None:
        return headers
    share = f"{third.label}: share of “{commonest}”"
    return {**headers, "third": share if commonest else axis_title(third), "group": third.label}
