"""What servers of other makers speak, a module each; the client's side of it.

What protocols of other makers have in common: a table goes out, a reply comes back.

The tutorial's second API: ``{"inputs": [...]}`` to ``/api/v1/predict``.

Its servers refuse all houses when they refuse one, and leave out houses that lack a fact without a
word.

MLflow's scoring server: a table to ``/invocations``.

Open Inference Protocol, version 2: one tensor a column, to ``/v2/models/{name}/infer``.

The tutorial's first API: a list of houses at the root, to ``/v1/predict/regression``.

Its servers leave out the houses that they refuse, and name them in ``errors`` by their place; a
second check of theirs may leave out more without a word. The very first release answers for one
house alone, with a bare number.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol
from urllib.parse import quote

from houseprice.errors import BackendInvalidResponse, SettingsError

__all__ = [
    "Cell",
    "Inputs",
    "JsonTransport",
    "Kind",
    "Mlflow",
    "OpenInference",
    "ProtocolCodec",
    "Regression",
    "Reply",
    "Table",
    "codec_for",
    "error_text",
    "numbers_of",
    "objects_of",
]

Cell = int | float | str | None
Kind = Literal["number", "whole", "text"]
LONGEST_WORDS = 200


@dataclass(frozen=True)
class Table:
    """Houses as a server of another maker reads them.

    Attributes
    ----------
    columns : tuple of str
        Their names.
    kinds : tuple of {"number", "whole", "text"}
        What each column holds, besides what stands for a fact that is not known.
    rows : list of list
        A list a house, in the order of the columns.
    """

    columns: tuple[str, ...]
    kinds: tuple[Kind, ...]
    rows: list[list[Cell]]

    def __len__(self) -> int:
        return len(self.rows)

    def part(self, start: int, stop: int) -> Table:
        """Some of the houses."""
        return Table(self.columns, self.kinds, self.rows[start:stop])

    def records(self) -> list[dict[str, Cell]]:
        """Write one object a house."""
        return [dict(zip(self.columns, row, strict=True)) for row in self.rows]


@dataclass(frozen=True)
class Reply:
    """What a server said to a table, before anybody knows which house each number belongs to.

    Attributes
    ----------
    numbers : list of float or None
        As they came: prices, or their logarithms.
    refusals : dict of int to str
        By row, counted from 0: why there is no number, in the server's words.
    version : str
        Of its model, where it said so.
    """

    numbers: list[float | None]
    refusals: dict[int, str] = field(default_factory=dict)
    version: str = ""


class JsonTransport(Protocol):
    """What carries JSON there and back; it raises errors of the kind BackendError only."""

    @property
    def place(self) -> str:
        """Host and port of the server, for sentences."""
        ...

    def get_json(self, path: str) -> Any:  # noqa: ANN401 - JSON may hold anything
        """Ask for something."""
        ...

    def post_json(self, path: str, body: object) -> Any:  # noqa: ANN401 - JSON may hold anything
        """Send something and read the answer."""
        ...


class ProtocolCodec(Protocol):
    """One protocol, from the client's side."""

    path: str
    """Where tables are sent to."""

    def encode(self, table: Table) -> object:
        """Write a table as the body of a request."""
        ...

    def decode(self, body: object) -> Reply:
        """Read the answer.

        Raises
        ------
        BackendInvalidResponse
            If it has another form than the protocol's.
        """
        ...

    def version(self, transport: JsonTransport) -> str:
        """Ask which model answers; "" where the protocol has no word for it."""
        ...


def objects_of(body: object, key: str) -> Mapping[str, Any]:
    """The answer as an object that holds a key."""
    if not isinstance(body, Mapping) or key not in body:
        raise BackendInvalidResponse(
            f"The server's answer has no «{key}»: it may speak another protocol "
            "(HOUSEPRICE_API_PROTOCOL).",
            reason="wrong_shape",
        )
    return body


def numbers_of(values: object) -> list[float | None]:
    """A list of predictions, each bare, alone in a list, or the only number of an object."""
    if not isinstance(values, Sequence) or isinstance(values, str):
        values = [values]
    return [_number(value) for value in values]


def error_text(said: object) -> str:
    """What a server said, on one line and not too long to show."""
    if isinstance(said, Mapping):
        said = "; ".join(f"{name}: {error_text(value)}" for name, value in said.items())
    elif isinstance(said, Sequence) and not isinstance(said, str):
        said = ", ".join(error_text(value) for value in said)
    return " ".join(str(said).split())[:LONGEST_WORDS]


def _number(value: object) -> float | None:
    if isinstance(value, Mapping):
        value = list(value.values())
    if isinstance(value, list) and len(value) == 1:
        value = value[0]
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise BackendInvalidResponse(
            f"The server answered «{error_text(value)[:40]}» where a price should stand.",
            reason="wrong_shape",
        )
    try:
        return float(value)
    except OverflowError:
        raise BackendInvalidResponse(
            "The server answered a number that is too large to be a price.", reason="wrong_shape"
        ) from None


