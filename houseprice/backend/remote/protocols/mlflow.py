"""MLflow's scoring server: a table to ``/invocations``."""

from __future__ import annotations

from houseprice.backend.remote.protocols.reply import (
    JsonTransport,
    Reply,
    Table,
    numbers_of,
    objects_of,
    words_of,
)

__all__ = ["Mlflow"]


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
            numbers_of(found["predictions"]), version=words_of(found.get("model_version") or "")
        )

    def version(self, transport: JsonTransport) -> str:  # noqa: ARG002 - the protocol has no such word
        """Say nothing: the protocol tells MLflow's version, not the model's."""
        return ""
