"""Foreign protocols, from the client's side: a table is encoded, a reply is decoded."""

from __future__ import annotations

import math
import re
from abc import ABC, abstractmethod
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

from houseprice.backend.remote.responses import HttpStatusError, single_line
from houseprice.backend.remote.server_map import CellType, ServerMap
from houseprice.backend.remote.transport import Transport
from houseprice.errors import BackendError, BackendInvalidResponse

_MAX_VALUE_CHARS = 40

_SIGNATURE = re.compile(r"'([^']*)': (\w+) \((required|optional)\)")
"""A column in the signature of an MLflow model, as it is printed."""

OMITTED = object()
"""A blank cell that is left out of the object of a house."""


@dataclass(frozen=True)
class ForeignTable:
    """Houses with the column names and levels of a foreign server, one list of cells per house.

    ``datatypes`` are those that the server names, or "". A blank that is not sent is ``OMITTED``.
    """

    columns: tuple[str, ...]
    kinds: tuple[CellType, ...]
    datatypes: tuple[str, ...]
    rows: list[list[Any]]

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, rows: slice) -> ForeignTable:
        return ForeignTable(self.columns, self.kinds, self.datatypes, self.rows[rows])

    def records(self) -> list[dict[str, Any]]:
        """Return one object per house."""
        return [
            {
                name: cell
                for name, cell in zip(self.columns, row, strict=True)
                if cell is not OMITTED
            }
            for row in self.rows
        ]


@dataclass(frozen=True)
class Prediction:
    """What a server answers for one house: a number and perhaps a range, or why there is none.

    ``refusal`` is the server's reason, and ``fault`` why its number can't be used.
    """

    number: float | None = None
    low: float | None = None
    high: float | None = None
    refusal: str = ""
    fault: str = ""


@dataclass(frozen=True)
class Reply:
    """A decoded answer, before its predictions are assigned to houses."""

    predictions: list[Prediction]
    """Prices, or their logarithms."""
    refusals: dict[int, str] = field(default_factory=dict)
    """Messages by row, counted from 0."""
    version: str = ""
    """Of the model, if the server reports it."""


@dataclass(frozen=True)
class InputColumn:
    """A column that a model expects, by its own description."""

    name: str
    datatype: str
    kind: CellType
    required: bool = True


@dataclass(frozen=True)
class ServerInfo:
    """What a server says about its model; empty where it says nothing."""

    version: str = ""
    inputs: tuple[InputColumn, ...] = ()


class ProtocolCodec(ABC):
    """Encodes the requests of a protocol and decodes its answers; tables are posted to ``path``."""

    def __init__(self, server_map: ServerMap, path: str) -> None:
        self._map = server_map
        self.path = path

    @abstractmethod
    def encode(self, table: ForeignTable) -> object:
        """Encode a table as the JSON body of a request."""

    @abstractmethod
    def values(self, body: object, output: str) -> list[Any]:
        """Return what an answer has for each house under the name of an output.

        Raises BackendInvalidResponse if the answer has another shape.
        """

    def decode(self, body: object) -> Reply:
        """Decode the values, their ranges, and the reasons of refused houses if they are named.

        Raises BackendInvalidResponse if the answer has another shape.
        """
        values = self.values(body, self._map.output)
        lows, highs = (
            self.values(body, output) if output else [None] * len(values)
            for output in (self._map.low, self._map.high)
        )
        refusals = _refusals(_at(body, self._map.errors)) if self._map.errors else {}
        version = _at(body, self._map.version) if self._map.version else ""
        return Reply(_predictions(values, lows, highs), refusals, _text(version))


def codec_for(protocol: str, server_map: ServerMap) -> ProtocolCodec:
    """Return the codec of a protocol."""
    path = _path(server_map.path, server_map.model)
    if protocol == "oip":
        return OpenInference(server_map, path)
    return JsonTemplate(server_map, path)


def describe(transport: Transport, server_map: ServerMap) -> ServerInfo:
    """Request what the server says about its model, where the protocol has a way."""
    if not server_map.info_path:
        return ServerInfo()
    try:
        answer = transport.get_json(_path(server_map.info_path, server_map.model))
    except HttpStatusError as error:
        if error.status in {404, 405, 501}:
            return ServerInfo()
        raise
    version = _at(answer, server_map.info_version) if server_map.info_version else ""
    if isinstance(version, list):
        version = version[-1] if version else ""
    inputs = _at(answer, server_map.info_inputs) if server_map.info_inputs else None
    columns = [
        InputColumn(name, datatype, _kind(datatype))
        for name, datatype in map(_input, inputs if isinstance(inputs, list) else ())
        if name and datatype
    ]
    return ServerInfo(_text(version), tuple(columns))


