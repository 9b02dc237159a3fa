"""What the signs and functions of an expression do: on whole columns, or on one house alone.

Unknown values are NaN, true is 1 and false is 0. Both ways give the same numbers to the last bit: a
column of one value costs numpy as much as one of a thousand, so a house alone is worked out in
plain numbers.
"""

from __future__ import annotations

import ast
import math
import operator
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

__all__ = ["COLUMNS", "FUNCTIONS", "HOUSE", "Arithmetic", "Floats"]

Floats = NDArray[np.float64]
Value = TypeVar("Value")

FUNCTIONS = {"min": 2, "max": 2, "log1p": 1, "sqrt": 1, "known": 1, "where": 3}
"""How many values each function takes."""


@dataclass(frozen=True)
class Arithmetic(Generic[Value]):
    """How values of one form are put together.

    Attributes
    ----------
    constant : callable
        Makes a value of a number.
    operators : mapping of ast.operator to callable
        Addition and the like.
    comparisons : mapping of ast.cmpop to callable
        1, 0, or NaN where a side is unknown.
    functions : mapping of str to callable
        Those of :data:`FUNCTIONS`.
    settled : callable
        ``and`` (settled by 0) or ``or`` (settled by 1) of answers that may be unknown.
    """

    constant: Callable[[float], Value]
    operators: Mapping[type[ast.operator], Callable[[Value, Value], Value]]
    comparisons: Mapping[type[ast.cmpop], Callable[[Value, Value], Value]]
    functions: Mapping[str, Callable[..., Value]]
    settled: Callable[[float, Sequence[Value]], Value]


def _compared(compare: Callable[[Floats, Floats], NDArray[np.bool_]]) -> Callable[..., Floats]:
    def compared(left: Floats, right: Floats) -> Floats:
        return np.where(np.isnan(left) | np.isnan(right), np.nan, compare(left, right))

    return compared


def _settled(settles: float, parts: Sequence[Floats]) -> Floats:
    result = parts[0]
    for part in parts[1:]:
        decided = (result == settles) | (part == settles)
        result = np.where(decided, settles, result + part - (1.0 - settles))
    return result


COLUMNS = Arithmetic[Floats](
    constant=lambda number: np.array(number, dtype=np.float64),
    operators={
        ast.Add: np.add,
        ast.Sub: np.subtract,
        ast.Mult: np.multiply,
        ast.Div: np.divide,
        ast.Pow: np.power,
    },
    comparisons={
        ast.Eq: _compared(np.equal),
        ast.NotEq: _compared(np.not_equal),
        ast.Lt: _compared(np.less),
        ast.LtE: _compared(np.less_equal),
        ast.Gt: _compared(np.greater),
        ast.GtE: _compared(np.greater_equal),
    },
    functions={
        "min": np.minimum,
        "max": np.maximum,
        "log1p": np.log1p,
        "sqrt": np.sqrt,
        "known": lambda x: np.isfinite(x).astype(np.float64),
        "where": lambda test, yes, no: np.where(np.isnan(test), np.nan, np.where(test, yes, no)),
    },
    settled=_settled,
)
"""On columns of equal length."""


def _plain(function: Callable[..., np.float64]) -> Callable[..., float]:
    """Take numpy's word for what Python would round or refuse in a way of its own."""

    def plain(*numbers: float) -> float:
        with np.errstate(all="ignore"):
            return float(function(*numbers))

    return plain


def _compared_alone(compare: Callable[[float, float], bool]) -> Callable[[float, float], float]:
    def compared(left: float, right: float) -> float:
        unknown = math.isnan(left) or math.isnan(right)
        return math.nan if unknown else float(compare(left, right))

    return compared


def _settled_alone(settles: float, parts: Sequence[float]) -> float:
    result = parts[0]
    for part in parts[1:]:
        decided = settles in (result, part)
        result = settles if decided else result + part - (1.0 - settles)
    return result


def _where_alone(test: float, yes: float, no: float) -> float:
    return test if math.isnan(test) else yes if test else no


_divide = _plain(np.divide)

HOUSE = Arithmetic[float](
    constant=float,
    operators={
        ast.Add: operator.add,
        ast.Sub: operator.sub,
        ast.Mult: operator.mul,
        ast.Div: lambda left, right: left / right if right else _divide(left, right),
        ast.Pow: _plain(np.power),
    },
    comparisons={
        ast.Eq: _compared_alone(operator.eq),
        ast.NotEq: _compared_alone(operator.ne),
        ast.Lt: _compared_alone(operator.lt),
        ast.LtE: _compared_alone(operator.le),
        ast.Gt: _compared_alone(operator.gt),
        ast.GtE: _compared_alone(operator.ge),
    },
    functions={
        "min": lambda x, y: y if y < x or math.isnan(y) else x,
        "max": lambda x, y: y if y > x or math.isnan(y) else x,
        "log1p": _plain(np.log1p),
        "sqrt": _plain(np.sqrt),
        "known": lambda x: float(math.isfinite(x)),
        "where": _where_alone,
    },
    settled=_settled_alone,
)
"""On one number a field."""
