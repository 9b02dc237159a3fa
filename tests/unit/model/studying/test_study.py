"""A study is read back as it was written, and anything else is refused in words."""

import json
from typing import Any

import pandas as pd
import pytest

from houseprice.errors import StoreError
from houseprice.model.study import NO_STUDY, STUDY_TABLES, Study

CELLS = {"str": ["a", "b"], "float64": [1.5, None]}


@pytest.fixture
def data() -> dict[str, Any]:
    return {
        name: {column: list(CELLS[kind]) for column, kind in types.items()}
        for name, types in STUDY_TABLES.items()
    }


def test_it_comes_back_as_it_was(data: dict[str, Any]) -> None:
    study = Study.from_dict(data)
    again = Study.from_json(study.to_json())
    for name in STUDY_TABLES:
        pd.testing.assert_frame_equal(getattr(again, name), getattr(study, name))
    assert again.to_dict() == data
    assert not again.is_empty


def test_a_version_without_one_has_empty_tables() -> None:
    assert NO_STUDY.is_empty
    assert Study.from_json(NO_STUDY.to_json()).is_empty


BROKEN = {
    "no table": lambda data: data.pop("groups"),
    "a column too few": lambda data: data["groups"].pop("loss_pct"),
    "a column too many": lambda data: data["groups"].update(colour=["red", "red"]),
    "columns of two lengths": lambda data: data["fewer"].update(rmsle=[0.1]),
    "a column that is no list": lambda data: data["fewer"].update(rmsle="0.1"),
    "a text for a number": lambda data: data["fewer"].update(rmsle=["0.1", "0.2"]),
    "a truth value for a number": lambda data: data["fewer"].update(rmsle=[True, 0.2]),
    "a number for a text": lambda data: data["chosen"].update(column=[1, 2]),
}


@pytest.mark.parametrize("broken", BROKEN)
def test_anything_else_is_refused(data: dict[str, Any], broken: str) -> None:
    BROKEN[broken](data)
    with pytest.raises(StoreError, match=r"study\.json can't be read .* Train a new model"):
        Study.from_json(json.dumps(data).encode())


@pytest.mark.parametrize("text", [b"", b"[]", b"{", b"\xff"])
def test_what_is_no_study_is_refused(text: bytes) -> None:
    with pytest.raises(StoreError, match="can't be read"):
        Study.from_json(text)