def _input(described: object) -> tuple[str, str]:
    match described:
        case {"name": str(name), "datatype": str(datatype)}:
            return name, datatype
    return "", ""


def _kind(datatype: str) -> CellType:
    """Return the type of cells of a datatype of Open Inference, or of MLflow."""
    if datatype.startswith(("INT", "UINT")) or datatype in {"integer", "long"}:
        return "integer"
    if datatype.startswith("FP") or datatype in {"float", "double"}:
        return "number"
    return "boolean" if datatype in {"BOOL", "boolean"} else "text"


def mlflow_signature(transport: Transport, server_map: ServerMap) -> tuple[InputColumn, ...]:
    """Return the signature of an MLflow model, which its server gives in an error only.

    A model with a signature refuses a table without columns.
    """
    nothing = _fill(server_map.body, ForeignTable((), (), (), [[]]))
    try:
        transport.post(_path(server_map.path, server_map.model), nothing)
        detail = ""
    except BackendError as error:
        if error.reason not in {"invalid", "rejected", "server_error", "cut_off"}:
            raise
        detail = error.whole_detail if isinstance(error, HttpStatusError) else ""
    _, found, schema = detail.partition("with schema '")
    columns = _SIGNATURE.findall(schema.partition("'. Error:")[0]) if found else []
    return tuple(
        InputColumn(name, datatype, _kind(datatype), required == "required")
        for name, datatype, required in columns
    )


class JsonTemplate(ProtocolCodec):
    """JSON by a template: houses in place of its placeholders, values where a pointer leads."""

    def encode(self, table: ForeignTable) -> object:
        """Fill the template."""
        return _fill(self._map.body, table)

    def values(self, body: object, output: str) -> list[Any]:
        """Return what a pointer leads to."""
        head, star, tail = output.partition("/*")
        entries = _at(body, head, _NOTHING)
        if entries is _NOTHING:
            raise _wrong_shape(
                f'The server\'s answer has no "{head[1:] or head}": it may use another protocol '
                "(HOUSEPRICE_API_PROTOCOL)."
            )
        if entries is None:
            return []
        if not isinstance(entries, list):  # one house, without a list
            entries = [entries]
        return [_at(entry, tail) for entry in entries] if star else entries


def _fill(template: object, table: ForeignTable) -> object:
    match template:
        case "{records}":
            return table.records()
        case "{record}":
            return table.records()[0]
        case "{columns}":
            return list(table.columns)
        case "{rows}":
            return table.rows
        case "{index}":
            return list(range(len(table)))
        case "{by_column}":
            return dict(zip(table.columns, map(list, zip(*table.rows, strict=True)), strict=True))
        case Mapping():
            return {name: _fill(each, table) for name, each in template.items()}
        case list():
            return [_fill(each, table) for each in template]
    return template


class OpenInference(ProtocolCodec):
    """Open Inference Protocol v2 (MLServer, KServe, Triton): one tensor per column."""

    def encode(self, table: ForeignTable) -> object:
        """Encode one tensor per column; MLServer rebuilds a table for ``content_type`` pd."""
        columns = map(list, zip(*table.rows, strict=True))
        inputs = list(map(_tensor, table.columns, table.kinds, table.datatypes, columns))
        return {"parameters": {"content_type": "pd"}, "inputs": inputs}

    def values(self, body: object, output: str) -> list[Any]:
        """Return the data of a tensor; of the only one, if its name differs from the mapping."""
        outputs = _at(body, "/outputs")
        if not isinstance(outputs, list) or not all(isinstance(each, Mapping) for each in outputs):
            raise _wrong_shape(
                "The server's answer has no tensors as outputs: it may use another protocol "
                "(HOUSEPRICE_API_PROTOCOL)."
            )
        by_name = {_text(each.get("name")): each.get("data") for each in outputs}
        is_only = len(by_name) == 1 and output == self._map.output
        data = next(iter(by_name.values())) if is_only else by_name.get(output)
        if not isinstance(data, list):
            names = ", ".join(by_name) or "none"
            raise _wrong_shape(
                f'The server has no output "{output}", only: {names}. Set output in '
                "HOUSEPRICE_API_MAP."
            )
        return data


