"""The check of a server: what it says and answers, and the mapping file that fits a foreign one."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import product
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from houseprice.backend.base import Backend
from houseprice.backend.remote.client import RemoteBackend
from houseprice.backend.remote.endpoints import json_rows
from houseprice.backend.remote.foreign import ForeignBackend
from houseprice.backend.remote.foreign_table import column_kind, match_inputs
from houseprice.backend.remote.parity import local_golden_rows
from houseprice.backend.remote.protocols import (
    ForeignTable,
    InputColumn,
    ServerInfo,
    mlflow_signature,
)
from houseprice.backend.remote.server_map import (
    OMIT,
    ServerMap,
    leaves,
    load_mapping,
    read_server_map,
)
from houseprice.backend.remote.transport import Transport
from houseprice.errors import BackendError
from houseprice.formatting import plural
from houseprice.market.contract import Contract
from houseprice.market.validation import validate, validate_prices
from houseprice.settings import Settings

CHECKED_ROWS = 2_000
"""Sales that are valued in each form."""
TARGET_ROWS = 20
"""Sales that decide on the scale of the values."""
SHOWN = 3
"""Houses that are shown as they are sent."""
ALONE = 10
"""Houses that are valued alone as well as together."""
SAME = 1e-9
"""Relative difference that is none."""

_READ_AS_MISSING = (
    frozenset({"NA", "N/A", "NULL", "null", "n/a", "nan", "NaN"}),
    frozenset({"NA", "N/A", "NULL", "null", "n/a", "nan", "NaN", "None"}),
)
"""What pandas reads as missing by default, among the codes of levels: before 2.0, and since."""
_CONSTANTS: dict[str, bool | int | float | str] = {
    "integer": 0, "number": 0.0, "text": "", "boolean": False,
}  # fmt: skip
_UNVALUED = frozenset({"refused_by_server", "unusable_value"})
_NO_VALUES = frozenset({"invalid", "rejected", "server_error", "silent", "wrong_shape", "slow"})
"""Reasons of failures that another form of the blanks may not have."""

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Candidate:
    """One way to write blanks, and how well the values then fit the prices of the sales.

    ``error`` is the root mean square of the logarithm of value over price; infinite without values.
    ``reasons`` counts the houses without a value.
    """

    server_map: ServerMap
    prices: Floats
    error: float
    reasons: dict[str, int]

    @property
    def n_valued(self) -> int:
        """How many houses have a value."""
        return int(np.isfinite(self.prices).sum())


@dataclass(frozen=True)
class ServerCheck:
    """What a check found."""

    info: ServerInfo
    remarks: tuple[str, ...]
    """On a server of houseprice: its market, and how it compares with this computer."""
    unmatched: tuple[str, ...]
    """Columns that the server expects and that the market does not have."""
    shown: ForeignTable
    answer: str
    """Its answer to the houses that are shown, or why there is none."""
    candidates: tuple[Candidate, ...]
    best: Candidate
    mapping: str
    """A mapping file for this server; "" for one of houseprice, which needs none."""
    differences: Floats | None
    """Its values over those of the local model, minus 1, where both have one; None without one."""
    n_alone: int
    n_alone_differ: int
    """Of these houses, how many have another value alone than together."""


def check_foreign(
    settings: Settings,
    contract: Contract,
    sales: pd.DataFrame,
    local: Backend | None = None,
    transport: Transport | None = None,
) -> ServerCheck:
    """Value sales with blanks in several forms; the advice is the form that fits their prices best.

    Raises BackendError if the server can't be reached or does not accept the key.
    """
    check = _Check(settings, contract, transport or Transport(settings), sales)
    current = read_server_map(settings, contract)
    info = check.describe(current)
    names = {name: current.columns.get(name, name) for name in contract.columns}
    matched = match_inputs(contract, names, info.inputs)
    unmatched = [each for each in info.inputs if matched and each.name not in matched.values()]
    start = _fitted(current, settings.api_protocol, contract, info.inputs, matched)
    valued = check.first_valued(start)
    forms = [start] if valued is None else _variants(valued, settings.api_protocol, contract)
    candidates = tuple(map(check.try_form, forms))
    best = min(candidates, key=lambda each: (each.error, -each.n_valued))
    n_alone, n_differ = check.compare_alone(best)
    if n_differ and best.server_map.max_houses is None and not best.server_map.padding:
        padded = check.try_map(best.server_map.model_copy(update={"padding": True}))
        n_alone_padded, n_differ_padded = check.compare_alone(padded)
        if padded.n_valued >= best.n_valued and n_differ_padded < n_differ:
            candidates, best = (*candidates, padded), padded
            n_alone, n_differ = n_alone_padded, n_differ_padded
    shown, answer = check.exchange(check.backend(best.server_map))
    return ServerCheck(
        info,
        (),
        tuple(each.name for each in unmatched),
        shown,
        answer,
        candidates,
        best,
        _mapping(load_mapping(settings), best.server_map),
        None if local is None else _differences(local, check.rows, best.prices),
        n_alone,
        n_differ,
    )


def check_own(
    settings: Settings,
    contract: Contract,
    sales: pd.DataFrame,
    local: Backend | None = None,
    transport: Transport | None = None,
) -> ServerCheck:
    """Value sales with a server of houseprice, which needs no mapping.

    Raises BackendError if the server can't be reached, or values another market.
    """
    transport = transport or Transport(settings)
    golden = local_golden_rows(settings, contract)
    backend = RemoteBackend(transport, contract, golden=golden)
    info, rows = backend.info(), _sample(sales)
    result = backend.value(rows)
    reasons = Counter(p.message for p in result.problems if p.severity == "error")
    best = Candidate(
        ServerMap(),
        result.valuations["predicted_price"].to_numpy(np.float64),
        math.inf,
        dict(reasons.most_common(5)),
    )
    shown = rows[[name for name in contract.columns if name in rows]].head(SHOWN)
    houses = json_rows(shown, contract)
    table = ForeignTable(
        tuple(shown.columns),
        tuple(column_kind(contract.fields[name], ()) for name in shown.columns),
        ("",) * shown.shape[1],
        [list(house.values()) for house in houses],
    )
    n_alone, n_differ = _compare_alone(backend, rows, best.prices)
    sales_text = f", from {plural(info.n_sales, 'sale')}" if info.n_sales else ""
    return ServerCheck(
        ServerInfo(info.model_version),
        (f"houseprice {info.package_version}, {info.market_title}{sales_text}", *info.remarks),
        (),
        table,
        transport.post("/v1/valuations", {"rows": houses}).decode("utf-8"),
        (),
        best,
        "",
        None if local is None else _differences(local, rows, best.prices),
        n_alone,
        n_differ,
    )


class _Check:
    """Values the same sales with different maps of one server."""

    def __init__(
        self, settings: Settings, contract: Contract, transport: Transport, sales: pd.DataFrame
    ) -> None:
        self._settings = settings
        self._contract = contract
        self._transport = transport
        self.rows = _sample(sales)
        column = self.rows[contract.market.price.column]
        self._log_prices = np.log(validate_prices(column, contract)[0].to_numpy(np.float64))

    def describe(self, server_map: ServerMap) -> ServerInfo:
        """Return what the server says of its model, and the signature that MLflow gives."""
        info = self.backend(server_map).describe()
        if self._settings.api_protocol != "mlflow":
            return info
        inputs = mlflow_signature(self._transport, server_map)
        return replace(info, inputs=inputs)

    def backend(self, server_map: ServerMap) -> ForeignBackend:
        settings, protocol = self._settings, self._settings.api_protocol
        return ForeignBackend(
            self._transport, protocol, self._contract, settings, server_map=server_map
        )

    def try_map(self, server_map: ServerMap, n_rows: int = CHECKED_ROWS) -> Candidate:
        """Value the first rows; a server that refuses them all has no values and a reason."""
        rows = self.rows.head(n_rows)
        try:
            result = self.backend(server_map).value(rows)
        except BackendError as error:
            if error.reason not in _NO_VALUES:
                raise
            return Candidate(
                server_map, np.full(len(rows), np.nan), math.inf, {str(error): len(rows)}
            )
        values = result.valuations["predicted_price"].to_numpy(np.float64)
        errors = np.log(values) - self._log_prices[: len(rows)]
        errors = errors[np.isfinite(errors)]
        # A form that the server refuses for most houses can't be compared.
        is_enough = len(errors) > len(rows) / 10
        reasons = Counter(p.message for p in result.problems if p.code in _UNVALUED)
        rms = float(np.sqrt(np.mean(errors**2))) if is_enough else math.inf
        return Candidate(server_map, values, rms, dict(reasons.most_common(5)))

    def try_form(self, server_map: ServerMap) -> Candidate:
        """Value all rows, unless the server refuses most of the first ones in this form.

        Each house that is refused costs several requests.
        """
        first = self.try_map(server_map, TARGET_ROWS)
        is_refused = first.n_valued < len(first.prices) / 2
        return replace(first, error=math.inf) if is_refused else self.try_map(server_map)

    def compare_alone(self, candidate: Candidate) -> tuple[int, int]:
        """Value some houses alone; return how many, and how many differ from the table."""
        return _compare_alone(self.backend(candidate.server_map), self.rows, candidate.prices)

    def first_valued(self, server_map: ServerMap) -> ServerMap | None:
        """Return the map with the id of a house and the scale with which the server gives prices.

        The scales log and log1p differ by 1 only, so they can't be distinguished.
        """
        constants = [server_map.constants]
        if id_column := self._contract.market.id:
            constants.append({id_column: 0} | server_map.constants)
        targets = dict.fromkeys((server_map.target, "price", "log1p", "log"))
        for added, target in product(constants, targets):
            tried = server_map.model_copy(update={"constants": added, "target": target})
            if math.isfinite(self.try_map(tried, TARGET_ROWS).error):
                return tried
        return None

    def exchange(self, backend: ForeignBackend) -> tuple[ForeignTable, str]:
        """Send some houses; return them as they were sent, and the answer."""
        checked = validate(self.rows, self._contract)
        positions = np.flatnonzero(checked.valid)[:SHOWN]
        table = backend.table(self.rows, checked, positions)
        try:
            return table, backend.answer(table)
        except BackendError as error:
            return table, str(error)


def _sample(sales: pd.DataFrame) -> pd.DataFrame:
    """Return sales at equal distances in their file."""
    step = max(1, len(sales) // CHECKED_ROWS)
    return sales.iloc[::step].head(CHECKED_ROWS).reset_index(drop=True)


def _compare_alone(backend: Backend, rows: pd.DataFrame, prices: Floats) -> tuple[int, int]:
    """Value some houses alone; return how many, and how many have another price."""
    valued = np.flatnonzero(np.isfinite(prices))[:ALONE].tolist()
    alone = [_values(backend, rows.iloc[[row]])[0] for row in valued]
    same = [
        abs(price / prices[row] - 1.0) <= SAME for row, price in zip(valued, alone, strict=True)
    ]
    return len(valued), len(valued) - int(sum(same))


def _differences(local: Backend, rows: pd.DataFrame, prices: Floats) -> Floats:
    """Return prices over those of the local model, minus 1, where both have one."""
    ratios = prices / _values(local, rows) - 1.0
    return ratios[np.isfinite(ratios)]


def _fitted(
    current: ServerMap,
    protocol: str,
    contract: Contract,
    inputs: tuple[InputColumn, ...],
    matched: dict[str, str],
) -> ServerMap:
    """Return a map with what the server expects and does not say at each request."""
    if not matched:
        return current
    own = {theirs: ours for ours, theirs in matched.items()}
    constants = {
        each.name: _CONSTANTS[each.kind]
        for each in inputs
        if own.get(each.name) not in contract.fields
    }
    update: dict[str, Any] = {"constants": constants | current.constants}
    if protocol == "mlflow":
        columns = {ours: theirs for ours, theirs in matched.items() if ours != theirs}
        columns |= {ours: "" for ours in contract.columns if ours not in matched}
        types = {
            own[each.name]: each.kind
            for each in inputs
            if (field := contract.fields.get(own.get(each.name, "")))
            and each.kind != column_kind(field, current.blanks)
        }
        update |= {"columns": columns | current.columns, "types": types | current.types}
    return current.model_copy(update=update)


def _values(backend: Backend, rows: pd.DataFrame) -> Floats:
    try:
        valued = backend.value(rows.reset_index(drop=True)).valuations
    except BackendError:
        return np.full(len(rows), np.nan)
    return valued["predicted_price"].to_numpy(np.float64)


def _variants(start: ServerMap, protocol: str, contract: Contract) -> Iterator[ServerMap]:
    """Yield the map with blanks in each form that its protocol can send, the present one first."""
    codes = {code for field in contract.fields.values() for code in field.codes}
    blanks = [start.blanks, (), *(tuple(sorted(codes & texts)) for texts in _READ_AS_MISSING)]
    missing = [start.missing or "null", "null", "NaN"]
    if {"{records}", "{record}"} & set(leaves(start.body)) and protocol != "oip":
        missing.append(OMIT)
    for how, which in product(dict.fromkeys(missing), dict.fromkeys(blanks)):
        yield start.model_copy(update={"missing": how, "blanks": which})


def _mapping(given: ServerMap, best: ServerMap) -> str:
    """Return the text of a mapping file: the keys that are given, and those of the check."""
    keys = {name: getattr(given, name) for name in given.model_fields_set}
    keys |= {"target": best.target, "missing": best.missing or "null"}
    keys["blanks"] = best.blanks
    optional = ("padding", "columns", "types", "constants")
    keys |= {name: value for name in optional if (value := getattr(best, name))}
    lines = [f"{name} = {_toml(keys[name])}" for name in ServerMap.model_fields if name in keys]
    return "\n".join([*lines, ""])


def _toml(value: object) -> str:
    """Write a value of JSON as TOML on one line."""
    if isinstance(value, Mapping):
        return "{ " + ", ".join(f"{json.dumps(k)} = {_toml(v)}" for k, v in value.items()) + " }"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(_toml, value)) + "]"
    return json.dumps(value, ensure_ascii=False)
