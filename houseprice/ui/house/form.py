"""The form of one house: a widget per field, its state, and the link that carries it."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Any
from urllib.parse import urlencode

import numpy as np
import pandas as pd
import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from houseprice.formatting import plural
from houseprice.market.contract import Contract
from houseprice.market.fields import Field
from houseprice.market.parsing import describe_range, parse_cell
from houseprice.market.problems import Problem
from houseprice.market.sales import form_defaults
from houseprice.ui.layout import escape
from houseprice.ui.session import market, ranked_columns, typical_row

__all__ = [
    "HouseForm",
    "fill_form",
    "fill_with_sale",
    "house_frame",
    "house_link",
    "link_parameters",
    "open_sale",
    "read_link",
    "sale_row",
    "show_link",
    "started_from",
]

_N_COLUMNS = 3
_FORM_PAGE = "pages/value/house.py"
_STARTED_FROM = "house_started_from"


class HouseForm:
    """Draws the fields of one house and collects the entered values.

    ``defaults`` and ``row`` hold, by column, a number, the code of a level, or None for a blank.
    """

    def __init__(self, contract: Contract, defaults: Mapping[str, Any]) -> None:
        self.contract = contract
        self.defaults = defaults
        self.row: dict[str, object] = dict.fromkeys(contract.columns)
        self._containers: dict[str, DeltaGenerator] = {}

    def entered(self) -> dict[str, object] | None:
        """Return the entered values before the form is drawn; None on the first visit.

        This way the value reaches the browser before the many widgets of the form.
        """
        if all(column in st.session_state for column in self.contract.columns):
            return {column: st.session_state[column] for column in self.contract.columns}
        return None

    def draw(self, columns: Iterable[str]) -> None:
        """Draw fields in rows of three."""
        names = list(columns)
        for start in range(0, len(names), _N_COLUMNS):
            row = names[start : start + _N_COLUMNS]
            for container, column in zip(st.columns(_N_COLUMNS), row, strict=False):
                self._containers[column] = container
                with container:
                    self.row[column] = self._widget(self.contract.fields[column])

    def show_problems(self, problems: Iterable[Problem]) -> None:
        """Show each problem next to its field; warnings only where there are no errors."""
        problems = list(problems)
        severity = "error" if any(p.severity == "error" for p in problems) else "warning"
        colour = {"error": "red", "warning": "orange"}[severity]
        lines: dict[str, list[str]] = {}
        for problem in problems:
            if problem.severity == severity and problem.field in self._containers:
                text = f":small[:{colour}[{escape(problem.sentence)}]]"
                lines.setdefault(problem.field, []).append(text)
        for column, texts in lines.items():
            self._containers[column].markdown("  \n".join(texts))

    def _widget(self, field: Field) -> object:
        default = self.defaults[field.column]
        placeholder = "derived from other fields" if field.follows else "unknown"
        if field.levels:
            return st.selectbox(
                field.label,
                field.codes,
                index=None if default is None else field.codes.index(default),
                format_func=lambda code: field.labels[field.codes.index(code)],
                placeholder=placeholder,
                help=_level_help(field),
                key=field.column,
                bind="query-params",
                persist_state="session",
            )
        # No limits on the widget: a browser would reject a number without an explanation.
        return st.number_input(
            f"{field.label} ({field.unit})" if field.unit else field.label,
            value=default,
            step=_step(field, default),
            placeholder=placeholder,
            help=f"{field.help} Expected: {describe_range(field)}.",
            key=field.column,
            bind="query-params",
            persist_state="session",
        )


def _step(field: Field, default: object) -> float:
    """Tens where sizes go into the thousands; a float where the default is one."""
    assert field.range is not None
    step = 10 if field.kind == "number" and field.range[1] >= 1_000 else 1
    return float(step) if isinstance(default, float) else step


def _level_help(field: Field) -> str:
    lines = [f"- **{level.label}**: {level.help}" for level in field.levels if level.help]
    return "\n".join([field.help, "", *lines]) if lines else field.help


def house_frame(row: Mapping[str, object]) -> pd.DataFrame:
    """Return one house as a frame of one row, built as one block: 79 columns would be slow."""
    values = np.array([list(row.values())], dtype=object)
    return pd.DataFrame(values, columns=list(row), copy=False)


def read_link(contract: Contract, parameters: Mapping[str, str]) -> list[str]:
    """Normalize the query parameters of a link; return a message for each unreadable field.

    The widgets accept only their own labels and plain numbers, and ignore anything else silently.
    Codes and other spellings of a level are replaced by its label here.
    """
    labels: dict[str, str] = {}
    messages = []
    for column, text in parameters.items():
        field = contract.fields.get(column)
        if field is None or not text:
            continue
        cell = parse_cell(field, text, contract.market.as_of)
        if field.levels and not math.isnan(cell.value):
            if text not in field.labels:
                labels[column] = field.labels[int(cell.value)]
        elif cell.finding and not _is_number(text):
            messages.append(escape(cell.finding.message))
    if labels:
        st.query_params.update(labels)
        st.rerun()
    return messages


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def link_parameters(
    row: Mapping[str, object], defaults: Mapping[str, object], contract: Contract
) -> dict[str, str]:
    """Return the query parameters of a house: labels of levels, without default values."""
    parameters = {}
    for column, field in contract.fields.items():
        value = row[column]
        if value != defaults[column] and value is not None:
            parameters[column] = (
                field.labels[field.codes.index(str(value))] if field.levels else f"{value}"
            )
    return parameters


def house_link(url: str, parameters: Mapping[str, str]) -> str:
    """Return the URL of a page with query parameters in place of those that it has."""
    base = url.partition("#")[0].partition("?")[0]
    return f"{base}?{urlencode(parameters)}" if parameters else base


def show_link(form: HouseForm) -> None:
    """Show the link to the house behind a button; the code block has a copy button."""
    with st.popover("Share", icon=":material/share:", key="share", on_change="rerun") as popover:
        if not popover.open:
            return
        url = st.context.url
        if url is None:
            st.markdown("Copy the address of this page from your browser: it contains the house.")
            return
        parameters = link_parameters(form.row, form.defaults, form.contract)
        st.markdown(
            "This link opens the same house."
            if parameters
            else "This is the typical house, so the link opens the form with its defaults."
        )
        st.code(house_link(url, parameters), language=None, wrap_lines=True)
        st.caption(
            f"The link itself contains the house ({plural(len(parameters), 'field')} that "
            f"{'differs' if len(parameters) == 1 else 'differ'} from the typical house); nothing "
            "is stored. Use the button in its corner to copy it."
        )


def started_from() -> str | None:
    """Return the id of the sale that the form was last filled with, if any."""
    sale_id = st.session_state.get(_STARTED_FROM)
    return None if sale_id is None else str(sale_id)


def open_sale(sale_id: str) -> None:
    """Go to the form with one of the market's sales, from another page."""
    row = sale_row(sale_id)
    if row is None:
        return
    st.session_state[_STARTED_FROM] = sale_id
    # Widgets that were shown before keep their state between pages; others read the URL.
    for column, value in row.items():
        if column in st.session_state:
            st.session_state[column] = value
    parameters = link_parameters(row, typical_row(), market().contract)
    st.switch_page(_FORM_PAGE, query_params=parameters)