def _tensor(name: str, kind: CellType, datatype: str, cells: list[Any]) -> dict[str, Any]:
    tensor: dict[str, Any] = {"name": name, "shape": [len(cells)]}
    if kind == "text":
        tensor["parameters"] = {"content_type": "str"}
    else:
        # A tensor of numbers contains no text.
        cells = [None if isinstance(cell, str) else cell for cell in cells]
    if not datatype:
        # A tensor of integers contains no blank.
        has_blank = any(not isinstance(cell, int) for cell in cells)
        datatype = {"text": "BYTES", "boolean": "BOOL"}.get(kind, "INT64")
        if datatype == "INT64" and (kind == "number" or has_blank):
            datatype = "FP64"
    return tensor | {"datatype": datatype, "data": cells}


_NOTHING = object()


def _at(body: object, pointer: str, default: object = None) -> object:
    """Return what a JSON pointer (RFC 6901) leads to, or the default."""
    for token in pointer.split("/")[1:]:
        name = token.replace("~1", "/").replace("~0", "~")
        if isinstance(body, Mapping) and name in body:
            body = body[name]
        elif isinstance(body, list) and name.isdecimal() and int(name) < len(body):
            body = body[int(name)]
        else:
            return default
    return body


def _refusals(errors: object) -> dict[int, str]:
    """Return messages by row from ``{row: ...}`` or ``[{"loc": [..., row], "msg": ...}]``."""
    messages: defaultdict[int, list[str]] = defaultdict(list)
    for position, message in errors.items() if isinstance(errors, Mapping) else ():
        if str(position).isdecimal() and len(str(position)) < 10:
            messages[int(position)].append(_text(message))
    for error in errors if isinstance(errors, list) else ():
        match error:
            case {"loc": [str(), int(row), *path], "msg": message}:
                messages[row].append(": ".join([*map(str, path), str(message)]))
    # The number of a row in the request is another one in the table of the user.
    return {
        row: _text("; ".join(texts)).replace(f"Row {row + 1}: ", "")
        for row, texts in messages.items()
    }


def _predictions(values: list[Any], lows: list[Any], highs: list[Any]) -> list[Prediction]:
    if not len(values) == len(lows) == len(highs):
        raise _wrong_shape(
            f"The server answered {len(values):,} values, {len(lows):,} low and {len(highs):,} "
            "high ends of ranges."
        )
    return list(map(_prediction, values, lows, highs))


def _prediction(value: object, low: object, high: object) -> Prediction:
    numbers, faults = zip(*map(_number, (value, low, high)), strict=True)
    fault = next(filter(None, faults), "")
    return Prediction(fault=fault) if fault else Prediction(*numbers)


def _number(value: object) -> tuple[float | None, str]:
    """Return a bare number, that of a list or an object with one, or why there is none."""
    if isinstance(value, Mapping):
        names = list(value)
        if len(names) != 1:
            listed = _text(names)
            return None, f"It answered {len(names)} values ({listed}): set output in the mapping."
        value = value[names[0]]
    if isinstance(value, list):
        if len(value) != 1:
            return None, f"It answered {len(value)} values instead of one."
        value = value[0]
    if value is None:
        return None, ""
    if isinstance(value, bool) or not isinstance(value, int | float):
        shown = f"«{_text(value)[:_MAX_VALUE_CHARS]}»"
        kind = "the text " if isinstance(value, str) else ""
        return None, f"It answered {kind}{shown} instead of a number."
    number = float(value)
    if math.isfinite(number):
        return number, ""
    return None, f"It answered {'NaN' if math.isnan(number) else number} instead of a number."


def _path(template: str, model: str) -> str:
    return template.replace("{model}", quote(model, safe=""))


def _text(value: object) -> str:
    """Format a value of the server on one line, short enough to show."""
    if isinstance(value, Mapping):
        value = "; ".join(f"{name}: {_text(each)}" for name, each in value.items())
    elif isinstance(value, Sequence) and not isinstance(value, str):
        value = ", ".join(_text(each) for each in value)
    return "" if value is None else single_line(value)


def _wrong_shape(message: str) -> BackendInvalidResponse:
    return BackendInvalidResponse(message, reason="wrong_shape")
