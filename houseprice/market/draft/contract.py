"""A draft written as a market folder; its contract is short, with the reasons of its guesses."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

import pandas as pd

from houseprice.errors import MarketError, PriceNotFound
from houseprice.market.contract import CONTRACT_FILE, load_contract
from houseprice.market.draft.draft import Draft
from houseprice.market.draft.kinds import Guess
from houseprice.market.fetch import atomic_folder
from houseprice.market.fields import words_of
from houseprice.market.metadata import Roles
from houseprice.market.problems import Problem
from houseprice.market.sales import Market, market_of

N_SAMPLE = 20
SAMPLE = "to_value.csv"

_ROLE_LABELS = {
    "area": "Living area",
    "built": "Year built",
    "sale_date": "Date of sale",
    "sale_year": "Year of sale",
    "sale_month": "Month of sale",
    "latitude": "Latitude",
    "longitude": "Longitude",
    "x": "East",
    "y": "North",
}
_HEAD = """\
# The contract of this market, drafted from its sales: every line is a guess to check.
# All that the software knows about the market is in this file; docs/contract.md lists the keys.
# Limits, levels and the as-of date are those of the sales unless they are written here.
"""


def market_name(text: str) -> str:
    """Return a name that a contract may have: letters, digits and underscores."""
    name = re.sub(r"[^a-z0-9]+", "_", text.casefold()).strip("_")
    return name if name[:1].isalpha() else f"market_{name}".rstrip("_")


def write_market(
    draft: Draft,
    rows: pd.DataFrame,
    unread: Sequence[Problem],
    sales: Path,
    folder: Path,
    *,
    title: str,
    currency: str = "",
    replace: bool = False,
) -> Market:
    """Create the folder of a drafted market, and load it.

    The file of the ``sales``, of which ``unread`` rows could not be read, is copied as it is. With
    ``replace``, a folder that has only the files of a market is replaced.

    Raises MarketError if too few sales can be used, FetchError if the folder exists or can't be
    written, and InputError if no column is taken for the price.
    """
    if "price" not in draft.roles:
        raise PriceNotFound("No column is taken for the price. Choose the one of the price paid.")
    names = (CONTRACT_FILE, sales.name, SAMPLE)
    with atomic_folder(folder, names, replace=replace) as (new, _):
        text = contract_text(draft, title, sales.name, currency)
        (new / CONTRACT_FILE).write_text(text, encoding="utf-8")
        (new / sales.name).write_bytes(sales.read_bytes())
        try:
            market = market_of(new, load_contract(new), rows, unread)
        except MarketError as error:
            # The files are still in a folder of another name.
            path = sales if error.file.name == sales.name else folder / error.file.name
            raise MarketError(path, error.key, error.reason) from None
        columns = [guess.column for guess in draft.fields]
        sample = rows[columns].sample(min(N_SAMPLE, len(rows)), random_state=0).sort_index()
        sample.to_csv(new / SAMPLE, index=False)
    return market


def contract_text(draft: Draft, title: str, sales: str, currency: str = "") -> str:
    """Write the contract of a draft.

    By default the currency is that of the sign in the prices, if there is one.
    """
    market: dict[str, object] = {"name": market_name(title), "title": title, "sales": sales}
    market |= {key: draft.roles[key] for key in ("id", "property_id") if key in draft.roles}
    price: dict[str, object] = {"column": draft.roles["price"]}
    price |= {"currency": currency or draft.currency}
    price |= {"symbol": draft.symbol or (f"{currency} " if currency else "")}
    roles = {role: name for role, name in draft.roles.items() if role in Roles.model_fields}
    lines = [_HEAD, "[market]", *_pairs(market), '# valid = "price > 1000"   # which sales count']
    lines += ["", "[market.price]", *_pairs({key: each for key, each in price.items() if each})]
    if roles:
        lines += ["", "[market.roles]", *_pairs(roles)]
    labels = _labels(draft.fields)
    lines += ["", "[fields]"]
    lines += [_field_line(guess, labels[guess.column]) for guess in draft.fields]
    left_out = [guess for guess in draft.guesses if guess.use == "left out"]
    if left_out:
        lines += ["", "# Left out; a line under [fields] brings a column back:"]
        lines += [_comment(f"{guess.column}: {guess.reason}") for guess in left_out]
    return "\n".join(lines) + "\n"


def _labels(guesses: Iterable[Guess]) -> dict[str, str]:
    """Return a label for each field, which no other has."""
    labels: dict[str, str] = {}
    for guess in guesses:
        label = _ROLE_LABELS.get(guess.use) or words_of(" ".join(guess.column.split()))
        number = 2
        while label in labels.values():
            label = f"{words_of(guess.column)} ({number})"
            number += 1
        labels[guess.column] = label
    return labels


def _field_line(guess: Guess, label: str) -> str:
    options: dict[str, object] = {"kind": guess.kind, "label": label}
    options |= guess.options
    content = ", ".join(_pairs(options))
    line = f"{_key(guess.column)} = {{ {content} }}"
    return line if guess.sure == "sure" else f"{line}  {_comment(guess.reason)}"


def _comment(text: str) -> str:
    """Write a TOML comment, which is one line without control characters."""
    return f"# {''.join(char if char.isprintable() else ' ' for char in text)}"


def _pairs(values: Mapping[str, object]) -> Iterator[str]:
    return (f"{_key(key)} = {_value(value)}" for key, value in values.items())


def _key(name: str) -> str:
    return name if re.fullmatch(r"[A-Za-z0-9_-]+", name) else _text(name)


def _value(value: object) -> str:
    match value:
        case bool():
            return "true" if value else "false"
        case list():
            return f"[{', '.join(map(_value, value))}]"
        case int() | float():
            return f"{value}"
    return _text(str(value))


def _text(text: str) -> str:
    """Write a TOML string; a JSON string is one, but for the character DEL."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007F")
