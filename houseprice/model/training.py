"""From a market's sales to a model in the store that may be used."""

from __future__ import annotations

import logging
from contextlib import ExitStack
from time import perf_counter

from houseprice.errors import StoreError
from houseprice.market.sales import Market
from houseprice.model.durable import exclusive
from houseprice.model.evaluation import out_of_fold_evaluation
from houseprice.model.folders import make_folder, writing
from houseprice.model.importance import permutation_importance
from houseprice.model.store import LoadedModel, ModelStore, Version
from houseprice.model.valuation import Progress, ValuationModel

__all__ = ["ensure", "train"]

_FITTED = 0.35
_RANKED = 0.97
"""Shares of the time of a training at which its parts are done, as measured on the first market."""

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
        If a model can't learn from these sales, or (a StoreError) can't be saved.
    """
    started = perf_counter()
    make_folder(
        store.folder
    )  # a folder that can't be written to is told before the work, not after it
    model = ValuationModel(market.contract, random_state=random_state)
    model.fit(market.houses, market.prices, progress=_part(progress, 0.0, _FITTED))
    metrics = out_of_fold_evaluation(model, market.houses, market.prices).metrics
    importance = permutation_importance(
        model,
        market.houses,
        market.prices,
        random_state=random_state,
        progress=_part(progress, _FITTED, _RANKED),
    )
    _part(progress, _RANKED, 1.0)(0.0, "Saving the model")
    version = store.save(model, market, metrics, importance)
    store.activate(version.name)
    logger.info("trained %s in %.1f s", version.name, perf_counter() - started)
    _part(progress, _RANKED, 1.0)(1.0, "Done")
    return Version(version.name, active=True, manifest=version.manifest)


def ensure(market: Market, store: ModelStore, progress: Progress | None = None) -> LoadedModel:
    """Load the active model of a market, after training one if there is none that can be used.

    Of several processes that find none, one trains and the others wait for it.

    Raises
    ------
    ModelError
        If a model can't be trained, or (a StoreError) can't be saved.
    """
    tell = _part(progress, 0.0, 1.0)
    try:
        return _usable(market, store)
    except StoreError as error:
        logger.debug("no usable model: %s", error)
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


def _usable(market: Market, store: ModelStore) -> LoadedModel:
    loaded = store.load(contract=market.contract)
    loaded.manifest.check_data(market)
    return loaded


def _part(progress: Progress | None, start: float, end: float) -> Progress:
    """Let a part of the work report its own share from 0 to 1."""

    def tell(share: float, words: str) -> None:
        if progress is not None:
            progress(start + share * (end - start), words)

    return tell
