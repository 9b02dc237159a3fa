"""The market contract: every fact about a field, read once from ``market.toml``.

A market is a folder. Its contract says what each column is called, what people call it, which
values are legal, what a blank means and which way it may move the price. Training, checks, forms,
files, charts and the API all read these objects and repeat nothing.

What a market asks of a model before it may go on: limits of its figures, in the contract.

Where a market's files can be had anew, as far as the contract says so.
"""

from __future__ import annotations

import hashlib
import tomllib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import date
from functools import cached_property
from pathlib import Path
from typing import Literal, Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pydantic import Field as Setting
from pydantic import FiniteFloat, ValidationError, model_validator

from houseprice.errors import MarketError
from houseprice.formatting import money
from houseprice.market.expressions import Expression, ExpressionError
from houseprice.market.fields import ContractModel, Field, Level, Sign

__all__ = [
    "CONTRACT_FILE",
    "Contract",
    "Derived",
    "Dialect",
    "Field",
    "Gate",
    "Group",
    "KaggleFile",
    "KaggleSource",
    "Level",
    "Limit",
    "MarketMetadata",
    "Price",
    "Roles",
    "Rule",
    "load_contract",
]


class Limit(ContractModel):
    """The least, the most, or both, that a figure may be; the limits themselves are allowed."""

    at_least: FiniteFloat | None = None
    at_most: FiniteFloat | None = None

    @model_validator(mode="after")
    def _bounds_something(self) -> Self:
        if self.at_least is None and self.at_most is None:
            raise ValueError("a limit needs at_least, at_most or both")
        if self.at_least is not None and not self.holds(self.at_least):
            raise ValueError("at_least is above at_most")
        return self

    def holds(self, found: float) -> bool:
        """Whether a figure is inside; what is not a number is not."""
        low = float("-inf") if self.at_least is None else self.at_least
        return low <= found <= (float("inf") if self.at_most is None else self.at_most)


class Gate(ContractModel):
    """Limits by the name of a figure of the evaluation.

    ``worse_by`` is the room beside the version in use: how much larger the mean error, as a share
    of the price, may surely be.
    """

    limits: dict[str, Limit] = Setting(min_length=1)
    worse_by: float = Setting(default=0.0, ge=0.0, allow_inf_nan=False)


class KaggleFile(ContractModel):
    """A file of a competition, and how many rows of data it has."""

    file: str = Setting(pattern=r"^\w[\w.-]*\.csv$")
    rows: int = Setting(ge=1)


class KaggleSource(ContractModel):
    """The competition on kaggle.com whose files are the market's.

    ``competition`` is the last part of the competition's address; ``most_mb`` is the size beyond
    which a download is given up.
    """

    competition: str = Setting(pattern=r"^[a-z0-9][a-z0-9-]*$")
    sales: KaggleFile
    sample: KaggleFile
    most_mb: int = Setting(100, ge=1)

    @property
    def page(self) -> str:
        """The address of the competition, for a browser."""
        return f"https://www.kaggle.com/competitions/{self.competition}"


CONTRACT_FILE = "market.toml"
"""What the contract is called in the folder of its market."""


class Group(ContractModel):
    """A heading under which fields stand together in forms and lists."""

    key: str
    title: str
    help: str = ""


class Derived(ContractModel):
    """A feature computed from fields."""

    label: str
    expression: str
    sign: Sign | None = None
    scale: Literal["log"] | None = None


class Rule(ContractModel):
    """A sentence about two or more fields; a house that breaks it gets a warning."""

    code: str
    check: str
    fields: tuple[str, ...]
    message: str
    expected: str


class Price(ContractModel):
    """The column to learn, and how money is written."""

    column: str
    label: str
    currency: str
    symbol: str
    range: tuple[float, float]


class Roles(ContractModel):
    """Which field plays which part, so that no code needs a column's name."""

    location: str
    area: str
    built: str
    sale_year: str
    sale_month: str


class MarketMetadata(ContractModel):
    """What the market is, where its files lie and where they can be had anew."""

    name: str = Setting(pattern=r"^[a-z][a-z0-9_]*$")
    title: str
    description: str
    source: str
    sales: str
    sample: str
    as_of: date
    id: str
    price: Price
    roles: Roles
    kaggle: KaggleSource | None = None


class Dialect(ContractModel):
    """How servers of a protocol in use elsewhere speak of this market.

    ``columns`` maps our columns to theirs, where they differ; ``missing`` is how a fact that is not
    known is written to them; ``blanks`` are codes of levels that they take for such a fact.
    """

    columns: dict[str, str] = Setting(default_factory=dict)
    missing: str | None = None
    blanks: tuple[str, ...] = ()


