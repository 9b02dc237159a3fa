"""A study reads back as it was written, and anything else is refused."""

import json

import pandas as pd
import pytest

from houseprice.errors import StoreError
from houseprice.model.study import NO_STUDY, STUDY_TABLES, Study

CELLS = {"str": ["a", "b"], "float64": [1.5, None]}


@pytest.fixture
def data():
    return {
        name: {column: list(CELLS[kind]) for column, kind in types.items()}
        for name, types in STUDY_TABLES.items()
    }


def test_a_study_reads_back_as_it_was_written(data):
    study = Study.from_dict(data)
    again = Study.from_json(study.to_json())
    for name in STUDY_TABLES:
        pd.testing.assert_frame_equal(getattr(again, name), getattr(study, name))
    assert again.to_dict() == data


def test_a_version_without_a_study_has_empty_tables():
    again = Study.from_json(NO_STUDY.to_json())
    assert all(getattr(again, name).empty for name in STUDY_TABLES)


BROKEN = {
    "no table": lambda data: data.pop("groups"),
    "a missing column": lambda data: data["groups"].pop("loss_pct"),
    "an unknown column": lambda data: data["groups"].update(colour=["red", "red"]),
    "columns of two lengths": lambda data: data["fewer"].update(rmsle=[0.1]),
    "a column that is no list": lambda data: data["fewer"].update(rmsle="0.1"),
    "text for a number": lambda data: data["fewer"].update(rmsle=["0.1", "0.2"]),
    "a boolean for a number": lambda data: data["fewer"].update(rmsle=[True, 0.2]),
    "a number for text": lambda data: data["chosen"].update(column=[1, 2]),
}


@pytest.mark.parametrize("broken", BROKEN)
def test_a_broken_table_is_refused(data, broken):
    BROKEN[broken](data)
    with pytest.raises(StoreError, match=r"study\.json can't be read .* Train a new model"):
        Study.from_json(json.dumps(data).encode())


@pytest.mark.parametrize("text", [b"", b"[]", b"{", b"\xff"])
def test_a_file_that_is_no_study_is_refused(text):
    with pytest.raises(StoreError, match="can't be read"):
        Study.from_json(text)
