"""The frames behind the page "What drives price", from figures with a known answer."""

from __future__ import annotations

import numpy as np
import pandas as pd

from houseprice.model.study import NO_STUDY, Study
from houseprice.ui.drivers import (
    importance_frame,
    new_selection,
    representative_values,
    top_features,
)


def curve(values: list[float], prices: list[float]) -> pd.DataFrame:
    return pd.DataFrame({"value": values, "label": "", "price": prices})


def test_the_top_features_of_both_measures_are_in_the_order_of_the_first():
    features = pd.DataFrame(
        {
            "label": ["Size", "Age", "Grade", "Lot", "Zone", "Roof"],
            "importance_pct": [8.04, 3.0, 2.0, 1.0, 0.3, -0.1],
            "contribution_pct": [9.0, 1.0, 3.0, 2.0, 6.0, 5.0],
        }
    )
    assert list(top_features(features, in_money=False, n=2)["label"]) == ["Size", "Age", "Zone"]


def test_contributions_are_in_percent_of_the_average_price():
    tables = NO_STUDY.to_dict() | {
        "contributions": {"column": ["GrLivArea"], "label": ["x"], "contribution": [20_000.0]},
        "held_out": {
            name: ["1", "2"] if name == "id" else [100_000.0, 300_000.0]
            for name in NO_STUDY.held_out.columns
        },
    }
    importance = pd.DataFrame({"column": ["GrLivArea", "LotArea"], "label": ["x", "y"]})
    features = importance_frame(importance, Study.from_dict(tables))
    assert list(features["contribution_pct"]) == [10.0, 0.0]


def test_representative_values_occur_in_the_sales(market, contract):
    area, known = contract.fields["GrLivArea"], market.houses["GrLivArea"].to_numpy()
    values = representative_values(area, known, curve([], []))
    assert list(values) == sorted(values)
    assert {*values} <= {*known}
    rare = np.array([3.0] * 99 + [5.0])
    assert representative_values(area, rare, curve([], [])) == (3.0, 5.0)
    by_price = curve([0.0, 1.0, 2.0], [2.0, 3.0, 1.0])
    location = contract.fields["Neighborhood"]
    assert representative_values(location, known, by_price) == (2.0, 0.0, 1.0)


def test_a_selection_is_returned_once():
    steps = [((), None), (("a",), "a"), (("a",), None), (("b",), "b"), ((), None), (("b",), "b")]
    for selected, expected in steps:
        assert new_selection(selected, "selection") == expected
