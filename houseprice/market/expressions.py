"""Expressions of the market contract: arithmetic on fields, without running code.

The text is parsed to a syntax tree of which only arithmetic, comparisons, ``and``/``or``/``not``
and a handful of functions are let through. A field whose name is no identifier stands in
backticks, as in ``pandas.DataFrame.query``: ``GrossArea - `1stFloor```. Unknown inputs (NaN) make
the result unknown, except in ``known(x)`` and where ``and`` or ``or`` is settled by its other side.

What the signs and functions of an expression do: on whole columns, or on one house alone.

Unknown values are NaN, true is 1 and false is 0. Both ways give the same numbers to the last bit: a
column of one value costs numpy as much as one of a thousand, so a house alone is worked out in
plain numbers.
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
from typing import Generic, Protocol, Self, TypeVar

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "COLUMNS",
    "FUNCTIONS",
    "HOUSE",
    "Arithmetic",
    "Expression",
    "ExpressionError",
    "FieldLike",
    "Floats",
]

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


Step = Callable[[Mapping[str, Value]], Value]

# Two threads that make syntax trees at once confuse CPython's count of their depth (SystemError
# "AST constructor recursion depth mismatch", python/cpython#106905; mended in 3.11.8 and 3.12.2).
_PARSING = threading.RLock()


class ExpressionError(ValueError):
    """The text is no expression over the fields of the contract."""


class FieldLike(Protocol):
    """What an expression has to know of a field."""

    @property
    def kind(self) -> str:
        """One of number, count, year, ordinal, nominal, flag."""
        ...

    @property
    def codes(self) -> tuple[str, ...]:
        """The levels in order; empty for numbers."""
        ...


class Expression:
    """A parsed expression.

    Parameters
    ----------
    text : str
        For example ``"max(sold - built, 0)"`` or ``"garden == 'n'"``.
    fields : mapping of str to FieldFacts
        The fields that it may name. Levels (ordinal, nominal, flag) compare with their codes; an
        ordinal or a flag counts as its rank 0, 1, 2… in arithmetic; a nominal only compares.

    Attributes
    ----------
    names : tuple of str
        The fields it names, in order of first use.

    Raises
    ------
    ExpressionError
        If the text does not parse, or names something that is not there.
    """

    def __init__(self, text: str, fields: Mapping[str, FieldLike]) -> None:
        self.text = text
        self._fields = fields
        compiler = _Compiler(text, fields, COLUMNS)
        self._of_columns = compiler.run()
        self.names: tuple[str, ...] = tuple(dict.fromkeys(compiler.used))

    def evaluate(self, columns: Mapping[str, Floats]) -> Floats:
        """Evaluate on columns of equal length: floats in, floats out (true 1, false 0)."""
        if self.names and len(columns[self.names[0]]) == 1:
            house = {name: columns[name].item() for name in self.names}
            alone = self._of_house(house)
            return np.array([alone if math.isfinite(alone) else np.nan])
        with np.errstate(all="ignore"):
            result = self._of_columns(columns)
        return np.where(np.isfinite(result), result, np.nan)

    @cached_property
    def _of_house(self) -> Step[float]:
        return _Compiler(self.text, self._fields, HOUSE).run()

    def __repr__(self) -> str:
        return f"Expression({self.text!r})"

    def __deepcopy__(self, _: object) -> Self:
        # Nothing of it changes, and scikit-learn copies a contract with each model that it clones.
        return self

    def __reduce__(self) -> tuple[type[Expression], tuple[str, dict[str, FieldLike]]]:
        # The compiled steps are closures: rebuild them from the text.
        return Expression, (self.text, {name: self._fields[name] for name in self.names})


class _Compiler(Generic[Value]):
    """Turns the syntax tree into nested functions of the columns, or of one house's values."""

    def __init__(
        self, text: str, fields: Mapping[str, FieldLike], arithmetic: Arithmetic[Value]
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
            raise self._refusal(error.msg) from None
        return self._number(tree)

    def _unquote(self, match: re.Match[str]) -> str:
        alias = f"__field_{len(self.quoted)}"
        self.quoted[alias] = match.group(1)
        return alias

    def _refusal(self, reason: str) -> ExpressionError:
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
                return _pair(times, self._constant(-1.0), self._number(operand))
            case ast.UnaryOp(op=ast.Not(), operand=operand):
                minus = self.arithmetic.operators[ast.Sub]
                return _pair(minus, self._constant(1.0), self._number(operand))
            case ast.BinOp(left=left, op=op, right=right) if type(op) in self.arithmetic.operators:
                function = self.arithmetic.operators[type(op)]
                return _pair(function, self._number(left), self._number(right))
            case ast.BoolOp(op=op, values=values):
                settles, settled = float(isinstance(op, ast.Or)), self.arithmetic.settled
                steps = [self._number(value) for value in values]
                return lambda values: settled(settles, [step(values) for step in steps])
            case ast.Compare(left=left, ops=[op], comparators=[right]) if (
                type(op) in self.arithmetic.comparisons
            ):
                return self._comparison(left, op, right)
            case ast.Call(func=ast.Name(id=name), args=args, keywords=[]):
                return self._call(name, args)
        raise self._refusal(
            "only fields, numbers, + - * / **, single comparisons, and, or, not, "
            f"{', '.join(FUNCTIONS)} are known here"
        )

    def _field(self, node: ast.Name, *, arithmetic: bool) -> Step[Value]:
        name = self.quoted.get(node.id, node.id)
        if name not in self.fields:
            raise self._refusal(f"there is no field {name}")
        if arithmetic and self.fields[name].kind == "nominal":
            raise self._refusal(f"{name} has levels without an order: compare it with a level")
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
                    raise self._refusal(f"{name} has no level {code!r}")
                if field.kind == "nominal" and not isinstance(op, ast.Eq | ast.NotEq):
                    raise self._refusal(f"{name} has levels without an order: use == or !=")
                return _pair(compare, step, self._constant(field.codes.index(code)))
        return _pair(compare, self._number(left), self._number(right))

    def _call(self, name: str, args: list[ast.expr]) -> Step[Value]:
        if name not in FUNCTIONS:
            raise self._refusal(f"there is no function {name}")
        if len(args) != FUNCTIONS[name]:
            raise self._refusal(f"{name} takes {FUNCTIONS[name]} value(s)")
        function = self.arithmetic.functions[name]
        if name == "known" and isinstance(args[0], ast.Name):
            steps = [self._field(args[0], arithmetic=False)]
        else:
            steps = [self._number(arg) for arg in args]
        return lambda values: function(*[step(values) for step in steps])


def _pair(
    function: Callable[[Value, Value], Value], left: Step[Value], right: Step[Value]
) -> Step[Value]:
    return lambda values: function(left(values), right(values))
