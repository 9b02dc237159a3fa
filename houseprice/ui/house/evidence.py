"""What a value rests on: where it comes from, in money, and what other facts would make of it.

The sales most like a house: on one chart with it, side by side, and each to be opened.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
import streamlit as st

from houseprice.backend.base import Backend, ValuationResult
from houseprice.formatting import display_step
from houseprice.market.contract import Contract
from houseprice.market.sales import Market
from houseprice.market.validation import validate
from houseprice.ui.charts import house as charts_comparables
from houseprice.ui.charts import house as charts_house
from houseprice.ui.charts.panel import panel
from houseprice.ui.charts.style import axis_title
from houseprice.ui.house.prefill import fill_with_sale
from houseprice.ui.house.start import sale_in_words, sold_in_words
from houseprice.ui.layout import escape, is_supported
from houseprice.ui.session import ranked_columns

__all__ = [
    "comparables_finding",
    "facts_beside",
    "show_comparables",
    "show_effect",
    "show_explanation",
    "the_others",
]


def show_explanation(backend: Backend, rows: pd.DataFrame, contract: Contract) -> None:
    """Show how the value comes about, from the typical house to this one."""
    if not is_supported(backend.info(), "explain"):
        return
    explanation = backend.explain(rows)
    steps = explanation.waterfall(10)
    if steps.empty:
        st.markdown("This is the typical house itself. Change a fact to see what it does.")
        return
    base, value = (contract.money(x, 100) for x in (explanation.base_price, explanation.price))
    reasons = "; ".join(explanation.top_drivers(3))
    panel(
        f"The typical house is worth {base}, this one {value}. Most of it comes from: {reasons}.",
        charts_house.waterfall(explanation.base_price, explanation.price, steps, contract),
        explanation.contributions.drop(columns="column"),
        key="explanation",
        headers={
            "label": "Fact",
            "told": "This house",
            "base": "Typical house",
            "contribution": f"Contribution ({contract.market.price.currency})",
            "sentence": "In words",
        },
    )
    st.caption(
        "The contributions add up to the value to the cent. They say how the model values this "
        "house, not what an alteration would earn. The bars of the two houses begin where the "
        "chart does, not at zero."
    )


def show_effect(backend: Backend, rows: pd.DataFrame, contract: Contract, first: str) -> None:
    """Show what one fact, chosen here, does to the value of this house; `first` to begin with."""
    if not is_supported(backend.info(), "effect"):
        return
    columns = list(contract.columns)
    chosen = st.selectbox(
        "What would another value of this fact do?",
        columns,
        index=columns.index(first),
        format_func=lambda column: contract.fields[column].label,
        key="what_if",
        persist_state="session",
    )
    field = contract.fields[chosen]
    curve = backend.effect(chosen, rows)
    ordered = curve.sort_values("price")
    (least, low), (most, high) = (
        (ordered["label"].iloc[end], contract.money(ordered["price"].iloc[end], 100))
        for end in (0, -1)
    )
    panel(
        f"All else as it is, this house is worth from {low} ({least}) to {high} ({most}).",
        charts_house.house_effect(curve, field, contract),
        curve.drop(columns=["is_own", "value"] if field.levels else "is_own"),
        key="house_effect",
        headers={"value": axis_title(field), "label": field.label, "price": "Value"},
    )
    st.caption(
        "The mark is this house as it is. The band is the 90 % range of the difference that the "
        "change makes, not of the value. Other facts do not move along: more living area leaves "
        "each floor as it was told."
    )


_FACTS = 12
_HEADERS = {
    "id": "Sale",
    "price": "Sold for",
    "price_per_area": "Price per area",
    "same_location": "Same place",
    "circumstances": "What was not ordinary",
}


def show_comparables(
    backend: Backend, rows: pd.DataFrame, answer: ValuationResult, market: Market
) -> None:
    """Show the sales most like the house on a chart with it, and side by side."""
    if not is_supported(backend.info(), "comparables"):
        return
    contract = market.contract
    table = backend.comparables(rows)
    house = validate(rows, contract).houses.iloc[0]
    valuation = answer.valuations.iloc[0]
    sales = table.assign(
        area=table["price"] / table["price_per_area"],
        told=[f"Sale {sale['id']}, {sale['sold']}" for _, sale in table.iterrows()],
    )
    point = pd.Series(
        {
            "area": float(house[contract.market.roles.area]),
            "value": valuation["predicted_price"],
            "low": valuation["price_low"],
            "high": valuation["price_high"],
        }
    )
    picked = panel(
        comparables_finding(table, valuation, contract),
        charts_comparables.comparables(point, sales, the_others(market, table["id"]), contract),
        table.drop(columns="row"),
        key="comparables",
        headers=_HEADERS,
        picks=True,
    )
    if picked:
        _open(picked[0], house, market)
    else:
        st.caption("Pick a point to open its sale. The value does not come from these sales.")
    _side_by_side(table, market)


def comparables_finding(table: pd.DataFrame, valuation: pd.Series, contract: Contract) -> str:
    """Say what the most similar sales went for, and where the house lies among them."""
    place = contract.fields[contract.market.roles.location].label.lower()
    near = int(table["same_location"].sum())
    value = float(valuation["predicted_price"])
    step = display_step(value, float(valuation["fsd"]))
    least, most = (
        contract.money(float(end)) for end in (table["price"].min(), table["price"].max())
    )
    above = int((table["price"] > value).sum())
    told = {0: "none", len(table): "all"}.get(above, str(above))
    return (
        f"The {len(table)} sales most like the house went for {least} to {most}; {told} of them "
        f"sold for more than its value of {contract.money(value, step)}, and {near or 'none'} of "
        f"them {'is' if near == 1 else 'are'} in the same {place}."
    )


def the_others(market: Market, without: pd.Series) -> pd.DataFrame:
    """The market's other sales for the chart: area, price, id, told."""
    ids = market.ids.astype("str").to_numpy()
    frame = pd.DataFrame(
        {
            "area": market.houses[market.contract.market.roles.area].to_numpy(np.float64),
            "price": market.prices.to_numpy(np.float64),
            "id": ids,
            "told": np.char.add("Sale ", ids.astype(np.str_)),
        }
    )
    return frame[~frame["id"].isin(without)]


