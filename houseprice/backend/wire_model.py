"""What goes over the network of the model behind the answers: its facts, versions and study."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Any, Self

from pydantic import AwareDatetime, Field, model_validator

from houseprice.backend.base import CAPABILITIES, Capability, KnownVersion
from houseprice.backend.wire import Number, Out
from houseprice.model.studying.study import Study

__all__ = ["ImportanceOut", "ModelOut", "StudyOut", "VersionOut", "capabilities_known"]


class ImportanceOut(Out):
    """How much one field matters, in % of the price and in money."""

    column: str
    label: str
    importance_pct: Number
    spread_pct: Number
    importance_money: Number
    spread_money: Number


class ModelOut(Out):
    """What stands behind the answers."""

    model_version: str
    package_version: str
    api_version: str
    market_name: str
    market_title: str
    contract_sha256: str
    as_of: date
    trained_at: AwareDatetime
    n_sales: int
    currency: str
    metrics: dict[str, Number]
    capabilities: list[str]
    max_rows: int = Field(description="Most houses in one request")
    card: dict[str, Any]
    card_markdown: str


class VersionOut(Out):
    """A version of the model whose study can be read."""

    model_version: str
    trained_at: AwareDatetime
    n_sales: int
    is_answering: bool
    metrics: dict[str, Number]

    def version(self) -> KnownVersion:
        """The same as the backend gives it."""
        return KnownVersion(**self.model_dump())


class StudyOut(Out):
    """What was worked out at training: each table as its columns, by name; see the docs."""

    held_out: dict[str, list[Any]]
    calibration: dict[str, list[Any]]
    contributions: dict[str, list[Any]]
    groups: dict[str, list[Any]]
    fewer: dict[str, list[Any]]
    chosen: dict[str, list[Any]]
    interactions: dict[str, list[Any]]

    @model_validator(mode="after")
    def _is_study(self) -> Self:
        Study.of_data(self.model_dump())
        return self

    def study(self) -> Study:
        """The same as the model has it."""
        return Study.of_data(self.model_dump())


def capabilities_known(names: Sequence[str]) -> frozenset[Capability]:
    """Those of a server's capabilities that this release knows."""
    return frozenset(name for name in CAPABILITIES if name in names)
