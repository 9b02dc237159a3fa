"""The tutorial's second API: ``{"inputs": [...]}`` to ``/api/v1/predict``.

Its servers refuse all houses when they refuse one, and leave out houses that lack a fact without a
word.
"""

from __future__ import annotations

from collections import defaultdict

from houseprice.backend.remote.protocols.reply import (
    JsonTransport,
    Reply,
    Table,
    numbers_of,
    objects_of,
    words_of,
)

__all__ = ["Inputs"]


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
        return Reply(numbers, refusals, words_of(found.get("version") or ""))

    def version(self, transport: JsonTransport) -> str:
        """Ask for the version of the model."""
        told = objects_of(transport.get_json("/api/v1/health"), "model_version")
        return words_of(told["model_version"] or "")


def _refusals(errors: object) -> dict[int, str]:
    """By row, of a list as pydantic writes it: ``{"loc": ["inputs", row, field], "msg": ...}``."""
    told: defaultdict[int, list[str]] = defaultdict(list)
    for error in errors if isinstance(errors, list) else []:
        match error:
            case {"loc": ["inputs", int(place), *field], "msg": said}:
                told[place].append(": ".join([*map(str, field), str(said)]))
    return {place: words_of("; ".join(said)) for place, said in told.items()}
