"""Expressions of the market contract: arithmetic on fields, without running code.

The text is parsed to a syntax tree of which only arithmetic, comparisons, ``and``/``or``/``not``
and a few functions are allowed. A field whose name is not an identifier is written in backticks, as
in ``pandas.DataFrame.query``: ``GrossArea - `1stFloor```. True is 1, false is 0, unknown is NaN.
Unknown inputs make the result unknown, except in ``known(x)`` and where the other side decides an
``and`` or ``or``.

Expressions are evaluated on whole columns (:data:`COLUMNS`) or on the plain numbers of one house
(:data:`SCALARS`), which is much faster than arrays of length 1. Both give bit-identical results.
"""

from __future__ import annotations

import ast
import math
import operator
import re
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Generic, Self, TypeVar

import numpy as np
from numpy.typing import NDArray

from houseprice.market.fields import Field

Floats = NDArray[np.float64]
Value = TypeVar("Value")

FUNCTIONS = {"min": 2, "max": 2, "log1p": 1, "sqrt": 1, "known": 1, "where": 3}
"""Number of arguments by function."""


@dataclass(frozen=True)
class Arithmetic(Generic[Value]):
    """The operations of an expression on one representation of values.

    ``logical`` computes ``and`` (decided by 0) or ``or`` (decided by 1) of values that may be NaN.
    """

    constant: Callable[[float], Value]
    operators: Mapping[type[ast.operator], Callable[[Value, Value], Value]]
    comparisons: Mapping[type[ast.cmpop], Callable[[Value, Value], Value]]
    functions: Mapping[str, Callable[..., Value]]
    logical: Callable[[float, Sequence[Value]], Value]


def _compare(compare: Callable[[Floats, Floats], NDArray[np.bool_]]) -> Callable[..., Floats]:
    def compared(left: Floats, right: Floats) -> Floats:
        return np.where(np.isnan(left) | np.isnan(right), np.nan, compare(left, right))

    return compared


def _logical(deciding: float, parts: Sequence[Floats]) -> Floats:
    result = parts[0]
    for part in parts[1:]:
        decided = (result == deciding) | (part == deciding)
        result = np.where(decided, deciding, result + part - (1.0 - deciding))
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
        ast.Eq: _compare(np.equal),
        ast.NotEq: _compare(np.not_equal),
        ast.Lt: _compare(np.less),
        ast.LtE: _compare(np.less_equal),
        ast.Gt: _compare(np.greater),
        ast.GtE: _compare(np.greater_equal),
    },
    functions={
        "min": np.minimum,
        "max": np.maximum,
        "log1p": np.log1p,
        "sqrt": np.sqrt,
        "known": lambda x: np.isfinite(x).astype(np.float64),
        "where": lambda test, yes, no: np.where(np.isnan(test), np.nan, np.where(test, yes, no)),
    },
    logical=_logical,
)
"""Operations on columns of equal length."""


def _numpy_scalar(function: Callable[..., np.float64]) -> Callable[..., float]:
    """Use NumPy where Python would round or raise differently."""

    def scalar(*numbers: float) -> float:
        with np.errstate(all="ignore"):
            return float(function(*numbers))

    return scalar


def _compare_scalar(compare: Callable[[float, float], bool]) -> Callable[[float, float], float]:
    def compared(left: float, right: float) -> float:
        unknown = math.isnan(left) or math.isnan(right)
        return math.nan if unknown else float(compare(left, right))

    return compared


def _logical_scalar(deciding: float, parts: Sequence[float]) -> float:
    result = parts[0]
    for part in parts[1:]:
        decided = deciding in (result, part)
        result = deciding if decided else result + part - (1.0 - deciding)
    return result


def _where_scalar(test: float, yes: float, no: float) -> float:
    return test if math.isnan(test) else yes if test else no


_divide = _numpy_scalar(np.divide)

