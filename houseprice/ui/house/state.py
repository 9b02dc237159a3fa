"""The house of one visitor: its given fields and its scenarios, in the session and in the address.

A house is held as in a file: the text of each field that is given, by column. The address of the
page always contains it, so that a link, a reload and the browser's back button restore it.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from urllib.parse import parse_qsl, urlencode

import numpy as np
import pandas as pd
import streamlit as st
from streamlit.runtime.scriptrunner import get_script_run_ctx

from houseprice.backend.base import Backend, BackendInfo
from houseprice.market.contract import Contract
from houseprice.market.dates import date_of
from houseprice.market.fields import Field
from houseprice.market.parsing import parse_cell, shorten
from houseprice.market.sales import Market, valuation_days
from houseprice.market.validation import suggest_field
from houseprice.ui.session import MARKET, market

FORM_PAGE = "pages/value/house.py"
TAB = "house_tab"
"""Key of the open tab, in the session and in the address."""

_GIVEN, _STARTED_FROM, _MESSAGES = "house_given", "started_from", "house_link_messages"
_SCENARIOS, _SCENARIO = "scenarios", "scenario"
_SCENARIO_NUMBER = re.compile(r"\d{1,6}", re.ASCII)
_MAX_SCENARIOS = 20
_MAX_MESSAGES = 5
_MAX_OPTIONS = 300
_YEARS_AROUND = 20
_MAX_ADDRESS_CHARS = 6_000
"""Servers and proxies refuse longer addresses, some of them from 8,000 characters."""


# --------------------------------------------------------------------------------------- the house


def is_choice(field: Field) -> bool:
    """Return whether a field is chosen from a list; with too many levels, it is a text."""
    return 0 < len(field.levels) <= _MAX_OPTIONS


def given_fields() -> Mapping[str, str]:
    """Return the fields that the visitor has given: text by column."""
    return dict(st.session_state.get(_GIVEN, {}))


def enter(fields: Mapping[str, str]) -> None:
    """Set fields of the house; a blank and the word "unknown" make one unknown."""
    contract = market().contract
    st.session_state[_GIVEN] = read_link({**given_fields(), **fields}, contract)[0]
    st.session_state[_MESSAGES] = []


def fill_form(given: Mapping[str, str], sale_id: str | None = None) -> None:
    """Replace the house of the form, and remember the sale that it comes from."""
    st.session_state[_GIVEN] = dict(given)
    st.session_state[_STARTED_FROM] = sale_id
    st.session_state[_MESSAGES] = []


def started_from() -> str | None:
    """Return the id of the sale that the form was last filled with, if any."""
    sale_id = st.session_state.get(_STARTED_FROM)
    return None if sale_id is None else str(sale_id)


def raw_row(given: Mapping[str, str], contract: Contract) -> dict[str, object]:
    """Return a house as a row of a file: a required field that is not given says "unknown"."""
    return {
        column: given.get(column) or ("unknown" if field.required else None)
        for column, field in contract.fields.items()
    }


def house_frame(row: Mapping[str, object]) -> pd.DataFrame:
    """Return one house as a frame of one row, built as one block: 79 columns would be slow."""
    values = np.array([list(row.values())], dtype=object)
    return pd.DataFrame(values, columns=pd.Index(list(row), dtype=object), dtype=object)


def date_limits(market: Market) -> tuple[date, date]:
    """Return the first and the last valuation date to choose from: some years around the sales."""
    contract, sold = market.contract, market.sold
    assert sold is not None
    field = contract.fields[contract.market.roles.dates[0]]
    assert field.range is not None
    first = max(field.range[0], np.floor(np.nanmin(sold)) - _YEARS_AROUND)
    last = min(field.range[1], np.floor(np.nanmax(sold)) + _YEARS_AROUND)
    return date_of(first), date(int(last), 12, 31) if field.kind == "year" else date_of(last)


def dated_info(backend: Backend, rows: pd.DataFrame, contract: Contract) -> BackendInfo:
    """Return which model answers, with the valuation date of one house."""
    info = backend.info()
    return replace(info, as_of=valuation_days(rows, contract, info.as_of)[0])


# ---------------------------------------------------------------------------------- sales as houses


def sale_fields(market: Market, sale_id: str) -> dict[str, str] | None:
    """Return the known fields of one of the market's sales; None if there is no such sale."""
    is_sale = market.ids.astype("str").to_numpy() == sale_id
    if not is_sale.any():
        return None
    house = market.houses.iloc[int(is_sale.argmax())]
    fields = market.contract.fields.items()
    return {
        column: field.code(value)
        for column, field in fields
        if not math.isnan(value := float(house[column]))
    }


