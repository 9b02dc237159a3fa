"""The quality gate: metrics against the limits of the contract, challenger against champion.

The champion is the stored version in use; the challenger is the model that this code trains on
these sales. Both are compared on held-out values of the same sales.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from math import isfinite, sqrt
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from houseprice.errors import MarketError, StoreError
from houseprice.market.contract import CONTRACT_FILE, Contract
from houseprice.market.metadata import Gate, Limit
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

ALL_SALES = "All sales"

_RESAMPLES = 2000
_QUANTILES = (0.025, 0.975)


@dataclass(frozen=True)
class LimitCheck:
    """A limit of the gate, the value of its metric, and whether the value is within the limit."""

    metric: str
    limit: Limit
    value: float
    passed: bool

    def to_dict(self) -> dict[str, Any]:
        """Return the check as plain data for JSON."""
        return {
            "figure": self.metric,
            "at_least": self.limit.at_least,
            "at_most": self.limit.at_most,
            "found": self.value if isfinite(self.value) else None,
            "held": self.passed,
        }


@dataclass(frozen=True)
class ChampionComparison:
    """The mean absolute error of the challenger less that of the champion.

    `difference` is a share of the price, with the 95 % interval from `low` to `high`; above 0 the
    champion is more accurate. `worse_by` is the accepted difference. `note` says why there is no
    comparison, or what limits it. `version` is None without a champion.
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
        """Whether the challenger is not significantly worse than accepted."""
        return self.low is None or self.low <= self.worse_by


@dataclass(frozen=True)
class GateResult:
    """The result of the gate: a check per limit, and the comparison with the champion."""

    conditions: tuple[LimitCheck, ...]
    comparison: ChampionComparison

    @property
    def passed(self) -> bool:
        """Whether all limits and the comparison are passed."""
        return self.comparison.passed and all(check.passed for check in self.conditions)

    def to_dict(self) -> dict[str, Any]:
        """Return the result as plain data for JSON."""
        return {
            "held": self.passed,
            "conditions": [check.to_dict() for check in self.conditions],
            "version_in_use": {**asdict(self.comparison), "held": self.comparison.passed},
        }


# Limits


def check_gate(contract: Contract, folder: Path) -> None:
    """Raise a MarketError if the gate of a contract limits a metric that no evaluation has."""
    unknown = unknown_metrics(contract.gate) if contract.gate else []
    if unknown:
        raise MarketError(
            folder / CONTRACT_FILE,
            f"gate.limits.{unknown[0]}",
            "is not a metric of the evaluation; houseprice evaluate --json lists the metrics",
        )


def limits_of(contract: Contract, report: Report) -> Mapping[str, Limit]:
    """Return the limits of the contract; without a gate, what any market can be held to.

    The errors must not exceed those of the best baseline on the same held-out sales. The coverage
    of the 90 % interval is within 2 percentage points, or within 3 of its standard errors.
    """
    if contract.gate is not None:
        return contract.gate.limits
    slack = max(0.02, 3.0 * sqrt(0.9 * 0.1 / report.n_sales))
    limits = {
        name: Limit(at_most=min(metrics[name] for metrics in report.baselines.values()))
        for name in ("rmsle", "median_ape")
    }
    limits["coverage_90"] = Limit(at_least=0.9 - slack, at_most=min(1.0, 0.9 + slack))
    return limits


def unknown_metrics(gate: Gate) -> list[str]:
    """Return the limited metrics that no evaluation has."""
    one = [1.0]
    intervals = [name for level in LEVELS for name in interval_metrics(one, one, one, one, level)]
    known = {*point_metrics(one, one), *intervals, *STATISTICS}
    return [name for name in gate.limits if name not in known]


def gate_metrics(report: Report) -> dict[str, float]:
    """Return what a gate can limit: the metrics of a report and the statistics of its study."""
    study = zip(report.equity["figure"], report.equity["value"], strict=True)
    return {**{str(name): float(value) for name, value in study}, **report.metrics}


def check_limits(limits: Mapping[str, Limit], metrics: Mapping[str, float]) -> list[LimitCheck]:
    """Check metrics against limits, in their order; NaN (too few sales) fails."""
    return [
        LimitCheck(name, limit, metrics[name], limit.contains(metrics[name]))
        for name, limit in limits.items()
    ]


# Versions


@dataclass(frozen=True)
class VersionComparison:
    """The absolute errors of one version less those of another.

    ``sales`` has id, price, first_error, second_error (shares of the price) and difference (below 0
    the first is more accurate). ``groups``, all sales and then quintiles of the price, has group,
    sales, difference (mean), low, high (95 % bootstrap interval of the mean) and closer (share of
    the sales where the first is more accurate).
    """

    sales: pd.DataFrame
    groups: pd.DataFrame


def incomparable_reason(first: pd.DataFrame, second: pd.DataFrame) -> str:
    """Say why two tables of held-out values can't be compared; "" if they can.

    Errors are only comparable if both models learned from the same other sales.
    """
    if first.empty or second.empty:
        return "One of them was saved without held-out values."
    both = first.merge(second, on="id", suffixes=("", "_second"))
    if len(both) != len(first) or len(both) != len(second):
        return "They were not measured on the same sales."
    if not np.allclose(both["price"], both["price_second"]):
        return "The prices of the sales have changed between them."
    # Folds are equal if they split the sales alike, whatever their numbers are.
    pairs = both[["fold", "fold_second"]].drop_duplicates()
    if pairs["fold"].duplicated().any() or pairs["fold_second"].duplicated().any():
        return "The sales were held out in other folds."
    return ""


