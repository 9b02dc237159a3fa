"""Values compared with the prices in the same table, by the metrics of an evaluation.

The values are those that the user received, from any backend. The intervals at the other levels of
the report are requested from it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from houseprice.backend.base import Backend
from houseprice.errors import BackendError, InputError
from houseprice.market.contract import Contract
from houseprice.market.sales import Market
from houseprice.market.validation import Domain
from houseprice.model.baselines import baseline_estimates
from houseprice.model.evaluation import LEVELS, Evaluation, EvaluationSet, evaluation_set
from houseprice.model.metrics import coverage, point_metrics
from houseprice.model.ratio_study import MIN_GROUP_SIZE, ratio_study
from houseprice.model.report import Report, build_report
from houseprice.model.standards import format_metric, metric_label
from houseprice.tables.scoring import ScoredTable
from houseprice.tables.table import Table

_FIGURES = (
    "median_ape", "mean_ape", "within_5", "within_10", "within_20", "bias", "mae", "rmsle",
)  # fmt: skip
_RESAMPLES = 200
_FEW_RESAMPLES, _MANY_HOUSES = 50, 20_000
"""With many houses, intervals are narrow and need fewer resamples."""


@dataclass(frozen=True)
class PriceComparison:
    """The accuracy of values, measured by the prices in their table.

    Rows have a value and a price (``compared``), or a value and no valid price. ``learned`` rows
    are training data of the model: they flatter. ``figures`` has figure, value and in_words;
    ``houses``, a row per compared one, has difference (value minus price), share_off (of the price)
    and inside (whether the interval covers the price). ``equity``, the ratio study, is empty for
    few houses; ``report`` is None for few houses or without intervals.
    """

    compared: int
    without_price: int
    learned: int
    sentences: tuple[str, ...]
    figures: pd.DataFrame
    houses: pd.DataFrame
    equity: pd.DataFrame
    report: Report | None


def compare_prices(
    table: Table, scored: ScoredTable, market: Market, backend: Backend
) -> PriceComparison | None:
    """Compare the values of a table with the prices in it.

    ``backend`` gave the values, and gives intervals at other levels too. Returns None if the
    table has no column of prices, or no row with a value and a price.

    Raises BackendError if the backend can't answer.
    """
    try:
        domain = Domain.fit(market.houses, market.contract)
        priced = evaluation_set(table.rows, market, domain, table.problems)
    except InputError:
        return None
    values = scored.valuations
    has_value = values["predicted_price"].notna().to_numpy()[priced.positions]
    if not has_value.any():
        return None
    houses = _houses(values.iloc[priced.positions[has_value]], priced.prices[has_value])
    ranged = bool(houses["price_low"].notna().all())
    enough = len(houses) >= MIN_GROUP_SIZE
    n_resamples = _RESAMPLES if len(houses) <= _MANY_HOUSES else _FEW_RESAMPLES
    report = None
    if ranged and enough:
        rows = table.rows.iloc[priced.positions[has_value]].reset_index(drop=True)
        clean = priced.houses[has_value].reset_index(drop=True)
        evaluation = _evaluation(houses, rows, clean, market, backend)
        report = build_report(evaluation, clean, market.contract, n_resamples)
    metrics = point_metrics(houses["price"], houses["predicted_price"])
    study = ratio_study(houses["price"], houses["predicted_price"], n_resamples=n_resamples)
    without_price = scored.summary.valued - len(houses)
    return PriceComparison(
        compared=len(houses),
        without_price=without_price,
        learned=priced.n_in_training,
        sentences=_sentences(houses, metrics, priced, without_price, market.contract),
        figures=_figures(metrics, market.contract),
        houses=houses,
        equity=study if enough else study.head(0),
        report=report,
    )


def _houses(values: pd.DataFrame, prices: pd.Series) -> pd.DataFrame:
    ranges = values[["row", "predicted_price", "price_low", "price_high"]].reset_index(drop=True)
    price = prices.reset_index(drop=True).astype(np.float64)
    frame = ranges.assign(price=price, difference=ranges["predicted_price"] - price)
    frame["share_off"] = frame["difference"] / price
    inside = (frame["price_low"] <= price) & (price <= frame["price_high"])
    frame["inside"] = inside.astype("boolean").mask(frame["price_low"].isna())
    order = ["row", "price", "predicted_price", "price_low", "price_high"]
    return frame[[*order, "difference", "share_off", "inside"]]


def _evaluation(
    houses: pd.DataFrame,
    rows: pd.DataFrame,
    clean: pd.DataFrame,
    market: Market,
    backend: Backend,
) -> Evaluation:
    """Evaluate the values with intervals at every level of the report, and the baselines."""
    frame = pd.DataFrame(
        {"row": range(len(houses)), "repeat": 0, "fold": 0, "price": houses["price"]}
    )
    frame["predicted_price"] = houses["predicted_price"]
    for level in LEVELS:
        answer = backend.value(rows, interval=level).valuations
        if len(answer) != len(rows) or answer["price_low"].isna().any():
            raise BackendError("The server returned no ranges for houses that have a value.")
        for end in ("low", "high"):
            ends = answer[f"price_{end}"].to_numpy(np.float64)
            frame[f"{end}_{round(100 * level)}"] = ends
    prices = market.prices.to_numpy(np.float64)
    guesses = baseline_estimates(market.contract, market.houses, prices, clean)
    return Evaluation.from_folds([frame.join(guesses)])


def _figures(metrics: dict[str, float], contract: Contract) -> pd.DataFrame:
    symbol = contract.market.price.symbol
    texts = [
        f"{metric_label(name)}: {format_metric(name, metrics[name], symbol)}" for name in _FIGURES
    ]
    values = [metrics[name] for name in _FIGURES]
    return pd.DataFrame({"figure": _FIGURES, "value": values, "in_words": texts})


def _sentences(
    houses: pd.DataFrame,
    metrics: dict[str, float],
    priced: EvaluationSet,
    without_price: int,
    contract: Contract,
) -> tuple[str, ...]:
    label = contract.market.price.label.lower()
    many = "1 house has" if len(houses) == 1 else f"{len(houses):,} houses have"
    accuracy = (
        f"{many} a value and a {label}. The median absolute error is "
        f"{100 * metrics['median_ape']:.1f} %; {100 * metrics['within_10']:.0f} % of the values "
        "are within 10 %."
    )
    sentences = [accuracy]
    if priced.n_in_training:
        sentences.append(
            f"{priced.n_in_training:,} of the houses are training data of the model: they make the "
            "values look better than they are."
        )
    total, paid = houses["predicted_price"].sum(), houses["price"].sum()
    off = round(100 * (total / paid - 1.0), 1)
    way = "above" if off > 0 else "below"
    where = f"{abs(off):.1f} % {way} the prices" if off else "the same as the prices together"
    sentences.append(f"Together the values are {where} ({contract.money(paid)}).")
    if houses["price_low"].notna().all():
        held = coverage(houses["price"], houses["price_low"], houses["price_high"])
        sentences.append(f"{100 * held:.0f} % of the prices lie within the range of their house.")
    if without_price:
        sentences.append(f"{without_price:,} houses have a value and no valid price.")
    if len(houses) < MIN_GROUP_SIZE:
        sentences.append(
            f"Below {MIN_GROUP_SIZE} houses, metrics are unreliable: one house changes them."
        )
    return tuple(sentences)
