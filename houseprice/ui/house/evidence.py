"""What a value is based on: its explanation, the effect of each field, and comparables."""

from __future__ import annotations

import numpy as np
import pandas as pd
import streamlit as st

from houseprice.backend.base import Backend, ValuationResult
from houseprice.formatting import difference_step, display_step
from houseprice.market.contract import Contract
from houseprice.market.fields import Field
from houseprice.market.sales import Market
from houseprice.market.validation import validate
from houseprice.model.explanation import format_difference
from houseprice.ui.charts.house import comparables_chart, waterfall_chart
from houseprice.ui.charts.panel import panel
from houseprice.ui.charts.partial_dependence import count_sales, house_effect_chart
from houseprice.ui.house.start import describe_sale, sale_heading
from houseprice.ui.house.state import fill_with_sale, is_choice, started_from
from houseprice.ui.layout import escape, is_supported
from houseprice.ui.session import ranked_columns, sales_domain

_MAX_STEPS = 10
_MAX_FIELDS = 12
_TIME_NOTE = "The price at the valuation date is the price moved by the price index of the market. "


def show_explanation(
    backend: Backend, rows: pd.DataFrame, result: ValuationResult, contract: Contract
) -> None:
    """Show the contribution of each field to the value, from the typical house to this one."""
    if not is_supported(backend.info(), "explain"):
        return
    explanation = backend.explain(rows)
    if nearby := explanation.nearby:
        st.markdown(f":material/location_on: **{nearby.summary}** {escape(nearby.sentence)}")
    steps = explanation.waterfall(_MAX_STEPS)
    if steps.empty:
        st.markdown(
            "This house does not differ from the typical one. Enter a field to see what it adds."
        )
        return
    step = display_step(*result.valuations[["predicted_price", "fsd"]].iloc[0])
    panel(waterfall_chart(explanation, steps, contract, step), key="explanation")
    st.caption(
        "The contributions (Shapley values) add up to the value. They explain how the model values "
        "this house, not what an alteration would earn. The axis does not start at zero."
    )


def show_effect(backend: Backend, rows: pd.DataFrame, market: Market, default: str) -> None:
    """Show the value of this house along the values of one field, chosen here."""
    contract = market.contract
    if not is_supported(backend.info(), "effect"):
        return
    columns = [
        name
        for name, each in contract.fields.items()
        if (each.is_numeric or is_choice(each)) and each not in (contract.coordinates or ())
    ]
    column = st.selectbox(
        "Field to change",
        columns,
        index=columns.index(default) if default in columns else 0,
        format_func=lambda column: contract.fields[column].label,
        key="what_if",
        persist_state="session",
    )
    field = contract.fields[column]
    known = market.houses[column].to_numpy(np.float64)
    curve = count_sales(backend.effect(column, rows), field, known)
    panel(house_effect_chart(curve, field, contract), key="house_effect")
    st.caption(
        "The diamond is this house. The band is the 90 % range of the difference that the change "
        "makes, not of the value. All other fields stay as they are, also those that usually "
        "change with this one."
    )


def find_comparables(
    backend: Backend, rows: pd.DataFrame, contract: Contract, sale_id: str | None
) -> pd.DataFrame:
    """Return the comparables of a house; the sale that it was started from is not one of them."""
    if sale_id is not None:
        rows = rows.assign(**{contract.market.id: sale_id})
    return backend.comparables(rows)


def show_comparables(
    backend: Backend, rows: pd.DataFrame, result: ValuationResult, market: Market
) -> None:
    """Show the sales most similar to the house, in a chart with it and side by side."""
    if not is_supported(backend.info(), "comparables"):
        return
    contract = market.contract
    comparables = find_comparables(backend, rows, contract, started_from())
    house = validate(rows, contract, sales_domain()).houses.iloc[0]
    field = _chart_field(contract)
    if field is not None:
        frame = {"value": market.houses[field.column], "price": market.prices}
        sales = pd.DataFrame({**frame, "id": market.ids.astype("str")})
        chart = comparables_chart(
            comparables,
            sales,
            result.valuations.iloc[0],
            float(house[field.column]),
            field,
            contract,
        )
        selected = panel(chart, key="comparables", picks=True)
        if selected:
            _show_sale(selected[0], house, market)
        else:
            st.caption("Select a point to compare its sale.")
    has_dates = bool(contract.market.roles.dates)
    st.caption(
        f"{_TIME_NOTE if has_dates else ''}The adjusted sale price is the price times the value of "
        "this house over that of the sale, so the model prices the differences"
        f"{', the date among them' if has_dates else ''}. The value itself is not computed from "
        "these sales."
    )
    _show_side_by_side(comparables, market)


