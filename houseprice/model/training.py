"""Training: fit, measure, save and activate a model, then study it.

Apps and services first train a preliminary model on a sample of the sales, within seconds. The
model of all sales and its study follow in another process: :func:`start_finishing`.
"""

from __future__ import annotations

import logging
import subprocess
import threading
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import replace
from time import perf_counter

import numpy as np
import pandas as pd
from sklearn.base import clone

from houseprice.errors import StoreError
from houseprice.files import file_lock
from houseprice.market.sales import Market, typical_house
from houseprice.model.aggregate import estimate_shared_errors, own_error_ratio
from houseprice.model.diagnostics import (
    accuracy_by_feature_count,
    calibration,
    costly_signs,
    group_ablation,
    held_out_predictions,
    interactions,
)
from houseprice.model.evaluation import out_of_fold_evaluation
from houseprice.model.explanation import Explainer
from houseprice.model.gate import gate_metrics
from houseprice.model.importance import permutation_importance
from houseprice.model.report import Report, build_report
from houseprice.model.store.artefact import GoldenRows, LoadedModel
from houseprice.model.store.store import ModelStore, Version
from houseprice.model.store.versions import check_room, create_store_folder, explain_write_errors
from houseprice.model.study import NO_STUDY, Study
from houseprice.model.valuation import ValuationModel
from houseprice.programs import ONE_THREAD, start_python
from houseprice.progress import Progress, subprogress

logger = logging.getLogger(__name__)

PRELIMINARY_SALES, PRELIMINARY_FOLDS = 500, 5
"""The sample and the folds of a preliminary model, which needs at least twice as many sales."""

MAX_STUDY_SALES = 3_000
"""Sales that a study uses at most: it fits dozens of models, whatever the size of the market."""

# Shares of the time of a training at which its parts are done, as measured on the first market.
_FITTED, _RANKED = 0.8, 0.9
# The same of its study, and of a training with its study.
_REFITTED, _STUDIED, _TRAINED = 0.1, 0.9, 0.25
# The same within the tables of the study.
_EXPLAINED, _GROUPED = 0.1, 0.7

_finishing: list[tuple[Market, ModelStore]] = []
"""The markets whose training another process finishes (the first) or will finish."""
_finishing_lock = threading.Lock()

_RESAMPLES = 200
"""Bootstrap samples for the intervals of the card: more would slow down every training."""


