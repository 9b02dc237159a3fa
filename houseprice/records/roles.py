"""Roles, and what each of them may do in pages, API and commands."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, get_args

Role = Literal["reader", "valuer", "owner"]
Permission = Literal[
    "see track record",
    "save",
    "add outcomes",
    "see all",
    "decide matches",
    "review",
    "export evidence",
    "see log",
    "change models",
    "change markets",
    "change roles",
]

_READER: frozenset[Permission] = frozenset({"see track record"})
_VALUER: frozenset[Permission] = _READER | {"save", "add outcomes"}
PERMISSIONS: Mapping[Role | None, frozenset[Permission]] = {
    None: frozenset(),
    "reader": _READER,
    "valuer": _VALUER,
    "owner": frozenset(get_args(Permission)),
}
"""What each role may do. People without a role may value houses, and do nothing here."""
ROLES: tuple[Role, ...] = get_args(Role)


def may(role: Role | None, permission: Permission) -> bool:
    """Whether a role, or None for no role, may do something."""
    return permission in PERMISSIONS[role]


def normalize_person(name: str) -> str:
    """Return the name of a person as it is saved: an e-mail address in lower case."""
    name = "".join(filter(str.isprintable, name)).strip()
    return name.lower() if "@" in name and "|" not in name else name