def fill_with_sale(sale_id: str) -> None:
    """Fill the form of this page with one of the market's sales, as an ``on_click`` callback."""
    row = sale_row(sale_id)
    if row is not None:
        fill_form(row, sale_id)


def fill_form(row: Mapping[str, object], sale_id: str | None = None) -> None:
    """Fill the form of this page with a house, and remember the sale that it comes from."""
    st.session_state[_STARTED_FROM] = sale_id
    for column, value in _without_new_blanks(row).items():
        st.session_state[column] = value


def sale_row(sale_id: str) -> Mapping[str, object] | None:
    """Return what the form holds for one of the market's sales; None if there is no such sale.

    Unknown fields of the sale are those of the typical house, as for any field left unchanged.
    """
    return _sale_row(sale_id, ranked_columns())


@st.cache_resource(show_spinner=False, max_entries=64)
def _sale_row(sale_id: str, ranked: tuple[str, ...]) -> Mapping[str, object] | None:
    sales, defaults = market(), typical_row()
    is_sale = sales.ids.astype("str").to_numpy() == sale_id
    if not is_sale.any():
        return None
    house = sales.houses.iloc[int(is_sale.argmax())]
    row = form_defaults(sales.contract, house, ranked[::-1])
    for column, field in sales.contract.fields.items():
        value = float(house[column])
        if row[column] is None and defaults[column] is not None and not np.isnan(value):
            number = int(value) if value.is_integer() else value
            row[column] = field.codes[int(value)] if field.levels else number
    return MappingProxyType(_without_new_blanks(row))


def _without_new_blanks(row: Mapping[str, object]) -> dict[str, object]:
    """Replace blanks by defaults: a field with a default value can't be cleared."""
    defaults = typical_row()
    return {
        column: defaults[column] if value is None else value
        for column, value in row.items()
        if column in defaults
    }
