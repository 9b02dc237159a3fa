"""A house as JSON Schema, made from the contract: every field with what it means and may hold."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from houseprice.market.contract import Contract
from houseprice.market.fields import Field
from houseprice.market.sales import Market
from houseprice.market.typical_house import typical_house

__all__ = ["example_house", "house_schema", "row_schema"]

DIALECT = "https://json-schema.org/draft/2020-12/schema"


def house_schema(contract: Contract, example: dict[str, Any] | None = None) -> dict[str, Any]:
    """Describe a house that can be valued without a caution about its form.

    Parameters
    ----------
    contract : Contract
    example : dict, optional
        A whole house, and one value of each field.
    """
    summary = contract.market
    properties = {
        name: _property(field, contract, (example or {}).get(name))
        for name, field in contract.fields.items()
    }
    properties[summary.id] = {
        "title": "Key",
        "description": "The key of a sale. It is left out of what is compared with itself.",
        "type": ["string", "integer", "null"],
    }
    properties[summary.price.column] = {
        "title": summary.price.label,
        "description": f"In {summary.price.currency}. It has no part in the value.",
        "type": ["number", "null"],
    }
    schema: dict[str, Any] = {
        "title": "House",
        "description": (
            f"{summary.title}: one house. A fact that is not known is null or left out, and makes "
            "the range wider. A number may come as text, and a level by its label."
        ),
        "type": "object",
        "properties": properties,
        "required": [name for name, field in contract.fields.items() if field.required],
        "additionalProperties": False,
    }
    return schema | ({"examples": [example]} if example else {})


def row_schema(contract: Contract) -> dict[str, Any]:
    """Describe a house as a document of its own."""
    return {"$schema": DIALECT, "$id": f"urn:houseprice:house:{contract.sha256}"} | house_schema(
        contract
    )


def example_house(market: Market) -> dict[str, Any]:
    """Write the typical house of a market as a client would send it."""
    contract = market.contract
    house: pd.Series = typical_house(market)
    return {
        name: _raw(field, float(house[name]))
        for name, field in contract.fields.items()
        if not np.isnan(house[name])
    }


def _property(field: Field, contract: Contract, example: object) -> dict[str, Any]:
    facts = _numeric(field, contract) if field.is_numeric else _levels(field)
    lines = [field.help, *facts.pop("lines"), *_of_blank(field)]
    found = {"title": field.label, "description": " ".join(lines)} | facts
    return found | ({"examples": [example]} if example is not None else {})


def _numeric(field: Field, contract: Contract) -> dict[str, Any]:
    assert field.range is not None
    kind = "number" if field.kind == "number" else "integer"
    lower, upper = field.range
    if field.kind == "year":
        upper = min(upper, contract.market.as_of.year)
    facts: dict[str, Any] = {
        "type": kind if field.required else [kind, "null"],
        "minimum": _plain(lower),
        "maximum": _plain(upper),
        "lines": [f"In {field.unit}."] if field.unit else [],
    }
    return facts | ({"x-unit": field.unit} if field.unit else {})


def _levels(field: Field) -> dict[str, Any]:
    meanings = {level.code: level.label for level in field.levels}
    told = [code if code == label else f"{code}: {label}" for code, label in meanings.items()]
    order = "From worst to best: " if field.kind == "ordinal" and field.sign == "+" else "One of: "
    return {
        "enum": [*meanings, *([] if field.required else [None])],
        "x-meanings": meanings,
        "lines": [f"{order}{'; '.join(told)}."],
    }


def _of_blank(field: Field) -> list[str]:
    if field.required:
        return ["There is no value without it."]
    if field.absent_when:
        return ["Where the rest of the house says that there is none, it may be left out."]
    if field.follows:
        return ["If it is left out it follows from the others."]
    return []


def _raw(field: Field, value: float) -> object:
    return field.codes[int(value)] if field.levels else _plain(value)


def _plain(value: float) -> float:
    return int(value) if value.is_integer() else value