SCALARS = Arithmetic[float](
    constant=float,
    operators={
        ast.Add: operator.add,
        ast.Sub: operator.sub,
        ast.Mult: operator.mul,
        ast.Div: lambda left, right: left / right if right else _divide(left, right),
        ast.Pow: _numpy_scalar(np.power),
    },
    comparisons={
        ast.Eq: _compare_scalar(operator.eq),
        ast.NotEq: _compare_scalar(operator.ne),
        ast.Lt: _compare_scalar(operator.lt),
        ast.LtE: _compare_scalar(operator.le),
        ast.Gt: _compare_scalar(operator.gt),
        ast.GtE: _compare_scalar(operator.ge),
    },
    functions={
        "min": lambda x, y: y if y < x or math.isnan(y) else x,
        "max": lambda x, y: y if y > x or math.isnan(y) else x,
        "log1p": _numpy_scalar(np.log1p),
        "sqrt": _numpy_scalar(np.sqrt),
        "known": lambda x: float(math.isfinite(x)),
        "where": _where_scalar,
    },
    logical=_logical_scalar,
)
"""Operations on one number per field."""


Step = Callable[[Mapping[str, Value]], Value]

# Two threads that make syntax trees at once confuse CPython's count of their depth (SystemError
# "AST constructor recursion depth mismatch", python/cpython#106905; fixed in 3.11.8 and 3.12.2).
_PARSING = threading.RLock()


class ExpressionError(ValueError):
    """The text is not an expression over the fields of the contract."""


class Expression:
    """A parsed expression such as ``"max(sold - built, 0)"`` or ``"garden == 'n'"``.

    Levels (ordinal, nominal, flag) compare with their codes; an ordinal or a flag counts as its
    rank 0, 1, 2… in arithmetic; a nominal only compares. ``names`` are the fields in it, in order
    of first use.

    Raises ExpressionError if the text does not parse, or names a field, level or function that does
    not exist.
    """

    def __init__(self, text: str, fields: Mapping[str, Field]) -> None:
        self.text = text
        self._fields = fields
        compiler = _Compiler(text, fields, COLUMNS)
        self._evaluate_columns = compiler.run()
        self.names: tuple[str, ...] = tuple(dict.fromkeys(compiler.used))

    def evaluate(self, columns: Mapping[str, Floats]) -> Floats:
        """Evaluate on columns of equal length: floats in, floats out (true 1, false 0)."""
        if self.names and len(columns[self.names[0]]) == 1:
            house = {name: columns[name].item() for name in self.names}
            value = self.evaluate_house(house)
            return np.array([value if math.isfinite(value) else np.nan])
        with np.errstate(all="ignore"):
            result = self._evaluate_columns(columns)
        return np.where(np.isfinite(result), result, np.nan)

    @cached_property
    def evaluate_house(self) -> Step[float]:
        """Evaluates on the numbers of one house; the result may be infinite."""
        return _Compiler(self.text, self._fields, SCALARS).run()

    def __repr__(self) -> str:
        return f"Expression({self.text!r})"

    def __deepcopy__(self, _: object) -> Self:
        # Immutable, and scikit-learn copies a contract with each model that it clones.
        return self

    def __reduce__(self) -> tuple[type[Expression], tuple[str, dict[str, Field]]]:
        # The compiled steps are closures: rebuild them from the text.
        return Expression, (self.text, {name: self._fields[name] for name in self.names})


