"""The model card for people, as Markdown."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from houseprice.model.storing.card_measures import accuracy, drivers, fairness, ranges
from houseprice.model.storing.markdown import day, money, safe, table

__all__ = ["card_text"]


def card_text(facts: dict[str, Any]) -> str:
    """Write the card.

    Parameters
    ----------
    facts : dict
        The complete facts of :class:`houseprice.model.storing.card.Card`.
    """
    parts = [
        _purpose(facts),
        _data(facts["data"]),
        _fields(facts),
        _method(facts),
        accuracy(facts),
        ranges(facts),
        fairness(facts),
        drivers(facts),
        _limits(facts),
        _version(facts["version"]),
    ]
    return "\n\n".join(part.strip() for part in parts if part) + "\n"


def _purpose(facts: dict[str, Any]) -> str:
    data, version, as_of = facts["data"], facts["version"], day(facts["as_of"])
    return f"""
# Model card: {safe(data["market"])}

**Values stand for {as_of}.** Version {safe(version["model_version"])}, made on
{day(version["created_at"][:10])} from {data["sales"]:,} sales of {data["first_year"]} to
{data["last_year"]}.

## What it is for

{_sentences(facts["purpose"])}

It is not for:

{_list(facts["not_for"])}
"""


def _data(data: dict[str, Any]) -> str:
    low, middle, high = (
        money(data["symbol"], data[name])
        for name in ("lowest_price", "median_price", "highest_price")
    )
    left_out = "" if data["left_out"] is None else _left_out(data["left_out"])
    return f"""
## What it learned from

{safe(data["description"])} Source: {safe(data["source"])}.

- {data["sales"]:,} sales of {data["first_year"]} to {data["last_year"]}, in {data["locations"]}
  areas ({safe(data["location_label"])}).
- Prices from {low} to {high}; half are below {middle}.
{left_out}
"""


def _left_out(count: int) -> str:
    if count == 0:
        return "- No sale is left out."
    sales = "1 of these sales is" if count == 1 else f"{count:,} of these sales are"
    return f"""- {sales} left out of the fit: the price is far from anything that such homes go
  for. They still count in every figure below."""


def _fields(facts: dict[str, Any]) -> str:
    fields = facts["fields"]
    groups = {
        group: ", ".join(safe(field["label"]) for field in fields if field["group"] == group)
        for group in dict.fromkeys(field["group"] for field in fields)
    }
    listed = "\n".join(f"- **{safe(group)}:** {labels}." for group, labels in groups.items())
    required = ", ".join(safe(field["label"]) for field in fields if field["required"])
    must = f"Must be known: {required}. The rest may be blank." if required else ""
    return f"""
## What it looks at

{len(fields)} facts about a home and its sale, and nothing else:

{listed}

{must} From these, {len(facts["derived"])} more are computed: sums, ages, ratios and the like.
"""


def _method(facts: dict[str, Any]) -> str:
    return f"""
## How it works

{_sentences(facts["method"])}
"""


def _limits(facts: dict[str, Any]) -> str:
    return f"""
## What it can't do

{_list(facts["limits"])}

{_sentences(facts["corrections"])}
"""


def _sentences(texts: Sequence[str]) -> str:
    return " ".join(map(safe, texts))


def _list(texts: Sequence[str]) -> str:
    return "\n".join(f"- {safe(text)}" for text in texts)


def _version(version: dict[str, Any]) -> str:
    rows = {
        "Model version": version["model_version"],
        "Made": version["created_at"],
        **({"Signed with key": version["signing_key"]} if version["signing_key"] else {}),
        "houseprice": version["package_version"],
        **version["libraries"],
        "Code (SHA-256)": version["code_sha256"],
        "Contract (SHA-256)": version["contract_sha256"],
        "Sales (SHA-256)": version["data_sha256"],
        **{f"{name} (SHA-256)": checksum for name, checksum in version["files"].items()},
    }
    facts = table(["what", "which"], ([safe(name), f"`{value}`"] for name, value in rows.items()))
    return f"## Version\n\n{facts}"