class Contract(ContractModel):
    """A whole market contract. Build it with :func:`load_contract`."""

    market: MarketMetadata
    groups: tuple[Group, ...]
    fields: dict[str, Field]
    derived: dict[str, Derived] = Setting(default_factory=dict)
    rules: tuple[Rule, ...] = ()
    dialects: dict[str, Dialect] = Setting(default_factory=dict)
    gate: Gate | None = None
    sha256: str

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        groups = {group.key for group in self.groups}
        for name, field in self.fields.items():
            with _place(f"fields.{name}"):
                if field.group not in groups:
                    raise ValueError(f"there is no group {field.group!r}")
                self._refuse_fills(field)
        for name, part in self.derived.items():
            with _place(f"derived.{name}"):
                self._parsed(part.expression)
        for number, rule in enumerate(self.rules):
            with _place(f"rules.{number}"):
                self._parsed(rule.check)
                self._known(rule.fields)
        for name, dialect in self.dialects.items():
            with _place(f"dialects.{name}"):
                self._known(dialect.columns)
        with _place("market.roles"):
            self._refuse_roles(self.market.roles)
        labels = [field.label for field in self.fields.values()]
        twice = sorted({label for label in labels if labels.count(label) > 1})
        if twice:
            raise ValueError(f"fields: two fields share the label {', '.join(twice)}")
        return self

    def money(self, amount: float, step: float = 1.0) -> str:
        """Format an amount in the currency of the market, rounded to a multiple of ``step``."""
        return money(amount, self.market.price.symbol, step)

    def _refuse_roles(self, roles: Roles) -> None:
        self._known(roles.model_dump().values())
        for role in ("location", "sale_month"):
            if not self._is_level(getattr(roles, role)):
                raise ValueError(f"{role} must be a field with levels")
        for role in ("area", "built", "sale_year"):
            if self._is_level(getattr(roles, role)):
                raise ValueError(f"{role} must be a field of numbers")

    def _refuse_fills(self, field: Field) -> None:
        """Whatever fills a blank must be something that can."""
        if field.absent_when and not field.is_numeric and "NA" not in field.codes:
            raise ValueError("absent_when needs a level NA")
        if field.typical_by and not self._is_level(field.typical_by):
            raise ValueError(f"typical_by: {field.typical_by!r} is no field with levels")
        self._refuse_circle(field.column)
        for text in (field.absent_when, field.follows):
            self._parsed(text)

    def _refuse_circle(self, name: str) -> None:
        """A typical value can't wait for itself."""
        chain = [name]
        while (by := self.fields[chain[-1]].typical_by) in self.fields and by is not None:
            if by in chain:
                raise ValueError(f"typical_by goes in a circle: {', '.join([*chain, by])}")
            chain.append(by)

    def _is_level(self, name: str) -> bool:
        return name in self.fields and not self.fields[name].is_numeric

    def _known(self, names: Iterable[str]) -> None:
        missing = [name for name in names if name not in self.fields]
        if missing:
            raise ValueError(f"there is no field {', '.join(missing)}")

    def _parsed(self, text: str | None) -> None:
        if text is not None:
            Expression(text, self.fields)

    @cached_property
    def columns(self) -> tuple[str, ...]:
        """The columns of clean houses, in order."""
        return tuple(self.fields)

    @cached_property
    def absent_rules(self) -> dict[str, Expression]:
        """By field: when a blank means that there is none of it."""
        return self._expressions("absent_when")

    @cached_property
    def follows_rules(self) -> dict[str, Expression]:
        """By field: what a blank follows from."""
        return self._expressions("follows")

    @cached_property
    def rule_checks(self) -> tuple[Expression, ...]:
        """The checks of :attr:`rules`, in their order: 0 where a house breaks one."""
        return tuple(Expression(rule.check, self.fields) for rule in self.rules)

    @cached_property
    def features(self) -> dict[str, Expression]:
        """The expressions of :attr:`derived` by name."""
        return {
            name: Expression(part.expression, self.fields) for name, part in self.derived.items()
        }

    def _expressions(self, key: str) -> dict[str, Expression]:
        return {
            name: Expression(getattr(field, key), self.fields)
            for name, field in self.fields.items()
            if getattr(field, key)
        }

    def with_labels(self, houses: pd.DataFrame) -> pd.DataFrame:
        """Give clean houses back with their levels in words; numbers stay numbers."""
        return self._levels_as(houses, "labels")

    def with_codes(self, houses: pd.DataFrame) -> pd.DataFrame:
        """Give clean houses back with their levels as a file would hold them."""
        return self._levels_as(houses, "codes")

    def _levels_as(self, houses: pd.DataFrame, what: Literal["labels", "codes"]) -> pd.DataFrame:
        columns: dict[str, object] = {}
        for name, field in self.fields.items():
            values = houses[name].to_numpy(np.float64)
            columns[name] = _named(values, getattr(field, what)) if field.levels else values
        return pd.DataFrame(columns, index=houses.index)


@contextmanager
def _place(key: str) -> Iterator[None]:
    """Put the key of the contract before the reason of a refusal."""
    try:
        yield
    except (ValueError, ExpressionError) as error:
        raise ValueError(f"{key}: {error}") from None


def load_contract(path: Path) -> Contract:
    """Read and check a market contract.

    Parameters
    ----------
    path : Path
        A market folder, or its ``market.toml``.

    Raises
    ------
    MarketError
        Naming the file, the key and the reason, if the contract can't be used.
    """
    file = path / CONTRACT_FILE if path.is_dir() else path
    try:
        text = file.read_bytes()
        facts = tomllib.loads(text.decode("utf-8"))
    except OSError as error:
        raise MarketError(file, "", f"can't be read ({error.strerror})") from None
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise MarketError(file, "", f"is not valid TOML ({error})") from None
    fields = facts.get("fields")
    if isinstance(fields, dict):
        for name, field in fields.items():
            if isinstance(field, dict):
                field["column"] = name
    try:
        return Contract.model_validate({**facts, "sha256": hashlib.sha256(text).hexdigest()})
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        key = ".".join(str(part) for part in first["loc"])
        reason = first["msg"].removeprefix("Value error, ")
        if not key and ": " in reason:
            key, reason = reason.split(": ", 1)
        raise MarketError(file, key, reason) from None


def _named(positions: NDArray[np.float64], names: tuple[str, ...]) -> NDArray[np.object_]:
    table = np.array([*names, None], dtype=object)
    return table[np.where(np.isnan(positions), len(names), positions).astype(np.intp)]
