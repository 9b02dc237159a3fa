"""Everything that is wrong with a contract at once, with its line and a suggestion."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from houseprice.errors import MarketError
from houseprice.market.contract import (
    NO_FIELD,
    Contract,
    Keys,
    contract_errors,
    read_toml,
    validate_contract,
)
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

    ``line`` is 0 where it is none of one line, ``suggestion`` is a name that may have been meant or
    empty, and ``reference`` the place in the reference page.
    """

    file: str
    line: int
    key: str
    reason: str
    suggestion: str
    reference: str

    def __str__(self) -> str:
        where = f"{self.file}:{self.line}" if self.line else self.file
        meant = f"; did you mean {self.suggestion}?" if self.suggestion else ""
        return f"{where}: {self.key}: {self.reason}{meant} ({self.reference})"


def contract_faults(file: Path) -> tuple[ContractFault, ...]:
    """Return all faults of a contract, by their lines; none if it can be used.

    Raises MarketError if the file can't be read or is no TOML.
    """
    text, data = read_toml(file)
    try:
        validate_contract(data, file.parent.resolve().name, text)
    except ValidationError as error:
        faults = [_fault(file, text, data, *fault) for fault in contract_errors(error)]
        found = {fault.key for fault in faults}
        # Pydantic compares tables only where each of them alone is right.
        faults += [
            fault
            for path, reason in _unknown_roles(data)
            if (fault := _fault(file, text, data, path, reason)).key not in found
        ]
        return tuple(sorted(faults, key=lambda fault: fault.line))
    return ()


def faults_with_sales(file: Path, error: MarketError) -> tuple[ContractFault, ...]:
    """Return the faults of a contract for which its market can't be loaded.

    They are of expressions, whose levels may be those of the sales. None if the sales are at fault.
    """
    if error.file != file:
        return ()
    text, data = read_toml(file)
    if isinstance(error.__cause__, ValidationError):
        found = [(path, reason) for path, reason, _ in contract_errors(error.__cause__)]
    else:
        found = [(tuple(error.key.split(".")), error.reason)]
    return tuple(_fault(file, text, data, path, reason) for path, reason in found)


def _unknown_roles(data: Mapping[str, Any]) -> Iterator[tuple[Keys, str]]:
    """Yield the keys of each role that names no field, and the reason."""
    market = data["market"]
    roles = market.get("roles") if isinstance(market, dict) else None
    for role, name in roles.items() if isinstance(roles, dict) else ():
        if role in Roles.model_fields and isinstance(name, str) and name not in data["fields"]:
            yield ("market", "roles", role), f"{NO_FIELD}{name}"


def _fault(
    file: Path,
    text: str,
    data: Mapping[str, Any],
    path: Keys,
    reason: str,
    details: ErrorDetails | None = None,
) -> ContractFault:
    section = next(
        (part for part in reversed(path[:-1]) if part in _MODELS), path[0] if path else ""
    )
    meant: Sequence[str] = ()
    if details is not None and details["type"] == "extra_forbidden":
        reason = f"there is no key {path[-1]}"
        model = _MODELS.get(section, Contract)
        meant = _similar(path[-1], model.model_fields)
        reason += "" if meant else f"; there are {', '.join(model.model_fields)}"
    elif details is not None and details["type"] == "literal_error":
        meant = _similar(str(details["input"]), re.findall("'([^']+)'", details["ctx"]["expected"]))
    elif NO_FIELD in reason:
        meant = _similar(reason.rpartition(NO_FIELD)[2], data["fields"])
    return ContractFault(
        file=str(file),
        line=_line(text, path),
        key=".".join(path),
        reason=reason,
        suggestion=next(iter(meant), ""),
        reference=f"{REFERENCE}#{section}" if section else REFERENCE,
    )


def _similar(name: str, names: Iterable[str]) -> list[str]:
    return difflib.get_close_matches(name, names, n=1)


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