def fill_with_sale(sale_id: str) -> None:
    """Fill the form with one of the market's sales, as an ``on_click`` callback."""
    given = sale_fields(market(), sale_id)
    if given is not None:
        fill_form(given, sale_id)


def open_sale(sale_id: str) -> None:
    """Go to the form with one of the market's sales, from another page."""
    fill_with_sale(sale_id)
    open_form()


def open_form() -> None:
    """Go to the form with the house of the visitor, from another page."""
    st.switch_page(FORM_PAGE, query_params=link_parameters(given_fields(), market().contract))


# --------------------------------------------------------------------------------------- scenarios


@dataclass(frozen=True)
class Scenario:
    """A valued state of the form, and the sale that it started from."""

    number: int
    given: Mapping[str, str]
    sale_id: str | None = None

    @property
    def name(self) -> str:
        """The name of the scenario; that of the first one is fixed."""
        return f"Scenario {self.number}" if self.number else "Baseline"


def scenarios() -> Sequence[Scenario]:
    """Return the scenarios of this visitor, the oldest first."""
    return tuple(st.session_state.get(_SCENARIOS, ()))


def remember() -> None:
    """Keep the valued state of the form, if it differs from the last one."""
    kept, given = list(scenarios()), given_fields()
    if not kept or kept[-1].given != given:
        kept.append(Scenario(kept[-1].number + 1 if kept else 0, given, started_from()))
    # The baseline stays: it is what differences refer to.
    while len(kept) > _MAX_SCENARIOS or (
        len(kept) > 2 and sum(map(len, _scenario_texts(kept))) > _MAX_ADDRESS_CHARS
    ):
        del kept[1]
    st.session_state[_SCENARIOS] = kept


def last_valued_row() -> Mapping[str, object] | None:
    """Return the last valued house as a row of a file, if there is one."""
    kept = scenarios()
    return raw_row(kept[-1].given, market().contract) if kept else None


def clear_scenarios() -> None:
    """Forget the scenarios of this visitor."""
    st.session_state[_SCENARIOS] = []


def _scenario_texts(kept: Sequence[Scenario]) -> list[str]:
    """Return scenarios for the address: number, sale, and the changes from the one before."""
    texts = []
    before: Mapping[str, str] = {}
    for scenario in kept:
        changed = {
            column: scenario.given.get(column, "")
            for column in {**before, **scenario.given}
            if scenario.given.get(column) != before.get(column)
        }
        head = (str(scenario.number), scenario.sale_id or "")
        texts.append(urlencode([head, *changed.items()]))
        before = scenario.given
    return texts


def _read_scenarios(texts: Sequence[str], contract: Contract) -> list[Scenario]:
    """Read scenarios of an address; unreadable ones are left out."""
    kept: list[Scenario] = []
    given: dict[str, str] = {}
    for text in texts[:_MAX_SCENARIOS]:
        head, *changes = parse_qsl(text, keep_blank_values=True) or [("", "")]
        if not _SCENARIO_NUMBER.fullmatch(head[0]):
            continue
        if kept and int(head[0]) <= kept[-1].number:
            continue
        changed = {name: text for name, text in changes if name in contract.fields}
        given, _ = read_link({**given, **changed}, contract)
        kept.append(Scenario(int(head[0]), given, head[1] or None))
    return kept


# ----------------------------------------------------------------------------------------- address


