"""Foreign protocols, from the client's side: a table is encoded, a reply is decoded."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol
from urllib.parse import quote

from houseprice.backend.remote.transport import Transport
from houseprice.errors import BackendInvalidResponse, SettingsError

Cell = int | float | str | None
ColumnKind = Literal["number", "integer", "text"]
MAX_MESSAGE_CHARS = 200


@dataclass(frozen=True)
class ForeignTable:
    """Houses with the column names and levels of a foreign server, one list of cells per house."""

    columns: tuple[str, ...]
    kinds: tuple[ColumnKind, ...]
    rows: list[list[Cell]]

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, rows: slice) -> ForeignTable:
        return ForeignTable(self.columns, self.kinds, self.rows[rows])

    def records(self) -> list[dict[str, Cell]]:
        """Return one object per house."""
        return [dict(zip(self.columns, row, strict=True)) for row in self.rows]


@dataclass(frozen=True)
class Reply:
    """A decoded answer, before its numbers are assigned to houses."""

    numbers: list[float | None]
    """Prices, or their logarithms."""
    refusals: dict[int, str] = field(default_factory=dict)
    """Messages by row, counted from 0."""
    version: str = ""
    """Of the model, if the server reports it."""


class ProtocolCodec(Protocol):
    """Encodes the requests of a protocol and decodes its answers."""

    path: str
    """Where tables are posted."""

    def encode(self, table: ForeignTable) -> object:
        """Encode a table as the JSON body of a request."""
        ...

    def decode(self, body: object) -> Reply:
        """Decode a JSON answer; raises BackendInvalidResponse if it has another shape."""
        ...

    def version(self, transport: Transport) -> str:
        """Request the model version; "" if the protocol has none."""
        ...


def codec_for(protocol: str, model: str) -> ProtocolCodec:
    """Return the codec of ``api_protocol``; `model` names one of several models of a server."""
    match protocol:
        case "regression":
            return Regression()
        case "inputs":
            return Inputs()
        case "mlflow":
            return Mlflow()
        case "oip":
            return OpenInference(model)
    raise SettingsError(f"HOUSEPRICE_API_PROTOCOL: there is no protocol {protocol!r}.")


class Regression:
    """The tutorial's Flask API: a list of houses to ``/v1/predict/regression``.

    Servers omit refused houses and report them in ``errors`` by position; a second check may omit
    more without a message. The very first release accepts one house and returns a bare number.
    """

    path = "/v1/predict/regression"
    _version_path = "/version"

    def encode(self, table: ForeignTable) -> object:
        """Encode a list of objects."""
        return table.records()

    def decode(self, body: object) -> Reply:
        """Decode predictions, and the messages of refused houses if they are named."""
        answer = _object_with(body, "predictions")
        predictions = answer["predictions"]
        numbers = [] if predictions is None else _numbers(predictions)
        version = _single_line(answer.get("version") or "")
        return Reply(numbers, self._refusals(answer.get("errors")), version)

    def version(self, transport: Transport) -> str:
        """Request the path of the version."""
        answer = _object_with(transport.get_json(self._version_path), "model_version")
        return _single_line(answer["model_version"] or "")

    def _refusals(self, errors: object) -> dict[int, str]:
        """Return messages by row from ``{row: ...}``."""
        return {
            int(position): _single_line(message)
            for position, message in (errors.items() if isinstance(errors, Mapping) else ())
            if str(position).isdecimal() and len(str(position)) < 10
        }


class Inputs(Regression):
    """The tutorial's FastAPI service: ``{"inputs": [...]}`` to ``/api/v1/predict``.

    Servers refuse all houses because of one, and omit houses that lack a field without a message.
    """

    path = "/api/v1/predict"
    _version_path = "/api/v1/health"

    def encode(self, table: ForeignTable) -> object:
        """Encode a list of objects under ``inputs``."""
        return {"inputs": table.records()}

    def _refusals(self, errors: object) -> dict[int, str]:
        """Return messages by row from ``{"loc": ["inputs", row, field], "msg": ...}``."""
        messages: defaultdict[int, list[str]] = defaultdict(list)
        for error in errors if isinstance(errors, list) else []:
            match error:
                case {"loc": ["inputs", int(row), *path], "msg": message}:
                    messages[row].append(": ".join([*map(str, path), str(message)]))
        return {row: _single_line("; ".join(texts)) for row, texts in messages.items()}


class Mlflow:
    """The scoring server of MLflow (``mlflow models serve``): a table to ``/invocations``."""

    path = "/invocations"

    def encode(self, table: ForeignTable) -> object:
        """Encode ``dataframe_split``, which names each column once."""
        return {"dataframe_split": {"columns": list(table.columns), "data": table.rows}}

    def decode(self, body: object) -> Reply:
        """Decode one prediction per row."""
        answer = _object_with(body, "predictions")
        numbers = _numbers(answer["predictions"])
        return Reply(numbers, version=_single_line(answer.get("model_version") or ""))

    def version(self, transport: Transport) -> str:  # noqa: ARG002 - the protocol has no version
        """Return "": the protocol reports the version of MLflow, not of the model."""
        return ""


_OUTPUT = "predict"


class OpenInference:
    """Open Inference Protocol v2 (MLServer, KServe, Triton): one tensor per column."""

    def __init__(self, model: str) -> None:
        self._model_path = f"/v2/models/{quote(model, safe='')}"
        self.path = f"{self._model_path}/infer"

    def encode(self, table: ForeignTable) -> object:
        """Encode one tensor per column; MLServer rebuilds a table for ``content_type`` pd."""
        columns = zip(*table.rows, strict=True)
        inputs = [
            _tensor(name, kind, list(cells))
            for name, kind, cells in zip(table.columns, table.kinds, columns, strict=True)
        ]
        return {"parameters": {"content_type": "pd"}, "inputs": inputs}

    def decode(self, body: object) -> Reply:
        """Decode the output "predict", or the only output."""
        answer = _object_with(body, "outputs")
        outputs = answer["outputs"]
        if not isinstance(outputs, list) or not all(isinstance(each, Mapping) for each in outputs):
            raise _wrong_shape("The server's outputs are not tensors.")
        chosen = outputs if len(outputs) == 1 else [o for o in outputs if o.get("name") == _OUTPUT]
        if len(chosen) != 1:
            names = ", ".join(_single_line(output.get("name")) for output in outputs)
            raise _wrong_shape(
                f'The server has no output "{_OUTPUT}", only: {names[:200] or "none"}.'
            )
        numbers = _numbers(_object_with(chosen[0], "data")["data"])
        return Reply(numbers, version=_single_line(answer.get("model_version") or ""))

    def version(self, transport: Transport) -> str:
        """Request the newest version of the model."""
        versions = _object_with(transport.get_json(self._model_path), "name").get("versions")
        return _single_line(versions[-1]) if isinstance(versions, list) and versions else ""


def _tensor(name: str, kind: ColumnKind, cells: list[Cell]) -> dict[str, Any]:
    tensor: dict[str, Any] = {"name": name, "shape": [len(cells)]}
    if kind == "text":
        return tensor | {
            "datatype": "BYTES",
            "parameters": {"content_type": "str"},
            "data": cells,
        }
    # A numeric tensor contains no text, and an integer tensor no missing value.
    numbers = [None if isinstance(cell, str) else cell for cell in cells]
    is_integer = kind == "integer" and None not in numbers
    return tensor | {"datatype": "INT64" if is_integer else "FP64", "data": numbers}


def _object_with(body: object, key: str) -> Mapping[str, Any]:
    """Return the answer as an object that has a key."""
    if not isinstance(body, Mapping) or key not in body:
        raise _wrong_shape(
            f'The server\'s answer has no "{key}": it may use another protocol '
            "(HOUSEPRICE_API_PROTOCOL)."
        )
    return body


def _numbers(values: object) -> list[float | None]:
    """Return predictions: bare numbers, lists of one number, or objects with a single number."""
    if not isinstance(values, Sequence) or isinstance(values, str):
        values = [values]
    return [_number(value) for value in values]


def _number(value: object) -> float | None:
    if isinstance(value, Mapping):
        value = list(value.values())
    if isinstance(value, list) and len(value) == 1:
        value = value[0]
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise _wrong_shape(f'The server answered "{_single_line(value)[:40]}" instead of a price.')
    try:
        return float(value)
    except OverflowError:
        raise _wrong_shape(
            "The server answered a number that is too large to be a price."
        ) from None


def _single_line(value: object) -> str:
    """Format a value of the server on one line, short enough to show."""
    if isinstance(value, Mapping):
        value = "; ".join(f"{name}: {_single_line(each)}" for name, each in value.items())
    elif isinstance(value, Sequence) and not isinstance(value, str):
        value = ", ".join(_single_line(each) for each in value)
    return " ".join(str(value).split())[:MAX_MESSAGE_CHARS]


def _wrong_shape(message: str) -> BackendInvalidResponse:
    return BackendInvalidResponse(message, reason="wrong_shape")
