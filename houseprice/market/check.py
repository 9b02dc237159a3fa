"""Everything that is wrong with a contract at once, with its line and a suggestion."""

from __future__ import annotations

import difflib
import re
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from houseprice.errors import MarketError
from houseprice.market.contract import Contract, validate_contract
from houseprice.market.fields import ContractModel, Field, Level
from houseprice.market.metadata import Group, MarketMetadata, Price, Roles

REFERENCE = "docs/contract.md"
_MODELS: dict[str, type[ContractModel]] = {
    "market": MarketMetadata,
    "price": Price,
    "roles": Roles,
    "fields": Field,
    "levels": Level,
    "groups": Group,
}
# The keys before the value of a line, or of the heading of a table.
_HEAD = re.compile(r"=|\](?!\])")
_KEY = re.compile(r'"([^"]*)"|([\w-]+)')


@dataclass(frozen=True)
class ContractFault:
    """One fault of a contract.

    ``line`` is 0 where it is none of one line, and ``reference`` the place in the reference page.
    """

    file: str
    line: int
    key: str
    reason: str
    reference: str

    def __str__(self) -> str:
        where = f"{self.file}:{self.line}" if self.line else self.file
        return f"{where}: {self.key}: {self.reason} ({self.reference})"


def contract_faults(file: Path) -> tuple[ContractFault, ...]:
    """Return all faults of a contract, by their lines; none if it can be used.

    Raises
    ------
    MarketError
        If the file can't be read or is no TOML.
    """
    try:
        text = file.read_bytes().decode("utf-8")
        data = tomllib.loads(text)
    except OSError as error:
        raise MarketError(file, "", f"can't be read ({error.strerror})") from None
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise MarketError(file, "", f"is not valid TOML ({error})") from None
    try:
        validate_contract(data, file.parent.resolve().name, text.encode())
    except ValidationError as error:
        found = [_fault(file, text, each) for each in error.errors(include_url=False)]
        return tuple(sorted(found, key=lambda fault: fault.line))
    return ()


def _fault(file: Path, text: str, error: ErrorDetails) -> ContractFault:
    path = [str(part) for part in error["loc"]]
    reason = error["msg"].removeprefix("Value error, ")
    if not path and ": " in reason:
        key, reason = reason.split(": ", 1)
        path = key.split(".")
    if error["type"] == "extra_forbidden":
        reason = f"there is no key {path[-1]}{_suggestion(path)}"
    section = next(
        (part for part in reversed(path[:-1]) if part in _MODELS), path[0] if path else ""
    )
    anchor = f"{REFERENCE}#{section}" if section else REFERENCE
    return ContractFault(str(file), _line(text, path), ".".join(path), reason, anchor)


def _suggestion(path: Sequence[str]) -> str:
    section = next((part for part in reversed(path[:-1]) if part in _MODELS), None)
    known = _MODELS[section].model_fields if section else Contract.model_fields
    near = difflib.get_close_matches(path[-1], known, n=1)
    return f"; did you mean {near[0]}?" if near else f"; there are {', '.join(known)}"


def _line(text: str, path: Sequence[str]) -> int:
    """Return the number of the line that a path of keys leads to, as far as it can be followed."""
    best, best_depth, section = 0, 0, 0
    for number, line in enumerate(text.splitlines(), start=1):
        keys = [quoted or plain for quoted, plain in _KEY.findall(_HEAD.split(line.strip(), 1)[0])]
        if line.lstrip().startswith("["):
            section = _common(keys, path) if _common(keys, path) == len(keys) else -1
            depth = section
        else:
            depth = section + _common(keys, path[section:]) if section >= 0 else 0
        if depth > best_depth:
            best, best_depth = number, depth
    return best


def _common(one: Sequence[str], other: Sequence[str]) -> int:
    """Return how many keys at the start are equal."""
    pairs = zip(one, other, strict=False)
    return next(
        (i for i, (left, right) in enumerate(pairs) if left != right), min(len(one), len(other))
    )
