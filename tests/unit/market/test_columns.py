"""Tables of few rows and long ones are read by different loops, and alike."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from houseprice.market.contract import Contract, load_contract
from houseprice.market.parsing import FEW, parse_column, parse_columns
from tests.hamlet import hamlet_sales, write_hamlet

ODD = [
    "",
    " 120 ",
    "1,250",
    "7.0",
    "-5",
    "big",
    "inf",
    "NA",
    "true",
    "Fine",
    "north  BANK",
    "9" * 60,
]
TYPED = [None, math.nan, True, np.True_, 0, 1, 1.0, 2.5, 10**500, [1], {"a": 1}, pd.NA, pd.NaT]


@pytest.fixture(scope="module")
def contract(tmp_path_factory: pytest.TempPathFactory) -> Contract:
    return load_contract(write_hamlet(tmp_path_factory.mktemp("hamlet")))


@pytest.fixture(scope="module")
def odd() -> pd.DataFrame:
    """Rows with every odd value in every column once."""
    values = [*ODD, *TYPED]
    columns = hamlet_sales(1).columns
    return pd.DataFrame(
        {
            name: pd.Series([*values[turn:], *values[:turn]], dtype=object)
            for turn, name in enumerate(columns)
        }
    )


def test_few_rows_are_read_like_the_same_rows_of_a_long_table(
    contract: Contract, odd: pd.DataFrame
) -> None:
    times = FEW // len(odd) + 1
    few = parse_columns(odd, contract)
    many = parse_columns(pd.concat([odd] * times, ignore_index=True), contract)
    np.testing.assert_array_equal(np.tile(few.clean, times), many.clean)
    np.testing.assert_array_equal(np.tile(few.told, times), many.told)
    repeated = {
        replace(problem, row=problem.row + turn * len(odd))
        for problem in few.problems
        for turn in range(times)
        if problem.row is not None
    }
    assert repeated == set(many.problems)
    assert {"read_as", "not_a_number", "unknown_level"} <= {p.code for p in few.problems}


@pytest.mark.parametrize("column", ["size", "grade", "garden", "built"])
def test_a_column_alone_is_read_like_one_of_a_table(
    contract: Contract, odd: pd.DataFrame, column: str
) -> None:
    together = parse_columns(odd, contract)
    alone = parse_column(contract.fields[column], odd[column], contract.market.as_of)
    number = contract.columns.index(column)
    np.testing.assert_array_equal(alone[0], together.clean[number])
    np.testing.assert_array_equal(alone[1], together.told[number])
    assert alone[2] == [problem for problem in together.problems if problem.field == column]


@pytest.mark.parametrize("n_rows", [20, 200])
def test_numbers_read_alike_as_text_and_as_numbers(contract: Contract, n_rows: int) -> None:
    sales = hamlet_sales(n_rows)
    frames = (sales, sales.astype(str), sales.astype(object), sales.convert_dtypes())
    first, *others = (parse_columns(frame, contract) for frame in frames)
    for other in others:
        np.testing.assert_array_equal(first.clean, other.clean)
        assert not other.problems


def test_a_column_that_is_missing_is_nowhere_told(contract: Contract) -> None:
    reading = parse_columns(hamlet_sales(5).drop(columns="grade"), contract)
    grade = contract.columns.index("grade")
    assert reading.missing == {"grade"}
    assert np.isnan(reading.clean[grade]).all()
    assert not reading.told[grade].any()
    assert reading.told.sum() == 5 * (len(contract.columns) - 1)