def _chart_field(contract: Contract) -> Field | None:
    """Return the field that prices are shown along: the area, or the most important number."""
    fields = [contract.fields[name] for name in ranked_columns()]
    numbers = [field for field in fields if field.is_numeric and not field.at_sale]
    return contract.field_of("area") or next(iter(numbers), None)


def _sale_differences(
    house: pd.Series, sale: pd.Series, contract: Contract, columns: tuple[str, ...]
) -> pd.DataFrame:
    """Return the fields in which a house and a sale differ, as text, in the order of columns."""
    rows = []
    for column in columns:
        field = contract.fields[column]
        if field in (contract.coordinates or ()):
            continue  # the distance is in words with the comparables
        own, other = (field.format(float(each[column])) for each in (house, sale))
        if own != other:
            rows.append((field.label, own, other))
    return pd.DataFrame(rows, columns=["Field", "This house", "The sale"])


def _show_sale(sale_id: str, house: pd.Series, market: Market) -> None:
    ids = market.ids.astype("str").to_numpy()
    if sale_id not in ids:
        st.info(f"Sale {escape(sale_id)} is not among the sales of this app.")
        return
    contract, ranked = market.contract, ranked_columns()
    position = int((ids == sale_id).argmax())
    sale, price = market.houses.iloc[position], contract.money(float(market.prices.iloc[position]))
    with st.container(border=True, key="picked_sale"):
        st.markdown(
            f"{sale_heading(f'Sale {sale_id}: {price}', sale, contract)}  \n"
            f"{escape(describe_sale(contract, sale, ranked))}"
        )
        fields = _sale_differences(house, sale, contract, ranked)
        if not fields.empty:
            st.table(fields.head(_MAX_FIELDS).map(escape).set_index("Field"))
        if len(fields) > _MAX_FIELDS:
            st.caption(f"{len(fields) - _MAX_FIELDS} less important fields differ too.")
        _use_button(sale_id, "picked")


def _show_side_by_side(comparables: pd.DataFrame, market: Market) -> None:
    contract = market.contract
    area = contract.field_of("area")
    known = set(market.ids.astype("str"))
    columns = st.columns(len(comparables))
    for column, (_, sale) in zip(columns, comparables.iterrows(), strict=True):
        with column, st.container(border=True, height="stretch"):
            number, step = f"Sale {escape(str(sale['id']))}", difference_step(sale["price"])
            heading = f"Sold {sale['sold']}" if sale["sold"] else number
            st.metric(heading, contract.money(sale["price"]), help=number)
            if not pd.isna(sale["time_adjusted_price"]):
                moved = contract.money(sale["time_adjusted_price"], step)
                st.markdown(f"At the valuation date **{escape(moved)}**")
            if not pd.isna(sale["adjusted_price"]):
                adjusted = escape(contract.money(sale["adjusted_price"], step))
                change = format_difference(contract.market.price, sale["adjustment"], step)
                st.markdown(f"Adjusted **{adjusted}**  \n:small[{escape(change)} for differences]")
            if area is not None and not pd.isna(sale["price_per_area"]):
                per_area = contract.money(sale["price_per_area"])
                st.caption(escape(f"{per_area} per {area.unit or 'unit of area'}"))
            st.caption(f"{sale['similarity']:.0f} % similar")
            if sale["circumstances"]:
                st.caption(f":orange[{escape(sale['circumstances'])}]")
            for difference in str(sale["differences"]).split("; "):
                if difference:
                    st.markdown(f":small[{escape(difference)}]")
            if str(sale["id"]) in known:
                _use_button(str(sale["id"]), "like")


def _use_button(sale_id: str, prefix: str) -> None:
    st.button(
        "Start from it",
        key=f"{prefix}_use_{sale_id}",
        help=f"Fills the form with sale {escape(sale_id)}. Your house stays among the scenarios.",
        on_click=fill_with_sale,
        args=(sale_id,),
        type="tertiary",
        icon=":material/input:",
    )
