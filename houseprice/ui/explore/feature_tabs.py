"""Any fact against the price, and any fact against any other with a third as the colour.

Price against any one fact: the chart that suits its kind, its figures and its sentence.

Any field against any other: the chart that suits their kinds, its figures and its sentence.

How closely facts go together: each with the price, and chosen ones with each other.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pandas as pd
import streamlit as st

from houseprice.market.fields import Field
from houseprice.market.profile import associations, summaries
from houseprice.market.profile.associations import field_profile
from houseprice.market.profile.selection import Sales
from houseprice.ui.charts import captions as findings
from houseprice.ui.charts import captions as findings_facts
from houseprice.ui.charts import captions as findings_fields
from houseprice.ui.charts import data_quality as charts_fields
from houseprice.ui.charts import prices as charts_prices
from houseprice.ui.charts import prices as charts_time
from houseprice.ui.charts import two_fields as charts_dots
from houseprice.ui.charts import two_fields as charts_levels
from houseprice.ui.charts.captions import facts_line
from houseprice.ui.charts.panel import panel
from houseprice.ui.charts.prices import FEW_YEARS
from houseprice.ui.charts.style import axis_title, price_title
from houseprice.ui.explore.filters import ties_with_price

if TYPE_CHECKING:
    import plotly.graph_objects as go

__all__ = ["MANY", "Pair", "pair_chart", "price_against", "show_facts", "show_ties", "thinned"]

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
        frame, trend = summaries.price_points(sales, column), summaries.price_trend(sales, column)
        cells = (
            associations.density_cells(frame, "value", "price") if dense and len(frame) else None
        )
        drawn = charts_prices.price_by_number(thinned(frame), trend, field, contract, cells)
        return findings.trend_finding(trend, field, contract), drawn, frame
    if field.kind == "year":
        frame, trend = summaries.price_by_year(sales, column), summaries.price_trend(sales, column)
        drawn = charts_time.price_by_year(frame, trend, field, contract)
        # A handful of years is its own trend.
        told = frame.rename(columns={"year": "value"}) if len(frame) <= FEW_YEARS else trend
        return findings.trend_finding(told, field, contract), drawn, frame
    frame = summaries.price_by_level(sales, column)
    drawn = charts_prices.price_by_level(frame, field, contract)
    return findings.level_finding(frame, contract), drawn, frame


def thinned(points: pd.DataFrame) -> pd.DataFrame:
    """At most :data:`MANY` of the rows, drawn by chance but the same each time."""
    return points if len(points) <= MANY else points.sample(MANY, random_state=0).sort_index()


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
    said = [findings_facts.pair_finding(*fields, associations.association(sales, one, other))]
    numbers = all(field.is_numeric for field in fields)
    if third and numbers and dense and not _ordered(sales.field(third)):
        said.append(f"“{sales.field(third).label}” has no order and can't colour what is counted.")
        third = None
    elif third:
        ties = (
            associations.association(sales, third, one),
            associations.association(sales, third, other),
        )
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
    points = associations.pair_points(sales, columns[0], columns[1], third)
    if points.empty:
        return None
    if dense:
        cells = associations.density_cells(points, "one", "other", "third" if third else None)
        drawn = charts_dots.density(cells, fields, colour, contract)
        headers = dict(zip(("x", "y"), map(axis_title, fields), strict=True))
        return Pair("", drawn, cells, _with_third(headers, colour))
    names = None
    if third and not _ordered(sales.field(third)):
        group, names = associations.group_by_field(sales, third)
        by_id = dict(zip(sales.ids, group, strict=True))
        points = points.assign(group=points["id"].map(by_id))
    headers = dict(zip(("one", "other"), map(axis_title, fields), strict=True))
    drawn = charts_dots.dots(thinned(points), fields, colour, contract, names)
    return Pair("", drawn, points, _with_third(headers, colour), dots=True)


def _boxes(sales: Sales, fields: tuple[Field, Field], third: str | None) -> Pair | None:
    number, level = sorted(fields, key=lambda field: not field.is_numeric)
    plain = associations.distribution_by_level(sales, level.column, number.column)
    if plain.empty:
        return None
    finding = findings_facts.boxes_finding(plain, level, number, sales.contract)
    frame = (
        associations.distribution_by_level(sales, level.column, number.column, third)
        if third
        else plain
    )
    colour = sales.field(third) if third else None
    drawn = charts_levels.boxes(frame, level, number, colour, sales.contract)
    headers = {"level": level.label, "group": colour.label if colour else "Group"}
    shown = frame if colour else frame.drop(columns="group")
    return Pair(finding, drawn, shown, headers)


def _squares(sales: Sales, fields: tuple[Field, Field], third: str | None) -> Pair | None:
    across, up = fields
    frame = associations.level_shares(sales, up.column, across.column, third)
    if frame.empty:
        return None
    colour, commonest = sales.field(third) if third else None, ""
    if colour and not _ordered(colour):
        commonest = colour.format(field_profile(sales, colour.column).typical)
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


CLOSEST_FIRST = "Type to search. The list starts with what goes with the price most closely."
NO_COLOUR = "No colour"
DOTS, DENSITY = "Each sale", "How many where"


def show_facts(sales: Sales) -> tuple[str, ...]:
    """Show one fact against the price, then two against each other.

    Returns
    -------
    tuple of str
        The ids of the sales whose dots are picked, each once.
    """
    labels = _by_tie(sales)
    picked = _against_price(sales, labels)
    st.subheader("Any fact against any other", anchor=False)
    picked += _against_each_other(sales, labels)
    return tuple(dict.fromkeys(picked))


def _by_tie(sales: Sales) -> dict[str, str]:
    """Columns by label, closest to the price first, those of which no tie is told last."""
    ordered = [*ties_with_price(sales)["column"], *sales.contract.columns]
    return {sales.contract.fields[column].label: column for column in dict.fromkeys(ordered)}


def _against_price(sales: Sales, labels: dict[str, str]) -> tuple[str, ...]:
    contract = sales.contract
    area = contract.fields[contract.market.roles.area].label
    label = _choice("Price against", list(labels), area, "against", CLOSEST_FIRST)
    field = contract.fields[labels[label]]
    st.caption(field.help)
    tie = associations.association(sales, field.column, contract.market.price.column)
    st.markdown(facts_line(field_profile(sales, field.column), field, tie).replace("$", "\\$"))
    sized = field.kind == "number"
    dense = sized and _dense(len(sales), "against_as")
    finding, drawn, frame = price_against(sales, field, dense)
    headers = {"value": axis_title(field), "level": field.label, "price": price_title(contract)}
    picked = panel(
        finding, drawn, frame, key="price_against", headers=headers, picks=sized and not dense
    )
    if sized and not dense:
        _on_dots(len(frame))
    return picked


def _against_each_other(sales: Sales, labels: dict[str, str]) -> tuple[str, ...]:
    roles, price = sales.contract.market.roles, sales.contract.market.price
    options = {price.label: price.column, **labels}
    start = {column: label for label, column in options.items()}
    names = list(options)
    across, up, colour = st.columns(3)
    with across:
        one = options[_choice("Across", names, start[roles.area], "pair_across")]
    with up:
        other = options[_choice("Upwards", names, start[roles.built], "pair_upwards")]
    with colour:
        chosen = _choice("Colour", [NO_COLOUR, *names], price.label, "pair_colour")
    third = options.get(chosen)
    if one == other:
        st.info("Choose two different facts.")
        return ()
    numbers = sales.field(one).is_numeric and sales.field(other).is_numeric
    dense = numbers and _dense(len(sales), "pair_as")
    pair = pair_chart(sales, one, other, third, dense)
    if pair is None:
        st.info("Both facts are known for none of these sales. Choose others.")
        return ()
    picked = panel(
        pair.finding, pair.drawn, pair.frame, key="pair", headers=pair.headers, picks=pair.dots
    )
    if pair.dots:
        _on_dots(len(pair.frame))
    return picked


def _choice(
    label: str, options: list[str], start: str, key: str, help_text: str | None = None
) -> str:
    return st.selectbox(
        label,
        options,
        index=options.index(start),
        key=key,
        help=help_text,
        bind="query-params",
        persist_state="session",
    )


def _dense(sales: int, key: str) -> bool:
    """Ask how to show many sales; where dots would hide one another, that is how it starts."""
    chosen = st.segmented_control(
        "Show",
        [DOTS, DENSITY],
        default=DENSITY if sales > MANY else DOTS,
        required=True,
        key=key,
        bind="query-params",
        persist_state="session",
    )
    return chosen == DENSITY


def _on_dots(sales: int) -> None:
    drawn = f" {MANY:,} of the {sales:,} sales are drawn, taken by chance." if sales > MANY else ""
    st.caption(
        "A dot is a sale. Click one, or draw a box or a loop with the chart's own buttons, to see "
        f"those sales in a table.{drawn}"
    )


MOST_WITH_PRICE = 15
CHOSEN_AT_FIRST = 8
MOST_CHOSEN = 20
SQUARES, LIST = "Squares", "List"


def show_ties(sales: Sales) -> None:
    """Show the ties with the price, then those of chosen facts with it and with each other."""
    frame = ties_with_price(sales)
    panel(
        findings_fields.price_tie_finding(frame),
        charts_fields.price_ties(frame.head(MOST_WITH_PRICE)),
        frame,
        key="ties_with_price",
        headers={"field": "Fact"},
    )
    if len(frame) > MOST_WITH_PRICE:
        st.caption(f"The first {MOST_WITH_PRICE} of {len(frame)}; the figures hold them all.")
    st.subheader("And with each other", anchor=False)
    _each_other(sales, list(frame["column"]))
    st.caption(
        "A tie says that two facts go together, not that one causes the other. Numbers and "
        "ordered levels are compared by rank (Spearman); levels without an order by the "
        "correlation ratio, and two of these by Cramér's V, both corrected for chance."
    )


def _each_other(sales: Sales, ordered: list[str]) -> None:
    contract = sales.contract
    columns = list(dict.fromkeys([*ordered, *contract.columns]))
    by_label = {contract.fields[column].label: column for column in columns}
    chosen = st.multiselect(
        "Facts beside the price",
        list(by_label),
        default=list(by_label)[:CHOSEN_AT_FIRST],
        max_selections=MOST_CHOSEN,
        placeholder="Choose facts",
        key="tied",
        bind="query-params",
        persist_state="session",
    )
    if not chosen:
        st.info("Choose one fact or more.")
        return
    asked = [contract.market.price.column, *(by_label[label] for label in chosen)]
    square = associations.association_matrix(sales, asked)
    finding = findings_fields.tie_finding(square)
    as_list = st.segmented_control(
        "Show as",
        [SQUARES, LIST],
        default=SQUARES,
        required=True,
        key="ties_as",
        bind="query-params",
        persist_state="session",
    )
    if as_list == SQUARES:
        drawn = charts_fields.ties(square)
        panel(finding, drawn, square.reset_index(names="Fact"), key="ties_between_facts")
        return
    st.markdown(finding)
    _list(sales, asked)


def _list(sales: Sales, columns: list[str]) -> None:
    pairs = associations.associated_pairs(sales, 0.0, columns)[["strength", "field", "other_field"]]
    st.dataframe(
        pairs,
        hide_index=True,
        column_config={
            "strength": st.column_config.ProgressColumn(
                "Tie", min_value=0.0, max_value=1.0, format="%.2f", width="small"
            ),
            "field": "Fact",
            "other_field": "And",
        },
        key="ties_list",
        alt="How closely each two of the chosen facts go together, closest first",
    )
