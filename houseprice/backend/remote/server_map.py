"""How a server of another protocol is called: a shipped template, and a mapping file over it.

What neither says comes from the server's own description, and then from the contract.
"""

from __future__ import annotations

import hashlib
import re
import tomllib
from collections.abc import Iterator, Mapping
from functools import lru_cache
from importlib import resources
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from houseprice.errors import SettingsError
from houseprice.market.contract import Contract
from houseprice.market.metadata import Dialect
from houseprice.settings import Settings

Cell = bool | int | float | str | None
CellType = Literal["number", "integer", "text", "boolean"]
KEY = "{key}"
"""HOUSEPRICE_API_KEY, in a header."""
OMIT = "omit"
PLACEHOLDERS = frozenset({"{records}", "{record}", "{columns}", "{rows}", "{index}", "{by_column}"})
"""What a body has in the place of the houses."""

_PATH = r"^(/[^\s#]*)?$"
_HEADER = re.compile(r"[!#$%&'*+.^`|~\w-]+", re.ASCII)
_RESERVED = frozenset(
    {"host", "content-length", "content-encoding", "transfer-encoding", "connection"}
)


class ServerMap(BaseModel):
    """The keys of a mapping file; all are optional."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    model: str = Field("house", min_length=1)
    """The name of the model, if the server has more than one."""
    path: str = Field("", pattern=_PATH)
    """Where houses are posted; ``{model}`` is the name of the model."""
    body: Any = None
    """JSON with placeholders for the houses."""
    output: str = ""
    """JSON pointer to the values, with ``*`` for each house; or the name of a field or tensor."""
    low: str = ""
    """Where the low ends of ranges are, like ``output``; empty if there are none."""
    high: str = ""
    interval: float = Field(0.9, gt=0.0, lt=1.0)
    """Coverage of these ranges."""
    errors: str = ""
    """JSON pointer to the reasons of refused houses."""
    version: str = ""
    """JSON pointer to the version of the model in an answer."""
    info_path: str = Field("", pattern=_PATH)
    """Where the server describes its model."""
    info_version: str = ""
    info_inputs: str = ""
    """JSON pointer to the columns, each with ``name`` and ``datatype`` as in Open Inference."""
    target: Literal["price", "log", "log1p"] = "price"
    """Scale of the values."""
    missing: str | None = None
    """What a blank is: ``null`` (the default), ``NaN``, ``omit`` or a text."""
    blanks: tuple[str, ...] = ()
    """Codes of levels that are blanks to the model."""
    padding: bool = False
    """Whether a house without blanks is added to each request, and its value dropped: some servers
    take a column that is blank as a whole for one of another type."""
    columns: dict[str, str] = Field(default_factory=dict)
    """The server's name of our column; empty for one that is not sent."""
    types: dict[str, CellType] = Field(default_factory=dict)
    """The type of cells of our column."""
    constants: dict[str, bool | int | float | str] = Field(default_factory=dict)
    """The value of the server's column where a house has none."""
    headers: dict[str, str] = Field(default_factory=dict)
    """Headers of each request; ``{key}`` is HOUSEPRICE_API_KEY."""

    @property
    def missing_cell(self) -> Cell:
        """A blank as a cell, unless blanks are omitted."""
        return {None: None, "null": None, "NaN": float("nan")}.get(self.missing, self.missing)

    @property
    def max_houses(self) -> int | None:
        """Houses in a request, if the body limits them."""
        return 1 if "{record}" in leaves(self.body) else None

    @property
    def digest(self) -> str:
        """A checksum of everything but the headers."""
        keys = self.model_dump_json(exclude={"headers"})
        return hashlib.sha256(keys.encode()).hexdigest()

    def over(self, base: ServerMap) -> ServerMap:
        """Return a base with the keys that are set here."""
        return base.model_copy(update={name: getattr(self, name) for name in self.model_fields_set})

    @model_validator(mode="after")
    def _has_valid_headers(self) -> Self:
        for name, value in self.headers.items():
            if not _HEADER.fullmatch(name) or name.lower() in _RESERVED:
                raise ValueError(f"{name[:40]!r} can't be set as a header")
            if not (value.isascii() and value.isprintable()):
                raise ValueError(f"the header {name} has characters that are invalid in a header")
            if name.lower() == "authorization" and KEY not in value:
                raise ValueError(
                    "the secret belongs into HOUSEPRICE_API_KEY: write "
                    f'Authorization = "Bearer {KEY}"'
                )
        return self

    @model_validator(mode="after")
    def _has_houses(self) -> Self:
        if self.body is None:
            return self
        placeholders = PLACEHOLDERS.intersection(leaves(self.body))
        if not placeholders:
            raise ValueError(f"body needs one of {', '.join(sorted(PLACEHOLDERS))}")
        if self.padding and "{record}" in placeholders:
            raise ValueError("padding needs a body with more than one house")
        if self.missing == OMIT and not placeholders <= {"{records}", "{record}", "{index}"}:
            raise ValueError('missing = "omit" needs {records} or {record} in body')
        return self


