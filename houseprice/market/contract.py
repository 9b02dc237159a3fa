"""The market contract, read once from ``market.toml``.

A market is a folder. Its contract says how each column is called in files and on pages, which
values are legal, what a blank means and which way it may move the price. Training, validation,
forms, files, charts and the API all read these objects and repeat nothing.
"""

from __future__ import annotations

import hashlib
import re
import tomllib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cached_property, partial
from pathlib import Path
from typing import Any, Literal, Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pydantic import Field as Setting
from pydantic import ValidationError, model_validator
from pydantic_core import ErrorDetails, PydanticCustomError

from houseprice.errors import MarketError
from houseprice.formatting import money
from houseprice.market.expressions import Expression, ExpressionError
from houseprice.market.fields import ContractModel, Field, fold_name, singular, words_of
from houseprice.market.metadata import Derived, Dialect, Gate, Group, MarketMetadata, Roles
from houseprice.market.rules import Component, ConsistencyRule, Order, Rule, Whole
from houseprice.market.units import conversion, is_unit

_BRACKET = re.compile(r"(?P<name>.*?)\s*[(\[](?P<unit>[^()\[\]]*)[)\]]\s*")
_LAST_WORDS = re.compile(
    r"(?P<name>.*?)([\s_]+in)?[\s_,.-]+(?P<unit>((sq|square)[\s_.]*)?[^\W_]+\.?)\s*", re.IGNORECASE
)

_INCONSISTENT = "inconsistent"
NO_FIELD = "there is no field "

Keys = tuple[str, ...]

CONTRACT_FILE = "market.toml"
"""Name of the contract in the folder of its market."""


def load_contract(path: Path) -> Contract:
    """Read and check a market contract.

    Parameters
    ----------
    path : Path
        A market folder, or its ``market.toml``.

    Raises
    ------
    MarketError
        With the file, the key and the reason, if the contract can't be used.
    """
    file = path / CONTRACT_FILE if path.is_dir() else path
    text, data = read_toml(file)
    try:
        return validate_contract(data, file.parent.resolve().name, text)
    except ValidationError as error:
        keys, reason, _ = next(contract_errors(error))
        raise MarketError(file, ".".join(keys), reason) from None


def read_toml(file: Path) -> tuple[str, dict[str, Any]]:
    """Return the text of a contract and its content; a MarketError if it is no TOML."""
    try:
        text = file.read_bytes().decode("utf-8")
        return text, tomllib.loads(text)
    except OSError as error:
        raise MarketError(file, "", f"can't be read ({error.strerror})") from None
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise MarketError(file, "", f"is not valid TOML ({error})") from None


def validate_contract(data: dict[str, Any], folder: str, text: str) -> Contract:
    """Check the content of a contract in a folder of this name; may raise a ValidationError."""
    _set_defaults(data, folder)
    return Contract.model_validate({**data, "sha256": hashlib.sha256(text.encode()).hexdigest()})


def contract_errors(error: ValidationError) -> Iterator[tuple[Keys, str, ErrorDetails]]:
    """Yield each fault of a contract: its keys, the reason, and what Pydantic says of it."""
    for details in error.errors(include_url=False):
        if details["type"] == _INCONSISTENT:
            yield from ((path, reason, details) for path, reason in details["ctx"]["faults"])
        else:
            path = tuple(str(part) for part in details["loc"])
            yield path, details["msg"].removeprefix("Value error, "), details


def _set_defaults(data: dict[str, Any], folder: str) -> None:
    """Fill in, in place, what a contract left out and its names alone decide."""
    market = data.setdefault("market", {})
    if isinstance(market, dict):
        name = re.sub(r"\W+", "_", folder.casefold(), flags=re.ASCII).strip("_") or "market"
        market.setdefault("name", name if name[0].isalpha() else f"market_{name}")
        market.setdefault("title", words_of(str(market["name"])))
        price = market.get("price")
        if isinstance(price, str):
            market["price"] = {"column": price}
    fields = data.setdefault("fields", {})
    groups = data.setdefault("groups", _GROUPS)
    keys = [group.get("key") for group in groups if isinstance(group, dict)]
    for name, field in fields.items() if isinstance(fields, dict) else ():
        if isinstance(field, dict):
            field["column"] = name
            field.setdefault("label", words_of(name))
            is_sale = bool(field.get("at_sale")) and "sale" in keys
            field.setdefault("group", "sale" if is_sale else keys[0] if keys else "")


_GROUPS = [
    {"key": "house", "title": "The house"},
    {"key": "sale", "title": "The sale", "help": "When and how it changes hands."},
]