def facts_beside(
    house: pd.Series, sale: pd.Series, contract: Contract, columns: tuple[str, ...]
) -> pd.DataFrame:
    """The facts in which a house and a sale differ, in words, in the order of `columns`."""
    told = []
    for column in columns:
        field = contract.fields[column]
        own, other = (field.format(float(which[column])) for which in (house, sale))
        if own != other:
            told.append((field.label, own, other))
    return pd.DataFrame(told, columns=["Fact", "This house", "The sale"])


def _open(sale_id: str, house: pd.Series, market: Market) -> None:
    ids = market.ids.astype("str").to_numpy()
    if sale_id not in ids:
        st.info(f"Sale {escape(sale_id)} is not among the sales of this app.")
        return
    contract = market.contract
    position = int((ids == sale_id).argmax())
    sale, paid = market.houses.iloc[position], contract.money(float(market.prices.iloc[position]))
    with st.container(border=True, key="picked_sale"):
        st.markdown(
            f"**{escape(f'Sale {sale_id}: {paid}')}**, {escape(sold_in_words(contract, sale))}  \n"
            f"{escape(sale_in_words(contract, sale))}"
        )
        table = facts_beside(house, sale, contract, ranked_columns())
        if not table.empty:
            st.table(table.head(_FACTS).map(escape).set_index("Fact"))
        if len(table) > _FACTS:
            st.caption(f"And {len(table) - _FACTS} facts more that matter less.")
        _use(sale_id, "picked")


def _side_by_side(table: pd.DataFrame, market: Market) -> None:
    contract = market.contract
    area = contract.fields[contract.market.roles.area]
    known = set(market.ids.astype("str"))
    for column, (_, sale) in zip(st.columns(len(table)), table.iterrows(), strict=True):
        with column, st.container(border=True, height="stretch"):
            st.metric(
                f"Sold {sale['sold']}",
                contract.money(sale["price"]),
                help=f"Sale {sale['id']} of the market's sales.",
            )
            per_area = contract.money(sale["price_per_area"])
            st.caption(f"{escape(per_area)} per {area.unit}  \n{sale['similarity']:.0f} % alike")
            if sale["circumstances"]:
                st.caption(f":orange[{escape(sale['circumstances'])}]")
            for difference in str(sale["differences"]).split("; "):
                if difference:
                    st.markdown(f":small[{escape(difference)}]")
            if str(sale["id"]) in known:
                _use(str(sale["id"]), "like")


def _use(sale_id: str, where: str) -> None:
    st.button(
        "Start from it",
        key=f"{where}_use_{sale_id}",
        help=f"Fills the form with sale {sale_id}. Your house stays among your tries.",
        on_click=fill_with_sale,
        args=(sale_id,),
        type="tertiary",
        icon=":material/input:",
    )
