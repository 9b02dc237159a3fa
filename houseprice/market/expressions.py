"""Expressions of the market contract: arithmetic on fields, without running code.

The text is parsed to a syntax tree of which only arithmetic, comparisons, ``and``/``or``/``not``
and a handful of functions are let through. A field whose name is no identifier stands in
backticks, as in ``pandas.DataFrame.query``: ``GrossArea - `1stFloor```. Unknown inputs (NaN) make
the result unknown, except in ``known(x)`` and where ``and`` or ``or`` is settled by its other side.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Mapping
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

__all__ = ["Expression", "ExpressionError", "FieldFacts"]

Floats = NDArray[np.float64]
Columns = Mapping[str, Floats]
Step = Callable[[Columns], Floats]


class ExpressionError(ValueError):
    """The text is no expression over the fields of the contract."""


class FieldFacts(Protocol):
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

    def __init__(self, text: str, fields: Mapping[str, FieldFacts]) -> None:
        self.text = text
        self._fields = fields
        compiler = _Compiler(text, fields)
        self._step = compiler.run()
        self.names: tuple[str, ...] = tuple(dict.fromkeys(compiler.used))

    def evaluate(self, columns: Columns) -> Floats:
        """Evaluate on columns of equal length: floats in, floats out (true 1, false 0)."""
        with np.errstate(all="ignore"):
            result = self._step(columns)
        return np.where(np.isfinite(result), result, np.nan)

    def __repr__(self) -> str:
        return f"Expression({self.text!r})"

    def __reduce__(self) -> tuple[type[Expression], tuple[str, dict[str, FieldFacts]]]:
        # The compiled steps are closures: rebuild them from the text.
        return Expression, (self.text, {name: self._fields[name] for name in self.names})


_ARITHMETIC: dict[type[ast.operator], Callable[[Floats, Floats], Floats]] = {
    ast.Add: np.add,
    ast.Sub: np.subtract,
    ast.Mult: np.multiply,
    ast.Div: np.divide,
    ast.Pow: np.power,
}
_COMPARISONS: dict[type[ast.cmpop], Callable[[Floats, Floats], NDArray[np.bool_]]] = {
    ast.Eq: np.equal,
    ast.NotEq: np.not_equal,
    ast.Lt: np.less,
    ast.LtE: np.less_equal,
    ast.Gt: np.greater,
    ast.GtE: np.greater_equal,
}
_FUNCTIONS: dict[str, tuple[int, Callable[..., Floats]]] = {
    "min": (2, np.minimum),
    "max": (2, np.maximum),
    "log1p": (1, np.log1p),
    "sqrt": (1, np.sqrt),
    "known": (1, lambda x: np.isfinite(x).astype(np.float64)),
    "where": (3, lambda test, yes, no: np.where(np.isnan(test), np.nan, np.where(test, yes, no))),
}


class _Compiler:
    """Turns the syntax tree into nested functions of the columns."""

    def __init__(self, text: str, fields: Mapping[str, FieldFacts]) -> None:
        self.text = text
        self.fields = fields
        self.used: list[str] = []
        self.quoted: dict[str, str] = {}

    def run(self) -> Step:
        plain = re.sub(r"`([^`]*)`", self._unquote, self.text).strip()
        try:
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

    def _number(self, node: ast.expr) -> Step:
        match node:
            case ast.Constant(value=bool() | int() | float() as value):
                constant = np.array(value, dtype=np.float64)
                return lambda _: constant
            case ast.Name():
                return self._field(node, arithmetic=True)
            case ast.UnaryOp(op=ast.USub(), operand=operand):
                inner = self._number(operand)
                return lambda columns: np.negative(inner(columns))
            case ast.UnaryOp(op=ast.Not(), operand=operand):
                inner = self._number(operand)
                return lambda columns: 1.0 - inner(columns)
            case ast.BinOp(left=left, op=op, right=right) if type(op) in _ARITHMETIC:
                return _pair(_ARITHMETIC[type(op)], self._number(left), self._number(right))
            case ast.BoolOp(op=op, values=values):
                settles = 0.0 if isinstance(op, ast.And) else 1.0
                steps = [self._number(value) for value in values]
                return lambda columns: _settled(settles, [step(columns) for step in steps])
            case ast.Compare(left=left, ops=[op], comparators=[right]) if type(op) in _COMPARISONS:
                return self._comparison(left, op, right)
            case ast.Call(func=ast.Name(id=name), args=args, keywords=[]):
                return self._call(name, args)
        raise self._refusal(
            "only fields, numbers, + - * / **, single comparisons, and, or, not, "
            f"{', '.join(_FUNCTIONS)} are known here"
        )

    def _field(self, node: ast.Name, *, arithmetic: bool) -> Step:
        name = self.quoted.get(node.id, node.id)
        if name not in self.fields:
            raise self._refusal(f"there is no field {name}")
        if arithmetic and self.fields[name].kind == "nominal":
            raise self._refusal(f"{name} has levels without an order: compare it with a level")
        self.used.append(name)
        return lambda columns: columns[name]

    def _comparison(self, left: ast.expr, op: ast.cmpop, right: ast.expr) -> Step:
        compare = _COMPARISONS[type(op)]
        match left, right:
            case ast.Name(), ast.Constant(value=str() as code):
                name = self.quoted.get(left.id, left.id)
                step = self._field(left, arithmetic=False)
                field = self.fields[name]
                if code not in field.codes:
                    raise self._refusal(f"{name} has no level {code!r}")
                if field.kind == "nominal" and not isinstance(op, ast.Eq | ast.NotEq):
                    raise self._refusal(f"{name} has levels without an order: use == or !=")
                position = np.array(field.codes.index(code), dtype=np.float64)
                return lambda columns: _compared(compare, step(columns), position)
            case _, ast.Constant(value=bool() | int() | float() as value):
                constant = np.array(value, dtype=np.float64)
                step = self._number(left)
                return lambda columns: _compared(compare, step(columns), constant)
        one, other = self._number(left), self._number(right)
        return lambda columns: _compared(compare, one(columns), other(columns))

    def _call(self, name: str, args: list[ast.expr]) -> Step:
        if name not in _FUNCTIONS:
            raise self._refusal(f"there is no function {name}")
        count, function = _FUNCTIONS[name]
        if len(args) != count:
            raise self._refusal(f"{name} takes {count} value(s)")
        if name == "known" and isinstance(args[0], ast.Name):
            steps = [self._field(args[0], arithmetic=False)]
        else:
            steps = [self._number(arg) for arg in args]
        return lambda columns: function(*(step(columns) for step in steps))


def _pair(function: Callable[[Floats, Floats], Floats], left: Step, right: Step) -> Step:
    return lambda columns: function(left(columns), right(columns))


def _compared(
    compare: Callable[[Floats, Floats], NDArray[np.bool_]], left: Floats, right: Floats
) -> Floats:
    """Compare; an unknown side gives an unknown answer."""
    unknown = np.isnan(left)
    if right.ndim:  # a constant is known
        unknown = unknown | np.isnan(right)
    return np.where(unknown, np.nan, compare(left, right))


def _settled(settles: float, parts: list[Floats]) -> Floats:
    """``and`` (settled by 0) or ``or`` (settled by 1) of answers that may be unknown."""
    result = parts[0]
    for part in parts[1:]:
        decided = (result == settles) | (part == settles)
        result = np.where(decided, settles, result + part - (1.0 - settles))
    return result
