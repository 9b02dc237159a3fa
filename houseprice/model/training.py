"""From a market's sales to a model in the store that may be used.

The study of a model just fitted, with the wait told.
"""

from __future__ import annotations

import logging
from contextlib import ExitStack
from time import perf_counter

import numpy as np
import pandas as pd

from houseprice.errors import StoreError
from houseprice.files import file_lock
from houseprice.market.sales import Market, typical_house
from houseprice.model.aggregate import estimate_shared_errors
from houseprice.model.diagnostics import (
    accuracy_by_feature_count,
    calibration,
    group_ablation,
    held_out_predictions,
    interactions,
)
from houseprice.model.evaluation import out_of_fold_evaluation
from houseprice.model.explanation import Explainer
from houseprice.model.importance import permutation_importance
from houseprice.model.report import Report, build_report
from houseprice.model.store.artefact import GoldenRows
from houseprice.model.store.store import LoadedModel, ModelStore, Version
from houseprice.model.store.versions import create_store_folder, explain_write_errors
from houseprice.model.study import Study
from houseprice.model.valuation import ValuationModel
from houseprice.progress import Progress, subprogress

__all__ = ["compute_study", "ensure_model", "train"]

_EXPLAINED, _GROUPED = 0.1, 0.7
"""Shares of the time at which parts are done, as measured on the first market."""


def compute_study(
    model: ValuationModel,
    market: Market,
    importance: pd.DataFrame,
    progress: Progress | None = None,
) -> Study:
    """Work out the study of a model.

    Parameters
    ----------
    model : ValuationModel
        Just fitted on the sales of the market: it still has its folds.
    market : Market
    importance : DataFrame
        As :func:`houseprice.model.importance.permutation_importance` gives it.
    progress : callable, optional
    """
    subprogress(progress, 0.0, _EXPLAINED)(0.0, "Working out what moves values")
    paired = interactions(model, market.houses, list(importance["column"]))
    contributions = _contributions(model, market)
    groups = group_ablation(model, market, subprogress(progress, _EXPLAINED, _GROUPED))
    fewer, chosen = accuracy_by_feature_count(
        model, market, progress=subprogress(progress, _GROUPED, 1.0)
    )
    return Study(
        held_out=held_out_predictions(model, market),
        calibration=calibration(model, market),
        contributions=contributions,
        groups=groups,
        fewer=fewer,
        chosen=chosen,
        interactions=paired,
    )


def _contributions(model: ValuationModel, market: Market) -> pd.DataFrame:
    """Average how far each field moves the values of the sales from that of the typical house."""
    money = Explainer(model, typical_house(market)).contributions(market.houses)
    fields = model.contract.fields.values()
    table = pd.DataFrame(
        {
            "column": [field.column for field in fields],
            "label": [field.label for field in fields],
            "contribution": np.abs(money).mean(axis=0).round(2),
        }
    )
    return table.sort_values("contribution", ascending=False, kind="stable", ignore_index=True)


_FITTED = 0.25
_RANKED = 0.4
_STUDIED = 0.98
"""Shares of the time of a training at which its parts are done, as measured on the first market."""

_RESAMPLES = 200
"""Samples for the intervals of the card: a training should not wait for more."""

logger = logging.getLogger(__name__)


def train(
    market: Market, store: ModelStore, progress: Progress | None = None, random_state: int = 0
) -> Version:
    """Fit a model on all sales, measure it on sales held out, save it and make it active.

    Parameters
    ----------
    market : Market
    store : ModelStore
    progress : callable, optional
        Called with the share done (0 to 1) and what is being done, in words.
    random_state : int

    Raises
    ------
    ModelError
        If a model can't learn from these sales, or (a StoreError) can't be saved or would be
        refused for want of a signature.
    """
    started = perf_counter()
    # What can't be saved, or not be opened after it, is told before the work.
    store.keys.check_can_sign()
    create_store_folder(store.folder)
    model = ValuationModel(market.contract, random_state=random_state)
    model.fit(market.houses, market.prices, progress=subprogress(progress, 0.0, _FITTED))
    held_out = out_of_fold_evaluation(model, market.houses, market.prices)
    report = build_report(held_out, market.houses, market.contract, _RESAMPLES, random_state)
    importance = permutation_importance(
        model,
        market.houses,
        market.prices,
        random_state=random_state,
        progress=subprogress(progress, _FITTED, _RANKED),
    )
    study = compute_study(model, market, importance, subprogress(progress, _RANKED, _STUDIED))
    subprogress(progress, _STUDIED, 1.0)(0.0, "Saving the model")
    golden = GoldenRows.from_model(model, market)
    metrics = _metrics(report) | estimate_shared_errors(model, market)
    version = store.save(
        model, market, metrics, importance, report=report, golden=golden, study=study
    )
    store.activate(version.name)
    logger.info("trained %s in %.1f s", version.name, perf_counter() - started)
    subprogress(progress, _STUDIED, 1.0)(1.0, "Done")
    return Version(version.name, active=True, manifest=version.manifest)


def ensure_model(
    market: Market, store: ModelStore, progress: Progress | None = None
) -> LoadedModel:
    """Load the active model of a market, after training one if there is none that can be used.

    Of several processes that find none, one trains and the others wait for it.

    Raises
    ------
    ModelError
        If a model can't be trained, or (a StoreError) can't be saved; also if there is none that
        can be used, and one that is trained here would be refused for want of a signature.
    """
    tell = subprogress(progress, 0.0, 1.0)
    try:
        return _usable(market, store)
    except StoreError as error:
        logger.debug("no usable model: %s", error)
        _refuse_unsigned(store, error)
    create_store_folder(store.folder)
    with ExitStack() as locked:
        with explain_write_errors(store.folder):
            locked.enter_context(
                file_lock(
                    store.folder / "training.lock",
                    waiting=lambda: tell(0.0, "Waiting for another training of the model to end"),
                )
            )
        try:
            return _usable(market, store)
        except StoreError as error:
            logger.info("training a model, for there is none to use: %s", error)
        train(market, store, progress)
        return _usable(market, store)


def _refuse_unsigned(store: ModelStore, reason: StoreError) -> None:
    try:
        store.keys.check_can_sign()
    except StoreError as error:
        raise StoreError(f"{reason} {error}") from reason


def _usable(market: Market, store: ModelStore) -> LoadedModel:
    loaded = store.load(contract=market.contract)
    loaded.manifest.check_data(market)
    return loaded


def _metrics(report: Report) -> dict[str, float]:
    """The metrics of the report with the figures of its ratio study."""
    figures = zip(report.equity["figure"], report.equity["value"], strict=True)
    return {**{str(name): float(value) for name, value in figures}, **report.metrics}
