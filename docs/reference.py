"""Write the reference of the market contract from its types: ``python docs/reference.py``."""

from __future__ import annotations

import types
import typing
from collections.abc import Iterator
from pathlib import Path

from pydantic.fields import FieldInfo

from houseprice.market.contract import Contract
from houseprice.market.fields import ContractModel, Field, Level
from houseprice.market.metadata import (
    Derived,
    Dialect,
    Gate,
    Group,
    KaggleSource,
    MarketMetadata,
    Price,
    Roles,
)
from houseprice.market.rules import Component, Order, Rule, Whole

PAGE = Path(__file__).with_name("contract.md")
HEAD = """# The market contract: every key

Made from the types of the software by `python docs/reference.py`. A contract needs a price and one
field; `houseprice init` drafts one from a file of sales, `houseprice check` says what is wrong with
one, and [Markets](markets.md) shows how to make one. Expressions compare and calculate with fields
(`max(sold - built, 0)`, `garden == 'n'`, `known(x)`); nothing in a contract is code.
"""
TABLES: tuple[tuple[str, str, type[ContractModel]], ...] = (
    ("market", "[market]", MarketMetadata),
    ("price", "[market.price]", Price),
    ("roles", "[market.roles]", Roles),
    ("fields", "[fields.NAME]", Field),
    ("levels", "levels of a field", Level),
    ("groups", "[[groups]]", Group),
    ("derived", "[derived.NAME]", Derived),
    ("components", "[[components]]", Component),
    ("orders", "[[orders]]", Order),
    ("wholes", "[[wholes]]", Whole),
    ("rules", "[[rules]]", Rule),
    ("dialects", "[dialects.PROTOCOL]", Dialect),
    ("gate", "[gate]", Gate),
    ("kaggle", "[market.kaggle]", KaggleSource),
)


def reference() -> str:
    """Return the page."""
    return "\n".join([HEAD, *_overview(), *(line for table in TABLES for line in _section(*table))])


def _overview() -> Iterator[str]:
    yield "| table | what it holds |\n|---|---|"
    for name, info in Contract.model_fields.items():
        if name != "sha256":
            yield f"| [`{name}`](#{name}) | {_line(info.description)} |"


def _section(anchor: str, heading: str, model: type[ContractModel]) -> Iterator[str]:
    yield f"\n## {anchor}\n"
    yield f"`{heading}`: {_prose(model.__doc__)}\n"
    yield "| key | type | default | meaning |\n|---|---|---|---|"
    for name, info in model.model_fields.items():
        if name != "column" or model is not Field:
            cells = (f"`{name}`", _type(info.annotation), _default(info), _line(info.description))
            yield f"| {' | '.join(cells)} |"


def _default(info: FieldInfo) -> str:
    if info.is_required():
        # The loader fills in what the description has a default for.
        return "" if "by default" in (info.description or "") else "required"
    default = info.get_default(call_default_factory=True)
    if default in (None, "", (), {}) or isinstance(default, ContractModel):
        return ""
    return f"`{str(default).lower()}`" if isinstance(default, bool) else f"`{default}`"


def _type(annotation: object) -> str:
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if origin in (typing.Union, types.UnionType):
        return " or ".join(_type(each) for each in arguments if each is not type(None))
    if origin is typing.Literal:
        return ", ".join(f'"{each}"' for each in arguments)
    if origin is tuple:
        many = arguments[-1] is Ellipsis
        return f"list of {_type(arguments[0])}" if many else f"[{', '.join(map(_type, arguments))}]"
    if origin is dict:
        return "table"
    if origin is typing.Annotated:
        return _type(arguments[0])
    if not isinstance(annotation, type):
        return str(annotation)
    if issubclass(annotation, ContractModel):
        return "table"
    names = {str: "text", float: "number", int: "whole number", bool: "true or false"}
    return names.get(annotation, annotation.__name__.lower())


def _prose(text: str | None) -> str:
    return " ".join((text or "").split()).replace("``", "`")


def _line(text: str | None) -> str:
    return _prose(text).replace("|", "\\|")


if __name__ == "__main__":
    PAGE.write_text(reference(), encoding="utf-8")
