"""The backend of a model in this process."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache, cached_property

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from houseprice.backend.base import (
    DEFAULT_INTERVAL,
    Backend,
    BackendInfo,
    ValuationResult,
    VersionInfo,
    chunks,
    report_valued,
    valuation_frame,
)
from houseprice.errors import InputError, ModelError
from houseprice.market.problems import Problem, renumbered
from houseprice.market.sales import Market, typical_house
from houseprice.market.validation import ValidationResult, problem_order, validate
from houseprice.model.card import Card
from houseprice.model.comparables import Comparables, adjust_prices
from houseprice.model.explanation import Explainer, Explanation
from houseprice.model.importance import partial_dependence
from houseprice.model.nearby import NearbySales
from houseprice.model.store.artefact import LoadedModel
from houseprice.model.store.store import ModelStore
from houseprice.model.study import Study
from houseprice.model.valuation import Assessment, ValuationModel
from houseprice.model.what_if import EffectUncertainty, ValueChange, ice_curve, what_if
from houseprice.progress import Progress

CHUNK_ROWS = 5_000
"""Rows valued at a time: enough for speed, few enough for constant memory."""

_RECENT_HOUSES = 64
_PRELIMINARY = (
    "These values are preliminary: the model learned from a sample of the sales. The model of all "
    "sales replaces it within minutes."
)


@dataclass(frozen=True)
class _CheckedRows:
    """Raw rows that were validated, and their assessment by the model if all are valid."""

    result: ValidationResult
    model: ValuationModel

    @cached_property
    def assessment(self) -> Assessment:
        return self.model.assess(self.result.houses)


class LocalBackend(Backend):
    """Values houses with a verified model from the store, and the sales it was trained on.

    The store, if given, provides other versions of the model.
    """

    def __init__(
        self, loaded: LoadedModel, market: Market, store: ModelStore | None = None
    ) -> None:
        self._loaded = loaded
        self._store = store
        self._model = loaded.model
        self._market = market
        self._contract = market.contract
        self._market_effect = cache(self._effect_curve)
        self._recent: dict[Hashable, _CheckedRows] = {}

    def info(self) -> BackendInfo:
        """Return which model answers, and how accurate it is."""
        manifest = self._current().manifest
        return BackendInfo(
            backend="this computer",
            model_version=manifest.model_version,
            package_version=manifest.package_version,
            market_title=self._contract.market.title,
            as_of=self._contract.market.as_of,
            trained_at=manifest.created_at,
            n_sales=manifest.rows,
            metrics=dict(manifest.metrics),
            remarks=(_PRELIMINARY,) if manifest.preliminary else (),
        )

    def value(
        self,
        rows: pd.DataFrame,
        *,
        interval: float = DEFAULT_INTERVAL,
        evidence: bool = False,
        progress: Progress | None = None,
    ) -> ValuationResult:
        """Validate and value raw rows."""
        house = self._check(rows)
        checked = house.result
        valid_rows = np.flatnonzero(checked.valid)
        parts: list[pd.DataFrame] = []
        unlike: list[Problem] = []
        for chunk in chunks(len(valid_rows), CHUNK_ROWS):
            positions = valid_rows[chunk]
            houses = checked.houses.iloc[positions]
            assessed = house.assessment if len(rows) == 1 else self._model.assess(houses)
            part = self._model.value(assessed, interval)
            unlike += renumbered(self._model.unlike_sales(assessed), positions.tolist())
            if evidence:
                part["comparables"] = self._comparable_ids(houses, self._ids(rows, positions))
                part["top_drivers"] = self._explainer.top_drivers(houses)
            parts.append(part)
            report_valued(progress, chunk.stop, len(valid_rows))
        values = parts[0] if len(parts) == 1 else pd.concat(parts) if parts else pd.DataFrame()
        version, now = self._loaded.manifest.model_version, datetime.now(UTC)
        problems = checked.problems
        if unlike:
            order = problem_order(self._contract.columns)
            problems = tuple(sorted([*problems, *unlike], key=order))
        frame = valuation_frame(checked.valid, problems, values, version, now)
        return ValuationResult(frame, problems, checked.facts_given)

    def explain(self, rows: pd.DataFrame) -> Explanation:
        """Explain the value of one house in money."""
        house = self._one(rows)
        nearby = self._nearby.of(house, self._ids(rows, np.array([0])))
        return self._explainer.explain(house, [nearby])[0]

    def comparables(self, rows: pd.DataFrame, k: int = 5) -> pd.DataFrame:
        """Return the k sales most similar to one house, with adjusted prices."""
        house = self._one(rows)
        own_ids = self._ids(rows, np.array([0]))
        sales = self._comparables.table(house.iloc[0], k, own_ids[0] if own_ids else None)
        sale_values = self._model.predict(self._market.houses.iloc[sales["row"]])
        return adjust_prices(sales, float(self._model.predict(house)[0]), sale_values)

    def what_if(self, before: pd.DataFrame, after: pd.DataFrame) -> ValueChange:
        """Return how the value changes between two states of one house."""
        old, new = self._one(before).iloc[0], self._one(after).iloc[0]
        changed = ~((old == new) | (old.isna() & new.isna()))
        changes = {str(column): float(value) for column, value in new[changed].items()}
        return what_if(self._model, old, changes, self._uncertainty)

    def effect(self, column: str, rows: pd.DataFrame | None = None) -> pd.DataFrame:
        """Return the price along the values of a field: market average, or for one house."""
        if rows is None:
            return self._market_effect(column).copy()
        house = self._one(rows).iloc[0]
        return ice_curve(self._model, house, column, self._market.houses, self._uncertainty)

    def next_facts(self, rows: pd.DataFrame, k: int = 5) -> pd.DataFrame:
        """Return the unknown fields of one house that would narrow its range most."""
        self._one(rows)
        return self._model.next_facts(self._check(rows).assessment, k)

    def importance(self) -> pd.DataFrame:
        """Return the permutation importance of each field on held-out sales."""
        return self._loaded.importance.copy()

    def card(self) -> Card:
        """Return the model card."""
        return self._loaded.card

    def versions(self) -> tuple[VersionInfo, ...]:
        """Return the model versions that have a study, newest first."""
        own = self._loaded.manifest
        stored = [version.manifest for version in self._store.versions()] if self._store else [own]
        return tuple(
            VersionInfo(
                manifest.model_version,
                manifest.created_at,
                manifest.rows,
                manifest.model_version == own.model_version,
                dict(manifest.metrics),
            )
            for manifest in reversed(stored)
            if manifest is not None and manifest.is_comparable(own)
        )

    def study(self, version: str | None = None) -> Study:
        """Return the diagnostics of a version, by default the one that answers."""
        if version is None or version == self._loaded.manifest.model_version:
            return self._current().study
        if version not in {each.model_version for each in self.versions()}:
            raise ModelError(f"There is no study of a model version {version[:80]!r}.")
        assert self._store is not None
        return self._store.study(version)

    def _current(self) -> LoadedModel:
        """Return the version with its study, which another process may have added meanwhile."""
        if self._store is not None and not self._loaded.study.is_complete:
            self._loaded = self._store.renew_study(self._loaded)
        return self._loaded

    @cached_property
    def _explainer(self) -> Explainer:
        return Explainer(self._model, typical_house(self._market))

    @cached_property
    def _nearby(self) -> NearbySales:
        return NearbySales(self._market)

    @cached_property
    def _comparables(self) -> Comparables:
        return Comparables(self._market, self._loaded.importance)

    @cached_property
    def _uncertainty(self) -> EffectUncertainty:
        houses, prices = self._market.houses, self._market.prices
        if self._loaded.manifest.preliminary:  # fitted on some of the sales
            fitted = self._market.ids.astype("str").isin(self._loaded.study.held_out["id"])
            houses, prices = houses[fitted], prices[fitted]
        return EffectUncertainty.from_sales(self._model, houses, prices)

    def _check(self, rows: pd.DataFrame) -> _CheckedRows:
        """Validate rows; a house that was just validated comes with what is known of it."""
        key = _house_key(rows)
        checked = None if key is None else self._recent.get(key)
        if checked is None:
            checked = _CheckedRows(validate(rows, self._contract, self._model.domain_), self._model)
            if key is not None:
                if len(self._recent) >= _RECENT_HOUSES:
                    self._recent.clear()
                self._recent[key] = checked
        return checked

    def _one(self, rows: pd.DataFrame) -> pd.DataFrame:
        """Validate one house; raises InputError if it can't be valued."""
        if len(rows) != 1:
            raise InputError(f"This is available for one house at a time, not for {len(rows)}.")
        checked = self._check(rows).result
        if not checked.valid[0]:
            errors = [p.sentence for p in checked.problems if p.severity == "error"]
            raise InputError(" ".join(errors))
        return checked.houses

    def _ids(self, rows: pd.DataFrame, positions: NDArray[np.intp]) -> list[str] | None:
        """Return the ids of some houses, which are not their own comparable sales."""
        column = self._contract.market.id
        if column not in rows.columns:
            return None
        return rows[column].iloc[positions].astype(str).tolist()

    def _comparable_ids(
        self, houses: pd.DataFrame, own_ids: list[str] | None
    ) -> list[tuple[str, ...]]:
        ids = self._market.ids.to_numpy()
        nearest = self._comparables.nearest(houses, ids=own_ids).rows
        return [tuple(ids[row] for row in rows if row >= 0) for rows in nearest]

    def _effect_curve(self, column: str) -> pd.DataFrame:
        return partial_dependence(self._model, self._market.houses, column)


def _house_key(rows: pd.DataFrame) -> Hashable | None:
    """Return what distinguishes a house of a form; None for several rows, or cells of other types.

    Equal cells of other types, such as 1 and True, can mean different things.
    """
    if len(rows) != 1:
        return None
    cells = rows.iloc[0].tolist()
    if not all(cell is None or type(cell) is str for cell in cells):
        return None
    return tuple(rows.columns), tuple(cells)