def link_parameters(given: Mapping[str, str], contract: Contract) -> dict[str, str]:
    """Return the query parameters of a house: the given fields, levels by their labels."""
    return {
        column: field.labels[field.codes.index(given[column])]
        if is_choice(field)
        else given[column]
        for column, field in contract.fields.items()
        if column in given
    }


def row_link(cells: pd.Series, market: Market) -> dict[str, str]:
    """Return the query parameters of the form for a row of a table: the fields that it gives."""
    contract = market.contract
    fields = {name: cells[name] for name in contract.columns if name in cells}
    given, _ = read_link(fields, contract)
    sale_id = str(cells.get(contract.market.id, "")).strip()
    sale = sale_fields(market, sale_id) or {}
    # The key of another house may be that of a sale.
    started_from = {_STARTED_FROM: sale_id} if given and given.items() <= sale.items() else {}
    return link_parameters(given, contract) | started_from


def read_link(
    parameters: Mapping[str, str], contract: Contract
) -> tuple[dict[str, str], tuple[str, ...]]:
    """Read the house of a link: its given fields, and a message for each part that is no field.

    A text stays as written, so that what is wrong with it is shown at its field.
    """
    given: dict[str, str] = {}
    messages: list[str] = []
    for name, text in parameters.items():
        field = contract.fields.get(name)
        if field is None:
            near = suggest_field(name, contract) if len(messages) < _MAX_MESSAGES else None
            hint = f" Did you mean {near}?" if near else ""
            messages.append(f"There is no field «{shorten(name)}».{hint}")
            continue
        cell = parse_cell(field, text)
        if (cell.blank or cell.unknown) and cell.finding is None:
            if cell.blank and text.strip():
                messages.append(f"{field.label}: «{shorten(text)}» was read as not given.")
            continue
        if not is_choice(field):
            given[name] = text.strip()
        elif not math.isnan(cell.value):
            given[name] = field.codes[int(cell.value)]
        elif cell.finding:
            messages.append(cell.finding.message)
    given = {name: given[name] for name in contract.columns if name in given}
    return given, tuple(messages[:_MAX_MESSAGES])


def link_messages() -> Sequence[str]:
    """Return what could not be read of the link that was opened, until a field is changed."""
    return tuple(st.session_state.get(_MESSAGES, ()))


def open_address(contract: Contract, tabs: Sequence[str]) -> None:
    """Take house, scenarios and tab from the address when a visitor arrives or goes back to it."""
    context = get_script_run_ctx()
    went_back = context is not None and context.is_history_navigation
    # Streamlit forgets the tab on other pages, which do not draw it.
    arrived = TAB not in st.session_state
    parameters = st.query_params.to_dict()
    if not went_back and not (arrived and parameters):
        return
    tab = parameters.pop(TAB, None)
    parameters.pop(MARKET, None)
    st.session_state[TAB] = tab if tab in tabs else tabs[0]
    sale_id = parameters.pop(_STARTED_FROM, None)
    texts = st.query_params.get_all(_SCENARIO)
    parameters.pop(_SCENARIO, None)
    given, messages = read_link(parameters, contract)
    if went_back or given != given_fields() or texts:
        fill_form(given, sale_id)
        st.session_state[_MESSAGES] = messages
    if went_back or texts:
        st.session_state[_SCENARIOS] = _read_scenarios(texts, contract)


def write_address(contract: Contract, tabs: Sequence[str]) -> None:
    """Write house, scenarios and tab to the address; each change is a step of the back button."""
    parameters: dict[str, list[str]] = {
        column: [text] for column, text in link_parameters(given_fields(), contract).items()
    }
    if (tab := st.session_state.get(TAB, tabs[0])) != tabs[0]:
        parameters[TAB] = [tab]
    if sale_id := started_from():
        parameters[_STARTED_FROM] = [sale_id]
    if len(kept := scenarios()) > 1:
        parameters[_SCENARIO] = _scenario_texts(kept)
    if MARKET in st.query_params:
        parameters[MARKET] = st.query_params.get_all(MARKET)
    if parameters != {name: st.query_params.get_all(name) for name in st.query_params}:
        st.query_params.from_dict(parameters)
