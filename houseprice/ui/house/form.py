"""The form of one house: its widgets, its link, its value, and the states valued so far."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any
from urllib.parse import urlencode

import numpy as np
import pandas as pd
import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from houseprice.backend.base import BackendInfo, ValuationResult
from houseprice.formatting import display_step, money, percent, plural
from houseprice.market.contract import Contract
from houseprice.market.fields import Field
from houseprice.market.parsing import describe_range, parse_cell
from houseprice.market.problems import Problem
from houseprice.market.sales import form_defaults
from houseprice.model.valuation import confidence_band
from houseprice.ui.layout import NOT_SUPPORTED, escape, provenance, retry_button
from houseprice.ui.session import market, ranked_columns, typical_row

__all__ = [
    "HouseForm",
    "Scenario",
    "clear_scenarios",
    "fill_form",
    "fill_with_sale",
    "house_frame",
    "house_link",
    "last_valued_row",
    "link_parameters",
    "open_sale",
    "read_link",
    "remember",
    "sale_row",
    "scenarios",
    "show_link",
    "show_result",
    "started_from",
]

_N_COLUMNS = 3
_FORM_PAGE = "pages/value/house.py"
_STARTED_FROM, _SCENARIOS, _COUNT = "house_started_from", "scenarios", "scenarios_count"
_MAX_SCENARIOS = 20


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


def show_result(result: ValuationResult, contract: Contract, info: BackendInfo, note: str) -> None:
    """Show a value with its range and confidence, or its errors; then a note in Markdown."""
    problems = {
        severity: [problem for problem in result.problems if problem.severity == severity]
        for severity in ("error", "warning", "note")
    }
    with st.container(border=True, key="valuation"):
        if result.valuations["status"].iloc[0] == "error":
            _show_errors(problems["error"])
        else:
            _show_value(result.valuations.iloc[0], contract, info)
        if note:
            st.markdown(f":material/history: {note}")
    for severity, noun, icon in (
        ("warning", "warning", ":material/warning:"),
        ("note", "imputed field", ":material/info:"),
    ):
        if problems[severity]:
            with st.expander(plural(len(problems[severity]), noun), icon=icon):
                for problem in problems[severity]:
                    st.markdown(f"- {escape(problem.message)}")


def _show_value(valuation: pd.Series, contract: Contract, info: BackendInfo) -> None:
    symbol = contract.market.price.symbol
    value, fsd = valuation["predicted_price"], valuation["fsd"]
    step = display_step(value, fsd)
    left, middle, right = st.columns([3, 4, 4], vertical_alignment="center")
    with left:
        st.metric("Estimated value", money(value, symbol, step))
    with middle:
        if pd.isna(valuation["price_low"]):
            st.markdown(f"**No range**  \n:small[{NOT_SUPPORTED['range']}]")
        else:
            low, high = (
                money(valuation[name], symbol, step) for name in ("price_low", "price_high")
            )
            st.markdown(
                f"**{low} to {high}**  \n:small[{percent(valuation['interval'], 0)} range: it "
                "contains the sale price of that share of such houses.]"
            )
    with right:
        if not pd.isna(fsd):
            st.markdown(
                f"**{confidence_band(valuation['confidence']).capitalize()} confidence**, "
                f"{valuation['confidence']:.0f} of 100  \n:small[Two sale prices in three are "
                f"within {percent(fsd, 0)} of the value.]"
            )
    st.caption(f"Unchanged fields are those of the typical house. {escape(provenance(info))}")


def _show_errors(problems: Sequence[Problem]) -> None:
    st.subheader("No value yet", anchor=False)
    text = "  \n".join(escape(problem.message) for problem in problems)
    st.error(text, icon=":material/edit_note:")
    if any(problem.field for problem in problems):
        st.caption("Correct the fields marked in red.")
    else:
        # No field is at fault as far as we know: the server refused the house.
        retry_button("refused")


@dataclass(frozen=True)
class Scenario:
    """A valued state of the form, and the sale that it started from."""

    number: int
    row: Mapping[str, Any]
    result: ValuationResult
    sale_id: str | None = None

    @property
    def name(self) -> str:
        """The name of the scenario; that of the first one is fixed."""
        return f"Scenario {self.number}" if self.number else "Baseline"

    @property
    def value(self) -> float:
        """The unrounded value."""
        return float(self.result.valuations["predicted_price"].iloc[0])

    @property
    def step(self) -> float:
        """The step to round the value to."""
        return display_step(self.value, float(self.result.valuations["fsd"].iloc[0]))


def remember(row: Mapping[str, Any], result: ValuationResult) -> None:
    """Keep a valued state of the form, if it differs from the last one."""
    kept: list[Scenario] = st.session_state.setdefault(_SCENARIOS, [])
    is_valued = result.valuations["status"].iloc[0] != "error"
    if is_valued and (not kept or dict(kept[-1].row) != dict(row)):
        number = st.session_state.get(_COUNT, 0)
        st.session_state[_COUNT] = number + 1
        kept.append(Scenario(number, dict(row), result, started_from()))
        # The baseline stays: it is what differences refer to.
        del kept[1 : max(1, len(kept) - _MAX_SCENARIOS + 1)]


def scenarios() -> Sequence[Scenario]:
    """Return the scenarios of this visitor, the oldest first."""
    return tuple(st.session_state.get(_SCENARIOS, ()))


def last_valued_row() -> Mapping[str, Any] | None:
    """Return the last valued house as the form held it, if there is one."""
    kept = scenarios()
    return kept[-1].row if kept else None


def clear_scenarios() -> None:
    """Forget the scenarios of this visitor."""
    st.session_state[_SCENARIOS] = []
    st.session_state[_COUNT] = 0
