"""Whether a model is good enough to go on: its figures held to the limits of its market.

What the gate says of a model.

Two versions of the model held against each other on the same sales.

Holding the model that the code at hand makes to its market's gate, and to the one in use.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from math import isfinite
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from houseprice.errors import MarketError, StoreError
from houseprice.market.contract import CONTRACT_FILE, Gate, Limit
from houseprice.market.sales import Market
from houseprice.model.diagnostics import held_out_predictions
from houseprice.model.evaluation import LEVELS
from houseprice.model.metrics import interval_metrics, point_metrics
from houseprice.model.ratio_study import MIN_GROUP_SIZE, STATISTICS
from houseprice.model.report import Report, price_quintiles
from houseprice.model.store.manifest import Manifest
from houseprice.model.store.store import ModelStore
from houseprice.model.valuation import ValuationModel
from houseprice.progress import Progress

__all__ = [
    "ALL_SALES",
    "Champion",
    "ChampionComparison",
    "GateResult",
    "LimitCheck",
    "VersionComparison",
    "check_limits",
    "common_sales",
    "compare_versions",
    "compare_with_champion",
    "find_champion",
    "gate_metrics",
    "incomparable_reason",
    "require_gate",
    "unknown_metrics",
]


@dataclass(frozen=True)
class LimitCheck:
    """One limit, what was found, and whether it holds."""

    metric: str
    limit: Limit
    value: float
    passed: bool

    def to_dict(self) -> dict[str, Any]:
        """Return the condition as JSON can hold it."""
        return {
            "figure": self.metric,
            "at_least": self.limit.at_least,
            "at_most": self.limit.at_most,
            "found": self.value if isfinite(self.value) else None,
            "held": self.passed,
        }


def unknown_metrics(gate: Gate) -> list[str]:
    """Return the figures that a gate limits and no evaluation has; to be asked before the work."""
    return [name for name in gate.limits if name not in _measured()]


def check_limits(gate: Gate, figures: Mapping[str, float]) -> list[LimitCheck]:
    """Hold figures (:func:`figures_of`) to the limits of a gate, in the order of the contract.

    A figure that is not a number, because there were too few sales for it, does not hold.
    """
    return [
        LimitCheck(name, limit, figures[name], limit.contains(figures[name]))
        for name, limit in gate.limits.items()
    ]


def gate_metrics(report: Report) -> dict[str, float]:
    """Return what a gate may limit: the metrics of the report and the figures of its study."""
    study = zip(report.equity["figure"], report.equity["value"], strict=True)
    return {**{str(name): float(value) for name, value in study}, **report.metrics}


def _measured() -> set[str]:
    """The names of all figures, found by measuring one sale."""
    one = [1.0]
    ranges = [name for level in LEVELS for name in interval_metrics(one, one, one, one, level)]
    return {*point_metrics(one, one), *ranges, *STATISTICS}


@dataclass(frozen=True)
class ChampionComparison:
    """How the model that the code makes now compares with a stored version, sale by sale.

    Attributes
    ----------
    version : str or None
        None where there is none to compare with.
    note : str
        Why it was not compared, or how the comparison is less than perfect; "" else.
    sales : int
    difference, low, high : float or None
        Mean absolute error less that of the version, as a share of the price, with the ends of its
        95 % interval; above 0 the version is closer.
    worse_by : float
        What the gate allows.
    """

    version: str | None
    worse_by: float
    note: str = ""
    sales: int = 0
    difference: float | None = None
    low: float | None = None
    high: float | None = None

    @property
    def passed(self) -> bool:
        """Whether it is not surely worse by more than is allowed."""
        return self.low is None or self.low <= self.worse_by


@dataclass(frozen=True)
class GateResult:
    """What the gate says: a condition a limit, and the comparison with the version in use."""

    conditions: tuple[LimitCheck, ...]
    comparison: ChampionComparison

    @property
    def passed(self) -> bool:
        """Whether the model may go on."""
        return self.comparison.passed and all(condition.passed for condition in self.conditions)

    def to_dict(self) -> dict[str, Any]:
        """Return the judgement as JSON can hold it."""
        return {
            "held": self.passed,
            "conditions": [condition.to_dict() for condition in self.conditions],
            "version_in_use": {**asdict(self.comparison), "held": self.comparison.passed},
        }


ALL_SALES = "All sales"
_RESAMPLES = 2000
_ENDS = (0.025, 0.975)


@dataclass(frozen=True)
class VersionComparison:
    """The absolute errors of one version less those of another, sale by sale.

    Attributes
    ----------
    sales : DataFrame, a row per sale
        id, price, first_error, second_error (absolute, shares of the price), difference (first
        less second; below 0 the first is closer).
    groups : DataFrame, a row per group, all sales first and then fifths of the price
        group, sales, difference (mean), low, high (95 % bootstrap interval of the mean), closer
        (share of sales where the first is closer).
    """

    sales: pd.DataFrame
    groups: pd.DataFrame


def incomparable_reason(first: pd.DataFrame, second: pd.DataFrame) -> str:
    """Say why two tables of held-out values can't be compared; "" where they can.

    A pair of errors is only fair where both models had learned from the same other sales.
    """
    if first.empty or second.empty:
        return "One of them has no held-out values: it was trained without its study."
    both = first.merge(second, on="id", suffixes=("", "_second"))
    if len(both) != len(first) or len(both) != len(second):
        return "They were not measured on the same sales."
    if not np.allclose(both["price"], both["price_second"]):
        return "The prices of the sales have changed between them."
    # Folds are the same if they part the sales alike, whatever their numbers are.
    pairs = both[["fold", "fold_second"]].drop_duplicates()
    if pairs["fold"].duplicated().any() or pairs["fold_second"].duplicated().any():
        return "The sales were held out in other folds."
    return ""


def common_sales(first: pd.DataFrame, second: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the rows of two tables of held-out values for the sales that both know as they are.

    That is by id and price. Where sales have come or gone between two versions, they were held out
    in other folds; both were still valued unseen, and what that adds is chance, not a lean.
    """
    known = first.merge(second, on="id", suffixes=("", "_second"))
    same = known.loc[np.isclose(known["price"], known["price_second"]), "id"]
    return first[first["id"].isin(same)], second[second["id"].isin(same)]