class _Compiler(Generic[Value]):
    """Turns the syntax tree into nested functions of columns or scalars."""

    def __init__(
        self, text: str, fields: Mapping[str, Field], arithmetic: Arithmetic[Value]
    ) -> None:
        self.text = text
        self.fields = fields
        self.arithmetic = arithmetic
        self.used: list[str] = []
        self.quoted: dict[str, str] = {}

    def run(self) -> Step[Value]:
        plain = re.sub(r"`([^`]*)`", self._unquote, self.text).strip()
        try:
            with _PARSING:
                tree = ast.parse(plain, mode="eval").body
        except SyntaxError as error:
            raise self._error(error.msg) from None
        return self._number(tree)

    def _unquote(self, match: re.Match[str]) -> str:
        alias = f"__field_{len(self.quoted)}"
        self.quoted[alias] = match.group(1)
        return alias

    def _error(self, reason: str) -> ExpressionError:
        return ExpressionError(f"«{self.text}» can't be used: {reason}")

    def _constant(self, number: float) -> Step[Value]:
        constant = self.arithmetic.constant(number)
        return lambda _: constant

    def _number(self, node: ast.expr) -> Step[Value]:
        match node:
            case ast.Constant(value=bool() | int() | float() as value):
                return self._constant(value)
            case ast.Name():
                return self._field(node, arithmetic=True)
            case ast.UnaryOp(op=ast.USub(), operand=operand):
                times = self.arithmetic.operators[ast.Mult]
                return _binary(times, self._constant(-1.0), self._number(operand))
            case ast.UnaryOp(op=ast.Not(), operand=operand):
                minus = self.arithmetic.operators[ast.Sub]
                return _binary(minus, self._constant(1.0), self._number(operand))
            case ast.BinOp(left=left, op=op, right=right) if type(op) in self.arithmetic.operators:
                function = self.arithmetic.operators[type(op)]
                return _binary(function, self._number(left), self._number(right))
            case ast.BoolOp(op=op, values=values):
                deciding, logical = float(isinstance(op, ast.Or)), self.arithmetic.logical
                steps = [self._number(value) for value in values]
                return lambda values: logical(deciding, [step(values) for step in steps])
            case ast.Compare(left=left, ops=[op], comparators=[right]) if (
                type(op) in self.arithmetic.comparisons
            ):
                return self._comparison(left, op, right)
            case ast.Call(func=ast.Name(id=name), args=args, keywords=[]):
                return self._call(name, args)
        raise self._error(
            "only fields, numbers, + - * / **, single comparisons, and, or, not, "
            f"{', '.join(FUNCTIONS)} are supported"
        )

    def _field(self, node: ast.Name, *, arithmetic: bool) -> Step[Value]:
        name = self.quoted.get(node.id, node.id)
        if name not in self.fields:
            raise self._error(f"there is no field {name}")
        if arithmetic and self.fields[name].kind == "nominal":
            raise self._error(f"{name} has levels without an order: compare it with a level")
        self.used.append(name)
        return lambda values: values[name]

    def _comparison(self, left: ast.expr, op: ast.cmpop, right: ast.expr) -> Step[Value]:
        compare = self.arithmetic.comparisons[type(op)]
        match left, right:
            case ast.Name(), ast.Constant(value=str() as code):
                name = self.quoted.get(left.id, left.id)
                step = self._field(left, arithmetic=False)
                field = self.fields[name]
                if code not in field.codes:
                    raise self._error(f"{name} has no level {code!r}")
                if field.kind == "nominal" and not isinstance(op, ast.Eq | ast.NotEq):
                    raise self._error(f"{name} has levels without an order: use == or !=")
                return _binary(compare, step, self._constant(field.codes.index(code)))
        return _binary(compare, self._number(left), self._number(right))

    def _call(self, name: str, args: list[ast.expr]) -> Step[Value]:
        if name not in FUNCTIONS:
            raise self._error(f"there is no function {name}")
        if len(args) != FUNCTIONS[name]:
            raise self._error(f"{name} takes {FUNCTIONS[name]} value(s)")
        function = self.arithmetic.functions[name]
        if name == "known" and isinstance(args[0], ast.Name):
            steps = [self._field(args[0], arithmetic=False)]
        else:
            steps = [self._number(arg) for arg in args]
        return lambda values: function(*[step(values) for step in steps])


def _binary(
    function: Callable[[Value, Value], Value], left: Step[Value], right: Step[Value]
) -> Step[Value]:
    return lambda values: function(left(values), right(values))
