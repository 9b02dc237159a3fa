"""Holding the model that the code at hand makes to its market's gate, and to the one in use."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from houseprice.errors import MarketError, StoreError
from houseprice.market.contract import CONTRACT_FILE
from houseprice.market.gate import Gate
from houseprice.market.sales import Market
from houseprice.model.judging.judgement import Beside
from houseprice.model.measuring.gate import unknown_figures
from houseprice.model.measuring.ratio_study import FEWEST
from houseprice.model.progress import Progress
from houseprice.model.storing.manifest import Manifest
from houseprice.model.storing.store import ModelStore
from houseprice.model.studying.held_out import held_out
from houseprice.model.studying.versus import hindrance, in_common, versus
from houseprice.model.valuation import ValuationModel

__all__ = ["Rival", "beside", "gate_of", "rival_of"]


@dataclass(frozen=True)
class Rival:
    """A stored version with its held-out values, or a note why it has none to compare with."""

    version: str | None
    held_out: pd.DataFrame | None
    note: str = ""
    demanded: bool = False


def gate_of(market: Market) -> Gate:
    """Return the gate of a market.

    Raises
    ------
    MarketError
        If its contract has none, or limits a figure that no evaluation has.
    """
    file, gate = market.folder / CONTRACT_FILE, market.contract.gate
    if gate is None:
        raise MarketError(
            file, "gate", "is not there. Say what a model has to reach: docs/training.md shows how"
        )
    unknown = unknown_figures(gate)
    if unknown:
        raise MarketError(
            file,
            f"gate.limits.{unknown[0]}",
            "no evaluation has this figure; houseprice evaluate --json names those that it has",
        )
    return gate


def rival_of(market: Market, store: ModelStore, against: str | None) -> Rival:
    """Choose the version to compare with, and read what it said of sales that it had not seen.

    Parameters
    ----------
    against : str or None
        The version; by default the one in use, or, where that is what this very code makes of these
        sales, the one that was in use before it.

    Raises
    ------
    StoreError
        If the version that was asked for can't be compared with.
    """
    version = against or _in_use(market, store)
    if version is None:
        return Rival(None, None, "No other version was in use")
    try:
        return Rival(version, _held_out(store, version), demanded=against is not None)
    except StoreError as error:
        if against is not None:
            raise
        reason, *_ = str(error).split(". ")  # what to do about it is not to train this one anew
        return Rival(version, None, f"It can't be compared with: {reason}".rstrip("."))


def beside(market: Market, rival: Rival, seed: int, progress: Progress) -> Beside:
    """Fit a model as a training would, and compare its held-out values with those of its rival.

    Raises
    ------
    StoreError
        If the version was asked for and shares too few sales with the market.
    """
    worse_by = gate_of(market).worse_by
    if rival.held_out is None:
        return Beside(rival.version, worse_by, rival.note)
    model = ValuationModel(market.contract, random_state=seed)
    model.fit(market.houses, market.prices, progress=progress)
    symbol = market.contract.market.price.symbol
    found = _compared(rival, worse_by, held_out(model, market), rival.held_out, symbol)
    if rival.demanded and found.difference is None:
        raise StoreError(f"{rival.version} can't be compared with. {found.note}.")
    return found


def _compared(
    rival: Rival, worse_by: float, ours: pd.DataFrame, theirs: pd.DataFrame, symbol: str
) -> Beside:
    both = in_common(ours, theirs)
    n_sales = len(both[0])
    if n_sales < FEWEST:
        note = f"It knows {n_sales:,} of these sales at their prices, too few to compare"
        return Beside(rival.version, worse_by, note, n_sales)
    found = versus(*both, symbol).groups.iloc[0]
    difference, low, high = (float(found[name]) for name in ("difference", "low", "high"))
    note = hindrance(ours, theirs).rstrip(".")
    return Beside(rival.version, worse_by, note, n_sales, difference, low, high)


def _in_use(market: Market, store: ModelStore) -> str | None:
    """The version activated last that this code and these sales would not make again."""
    manifests = {each.name: each for each in store.versions()}
    for name in reversed(store.activated(market.contract.market.name)):
        version = manifests.get(name)
        if version is not None and not (
            version.fault is None
            and version.manifest is not None
            and _is_of(version.manifest, market)
        ):
            return name
    return None


def _is_of(manifest: Manifest, market: Market) -> bool:
    try:
        manifest.check_contract(market.contract)
        manifest.check_data(market)
    except StoreError:
        return False
    return True


def _held_out(store: ModelStore, version: str) -> pd.DataFrame:
    found = store.study(version).held_out
    if found.empty:
        raise StoreError(
            f"Model version {version} was saved without the values of sales that it had not seen."
        )
    return found
