"""Short and long tables are parsed by different loops, with the same result."""

import math
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from houseprice.market.fields import Field
from houseprice.market.parsing import MAX_ROWS_BY_CELL, parse_cell, parse_column, parse_columns
from tests.hamlet import hamlet_sales

TEXTS = [
    "",
    " 120 ",
    "1,250",
    "7.0",
    "-5",
    "big",
    "inf",
    "NA",
    "Unknown",
    "true",
    "Fine",
    "north  BANK",
    "9" * 60,
]
TYPED = [None, math.nan, True, np.True_, 0, 1, 1.0, 2.5, 10**500, [1], {"a": 1}, pd.NA, pd.NaT]


@pytest.fixture(scope="module")
def odd_rows():
    """Rows with every odd value in every column once."""
    values = [*TEXTS, *TYPED]
    columns = hamlet_sales(1).columns
    return pd.DataFrame(
        {
            name: pd.Series([*values[shift:], *values[:shift]], dtype=object)
            for shift, name in enumerate(columns)
        }
    )


def test_a_short_table_is_parsed_like_the_same_rows_of_a_long_one(contract, odd_rows):
    times = MAX_ROWS_BY_CELL // len(odd_rows) + 1
    few = parse_columns(odd_rows, contract)
    many = parse_columns(pd.concat([odd_rows] * times, ignore_index=True), contract)
    np.testing.assert_array_equal(np.tile(few.clean, times), many.clean)
    np.testing.assert_array_equal(np.tile(few.blank, times), many.blank)
    np.testing.assert_array_equal(np.tile(few.unknown, times), many.unknown)
    repeated = {
        replace(problem, row=problem.row + shift * len(odd_rows))
        for problem in few.problems
        for shift in range(times)
        if problem.row is not None
    }
    assert repeated == set(many.problems)
    assert {"read_as", "not_a_number", "unknown_level"} <= {p.code for p in few.problems}


@pytest.mark.parametrize("column", ["size", "grade", "garden", "built"])
def test_a_column_is_parsed_alike_alone_and_in_a_table(contract, odd_rows, column):
    together = parse_columns(odd_rows, contract)
    alone = parse_column(contract.fields[column], odd_rows[column])
    number = contract.columns.index(column)
    np.testing.assert_array_equal(alone[0], together.clean[number])
    np.testing.assert_array_equal(alone[1], together.blank[number])
    np.testing.assert_array_equal(alone[2], together.unknown[number])
    assert alone[3] == [problem for problem in together.problems if problem.field == column]


@pytest.mark.parametrize("n_rows", [20, 200])
def test_numbers_are_parsed_alike_as_text_and_as_numbers(contract, n_rows):
    sales = hamlet_sales(n_rows)
    frames = (sales, sales.astype(str), sales.astype(object), sales.convert_dtypes())
    first, *others = (parse_columns(frame, contract) for frame in frames)
    for other in others:
        np.testing.assert_array_equal(first.clean, other.clean)
        assert not other.problems


def test_a_missing_column_is_blank(contract):
    table = parse_columns(hamlet_sales(5).drop(columns="grade"), contract)
    grade = contract.columns.index("grade")
    assert table.missing == {"grade"}
    assert np.isnan(table.clean[grade]).all()
    assert table.blank[grade].all()
    assert table.blank.sum() == 5


@pytest.mark.parametrize(
    ("number", "code", "message"),
    [
        (10**400, "too_long", "401 digits are too many."),
        (-(10**400), "too_long", "401 digits are too many."),
        (10**5000, "not_finite", "1e5000 is larger than a number can be."),
        (-(10**5000), "not_finite", "-1e5000 is larger than a number can be."),
        ("1," * 40, "too_long", "80 characters are not a number."),
    ],
    ids=["long", "negative", "longer", "longer and negative", "text"],
)
def test_a_number_of_too_many_digits_is_named_with_its_sign(number, code, message):
    field = Field(column="size", label="Size", group="", kind="number", range=(0.0, 1.0))
    finding = parse_cell(field, number).finding
    assert finding is not None
    assert (finding.code, finding.message) == (code, f"Size: {message}")
