"""The study of a model just fitted, with the wait told."""

from __future__ import annotations

import numpy as np
import pandas as pd

from houseprice.market.sales import Market
from houseprice.market.typical_house import typical_house
from houseprice.model.explaining.explain import Explainer
from houseprice.model.progress import Progress, part_of
from houseprice.model.studying.fewer_facts import by_number, losses_of_groups
from houseprice.model.studying.held_out import calibration, held_out
from houseprice.model.studying.interplay import interactions
from houseprice.model.studying.study import Study
from houseprice.model.valuation import ValuationModel

__all__ = ["study_of"]

_EXPLAINED, _GROUPED = 0.1, 0.7
"""Shares of the time at which parts are done, as measured on the first market."""


def study_of(
    model: ValuationModel,
    market: Market,
    importance: pd.DataFrame,
    progress: Progress | None = None,
) -> Study:
    """Work out the study of a model.

    Parameters
    ----------
    model : ValuationModel
        Just fitted on the sales of the market: it still has its folds.
    market : Market
    importance : DataFrame
        As :func:`houseprice.model.measuring.importance.permutation_importance` gives it.
    progress : callable, optional
    """
    part_of(progress, 0.0, _EXPLAINED)(0.0, "Working out what moves values")
    paired = interactions(model, market.houses, list(importance["column"]))
    contributions = _contributions(model, market)
    groups = losses_of_groups(model, market, part_of(progress, _EXPLAINED, _GROUPED))
    fewer, chosen = by_number(model, market, progress=part_of(progress, _GROUPED, 1.0))
    return Study(
        held_out=held_out(model, market),
        calibration=calibration(model, market),
        contributions=contributions,
        groups=groups,
        fewer=fewer,
        chosen=chosen,
        interactions=paired,
    )


def _contributions(model: ValuationModel, market: Market) -> pd.DataFrame:
    """Average how far each field moves the values of the sales from that of the typical house."""
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
