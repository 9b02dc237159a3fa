"""The form of one house: its fields, what to add next, and the way from a problem to its field."""

from __future__ import annotations

import calendar
import json
import math
import re
from collections.abc import Iterable, Sequence
from datetime import date
from functools import partial

import pandas as pd
import streamlit as st

from houseprice.backend.base import Backend
from houseprice.formatting import percent, plural
from houseprice.market.contract import Contract
from houseprice.market.dates import date_of
from houseprice.market.fields import Field
from houseprice.market.geography import PLACE_MISMATCH
from houseprice.market.metadata import Group
from houseprice.market.parsing import describe_range
from houseprice.market.problems import Problem
from houseprice.market.sales import Market
from houseprice.ui.charts.style import typical_text
from houseprice.ui.house.state import TAB, date_limits, enter, given_fields, is_choice
from houseprice.ui.layout import escape
from houseprice.ui.session import market

TABS = ("Details", "Explanation", "Comparables", "What-if", "Compare")
_FOCUS, _OPEN_GROUPS = "house_focus", "house_open_groups"
_COLOURS = {"error": "red", "warning": "orange", "note": "gray"}
# The widget may be drawn after the script, and a group that opens moves its fields: look for it
# for two seconds, and again when the page has settled.
_FOCUS_SCRIPT = """<script>
/* {count} */
(() => {{
  const end = performance.now() + 2000;
  const go = () => {{
    const field = document.querySelector({selector});
    if (!field) return false;
    field.scrollIntoView({{ block: "center" }});
    field.focus({{ preventScroll: true }});
    return true;
  }};
  const look = () => {{
    if (go()) setTimeout(go, 500);
    else if (performance.now() < end) requestAnimationFrame(look);
  }};
  look();
}})();
</script>"""


def first_fields(contract: Contract, ranked: Sequence[str], limit: int = 12) -> Sequence[str]:
    """Return the fields to ask for first: of the contract, or the required and important ones."""
    if contract.market.first_fields:
        return contract.market.first_fields
    known = [column for column in ranked if not contract.fields[column].at_sale] or ranked
    return sorted(known, key=lambda column: not contract.fields[column].required)[:limit]