def common_sales(first: pd.DataFrame, second: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the rows of two tables of held-out values with an equal id and price in both.

    If sales were added or removed between two versions, the folds differ. Every value is held out
    nevertheless, so that the difference adds noise but no bias.
    """
    both = first.merge(second, on="id", suffixes=("", "_second"))
    same = both.loc[np.isclose(both["price"], both["price_second"]), "id"]
    return first[first["id"].isin(same)], second[second["id"].isin(same)]


def compare_versions(first: pd.DataFrame, second: pd.DataFrame, symbol: str) -> VersionComparison:
    """Compare two tables of held-out values (``Study.held_out``) of the same sales."""
    both = first.merge(second, on="id", suffixes=("", "_second"))
    price = both["price"]
    first_error, second_error = (
        (both[name] - price).abs() / price for name in ("predicted_price", "predicted_price_second")
    )
    difference = (first_error - second_error).rename("difference")
    sales = pd.DataFrame(
        {
            "id": both["id"],
            "price": price,
            "first_error": first_error,
            "second_error": second_error,
            "difference": difference,
        }
    )
    random = np.random.default_rng(0)
    quintiles = difference.groupby(price_quintiles(price, symbol), observed=True)
    groups = [(ALL_SALES, difference), *((str(label), part) for label, part in quintiles)]
    rows = [
        (label, len(part), part.mean(), *_interval(part.to_numpy(), random), (part < 0).mean())
        for label, part in groups
    ]
    columns = ["group", "sales", "difference", "low", "high", "closer"]
    return VersionComparison(sales, pd.DataFrame(rows, columns=columns))


def _interval(values: NDArray[np.float64], random: np.random.Generator) -> tuple[float, float]:
    """The percentile bootstrap interval of the mean (Efron and Tibshirani 1993, section 13.3)."""
    counts = random.multinomial(len(values), np.full(len(values), 1 / len(values)), _RESAMPLES)
    low, high = np.quantile(counts @ values / len(values), _QUANTILES)
    return float(low), float(high)


# Champion and challenger


@dataclass(frozen=True)
class Champion:
    """A stored version with its held-out values, or a note why there is none to compare with."""

    version: str | None
    held_out: pd.DataFrame | None
    note: str = ""
    requested: bool = False


def find_champion(market: Market, store: ModelStore, against: str | None) -> Champion:
    """Choose the version to compare with and read its held-out values.

    By default that is the version in use; if this code and these sales made it, the version that
    was in use before. A StoreError if a version that the caller requested can't be compared.
    """
    version = against or _last_different_version(market, store)
    if version is None:
        return Champion(None, None, "No other version was in use")
    try:
        held_out = _held_out_values(store, version)
    except StoreError as error:
        if against is not None:
            raise
        # The rest of the message says to train again, which is not what the user is doing here.
        reason, *_ = str(error).split(". ")
        return Champion(version, None, f"It can't be compared with: {reason}".rstrip("."))
    return Champion(version, held_out, requested=against is not None)


def compare_with_champion(
    market: Market, champion: Champion, seed: int, progress: Progress
) -> ChampionComparison:
    """Fit the challenger as in a training, and compare its held-out values with the champion's.

    A StoreError if the caller requested the version and it shares too few sales with the market.
    """
    model = ValuationModel(market.contract, random_state=seed)
    if champion.held_out is not None:
        model.fit(market.houses, market.prices, progress=progress)
    return compare_fitted(market, champion, model)


def compare_fitted(market: Market, champion: Champion, model: ValuationModel) -> ChampionComparison:
    """Compare the held-out values of a model that was just fitted with the champion's.

    A StoreError as :func:`compare_with_champion`.
    """
    gate = market.contract.gate
    worse_by = 0.0 if gate is None else gate.worse_by
    if champion.held_out is None:
        return ChampionComparison(champion.version, worse_by, champion.note)
    challenger = held_out_predictions(model, market)
    common = common_sales(challenger, champion.held_out)
    n_sales = len(common[0])
    if n_sales < MIN_GROUP_SIZE:
        note = f"It shares {n_sales:,} of these sales at their prices, too few to compare"
        if champion.requested:
            raise StoreError(f"{champion.version} can't be compared with. {note}.")
        return ChampionComparison(champion.version, worse_by, note, n_sales)
    overall = compare_versions(*common, market.contract.market.price.symbol).groups.iloc[0]
    difference, low, high = (float(overall[name]) for name in ("difference", "low", "high"))
    note = incomparable_reason(challenger, champion.held_out).rstrip(".")
    return ChampionComparison(champion.version, worse_by, note, n_sales, difference, low, high)


def _held_out_values(store: ModelStore, version: str) -> pd.DataFrame:
    held_out = store.study(version).held_out
    if held_out.empty:
        raise StoreError(f"Model version {version} was saved without held-out values.")
    return held_out


def _last_different_version(market: Market, store: ModelStore) -> str | None:
    """The version activated last that this code and these sales would not make again."""
    versions = {version.name: version for version in store.versions()}
    for name in reversed(store.activation_history(market.contract.market.name)):
        version = versions.get(name)
        if version is None:
            continue
        if version.error or version.manifest is None or not _is_made_of(version.manifest, market):
            return name
    return None


def _is_made_of(manifest: Manifest, market: Market) -> bool:
    try:
        manifest.check_contract(market.contract)
        manifest.check_data(market)
    except StoreError:
        return False
    return True
