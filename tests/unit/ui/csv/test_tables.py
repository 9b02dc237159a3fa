"""Frames of the CSV page: groups of invalid cells, the ratio study, the charts of an upload."""

from __future__ import annotations

import numpy as np
import pandas as pd

from houseprice.market.sales import Market
from houseprice.model.ratio_study import ACCEPTED_RANGES, ratio_study
from houseprice.ui.csv.comparison import equity_frame
from houseprice.ui.csv.problems import cell_groups


def test_numbers_share_an_editor_and_each_field_with_levels_has_its_own(market: Market) -> None:
    columns = ["GrLivArea", "Street", "YearBuilt"]
    cells = pd.DataFrame({"row": [1, 2, 3], "column": columns, "field": ["x", "Street", "y"]})
    (numbers, no_levels), (street, levels) = cell_groups(cells, market.contract)
    assert numbers["column"].tolist() == ["GrLivArea", "YearBuilt"]
    assert not no_levels
    assert street["column"].tolist() == ["Street"]
    assert [*levels] == [*market.contract.fields["Street"].codes]


def test_a_ratio_study_is_a_table_of_labelled_figures() -> None:
    prices = np.linspace(1e5, 3e5, 40)
    frame = equity_frame(ratio_study(prices, prices * 1.2, n_resamples=20))
    first = frame.iloc[0]
    assert first[["Value", "Accepted", "Met"]].tolist() == ["1.200", "0.9 to 1.1", "no"]
    assert len(frame) == len(ACCEPTED_RANGES)
    assert not frame["Figure"].isin(list(ACCEPTED_RANGES)).any()