class HouseForm:
    """Draws fields of one house, each with its problems.

    ``clean`` is the house as the contract reads it, with the values that follow from others;
    ``typical`` holds the typical value of each field. Both are clean houses.
    """

    def __init__(
        self,
        contract: Contract,
        clean: pd.Series,
        typical: pd.Series,
        problems: Iterable[Problem] = (),
    ) -> None:
        self._contract = contract
        self._clean = clean
        self._typical = typical
        self._given = given_fields()
        self._problems: dict[str | None, list[Problem]] = {}
        for problem in problems:
            if not problem.code.startswith("blank_"):
                for column in problem.fields or (problem.field,):
                    self._problems.setdefault(column, []).append(problem)

    def draw(self, columns: Iterable[str], key: str, *, per_row: int = 3) -> None:
        """Draw fields in rows, and buttons for what the house may not have."""
        names = list(columns)
        with st.container(horizontal=True):
            for label, cells in self._contract.absences.items():
                is_entered = all(self._given.get(name, "") == cell for name, cell in cells.items())
                if not is_entered and not cells.keys().isdisjoint(names):
                    enter_absence(self._contract, label, key)
        for start in range(0, len(names), per_row):
            row = names[start : start + per_row]
            for container, column in zip(st.columns(per_row), row, strict=False):
                with container:
                    self._draw_field(self._contract.fields[column])

    def draw_groups(self, without: Iterable[str]) -> None:
        """Draw the groups of the contract, the fields of the open ones only."""
        drawn = set(without)
        for group in self._contract.groups:
            columns = [
                column
                for column, field in self._contract.fields.items()
                if field.group == group.key and column not in drawn
            ]
            if columns:
                self._draw_group(group, columns)

    def _draw_group(self, group: Group, columns: Sequence[str]) -> None:
        key = _group_key(group.key)
        st.session_state.setdefault(key, group.key in st.session_state.get(_OPEN_GROUPS, ()))
        expander = st.expander(group.title, key=key, on_change=_keep_open_groups, args=(group.key,))
        if expander.open:
            with expander:
                n_given = sum(column in self._given for column in columns)
                given = f"{n_given} of {plural(len(columns), 'field')} given."
                st.caption(f"{group.help} {given}".strip())
                self.draw(columns, group.key)

    def _draw_field(self, field: Field) -> None:
        dates = self._contract.market.roles.dates
        given: str | date | None = self._given.get(field.column)
        if field.kind == "date":
            given = self._day(field)
        elif not is_choice(field) and field.column not in dates:
            given = given or ""
        # An assignment replaces what is being typed: only where the value is another.
        is_first = field.column not in st.session_state
        if given if is_first else st.session_state[field.column] != given:
            st.session_state[field.column] = given
        if isinstance(given, date):
            first, last = date_limits(market())
            st.date_input(
                field.label,
                min_value=min(first, given),
                max_value=max(last, given),
                help=f"{field.help} By default the end of the sales.".strip(),
                key=field.column,
                on_change=_store,
                args=(field.column, self._contract.market.as_of),
            )
        elif field.is_numeric and field.kind != "date" and field.column in dates:
            options = _period_options(field, market())
            st.selectbox(
                field.label,
                options if given in (None, *options) else [*options, given],
                index=None,
                format_func=partial(_period_label, field, self._contract),
                placeholder=self._derived(field) or "Unknown",
                help=field.help or None,
                key=field.column,
                on_change=_store,
                args=(field.column,),
            )
        elif is_choice(field):
            st.selectbox(
                field.label,
                field.codes,
                index=None,
                format_func=lambda code: field.labels[field.codes.index(code)],
                placeholder=self._derived(field) or "Unknown",
                help=_level_help(field),
                key=field.column,
                on_change=_store,
                args=(field.column,),
            )
        else:
            # A text, so that the validator reads it as in a file and says what it could not read.
            st.text_input(
                f"{field.label} ({field.unit})" if field.unit else field.label,
                placeholder=self._derived(field) or self._typically(field),
                help=f"{field.help} Expected: {describe_range(field)}.".strip(),
                key=field.column,
                on_change=_store,
                args=(field.column,),
            )
        if is_first and st.session_state[field.column] != given:
            # Typed while the connection was lost: a new session has no earlier value to compare.
            _store(field.column)
            st.rerun()
        for problem in self._problems.get(field.column, ()):
            st.markdown(f":small[:{_COLOURS[problem.severity]}[{escape(problem.sentence)}]]")
            enter_expected(problem, self._contract, "field")

    def _derived(self, field: Field) -> str:
        value = float(self._clean[field.column])
        is_derived = field.column not in self._given and not math.isnan(value)
        is_date = field.column in self._contract.market.roles.dates
        return (
            f"{field.format(value)} ({'default' if is_date else 'derived'})" if is_derived else ""
        )

    def _day(self, field: Field) -> date | None:
        """Return the date of sale, given or by default; None in a market without dated sales."""
        value = float(self._clean[field.column])
        return self._contract.market.as_of if math.isnan(value) else date_of(value)

    def _typically(self, field: Field) -> str:
        value = float(self._typical[field.column])
        if math.isnan(value):
            return "unknown"
        return f"typically {typical_text(field, value).removesuffix(field.unit).strip()}"


def enter_absence(contract: Contract, label: str, key: str) -> None:
    """Draw a button that enters that the house has none of a component ("No garage")."""
    st.button(
        label,
        key=f"absent_{key}_{label}",
        on_click=enter,
        args=(contract.absences[label],),
        icon=":material/block:",
        type="tertiary",
    )


