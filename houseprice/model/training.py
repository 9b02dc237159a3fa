"""From a market's sales to a model in the store that may be used."""

from __future__ import annotations

import logging
from contextlib import ExitStack
from time import perf_counter

from houseprice.durable import exclusive
from houseprice.errors import StoreError
from houseprice.market.sales import Market
from houseprice.model.measuring.evaluation import out_of_fold_evaluation
from houseprice.model.measuring.importance import permutation_importance
from houseprice.model.measuring.report import Report, report_on
from houseprice.model.measuring.shared_errors import shared_errors
from houseprice.model.progress import Progress, part_of
from houseprice.model.storing.folders import make_folder, writing
from houseprice.model.storing.golden import Golden
from houseprice.model.storing.store import LoadedModel, ModelStore, Version
from houseprice.model.studying.working_out import study_of
from houseprice.model.valuation import ValuationModel

__all__ = ["ensure", "train"]

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
    store.keys.check_may_train()
    make_folder(store.folder)
    model = ValuationModel(market.contract, random_state=random_state)
    model.fit(market.houses, market.prices, progress=part_of(progress, 0.0, _FITTED))
    held_out = out_of_fold_evaluation(model, market.houses, market.prices)
    report = report_on(held_out, market.houses, market.contract, _RESAMPLES, random_state)
    importance = permutation_importance(
        model,
        market.houses,
        market.prices,
        random_state=random_state,
        progress=part_of(progress, _FITTED, _RANKED),
    )
    study = study_of(model, market, importance, part_of(progress, _RANKED, _STUDIED))
    part_of(progress, _STUDIED, 1.0)(0.0, "Saving the model")
    golden = Golden.of(model, market)
    metrics = _metrics(report) | shared_errors(model, market)
    version = store.save(
        model, market, metrics, importance, report=report, golden=golden, study=study
    )
    store.activate(version.name)
    logger.info("trained %s in %.1f s", version.name, perf_counter() - started)
    part_of(progress, _STUDIED, 1.0)(1.0, "Done")
    return Version(version.name, active=True, manifest=version.manifest)


def ensure(market: Market, store: ModelStore, progress: Progress | None = None) -> LoadedModel:
    """Load the active model of a market, after training one if there is none that can be used.

    Of several processes that find none, one trains and the others wait for it.

    Raises
    ------
    ModelError
        If a model can't be trained, or (a StoreError) can't be saved; also if there is none that
        can be used, and one that is trained here would be refused for want of a signature.
    """
    tell = part_of(progress, 0.0, 1.0)
    try:
        return _usable(market, store)
    except StoreError as error:
        logger.debug("no usable model: %s", error)
        _refuse_unsigned(store, error)
    make_folder(store.folder)
    with ExitStack() as locked:
        with writing(store.folder):
            locked.enter_context(
                exclusive(
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
        store.keys.check_may_train()
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
