"""A study reads back as it was written, and anything else is refused."""

import json
from dataclasses import replace

import pandas as pd
import pytest

from houseprice.errors import StoreError
from houseprice.model.study import HELD_OUT_FILE, NO_STUDY, STUDY_FILE, STUDY_TABLES, Study

CELLS = {"str": ["a", "b"], "float64": [1.5, None]}


@pytest.fixture
def data():
    return {
        name: {column: list(CELLS[kind]) for column, kind in types.items()}
        for name, types in STUDY_TABLES.items()
    }


def test_a_study_reads_back_as_it_was_written(data):
    study = Study.from_dict(data)
    again = Study.from_files(study.files())
    for name in STUDY_TABLES:
        pd.testing.assert_frame_equal(getattr(again, name), getattr(study, name))
    assert again.to_dict() == data
    assert again.state == "complete"


def test_until_it_is_computed_a_study_has_the_held_out_values_only(data):
    study = replace(NO_STUDY, held_out=Study.from_dict(data).held_out)
    assert list(study.files()) == [HELD_OUT_FILE]
    again = Study.from_files(study.files())
    assert len(again.held_out) == 2
    assert again.state == "missing"
    assert replace(again, progress=0.5).state == "computing"
    assert again.contributions.empty


def test_a_table_of_a_sample_says_how_many_sales_it_uses(data):
    study = Study.from_dict(data | {"samples": {"table": ["groups"], "n_sales": [1.0]}})
    assert (study.n_sales("groups"), study.n_sales("calibration")) == (1, 2)


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
        Study.from_files({STUDY_FILE: json.dumps(data).encode()})


@pytest.mark.parametrize("text", [b"", b"[]", b"{", b"\xff"])
def test_a_file_that_is_no_study_is_refused(text):
    with pytest.raises(StoreError, match="can't be read"):
        Study.from_files({HELD_OUT_FILE: text})