class Inputs:
    """Speaks as the tutorial's FastAPI service does."""

    path = "/api/v1/predict"

    def encode(self, table: Table) -> object:
        """Write a list of objects under ``inputs``."""
        return {"inputs": table.records()}

    def decode(self, body: object) -> Reply:
        """Read predictions, and the refused houses where they are named."""
        found = objects_of(body, "predictions")
        numbers = [] if found["predictions"] is None else numbers_of(found["predictions"])
        refusals = _refusals(found.get("errors"))
        return Reply(numbers, refusals, error_text(found.get("version") or ""))

    def version(self, transport: JsonTransport) -> str:
        """Ask for the version of the model."""
        told = objects_of(transport.get_json("/api/v1/health"), "model_version")
        return error_text(told["model_version"] or "")


def _refusals(errors: object) -> dict[int, str]:
    """By row, of a list as pydantic writes it: ``{"loc": ["inputs", row, field], "msg": ...}``."""
    told: defaultdict[int, list[str]] = defaultdict(list)
    for error in errors if isinstance(errors, list) else []:
        match error:
            case {"loc": ["inputs", int(place), *field], "msg": said}:
                told[place].append(": ".join([*map(str, field), str(said)]))
    return {place: error_text("; ".join(said)) for place, said in told.items()}


class Mlflow:
    """Speaks to ``mlflow models serve`` and to services that host MLflow's models."""

    path = "/invocations"

    def encode(self, table: Table) -> object:
        """Write columns and rows apart, which names each column once."""
        return {"dataframe_split": {"columns": list(table.columns), "data": table.rows}}

    def decode(self, body: object) -> Reply:
        """Read one prediction a row."""
        found = objects_of(body, "predictions")
        return Reply(
            numbers_of(found["predictions"]), version=error_text(found.get("model_version") or "")
        )

    def version(self, transport: JsonTransport) -> str:  # noqa: ARG002 - the protocol has no such word
        """Say nothing: the protocol tells MLflow's version, not the model's."""
        return ""


_OUTPUT = "predict"


class OpenInference:
    """Speaks to MLServer, KServe, Triton and their kin.

    Parameters
    ----------
    model : str
        The model's name on that server.
    """

    def __init__(self, model: str) -> None:
        self._model_path = f"/v2/models/{quote(model, safe='')}"
        self.path = f"{self._model_path}/infer"

    def encode(self, table: Table) -> object:
        """Write a tensor a column; ``content_type`` makes MLServer put a table together again."""
        columns = zip(*table.rows, strict=True)
        inputs = [
            _tensor(name, kind, list(cells))
            for name, kind, cells in zip(table.columns, table.kinds, columns, strict=True)
        ]
        return {"parameters": {"content_type": "pd"}, "inputs": inputs}

    def decode(self, body: object) -> Reply:
        """Read the output «predict», or the only one."""
        found = objects_of(body, "outputs")
        outputs = found["outputs"]
        if not isinstance(outputs, list) or not all(isinstance(each, Mapping) for each in outputs):
            raise BackendInvalidResponse(
                "The server's outputs are no tensors.", reason="wrong_shape"
            )
        chosen = outputs if len(outputs) == 1 else [o for o in outputs if o.get("name") == _OUTPUT]
        if len(chosen) != 1:
            names = ", ".join(error_text(output.get("name")) for output in outputs)
            raise BackendInvalidResponse(
                f"The server has no output «{_OUTPUT}», only: {names[:200] or 'none'}.",
                reason="wrong_shape",
            )
        numbers = numbers_of(objects_of(chosen[0], "data")["data"])
        return Reply(numbers, version=error_text(found.get("model_version") or ""))

    def version(self, transport: JsonTransport) -> str:
        """Ask for the newest version of the model."""
        told = objects_of(transport.get_json(self._model_path), "name")
        versions = told.get("versions")
        return error_text(versions[-1]) if isinstance(versions, list) and versions else ""


def _tensor(name: str, kind: Kind, cells: list[Cell]) -> dict[str, Any]:
    tensor: dict[str, Any] = {"name": name, "shape": [len(cells)]}
    if kind == "text":
        return tensor | {
            "datatype": "BYTES",
            "parameters": {"content_type": "str"},
            "data": cells,
        }
    # A tensor of numbers holds no text, and one of whole numbers can't say «not known».
    numbers = [None if isinstance(cell, str) else cell for cell in cells]
    whole = kind == "whole" and None not in numbers
    return tensor | {"datatype": "INT64" if whole else "FP64", "data": numbers}


class Regression:
    """Speaks as the tutorial's Flask API does."""

    path = "/v1/predict/regression"

    def encode(self, table: Table) -> object:
        """Write a list of objects."""
        return table.records()

    def decode(self, body: object) -> Reply:
        """Read predictions, and the refused houses by their place."""
        found = objects_of(body, "predictions")
        errors = found.get("errors")
        refusals = {}
        if isinstance(errors, Mapping):
            refusals = {
                int(place): error_text(said)
                for place, said in errors.items()
                if str(place).isdecimal() and len(str(place)) < 10
            }
        numbers = [] if found["predictions"] is None else numbers_of(found["predictions"])
        return Reply(numbers, refusals, error_text(found.get("version") or ""))

    def version(self, transport: JsonTransport) -> str:
        """Ask for the version of the model."""
        told = objects_of(transport.get_json("/version"), "model_version")
        return error_text(told["model_version"] or "")


def codec_for(protocol: str, model: str) -> ProtocolCodec:
    """Find a protocol by its name in the settings.

    Parameters
    ----------
    protocol : {"regression", "inputs", "mlflow", "oip"}
    model : str
        The model's name on a server that holds several.
    """
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
