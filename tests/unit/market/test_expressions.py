"""Expressions: what they compute, and what they refuse."""

import copy
import gc
import pickle
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from houseprice.market.expressions import Expression, ExpressionError


@dataclass(frozen=True)
class FieldStub:
    kind: str
    codes: tuple[str, ...] = ()


FIELDS = {
    "area": FieldStub("number"),
    "1st floor": FieldStub("number"),
    "year": FieldStub("year"),
    "grade": FieldStub("ordinal", ("NA", "C", "B")),
    "roof": FieldStub("nominal", ("flat", "gable")),
}
COLUMNS = {
    "area": np.array([100.0, 0.0, np.nan]),
    "1st floor": np.array([60.0, 10.0, 5.0]),
    "year": np.array([1990.0, 2000.0, 2010.0]),
    "grade": np.array([2.0, 0.0, 1.0]),
    "roof": np.array([1.0, np.nan, 0.0]),
}
UNKNOWN = np.nan


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("area - `1st floor`", [40, -10, UNKNOWN]),
        ("max(2005 - year, 0)", [15, 5, 0]),
        ("(-area) ** 2 / 2", [5000, 0, UNKNOWN]),
        ("`1st floor` / area", [0.6, UNKNOWN, UNKNOWN]),
        ("grade + 1", [3, 1, 2]),
        ("grade >= 'C'", [1, 0, 1]),
        ("roof == 'gable'", [1, UNKNOWN, 0]),
        ("roof != 'gable'", [0, UNKNOWN, 1]),
        ("area > 0", [1, 0, UNKNOWN]),
        ("not area > 0", [0, 1, UNKNOWN]),
        ("area > 0 and grade > 0", [1, 0, UNKNOWN]),
        ("area > 0 and grade > 1", [1, 0, 0]),
        ("area > 0 or grade > 0", [1, 0, 1]),
        ("area > 0 or grade > 1", [1, 0, UNKNOWN]),
        ("known(area) + known(roof)", [2, 1, 1]),
        ("where(area > 0, year, 0)", [1990, 0, UNKNOWN]),
        ("log1p(area) + sqrt(grade) - log1p(area)", [2**0.5, 0, UNKNOWN]),
        ("min(area, 50)", [50, 0, UNKNOWN]),
        ("1 + 1", 2),
    ],
)
def test_an_expression_computes(text, expected):
    np.testing.assert_allclose(Expression(text, FIELDS).evaluate(COLUMNS), expected)


ANY = st.sampled_from([0.0, -0.0, 1.0, -1.0, np.nan, 1e308, 1e-308]) | st.floats(-1e6, 1e6)
TEXTS = [
    "(area + year - grade) * `1st floor` / year",
    "-area ** 2 + area ** 0.5 + area ** year",
    "min(area, year) + max(`1st floor`, -area)",
    "log1p(area) * sqrt(year) + known(roof) + known(area / year)",
    "where(area, where(not year, 1, `1st floor`), where(area > year, -1, 1 / area))",
    "area == year or area != 0 and year <= 1 and not grade >= 'C'",
    "(area < year) + (area > 1) + (roof == 'gable') + (grade != 'NA')",
]


@pytest.mark.parametrize("text", TEXTS)
@given(values=st.lists(st.tuples(ANY, ANY, ANY), min_size=2, max_size=20))
def test_one_house_and_a_table_have_bit_identical_results(text, values):
    expression = Expression(text, FIELDS)
    area, floor, year = np.array(values).T
    levels = np.resize([0.0, 1.0, np.nan], len(values))
    columns = {"area": area, "1st floor": floor, "year": year, "grade": levels, "roof": levels}
    alone = [
        expression.evaluate({name: column[i : i + 1] for name, column in columns.items()})
        for i in range(len(values))
    ]
    np.testing.assert_array_equal(np.concatenate(alone), expression.evaluate(columns))


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("area +", "invalid syntax"),
        ("aera", "no field aera"),
        ("roof + 1", "without an order"),
        ("roof > 'flat'", "use == or !="),
        ("grade == 'Z'", "no level 'Z'"),
        ("abs(area)", "no function abs"),
        ("min(area)", "takes 2"),
        ("area.real", "only fields"),
        ("__import__('os').system('true')", "only fields"),
        ("[x for x in area]", "only fields"),
        ("lambda: area", "only fields"),
        ("1 < area < 2", "only fields"),
        ("area if year else 1", "only fields"),
        ("'text'", "only fields"),
    ],
)
def test_anything_else_is_refused(text, reason):
    with pytest.raises(ExpressionError, match=reason):
        Expression(text, FIELDS)


def test_an_expression_names_its_fields():
    assert Expression("`1st floor` + area - `1st floor`", FIELDS).names == ("1st floor", "area")


def test_it_survives_a_pickle():
    expression = Expression("grade >= 'C'", FIELDS)
    same = pickle.loads(pickle.dumps(expression))
    np.testing.assert_array_equal(same.evaluate(COLUMNS), expression.evaluate(COLUMNS))
    assert repr(same) == repr(expression)


def test_a_copy_of_what_never_changes_is_itself():
    expression = Expression("grade >= 'C'", FIELDS)
    assert copy.deepcopy({"of": expression})["of"] is expression


@pytest.fixture
def _interrupting_threads():
    """Collect garbage and switch threads all the time, also while a text is parsed."""
    switch, threshold = sys.getswitchinterval(), gc.get_threshold()
    sys.setswitchinterval(1e-6)
    gc.set_threshold(20)
    yield
    gc.set_threshold(*threshold)
    sys.setswitchinterval(switch)


class _Garbage:
    """Freed by the garbage collector alone, while another thread runs."""

    def __init__(self) -> None:
        self.itself = self

    def __del__(self) -> None:
        time.sleep(0)


@pytest.mark.usefixtures("_interrupting_threads")
def test_threads_can_parse_at_the_same_time():
    def parse(depth: int) -> int:
        if depth:
            return parse(depth - 1)
        for _ in range(100):
            _Garbage()
            Expression("max(area - year, 0) * area + (grade >= 'C')", FIELDS)
        return 100

    with ThreadPoolExecutor(4) as pool:
        assert sum(pool.map(parse, [0, 30, 60, 90])) == 400