def read_server_map(settings: Settings, contract: Contract | None = None) -> ServerMap:
    """Return how the server at ``settings.api_url`` is called.

    Raises SettingsError if the mapping file can't be read, or does not fit the protocol or market.
    """
    protocol, mapped = settings.api_protocol, load_mapping(settings)
    if protocol == "houseprice":
        if mapped.model_fields_set - {"headers"}:
            raise _error("a server of houseprice can have [headers] only")
        return mapped
    known = {*contract.columns, contract.market.id} if contract else set()
    unknown = [name for name in (*mapped.columns, *mapped.types) if name not in known]
    if contract and unknown:
        raise _error(f"there is no column {unknown[0]}")
    dialect = contract.dialects.get(protocol, Dialect()) if contract else Dialect()
    template = ServerMap(**dialect.model_dump(exclude_unset=True)).over(shipped()[protocol])
    merged = mapped.over(template)
    if protocol == "json" and not {"path", "body", "output"} <= mapped.model_fields_set:
        raise _error("the protocol json needs path, body and output")
    if protocol == "oip" and merged.missing == OMIT:
        raise _error('a tensor has all cells, so missing can\'t be "omit"')
    if protocol != "oip":
        merged = _with_pointers(merged, template.output)
    return merged


@lru_cache(maxsize=1)
def shipped() -> Mapping[str, ServerMap]:
    """Return the shipped templates by protocol."""
    text = resources.files(__package__).joinpath("templates.toml").read_text("utf-8")
    return {name: ServerMap(**keys) for name, keys in tomllib.loads(text).items()}


def _with_pointers(server_map: ServerMap, entries: str) -> ServerMap:
    """Replace the names of fields by pointers to them in each entry of the answer."""
    if server_map.output.startswith("/"):
        entries = server_map.output.partition("/*")[0]
    pointers = {
        key: f"{entries}/*/{name.replace('~', '~0').replace('/', '~1')}"
        for key in ("output", "low", "high")
        if (name := getattr(server_map, key)) and not name.startswith("/")
    }
    return server_map.model_copy(update=pointers)


def load_mapping(settings: Settings) -> ServerMap:
    """Return the mapping file alone; raises SettingsError if it can't be read."""
    path = settings.api_map
    if path is None:
        return ServerMap()
    try:
        return ServerMap(**tomllib.loads(path.read_text("utf-8")))
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(map(str, first["loc"]))
        reason = first["msg"].removeprefix("Value error, ")
        raise _error(f"{where}: {reason}" if where else reason) from None
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise _error(f"{path} can't be read ({error})") from None


def _error(reason: str) -> SettingsError:
    return SettingsError(f"HOUSEPRICE_API_MAP: {reason}.")


def leaves(body: object) -> Iterator[object]:
    """Yield the values of JSON that are neither lists nor objects."""
    if isinstance(body, Mapping):
        for value in body.values():
            yield from leaves(value)
    elif isinstance(body, list):
        for value in body:
            yield from leaves(value)
    else:
        yield body