class Contract(ContractModel):
    """A whole market contract, loaded by :func:`load_contract`."""

    market: MarketMetadata
    """The market, its price and its roles."""
    groups: tuple[Group, ...]
    """The headings of the form, in order."""
    fields: dict[str, Field] = Setting(min_length=1)
    """The columns of a house, in the order of the file."""
    derived: dict[str, Derived] = Setting(default_factory=dict)
    """Features that are computed from fields."""
    components: tuple[Component, ...] = ()
    """Parts that a house may lack, such as a garage."""
    orders: tuple[Order, ...] = ()
    """Years that follow each other."""
    wholes: tuple[Whole, ...] = ()
    """Sizes that add up."""
    rules: tuple[Rule, ...] = ()
    """Any other condition that facts must meet."""
    dialects: dict[str, Dialect] = Setting(default_factory=dict)
    """Servers of other makes, by the name of their protocol."""
    gate: Gate | None = None
    """What a new model must reach."""
    sha256: str
    """The checksum of the contract, which is no key of it."""

    @cached_property
    def columns(self) -> tuple[str, ...]:
        """The columns of clean houses, in order."""
        return tuple(self.fields)

    @cached_property
    def keys(self) -> tuple[str, ...]:
        """The columns of the keys of a sale and of a house."""
        keys = (self.market.id, self.market.property_id)
        return tuple(dict.fromkeys(key for key in keys if key is not None))

    @property
    def property_key(self) -> str:
        """The column of the key of a house: that of its sale where houses have none."""
        return self.market.property_id or self.market.id

    @cached_property
    def names(self) -> tuple[str, ...]:
        """The columns of a file of sales that the contract names."""
        return tuple(dict.fromkeys((*self.columns, *self.keys, self.market.price.column)))

    @cached_property
    def is_complete(self) -> bool:
        """Whether no limits, levels or date are left to the sales."""
        return self.market.price.range is not None and all(
            field.is_complete for field in self.fields.values()
        )

    @cached_property
    def headers(self) -> dict[str, str]:
        """The column by each accepted header, folded: its name, its label and its aliases.

        A name has precedence over a label, and a label over an alias; a header that would mean two
        columns means none. R puts an X before a name that starts with a digit.
        """
        market = self.market
        fields = self.fields.items()
        price = {market.price.column: (market.price.label,)}
        ranks: list[list[tuple[str, str]]] = [
            [(name, name) for name in self.names],
            [(f"X{name}", name) for name in self.columns if name[0].isdigit()],
            [(field.label, name) for name, field in fields],
            [(alias, name) for name, field in fields for alias in field.aliases],
            [(alias, name) for name, aliases in price.items() for alias in aliases],
        ]
        ranks += [[(singular(fold_name(header)), name) for header, name in rank] for rank in ranks]
        headers: dict[str, str] = {}
        for rank in ranks:
            folded = dict.fromkeys((fold_name(header), name) for header, name in rank)
            keys = [key for key, _ in folded]
            headers |= {
                key: name
                for key, name in folded
                if key and key not in headers and keys.count(key) == 1
            }
        return headers

    def field_of(self, role: str) -> Field | None:
        """Return the field with a role, or None if the market has none."""
        name: str | None = getattr(self.market.roles, role)
        return None if name is None else self.fields[name]

    @cached_property
    def coordinates(self) -> tuple[Field, Field] | None:
        """The fields of the coordinates, east and north; None if the market has none."""
        for names in (("longitude", "latitude"), ("x", "y")):
            east, north = map(self.field_of, names)
            if east is not None and north is not None:
                return east, north
        return None

    def match_header(self, header: str) -> tuple[str, str] | None:
        """Return the column that a header means and the unit that it names, or None.

        "Lot area (m²)" and "Lot_Area_m2" may mean the area of the lot, with cells in m².
        """
        if header in self.names:  # two names may differ in case or marks alone
            return header, ""
        key = fold_name(header)
        column = self.headers.get(key) or self.headers.get(singular(key))
        if column is not None:
            return column, ""
        match = _BRACKET.fullmatch(header) or _LAST_WORDS.fullmatch(header)
        column = self.headers.get(fold_name(match["name"])) if match else None
        field = self.fields.get(column or "")
        if match is None or column is None or field is None:
            return None
        unit = match["unit"].strip()
        if conversion(unit, field.unit) is not None:
            return column, "" if conversion(unit, field.unit) == 1.0 else unit
        # Other remarks in brackets, such as "(number)", do no harm.
        return (column, "") if header.rstrip().endswith((")", "]")) and not is_unit(unit) else None

    @cached_property
    def absent_rules(self) -> dict[str, Expression]:
        """By field: the condition under which a blank means that there is none of it."""
        return self._expressions("absent_when")

    @cached_property
    def follows_rules(self) -> dict[str, Expression]:
        """By field: the expression that a blank is computed from."""
        return self._expressions("follows")

    @cached_property
    def consistency_rules(self) -> tuple[ConsistencyRule, ...]:
        """All rules about several fields."""
        absent = {name for component in self.components for name in component.fields}
        return (
            *(component.compile(self.fields) for component in self._whole_components),
            *(order.compile(self.fields) for order in self.orders),
            *(
                whole.compile(self.fields, may_be_absent=whole.whole in absent)
                for whole in self._all_wholes
            ),
            *(rule.compile(self.fields) for rule in self.rules),
        )

    @cached_property
    def _all_wholes(self) -> tuple[Whole, ...]:
        """The wholes of the contract, and those that fields are ``parts_of``."""
        parts: dict[str, list[str]] = {}
        for name, field in self.fields.items():
            if field.parts_of is not None:
                parts.setdefault(field.parts_of, []).append(name)
        short = (
            Whole(code=f"parts_of_{whole}", whole=whole, parts=tuple(names))
            for whole, names in parts.items()
        )
        return (*self.wholes, *short)

    @property
    def _whole_components(self) -> list[Component]:
        """The components, of which the parts of their wholes are extras."""
        return [component.with_parts(self._all_wholes) for component in self.components]

    @cached_property
    def absences(self) -> dict[str, dict[str, str]]:
        """By button label ("No garage"): the cells, by column, of a house without the component."""
        absences: dict[str, dict[str, str]] = {}
        for component in self._whole_components:
            label = f"No {component.label}"
            absences[label] = component.absence(self.fields) | absences.get(label, {})
        return absences

    def absences_for(self, code: str) -> tuple[str, ...]:
        """Return the labels of :attr:`absences` that can resolve a contradiction of this code."""
        components = [rule for rule in self.components if rule.code == code]
        return tuple(dict.fromkeys(f"No {component.label}" for component in components))

    @cached_property
    def features(self) -> dict[str, Expression]:
        """The expressions of :attr:`derived` by name."""
        return {
            name: Expression(part.expression, self.fields) for name, part in self.derived.items()
        }

    @cached_property
    def sale_conditions(self) -> tuple[Field, ...]:
        """The fields of the sale itself that have a usual level; its date has none."""
        roles = self.market.roles
        return tuple(
            field
            for name, field in self.fields.items()
            if field.at_sale and field.levels and field.start is not None
            if name not in (roles.sale_year, roles.sale_month)
        )

    def _expressions(self, key: str) -> dict[str, Expression]:
        return {
            name: Expression(getattr(field, key), self.fields)
            for name, field in self.fields.items()
            if getattr(field, key)
        }

    def money(self, amount: float, step: float | None = None) -> str:
        """Format an amount in the currency of the market (:func:`houseprice.formatting.money`)."""
        return money(amount, self.market.price.symbol, step)

    def with_labels(self, houses: pd.DataFrame) -> pd.DataFrame:
        """Replace the levels of clean houses by their labels; numbers stay numbers."""
        return self._decode(houses, "labels")

    def with_codes(self, houses: pd.DataFrame) -> pd.DataFrame:
        """Replace the levels of clean houses by their codes, as in a file."""
        return self._decode(houses, "codes")

    def _decode(self, houses: pd.DataFrame, names: Literal["labels", "codes"]) -> pd.DataFrame:
        columns: dict[str, object] = {}
        for name, field in self.fields.items():
            values = houses[name].to_numpy(np.float64)
            columns[name] = _take(getattr(field, names), values) if field.levels else values
        return pd.DataFrame(columns, index=houses.index)

    @model_validator(mode="after")
    def _is_consistent(self) -> Self:
        faults = []
        for path, check in self._checks():
            try:
                check()
            except (ValueError, ExpressionError) as error:
                faults.append((path, str(error)))
        if faults:
            text = "; ".join(f"{'.'.join(path)}: {reason}" for path, reason in faults)
            raise PydanticCustomError(_INCONSISTENT, "{text}", {"text": text, "faults": faults})
        return self

    def _checks(self) -> Iterator[tuple[Keys, Callable[[], None]]]:
        """Yield the checks of several tables together, with their keys; a check may raise."""
        for name, field in self.fields.items():
            yield ("fields", name), partial(self._check_group, field)
        if all(field.is_complete for field in self.fields.values()):
            yield from self._expression_checks()
        for name, dialect in self.dialects.items():
            yield ("dialects", name), partial(self._check_names, dialect.columns)
        for role, name in self.market.roles.named.items():
            yield ("market", "roles", role), partial(self._check_role, role, name)
        yield ("market", "roles"), partial(_check_combination, self.market.roles)
        first_fields = self.market.first_fields
        yield ("market", "first_fields"), partial(self._check_names, first_fields)
        yield ("fields",), self._check_labels

    def _expression_checks(self) -> Iterator[tuple[Keys, Callable[[], None]]]:
        """Yield the checks that need the levels of all fields."""
        for name, field in self.fields.items():
            yield ("fields", name), partial(self._check_imputation, field)
        for name, part in self.derived.items():
            yield ("derived", name), partial(self._check_expression, part.expression)
        tables: dict[str, Sequence[Component | Order | Whole | Rule]] = {
            "components": self.components,
            "orders": self.orders,
            "wholes": self._all_wholes,
            "rules": self.rules,
        }
        for table, rules in tables.items():
            for number, rule in enumerate(rules):
                yield (table, str(number)), partial(self._check_rule, rule)

    def _check_group(self, field: Field) -> None:
        if field.group not in {group.key for group in self.groups}:
            raise ValueError(f"there is no group {field.group!r}")

    def _check_expression(self, text: str) -> None:
        Expression(text, self.fields)

    def _check_rule(self, rule: Component | Order | Whole | Rule) -> None:
        self._check_names(rule.columns)
        rule.compile(self.fields)

    def _check_labels(self) -> None:
        counts = Counter(field.label for field in self.fields.values())
        repeated = sorted(label for label, count in counts.items() if count > 1)
        if repeated:
            raise ValueError(f"two fields share the label {', '.join(repeated)}")

    def _check_role(self, role: str, name: str) -> None:
        self._check_names([name])
        field = self.fields[name]
        if (role == "location") == field.is_numeric and role != "sale_month":
            what = "a field with levels" if role == "location" else "a numeric field"
            raise ValueError(f"{role} must be {what}")
        if role == "sale_month" and field.kind not in ("count", "ordinal", "nominal"):
            raise ValueError("sale_month must be a field with levels, or a count")
        if (role == "sale_date") != (field.kind == "date"):
            raise ValueError("sale_date must be a field of kind date, and no other role")

    def _check_imputation(self, field: Field) -> None:
        if field.absent_when and not field.is_numeric and not field.absent_code:
            raise ValueError("absent_when needs a level NA or None")
        if field.typical_by and not self._has_levels(field.typical_by):
            raise ValueError(f"typical_by: {field.typical_by!r} is not a field with levels")
        if field.halves:
            self._check_names([field.halves])
            if self.fields[field.halves].kind != "count":
                raise ValueError(f"halves: {field.halves} must be a count")
        self._check_typical_by_cycle(field.column)
        for text in (field.absent_when, field.follows):
            if text is not None:
                self._check_expression(text)

    def _check_typical_by_cycle(self, name: str) -> None:
        chain = [name]
        while (by := self.fields[chain[-1]].typical_by) in self.fields and by is not None:
            if by in chain:
                raise ValueError(f"typical_by has a cycle: {', '.join([*chain, by])}")
            chain.append(by)

    def _has_levels(self, name: str) -> bool:
        return name in self.fields and not self.fields[name].is_numeric

    def _check_names(self, names: Iterable[str]) -> None:
        missing = [name for name in names if name not in self.fields]
        if missing:
            raise ValueError(f"{NO_FIELD}{', '.join(missing)}")


def _check_combination(roles: Roles) -> None:
    """Raise a ValueError if roles exclude or need each other."""
    if roles.sale_date and (roles.sale_year or roles.sale_month):
        raise ValueError("a sale has a sale_date or a sale_year, not both")
    if roles.sale_month and not roles.sale_year:
        raise ValueError("sale_month needs a sale_year")
    for one, other in (("latitude", "longitude"), ("x", "y")):
        if (one in roles.named) != (other in roles.named):
            raise ValueError(f"{one} and {other} need each other")
    if "x" in roles.named and "latitude" in roles.named:
        raise ValueError("a house has latitude and longitude, or x and y, not both")


def _take(names: tuple[str, ...], positions: NDArray[np.float64]) -> NDArray[np.object_]:
    table = np.array([*names, None], dtype=object)
    return table[np.where(np.isnan(positions), len(names), positions).astype(np.intp)]
