"""The form of one house, made from the contract: a widget a field, findings beside it."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import pandas as pd
import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from houseprice.market.contract import Contract
from houseprice.market.fields import Field
from houseprice.market.parsing import describe_range, parse_cell
from houseprice.market.problems import Problem
from houseprice.ui.layout import escape

__all__ = ["HouseForm", "house_frame", "read_link"]

ABREAST = 3
FOLLOWS = "from other facts"
NOT_KNOWN = "not known"


class HouseForm:
    """Draws the fields of one house and collects what was entered.

    Parameters
    ----------
    contract : Contract
    opening : dict of str to object
        What the form opens with, by column: a number, the code of a level, or None for a blank.

    Attributes
    ----------
    row : dict of str to object
        What was entered so far, by column, in the same way.
    """

    def __init__(self, contract: Contract, opening: Mapping[str, Any]) -> None:
        self.contract = contract
        self.opening = opening
        self.row: dict[str, object] = dict.fromkeys(contract.columns)
        self._beside: dict[str, DeltaGenerator] = {}

    def entered(self) -> dict[str, object] | None:
        """What stands in the form, before it is drawn; None on the first visit.

        So the value can go to the browser ahead of the form's many widgets.
        """
        if all(column in st.session_state for column in self.contract.columns):
            return {column: st.session_state[column] for column in self.contract.columns}
        return None

    def draw(self, columns: Iterable[str]) -> None:
        """Draw fields side by side, in the given order, read row by row."""
        wanted = list(columns)
        for start in range(0, len(wanted), ABREAST):
            row = wanted[start : start + ABREAST]
            for place, column in zip(st.columns(ABREAST), row, strict=False):
                self._beside[column] = place
                with place:
                    self.row[column] = self._widget(self.contract.fields[column])

    def tell(self, problems: Iterable[Problem]) -> None:
        """Put each finding beside its field; cautions wait until there are no errors."""
        found = list(problems)
        shown = "error" if any(p.severity == "error" for p in found) else "warning"
        colour = {"error": "red", "warning": "orange"}[shown]
        lines: dict[str, list[str]] = {}
        for problem in found:
            if problem.severity == shown and problem.field in self._beside:
                text = f":small[:{colour}[{escape(problem.sentence)}]]"
                lines.setdefault(problem.field, []).append(text)
        for column, texts in lines.items():
            self._beside[column].markdown("  \n".join(texts))

    def _widget(self, spec: Field) -> object:
        opening = self.opening[spec.column]
        placeholder = FOLLOWS if spec.follows else NOT_KNOWN
        if spec.levels:
            return st.selectbox(
                spec.label,
                spec.codes,
                index=None if opening is None else spec.codes.index(opening),
                format_func=lambda code: spec.labels[spec.codes.index(code)],
                placeholder=placeholder,
                help=_level_help(spec),
                key=spec.column,
                bind="query-params",
                persist_state="session",
            )
        # No limits on the widget: a browser would refuse without a reason. The checks say it.
        return st.number_input(
            f"{spec.label} ({spec.unit})" if spec.unit else spec.label,
            value=opening,
            step=_step(spec, opening),
            placeholder=placeholder,
            help=f"{spec.help} Expected: {describe_range(spec)}.",
            key=spec.column,
            bind="query-params",
            persist_state="session",
        )


def house_frame(row: Mapping[str, object]) -> pd.DataFrame:
    """Raw values of one house as a table of one row (the quick way: a block, not 79 columns)."""
    values = np.array([list(row.values())], dtype=object)
    return pd.DataFrame(values, columns=list(row), copy=False)


def read_link(contract: Contract, parameters: Mapping[str, str]) -> list[str]:
    """Take a house from the address as it came, and say which facts of it can't be read.

    The widgets understand their own labels and plain numbers, and ignore anything else without a
    word. Here a code or another spelling of a level is understood too, and the rest is told.
    """
    respelt: dict[str, str] = {}
    sentences = []
    for column, text in parameters.items():
        spec = contract.fields.get(column)
        if spec is None or not text:
            continue
        cell = parse_cell(spec, text, contract.market.as_of)
        if spec.levels and not math.isnan(cell.value):
            if text not in spec.labels:
                respelt[column] = spec.labels[int(cell.value)]
        elif cell.finding and not _is_number(text):
            sentences.append(escape(cell.finding.message))
    if respelt:
        st.query_params.update(respelt)
        st.rerun()
    return sentences


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _step(spec: Field, opening: object) -> float:
    """Tens where sizes go into the thousands; a float where the opening is one."""
    assert spec.range is not None
    step = 10 if spec.kind == "number" and spec.range[1] >= 1_000 else 1
    return float(step) if isinstance(opening, float) else step


def _level_help(spec: Field) -> str:
    lines = [f"- **{level.label}**: {level.help}" for level in spec.levels if level.help]
    return "\n".join([spec.help, "", *lines]) if lines else spec.help
