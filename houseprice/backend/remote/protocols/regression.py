"""The tutorial's first API: a list of houses at the root, to ``/v1/predict/regression``.

Its servers leave out the houses that they refuse, and name them in ``errors`` by their place; a
second check of theirs may leave out more without a word. The very first release answers for one
house alone, with a bare number.
"""

from __future__ import annotations

from collections.abc import Mapping

from houseprice.backend.remote.protocols.reply import (
    JsonTransport,
    Reply,
    Table,
    numbers_of,
    objects_of,
    words_of,
)

__all__ = ["Regression"]


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
                int(place): words_of(said)
                for place, said in errors.items()
                if str(place).isdecimal() and len(str(place)) < 10
            }
        numbers = [] if found["predictions"] is None else numbers_of(found["predictions"])
        return Reply(numbers, refusals, words_of(found.get("version") or ""))

    def version(self, transport: JsonTransport) -> str:
        """Ask for the version of the model."""
        told = objects_of(transport.get_json("/version"), "model_version")
        return words_of(told["model_version"] or "")
