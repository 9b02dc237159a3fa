"""What the pages ask of a model once and keep: it can't change before the model does."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd
import streamlit as st

from houseprice.model.studying.study import Study
from houseprice.ui.house.form import one_house
from houseprice.ui.session import backend, study_of

__all__ = ["effect_with", "importance", "market_effect", "study"]


def importance() -> pd.DataFrame:
    """Importance of each field, as the backend that answers measured it; nobody changes it."""
    return _importance(backend().about().model_version)


def study() -> Study:
    """The study of the model that answers; nobody changes it."""
    return study_of(backend().about().model_version)


def market_effect(column: str) -> pd.DataFrame:
    """The effect of a field over the market; nobody changes it."""
    return _market_effect(backend().about().model_version, column)


def effect_with(column: str, house: Mapping[str, object], changed: str, code: str) -> pd.DataFrame:
    """The effect of a field for one house, another of its facts changed; nobody changes it.

    Raises
    ------
    InputError
        If there can be no such house.
    """
    row = {**house, changed: code}
    return _effect(backend().about().model_version, column, tuple(row.items()))


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
    return backend().effect(column, one_house(dict(row)))
