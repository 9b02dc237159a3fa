"""What the pages ask of a model once and keep: it can't change before the model does.

The frames behind the charts of what drives price, from a backend's tables and the sales.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import streamlit as st
from numpy.typing import NDArray

from houseprice.market.contract import Contract
from houseprice.market.fields import Field
from houseprice.model.study import Study
from houseprice.ui.house.form import house_frame
from houseprice.ui.session import backend, study_of

if TYPE_CHECKING:
    from houseprice.model.study import Study

__all__ = [
    "chosen_facts",
    "effect_with",
    "facts_by_both",
    "importance",
    "low_middle_high",
    "market_effect",
    "named_pairs",
    "shown_facts",
    "study",
    "with_sales",
]


def importance() -> pd.DataFrame:
    """Importance of each field, as the backend that answers measured it; nobody changes it."""
    return _importance(backend().info().model_version)


def study() -> Study:
    """The study of the model that answers; nobody changes it."""
    return study_of(backend().info().model_version)


def market_effect(column: str) -> pd.DataFrame:
    """The effect of a field over the market; nobody changes it."""
    return _market_effect(backend().info().model_version, column)


def effect_with(column: str, house: Mapping[str, object], changed: str, code: str) -> pd.DataFrame:
    """The effect of a field for one house, another of its facts changed; nobody changes it.

    Raises
    ------
    InputError
        If there can be no such house.
    """
    row = {**house, changed: code}
    return _effect(backend().info().model_version, column, tuple(row.items()))


@st.cache_resource(show_spinner=False, max_entries=4)
def _importance(model_version: str) -> pd.DataFrame:
    del model_version  # the key of what is kept
    return backend().importance()


@st.cache_resource(show_spinner=False, max_entries=200)
def _market_effect(model_version: str, column: str) -> pd.DataFrame:
    del model_version
    return backend().effect(column)


@st.cache_resource(show_spinner=False, max_entries=400)
def _effect(model_version: str, column: str, row: tuple[tuple[str, object], ...]) -> pd.DataFrame:
    del model_version
    return backend().effect(column, house_frame(dict(row)))


MOST = 9
"""Facts of each reading that are drawn."""


def facts_by_both(table: pd.DataFrame, studied: Study, contract: Contract) -> pd.DataFrame:
    """Both readings of single facts in one frame.

    Parameters
    ----------
    table : DataFrame
        Importance by permutation (``Backend.importance``).
    studied : Study
    contract : Contract

    Returns
    -------
    DataFrame, a row per field, as `table` has them
        Its columns, with group (its key), contribution_money, and contribution_pct: that in percent
        of the average price.
    """
    moved = table["column"].map(
        studied.contributions.set_index("column")["contribution"].astype("float64")
    )
    average = float(studied.held_out["price"].mean()) if len(studied.held_out) else float("nan")
    known = contract.fields
    return table.assign(
        group=[known[column].group if column in known else "" for column in table["column"]],
        contribution_money=moved.fillna(0.0),
        contribution_pct=100 * moved.fillna(0.0) / average,
    )


def shown_facts(facts: pd.DataFrame, in_money: bool, most: int = MOST) -> pd.DataFrame:
    """The first facts by either reading, in the order of the first."""
    unit = "money" if in_money else "pct"
    first = {
        index
        for name in ("importance", "contribution")
        for index in facts.nlargest(most, f"{name}_{unit}").index
    }
    return facts.loc[sorted(first)].sort_values(f"importance_{unit}", ascending=False)


def with_sales(curve: pd.DataFrame, field: Field, known: NDArray[np.float64]) -> pd.DataFrame:
    """A curve with the number of sales that are nearest to each of its values.

    Parameters
    ----------
    curve : DataFrame
        With the column value, ascending and evenly spaced where there are many.
    field : Field
    known : array of float
        The field's values of all sales, NaN where not known.

    Returns
    -------
    DataFrame
        The curve with sales; those further out than half a step count nowhere. Levels without an
        order are put in that of their average value.
    """
    values = curve["value"].to_numpy(np.float64)
    known = known[np.isfinite(known)]
    if field.levels or len(values) < 2:
        counts = np.array([(known == value).sum() for value in values])
    else:
        middles = (values[1:] + values[:-1]) / 2
        first, last = 2 * values[0] - middles[0], 2 * values[-1] - middles[-1]
        counts = np.histogram(known, np.array([first, *middles, last]))[0]
    found = curve.assign(sales=counts.astype(np.int64))
    return found.sort_values("price", ignore_index=True) if field.kind == "nominal" else found


def named_pairs(found: pd.DataFrame) -> pd.DataFrame:
    """The pairs with a name to choose them by (pair: "Living area and Quality")."""
    return found.assign(pair=found["first_label"] + " and " + found["second_label"])


def low_middle_high(
    field: Field, known: NDArray[np.float64], curve: pd.DataFrame
) -> tuple[float, ...]:
    """Two or three values of a field that occur, from low to high.

    Parameters
    ----------
    field : Field
    known : array of float
        Its values of all sales, NaN where not known.
    curve : DataFrame
        Its effect over the market: levels without an order are taken by their average value.

    Returns
    -------
    tuple of float
        For numbers and ordered levels those that 5, 50 and 95 % of the sales have no more than;
        each once.
    """
    if field.kind == "nominal":
        ordered = curve.sort_values("price")["value"].to_list()
        found = [ordered[0], ordered[len(ordered) // 2], ordered[-1]]
    else:
        known = known[np.isfinite(known)]
        found = np.quantile(known, [0.05, 0.5, 0.95], method="nearest").tolist()
        if found[0] == found[-1]:
            found = [float(known.min()), float(known.max())]
    return tuple(dict.fromkeys(found))


def chosen_facts(chosen: pd.DataFrame, n_fields: float, contract: Contract) -> pd.DataFrame:
    """The facts of a model that knows so many, surest first: label, folds, group in words."""
    titles = {group.key: group.title for group in contract.groups}
    facts = chosen[chosen["n_fields"] == n_fields].sort_values(
        "folds", ascending=False, kind="stable"
    )
    groups = [
        titles[contract.fields[column].group] if column in contract.fields else ""
        for column in facts["column"]
    ]
    return facts[["label", "folds"]].assign(group=groups).reset_index(drop=True)
