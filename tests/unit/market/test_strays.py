"""Keys that are no field and values that no field can hold, in rows that a program sends."""

from __future__ import annotations

from pathlib import Path

import pytest

from houseprice.market.contract import Contract, load_contract
from houseprice.market.validation import (
    MAX_REPORTED,
    MAX_SUGGESTIONS,
    suggest_field,
    unknown_fields,
)
from tests.hamlet import write_hamlet


@pytest.fixture(scope="module")
def contract(tmp_path_factory: pytest.TempPathFactory) -> Contract:
    folder: Path = write_hamlet(tmp_path_factory.mktemp("hamlet"), n_sales=20)
    return load_contract(folder)


def test_fields_the_key_and_the_price_are_no_strays(contract: Contract) -> None:
    row = {"size": 100, "grade": None, "garden": True, "key": "h1", "paid": 9.5}
    assert unknown_fields([row, {}], contract) == ()


@pytest.mark.parametrize(
    ("name", "column"),
    [("sise", "size"), ("SIZE", "size"), ("Floor Area", "size"), ("ground_floor", "ground floor")],
)
def test_an_unknown_field_names_the_likely_one(contract: Contract, name: str, column: str) -> None:
    (problem,) = unknown_fields([{}, {name: 100}], contract)
    assert (problem.row, problem.field, problem.code) == (2, name, "unknown_field")
    assert problem.severity == "error"
    assert problem.expected == column == suggest_field(name, contract)
    assert contract.fields[column].label in problem.message


def test_a_field_like_none_is_told_without_a_guess(contract: Contract) -> None:
    (problem,) = unknown_fields([{"zzzz": 1}], contract)
    assert problem.expected is None
    assert problem.message == "There is no field «zzzz»."


def test_a_very_long_name_is_shortened(contract: Contract) -> None:
    (problem,) = unknown_fields([{"x" * 100_000: 1}], contract)
    assert len(problem.message) < 100
    assert "100,000 characters" in problem.message


@pytest.mark.parametrize(("value", "what"), [([1], "a list"), ({"a": 1}, "an object")])
def test_a_value_within_a_value_is_an_error_of_its_field(
    contract: Contract, value: object, what: str
) -> None:
    found = unknown_fields([{"grade": value, "key": value}], contract)
    assert [(p.field, p.code, p.read) for p in found] == [
        ("grade", "nested", what),
        ("key", "nested", what),
    ]
    assert found[0].message.startswith("Grade: ")


def test_thousands_of_unknown_fields_are_not_told_one_by_one(contract: Contract) -> None:
    rows = [{f"size{row}-{n}": 1 for n in range(200)} for row in range(20)]
    found = unknown_fields(rows, contract)
    assert len(found) == 20 * (MAX_REPORTED + 1)
    assert sum(problem.expected is not None for problem in found) <= MAX_SUGGESTIONS
    assert "180 more" in found[MAX_REPORTED].message
