"""The evaluation report: accuracy, intervals, confidence and equity, overall and by group."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from math import isfinite
from typing import Any

import numpy as np
import pandas as pd

from houseprice.formatting import money
from houseprice.market.contract import Contract
from houseprice.model.evaluation import Evaluation
from houseprice.model.metrics import coverage, mean_width, median_ape, share_within
from houseprice.model.ratio_study import MIN_GROUP_SIZE, ratio_study
from houseprice.model.valuation import CONFIDENCE_BANDS

Bands = tuple[tuple[str, float], ...]

MAX_LOCATIONS = 300
"""Locations of which a report has figures: those with the most sales."""

_FINE = (0.0, 75.0, 80.0, 85.0, 88.0, 90.0, 92.0, 94.0, 96.0)


@dataclass(frozen=True)
class Report:
    """Metrics overall and by group.

    Attributes
    ----------
    n_sales : int
    metrics : dict of str to float
        Of the model.
    baselines : dict of str to dict
        The same metrics of each baseline, by its name.
    bands, fine_bands : DataFrame, one row per confidence band
        band (its name or its limits), lower, upper, values (count), share, confidence (mean),
        median_ape, within_10, within_20, coverage_68, coverage_90.
    by_price, by_location : DataFrame, one row per group
        group, sales, coverage_90, width_90, median_ape, within_10. Groups are quintiles of the
        price, and the :data:`MAX_LOCATIONS` largest locations with at least
        :data:`~houseprice.model.ratio_study.MIN_GROUP_SIZE` sales, the lowest coverage first.
    equity, equity_by_price, equity_by_location : DataFrame
        Ratio studies (:func:`houseprice.model.ratio_study.ratio_study`).
    """

    n_sales: int
    metrics: dict[str, float]
    baselines: dict[str, dict[str, float]]
    bands: pd.DataFrame
    fine_bands: pd.DataFrame
    by_price: pd.DataFrame
    by_location: pd.DataFrame
    equity: pd.DataFrame
    equity_by_price: pd.DataFrame
    equity_by_location: pd.DataFrame

    def to_dict(self) -> dict[str, Any]:
        """Return the report as plain data for JSON."""
        return {
            "sales": self.n_sales,
            "metrics": finite_metrics(self.metrics),
            "baselines": {
                name: finite_metrics(metrics) for name, metrics in self.baselines.items()
            },
            "confidence_bands": to_records(self.bands),
            "fine_confidence_bands": to_records(self.fine_bands),
            "ranges_by_price": to_records(self.by_price),
            "ranges_by_location": to_records(self.by_location),
            "ratio_study": to_records(self.equity),
            "ratio_study_by_price": to_records(self.equity_by_price),
            "ratio_study_by_location": to_records(self.equity_by_location),
        }


def build_report(
    evaluation: Evaluation,
    houses: pd.DataFrame,
    contract: Contract,
    n_resamples: int = 1000,
    random_state: int = 0,
) -> Report:
    """Compute the report of an evaluation.

    `houses` are the clean houses whose positions are the evaluation's ``row``; `n_resamples` and
    `random_state` are those of the bootstrap intervals of the ratio studies.
    """
    values = evaluation.frame()
    estimates = values.pivot_table(index="repeat", columns="row", values="predicted_price")
    prices = values.groupby("row")["price"].first()
    quintiles = price_quintiles(prices, contract.market.price.symbol)
    location = contract.field_of("location")
    locations = pd.Series(dtype=object)
    if location is not None:
        areas = houses[location.column].iloc[prices.index]
        locations = pd.Series([location.format(area) for area in areas], index=prices.index)
        counts = locations.value_counts().head(MAX_LOCATIONS)
        locations = locations[locations.isin(counts.index[counts >= MIN_GROUP_SIZE])]
    by_location = _by_group(values, locations)

    def study(labels: pd.Series | None) -> pd.DataFrame:
        rows = prices.index if labels is None else labels.sort_values(kind="stable").index
        return ratio_study(
            prices.loc[rows],
            estimates[rows],
            None if labels is None else labels.loc[rows].astype(str),
            n_resamples=n_resamples,
            random_state=random_state,
        )

    equity = study(None)
    return Report(
        n_sales=len(prices),
        metrics=evaluation.metrics,
        baselines=evaluation.baselines,
        bands=_bands(values, CONFIDENCE_BANDS),
        fine_bands=_bands(values, _fine_bands()),
        by_price=_by_group(values, quintiles),
        by_location=by_location.sort_values("coverage_90", ignore_index=True, kind="stable"),
        equity=equity,
        equity_by_price=study(quintiles),
        equity_by_location=study(locations) if len(locations) else equity.head(0),
    )


def finite_metrics(metrics: Mapping[str, float]) -> dict[str, float | None]:
    """Replace metrics that are not finite by None, for JSON."""
    return {name: float(value) if isfinite(value) else None for name, value in metrics.items()}


def price_quintiles(prices: pd.Series, symbol: str) -> pd.Series:
    """Label each price by the lowest and the highest price of its quintile."""
    limits = np.quantile(prices, [0.2, 0.4, 0.6, 0.8])
    quintile = pd.Series(np.searchsorted(limits, prices, side="left"), index=prices.index)
    spans = prices.groupby(quintile).agg(["min", "max"])
    words = [f"{money(low, symbol)} to {money(high, symbol)}" for low, high in spans.to_numpy()]
    order = pd.CategoricalDtype(words, ordered=True)
    return quintile.map(dict(zip(spans.index, words, strict=True))).astype(order)


def _by_group(values: pd.DataFrame, labels: pd.Series) -> pd.DataFrame:
    """Compute accuracy and coverage of each group; `labels` by the position of the sale."""
    labelled = values[values["row"].isin(labels.index)]
    rows = []
    for label, part in labelled.groupby(labelled["row"].map(labels), observed=True):
        rows.append({"group": str(label), "sales": part["row"].nunique(), **_accuracy(part, (90,))})
    columns = ["group", "sales", "coverage_90", "width_90", "median_ape", "within_10"]
    return pd.DataFrame(rows, columns=columns)


def _bands(values: pd.DataFrame, bands: Bands) -> pd.DataFrame:
    """Compute accuracy and coverage of each confidence band."""
    half = (values["high_68"] - values["low_68"]) / 2.0
    confidence = 100.0 * np.clip(1.0 - half / values["predicted_price"], 0.0, 1.0)
    rows = []
    for (name, lower), (_, upper) in pairwise((*bands, ("", np.inf))):
        inside = (confidence >= lower) & (confidence < upper)
        part = values[inside]
        if len(part):
            row = {"band": name, "lower": lower, "upper": min(upper, 100.0), "values": len(part)}
            row |= {"share": len(part) / len(values), "confidence": confidence[inside].mean()}
            row |= _accuracy(part, (68, 90))
            rows.append(
                row | {"within_20": share_within(0.2)(part["price"], part["predicted_price"])}
            )
    columns = ["band", "lower", "upper", "values", "share", "confidence", "median_ape"]
    return pd.DataFrame(rows)[[*columns, "within_10", "within_20", "coverage_68", "coverage_90"]]


def _fine_bands() -> Bands:
    ends = [f"{low:.0f} to {high:.0f}" for low, high in pairwise(_FINE)]
    words = [f"below {_FINE[1]:.0f}", *ends[1:], f"{_FINE[-1]:.0f} or more"]
    return tuple(zip(words, _FINE, strict=True))


def _accuracy(part: pd.DataFrame, percents: tuple[int, ...]) -> dict[str, float]:
    price, estimate = part["price"], part["predicted_price"]
    metrics = {
        "median_ape": median_ape(price, estimate),
        "within_10": share_within(0.1)(price, estimate),
    }
    for percent in percents:
        low, high = part[f"low_{percent}"], part[f"high_{percent}"]
        metrics[f"coverage_{percent}"] = coverage(price, low, high)
        metrics[f"width_{percent}"] = mean_width(estimate, low, high)
    return metrics


def to_records(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """Return the rows of a frame as plain data for JSON."""
    plain = frame.astype(object).where(frame.notna(), None)
    return [{str(name): value for name, value in row.items()} for row in plain.to_dict("records")]