def enter_expected(problem: Problem, contract: Contract, key: str) -> None:
    """Draw a button that enters the level that fits the coordinates, if that is the problem."""
    field = contract.fields.get(problem.field or "")
    if problem.code != PLACE_MISMATCH or field is None or problem.expected is None:
        return
    if problem.expected in field.labels:  # those of a server may be others
        st.button(
            f"Use {escape(problem.expected)}",
            key=f"expected_{key}_{field.column}",
            on_click=enter,
            args=({field.column: field.codes[field.labels.index(problem.expected)]},),
            icon=":material/pin_drop:",
            type="tertiary",
        )


def _store(column: str, default: date | None = None) -> None:
    value = st.session_state[column]
    if isinstance(value, date):
        value = "" if value == default else value.isoformat()
    enter({column: (value or "").strip()})


def _period_options(field: Field, market: Market) -> list[str]:
    """Return the years, or the months, of a date of sale to choose from, the latest year first."""
    if field.column == market.contract.market.roles.sale_month:
        return [str(month) for month in range(1, 13)]
    first, last = date_limits(market)
    return [str(year) for year in range(last.year, first.year - 1, -1)]


def _period_label(field: Field, contract: Contract, text: str) -> str:
    is_month = field.column == contract.market.roles.sale_month and text in map(str, range(1, 13))
    return calendar.month_name[int(text)] if is_month else text


def _group_key(group: str) -> str:
    return f"group_{group}"


def _keep_open_groups(group: str) -> None:
    # Streamlit forgets the state of an expander in a tab that is not drawn.
    is_open = {group} if st.session_state[_group_key(group)] else set()
    st.session_state[_OPEN_GROUPS] = (st.session_state.get(_OPEN_GROUPS, set()) - {group}) | is_open


def _level_help(field: Field) -> str | None:
    lines = [f"- **{level.label}**: {level.help}" for level in field.levels if level.help]
    return ("\n".join([field.help, "", *lines]) if lines else field.help) or None


# ------------------------------------------------------------------------------- the way to a field


def go_to_field(field: Field, label: str, key: str) -> None:
    """Draw a button that opens the tab and group of a field and puts the cursor into it."""
    st.button(
        label,
        key=f"go_{key}_{field.column}",
        on_click=_request_focus,
        args=(field.column, field.group),
        type="tertiary",
        icon=":material/arrow_forward:",
    )


def _request_focus(column: str, group: str) -> None:
    st.session_state[TAB] = TABS[0]
    st.session_state[_group_key(group)] = True
    st.session_state[_OPEN_GROUPS] = st.session_state.get(_OPEN_GROUPS, set()) | {group}
    count, _ = st.session_state.get(_FOCUS, (0, None))
    st.session_state[_FOCUS] = (count + 1, column)


def focus_requested_field() -> None:
    """Scroll to the field that a button asked for and put the cursor into it, once."""
    count, column = st.session_state.get(_FOCUS, (0, None))
    if column is None:
        return
    st.session_state[_FOCUS] = (count, None)
    name = re.sub(r"[^a-zA-Z0-9_-]", "-", column)  # as Streamlit makes a class of a key
    selector = json.dumps(f".st-key-{name} input")
    st.html(
        _FOCUS_SCRIPT.format(count=count, selector=selector), unsafe_allow_javascript=True, width=1
    )


def show_next_facts(backend: Backend, rows: pd.DataFrame, contract: Contract) -> None:
    """List the unknown fields that would narrow the range of this house most."""
    if "next_facts" not in backend.info().capabilities:
        return
    facts = backend.next_facts(rows)
    if facts.empty:
        return
    width = percent(float(facts["width_now"].iloc[0]), 0)
    st.markdown(
        f"**What to add next**  \n:small[The 90 % range is {width} of the value wide. These fields "
        "would narrow it most.]"
    )
    with st.container(horizontal=True, key="next_facts"):
        for name, then in zip(facts["field"], facts["width_then"], strict=True):
            field = contract.fields[name]
            go_to_field(field, f"{escape(field.label)}: to {percent(float(then), 0)}", "next")