def compare_versions(first: pd.DataFrame, second: pd.DataFrame, symbol: str) -> VersionComparison:
    """Compare two versions that nothing hinders (:func:`hindrance`).

    Parameters
    ----------
    first, second : DataFrame
        As ``Study.held_out``.
    symbol : str
        Of the currency, to name the fifths of the price.
    """
    both = first.merge(second, on="id", suffixes=("", "_second"))
    price = both["price"]
    errors = [
        (both[name] - price).abs() / price for name in ("predicted_price", "predicted_price_second")
    ]
    sales = pd.DataFrame(
        {
            "id": both["id"],
            "price": price,
            "first_error": errors[0],
            "second_error": errors[1],
            "difference": errors[0] - errors[1],
        }
    )
    random = np.random.default_rng(0)
    parts = [(ALL_SALES, sales["difference"])]
    parts += [
        (str(label), part)
        for label, part in sales["difference"].groupby(
            price_quintiles(price, symbol), observed=True
        )
    ]
    rows = [
        (label, len(part), part.mean(), *_interval(part.to_numpy(), random), (part < 0).mean())
        for label, part in parts
    ]
    columns = ["group", "sales", "difference", "low", "high", "closer"]
    return VersionComparison(sales, pd.DataFrame(rows, columns=columns))


def _interval(values: NDArray[np.float64], random: np.random.Generator) -> tuple[float, float]:
    """The percentile bootstrap interval of the mean (Efron and Tibshirani 1993, section 13.3)."""
    counts = random.multinomial(len(values), np.full(len(values), 1 / len(values)), _RESAMPLES)
    low, high = np.quantile(counts @ values / len(values), _ENDS)
    return float(low), float(high)


@dataclass(frozen=True)
class Champion:
    """A stored version with its held-out values, or a note why it has none to compare with."""

    version: str | None
    held_out: pd.DataFrame | None
    note: str = ""
    requested: bool = False


def require_gate(market: Market) -> Gate:
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
    unknown = unknown_metrics(gate)
    if unknown:
        raise MarketError(
            file,
            f"gate.limits.{unknown[0]}",
            "no evaluation has this figure; houseprice evaluate --json names those that it has",
        )
    return gate


def find_champion(market: Market, store: ModelStore, against: str | None) -> Champion:
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
        return Champion(None, None, "No other version was in use")
    try:
        return Champion(version, _held_out(store, version), requested=against is not None)
    except StoreError as error:
        if against is not None:
            raise
        reason, *_ = str(error).split(". ")  # what to do about it is not to train this one anew
        return Champion(version, None, f"It can't be compared with: {reason}".rstrip("."))


def compare_with_champion(
    market: Market, rival: Champion, seed: int, progress: Progress
) -> ChampionComparison:
    """Fit a model as a training would, and compare its held-out values with those of its rival.

    Raises
    ------
    StoreError
        If the version was asked for and shares too few sales with the market.
    """
    worse_by = require_gate(market).worse_by
    if rival.held_out is None:
        return ChampionComparison(rival.version, worse_by, rival.note)
    model = ValuationModel(market.contract, random_state=seed)
    model.fit(market.houses, market.prices, progress=progress)
    symbol = market.contract.market.price.symbol
    found = _compared(rival, worse_by, held_out_predictions(model, market), rival.held_out, symbol)
    if rival.requested and found.difference is None:
        raise StoreError(f"{rival.version} can't be compared with. {found.note}.")
    return found


def _compared(
    rival: Champion, worse_by: float, ours: pd.DataFrame, theirs: pd.DataFrame, symbol: str
) -> ChampionComparison:
    both = common_sales(ours, theirs)
    n_sales = len(both[0])
    if n_sales < MIN_GROUP_SIZE:
        note = f"It knows {n_sales:,} of these sales at their prices, too few to compare"
        return ChampionComparison(rival.version, worse_by, note, n_sales)
    found = compare_versions(*both, symbol).groups.iloc[0]
    difference, low, high = (float(found[name]) for name in ("difference", "low", "high"))
    note = incomparable_reason(ours, theirs).rstrip(".")
    return ChampionComparison(rival.version, worse_by, note, n_sales, difference, low, high)


def _in_use(market: Market, store: ModelStore) -> str | None:
    """The version activated last that this code and these sales would not make again."""
    manifests = {each.name: each for each in store.versions()}
    for name in reversed(store.activation_history(market.contract.market.name)):
        version = manifests.get(name)
        if version is not None and not (
            version.error is None
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