def train(
    market: Market,
    store: ModelStore,
    progress: Progress | None = None,
    random_state: int = 0,
    *,
    study: bool = False,
    learners: tuple[str, ...] = (),
) -> Version:
    """Fit a model on all sales, measure it on held-out sales, save it and make it active.

    Parameters
    ----------
    market : Market
    store : ModelStore
    progress : callable, optional
        Called with the share done (0 to 1) and the current step.
    random_state : int
    study : bool
        Compute the study, too, once the version is active.
    learners : tuple of str
        Regressors of one's own that take part as members of the blend
        (:func:`houseprice.model.selection.make_learner`).

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
    share = _TRAINED if study else 1.0
    version, model = _train(
        market, store, subprogress(progress, 0.0, share), random_state, learners=learners
    )
    if study:
        add_study(market, store, version.name, model, subprogress(progress, share, 1.0))
    return version


def train_challenger(
    market: Market, store: ModelStore, progress: Progress | None = None, random_state: int = 0
) -> tuple[Version, ValuationModel]:
    """Train and save a version as :func:`train` does, but leave the active one active.

    The model that is returned still has its folds.
    """
    report = subprogress(progress, 0.0, 1.0)
    return _train(market, store, report, random_state, activate=False)


def out_of_fold_report(model: ValuationModel, market: Market, random_state: int = 0) -> Report:
    """Return the report of a model that was just fitted, on the folds of its own fit."""
    evaluation = out_of_fold_evaluation(model, market.houses, market.prices)
    return build_report(evaluation, market.houses, market.contract, _RESAMPLES, random_state)


def _train(
    market: Market,
    store: ModelStore,
    progress: Progress,
    random_state: int = 0,
    *,
    preliminary: bool = False,
    learners: tuple[str, ...] = (),
    activate: bool = True,
) -> tuple[Version, ValuationModel]:
    """Train without the study, and return the model, too, which still has its folds."""
    started = perf_counter()
    # Fail before the work if the model could not be saved or loaded.
    store.keys.check_can_sign()
    create_store_folder(store.folder)
    check_room(store.folder)
    model = ValuationModel(market.contract, random_state=random_state, learners=learners)
    if preliminary:
        market = sample_of(market, PRELIMINARY_SALES)
        model.set_params(n_folds=PRELIMINARY_FOLDS, is_tuned=False)
    model.fit(market.houses, market.prices, progress=subprogress(progress, 0.0, _FITTED))
    importance = permutation_importance(
        model,
        market.houses,
        market.prices,
        n_repeats=1 if preliminary else 2,
        max_sales=len(market.houses) // 2 if preliminary else MAX_STUDY_SALES,
        random_state=random_state,
        progress=subprogress(progress, _FITTED, _RANKED),
    )
    for sentence in [] if preliminary else costly_signs(model, market):
        logger.warning(sentence)
    progress(_RANKED, "Measuring the accuracy")
    report = out_of_fold_report(model, market, random_state)
    version = store.save(
        model,
        market,
        gate_metrics(report) | {"own_error_ratio": own_error_ratio(model, market)},
        importance,
        report=report,
        golden=GoldenRows.from_model(model, market),
        study=held_out_study(model, market),
        preliminary=preliminary,
    )
    if activate:
        store.activate(version.name)
    logger.info("trained %s in %.1f s", version.name, perf_counter() - started)
    progress(1.0, "The model is active" if activate else "The model is saved")
    return replace(version, active=activate), model


def ensure_model(
    market: Market,
    store: ModelStore,
    progress: Progress | None = None,
    *,
    preliminary: bool = False,
    on_trained: Callable[[], None] | None = None,
) -> LoadedModel:
    """Load the active model of a market, after training one if no usable model exists.

    A ``preliminary`` one will do where :func:`start_finishing` follows. ``on_trained`` is called
    after this process has trained one. If several processes need a model, one trains it and the
    others wait. A ModelError or StoreError if a model can't be
    trained, saved or loaded.
    """
    try:
        return _load_usable(market, store, preliminary)
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
            return _load_usable(market, store, preliminary)
        except StoreError as error:
            logger.info("training a model because none is usable: %s", error)
        preliminary = preliminary and len(market.houses) > 2 * PRELIMINARY_SALES
        _train(market, store, report_progress, preliminary=preliminary)
        if on_trained is not None:
            on_trained()
        return _load_usable(market, store, preliminary)


def _refuse_unsigned(store: ModelStore, reason: StoreError) -> None:
    try:
        store.keys.check_can_sign()
    except StoreError as error:
        raise StoreError(f"{reason} {error}") from reason


def _load_usable(market: Market, store: ModelStore, preliminary: bool) -> LoadedModel:
    loaded = store.load(contract=market.contract)
    loaded.manifest.check_data(market)
    if loaded.manifest.preliminary and not preliminary:
        raise StoreError(f"{loaded.manifest.model_version} is a preliminary model.")
    return loaded


def add_study(
    market: Market,
    store: ModelStore,
    version: str | None = None,
    model: ValuationModel | None = None,
    progress: Progress | None = None,
) -> bool:
    """Compute the study of a version, by default the active one, and add it to the version.

    `model` is that of the version, if it was just fitted. Returns False if the study is there
    already, or another process computes it. Raises StoreError if the version was trained on other
    sales, or can't be loaded or added to.
    """
    loaded = store.load(version, market.contract)
    loaded.manifest.check_data(market)
    name = loaded.manifest.model_version
    store.check_can_add(name)
    with store.computing_study(name) as published:
        if published is None or store.study(name).is_complete:
            return False
        report = _to_both(published, progress)
        sample = sample_of(market, MAX_STUDY_SALES)
        if model is None or sample is not market:
            fitting = subprogress(report, 0.0, _REFITTED)
            model = clone(loaded.model).fit(sample.houses, sample.prices, progress=fitting)
        study = complete_study(
            loaded.study,
            model,
            sample,
            list(loaded.importance["column"]),
            subprogress(report, _REFITTED, _STUDIED),
        )
        report(_STUDIED, "Measuring the errors that houses share")
        store.add_study(name, study, estimate_shared_errors(loaded.model, sample))
    return True


def finish_training(market: Market, store: ModelStore, progress: Progress | None = None) -> bool:
    """Replace a preliminary active model by one of all sales, and compute the missing study.

    Returns False if there is nothing to do, or another process does it.
    """
    loaded, model = _load_usable(market, store, preliminary=True), None
    name = loaded.manifest.model_version
    if loaded.manifest.preliminary:
        with store.computing_study(name) as published:
            # Another process may have done it while this one waited.
            if published is None or store.active(market.contract.market.name) != name:
                return False
            report = _to_both(published, subprogress(progress, 0.0, _TRAINED))
            version, model = _train(market, store, report, loaded.model.random_state)
            name = version.name
    return add_study(market, store, name, model, subprogress(progress, _TRAINED, 1.0))


def start_finishing(market: Market, store: ModelStore) -> subprocess.Popen[bytes] | None:
    """Finish the training of the active model in a process of low priority, if need be.

    One market at a time: the next one follows when the process ends, and None is returned.
    """
    version = store.active(market.contract.market.name)
    try:
        store.check_can_add(version or "")
        study = store.study(version or "")
    except StoreError as error:
        logger.debug("no study can be computed: %s", error)
        return None
    if study.is_complete or study.progress is not None:
        return None
    with _finishing_lock:
        if _finishing:
            _finishing.append((market, store))
            return None
        _finishing.append((market, store))
    process = start_python(
        ["-m", "houseprice", "models", "study", "--background"],
        {
            **ONE_THREAD,
            "HOUSEPRICE_MARKET": str(market.folder),
            "HOUSEPRICE_MODEL_DIR": str(store.folder),
        },
    )
    threading.Thread(target=_wait_for, args=(process,), name="study", daemon=True).start()
    return process


def _wait_for(process: subprocess.Popen[bytes]) -> None:
    process.wait()
    with process:  # closes its input, which must be open until then
        pass
    with _finishing_lock:
        _finishing.pop(0)
        following = _finishing.copy()
        _finishing.clear()
    for market, store in following:
        start_finishing(market, store)


def _to_both(first: Progress, second: Progress | None) -> Progress:
    def report(share: float, step: str) -> None:
        first(share, step)
        if second is not None:
            second(share, step)

    return report


def sample_of(market: Market, n_sales: int) -> Market:
    """Return a random sample of the sales of a market; the market itself if it has no more."""
    if len(market.houses) <= n_sales:
        return market
    chosen = np.random.default_rng(0).choice(len(market.houses), n_sales, replace=False)
    rows = np.sort(chosen)
    return replace(
        market,
        **{
            name: getattr(market, name).iloc[rows].reset_index(drop=True)
            for name in ("houses", "prices", "ids")
        },
    )


def held_out_study(model: ValuationModel, market: Market) -> Study:
    """Return the part of a study that a training computes: the held-out values of its sales."""
    return replace(
        NO_STUDY,
        held_out=held_out_predictions(model, market),
        calibration=calibration(model, market),
    )


def complete_study(
    study: Study,
    model: ValuationModel,
    market: Market,
    columns: Sequence[str],
    progress: Progress | None = None,
) -> Study:
    """Add the other tables, by a model that was just fitted on the sales of a market.

    `columns` are in the order of their importance.
    """
    subprogress(progress, 0.0, _EXPLAINED)(0.0, "Computing contributions and interactions")
    pairs = interactions(model, market.houses, columns)
    contributions = _contributions(model, market)
    groups = group_ablation(model, market, subprogress(progress, _EXPLAINED, _GROUPED))
    fewer, chosen = accuracy_by_feature_count(
        model, market, progress=subprogress(progress, _GROUPED, 1.0)
    )
    tables = ("contributions", "groups", "fewer", "interactions")
    return replace(
        study,
        contributions=contributions,
        groups=groups,
        fewer=fewer,
        chosen=chosen,
        interactions=pairs,
        samples=pd.DataFrame({"table": tables, "n_sales": float(len(market.houses))}),
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
