"""One version of the model as it answers, from when it is opened until the next one takes over."""

from __future__ import annotations

from dataclasses import dataclass

from houseprice.backend.base import About
from houseprice.backend.local import LocalBackend
from houseprice.market.sales import Market
from houseprice.model.storing.store import LoadedModel, ModelStore
from houseprice.model.training import ensure

__all__ = ["Serving", "open_active", "train_and_open"]


@dataclass(frozen=True, eq=False)
class Serving:
    """A model that is open, and what answers with it.

    Attributes
    ----------
    backend : LocalBackend
    about : About
    loaded : LoadedModel
    """

    backend: LocalBackend
    about: About
    loaded: LoadedModel

    @property
    def version(self) -> str:
        """The name of the version."""
        return self.loaded.manifest.model_version

    def prove(self) -> None:
        """Value the golden rows again.

        Raises
        ------
        StoreError
            If they come out otherwise than when the model was saved.
        """
        self.loaded.golden.check(self.loaded.model, self.version)


def open_active(market: Market, store: ModelStore) -> Serving:
    """Open the active version of a market, once checksums and golden rows agree.

    Raises
    ------
    StoreError
        If there is none, or it can't be used.
    """
    loaded = store.load(contract=market.contract)
    loaded.manifest.check_data(market)
    return _opened(loaded, market, store)


def train_and_open(market: Market, store: ModelStore) -> Serving:
    """Open the active version, after training one if there is none that can be used.

    Raises
    ------
    ModelError
    """
    return _opened(ensure(market, store), market, store)


def _opened(loaded: LoadedModel, market: Market, store: ModelStore) -> Serving:
    backend = LocalBackend(loaded, market, store)
    if loaded.golden.rows:
        # What is learned at the first question should not keep the first client waiting.
        backend.value(loaded.golden.frame, evidence=True)
    return Serving(backend, backend.about(), loaded)
