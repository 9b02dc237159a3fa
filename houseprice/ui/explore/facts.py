"""Any fact against the price, and any fact against any other with a third as the colour."""

from __future__ import annotations

import streamlit as st

from houseprice.market.exploring import association
from houseprice.market.exploring.field_profile import field_profile
from houseprice.market.exploring.selection import Sales
from houseprice.ui.charts.grammar import axis_title, price_title
from houseprice.ui.explore.against import MANY, price_against
from houseprice.ui.explore.frames import ties_with_price
from houseprice.ui.explore.two_facts import pair_chart
from houseprice.ui.findings.facts import facts_line
from houseprice.ui.panel import panel

__all__ = ["show_facts"]

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
    tie = association.tie(sales, field.column, contract.market.price.column)
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
