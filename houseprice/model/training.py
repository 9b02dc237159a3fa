"""Training: fit, measure, study, save and activate a model."""

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
from houseprice.model.gate import gate_metrics
from houseprice.model.importance import permutation_importance
from houseprice.model.report import build_report
from houseprice.model.store.artefact import GoldenRows, LoadedModel
from houseprice.model.store.store import ModelStore, Version
from houseprice.model.store.versions import create_store_folder, explain_write_errors
from houseprice.model.study import Study
from houseprice.model.valuation import ValuationModel
from houseprice.progress import Progress, subprogress

logger = logging.getLogger(__name__)

# Shares of the time of a training at which its parts are done, as measured on the first market.
_FITTED, _RANKED, _STUDIED = 0.25, 0.4, 0.98
# The same within the study.
_EXPLAINED, _GROUPED = 0.1, 0.7

_RESAMPLES = 200
"""Bootstrap samples for the intervals of the card: more would slow down every training."""


def train(
    market: Market, store: ModelStore, progress: Progress | None = None, random_state: int = 0
) -> Version:
    """Fit a model on all sales, measure it on held-out sales, save it and make it active.

    Parameters
    ----------
    market : Market
    store : ModelStore
    progress : callable, optional
        Called with the share done (0 to 1) and the current step.
    random_state : int

    Returns
    -------
    Version
        The active version.

    Raises
    ------
    ModelError
        If a model can't learn from these sales, or (a StoreError) can't be saved or could not be
        loaded for lack of a signature.
    """
    started = perf_counter()
    # Fail before the work if the model could not be saved or loaded.
    store.keys.check_can_sign()
    create_store_folder(store.folder)
    model = ValuationModel(market.contract, random_state=random_state)
    model.fit(market.houses, market.prices, progress=subprogress(progress, 0.0, _FITTED))
    evaluation = out_of_fold_evaluation(model, market.houses, market.prices)
    report = build_report(evaluation, market.houses, market.contract, _RESAMPLES, random_state)
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
    metrics = gate_metrics(report) | estimate_shared_errors(model, market)
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
    """Load the active model of a market, after training one if no usable model exists.

    If several processes need a model, one trains it and the others wait. A ModelError or StoreError
    if a model can't be trained, saved or loaded.
    """
    try:
        return _load_usable(market, store)
    except StoreError as error:
        logger.debug("no usable model: %s", error)
        _refuse_unsigned(store, error)
    create_store_folder(store.folder)
    report_progress = subprogress(progress, 0.0, 1.0)
    with ExitStack() as locked:
        with explain_write_errors(store.folder):
            locked.enter_context(
                file_lock(
                    store.folder / "training.lock",
                    waiting=lambda: report_progress(0.0, "Waiting for another training to end"),
                )
            )
        try:
            return _load_usable(market, store)
        except StoreError as error:
            logger.info("training a model because none is usable: %s", error)
        train(market, store, progress)
        return _load_usable(market, store)


def _refuse_unsigned(store: ModelStore, reason: StoreError) -> None:
    try:
        store.keys.check_can_sign()
    except StoreError as error:
        raise StoreError(f"{reason} {error}") from reason


def _load_usable(market: Market, store: ModelStore) -> LoadedModel:
    loaded = store.load(contract=market.contract)
    loaded.manifest.check_data(market)
    return loaded


def compute_study(
    model: ValuationModel,
    market: Market,
    importance: pd.DataFrame,
    progress: Progress | None = None,
) -> Study:
    """Compute the study of a model that was just fitted on the sales of a market.

    `importance` is the result of :func:`houseprice.model.importance.permutation_importance`.
    """
    subprogress(progress, 0.0, _EXPLAINED)(0.0, "Computing contributions and interactions")
    pairs = interactions(model, market.houses, list(importance["column"]))
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
        interactions=pairs,
    )


def _contributions(model: ValuationModel, market: Market) -> pd.DataFrame:
    """The mean absolute contribution of each field, relative to the typical house."""
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
