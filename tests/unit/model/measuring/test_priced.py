"""Of a table of sales, what can be scored is scored, and the rest is counted."""

from __future__ import annotations

import pandas as pd
import pytest

from houseprice.errors import InputError
from houseprice.market.problems import Problem
from houseprice.market.sales import Market, read_rows
from houseprice.market.validation import Domain
from houseprice.model.evaluation import EvaluationSet, evaluation_set


@pytest.fixture
def rows(hamlet: Market) -> pd.DataFrame:
    return read_rows(hamlet.sales_path).head(6)


def judged(rows: pd.DataFrame, hamlet: Market, faults: tuple[Problem, ...] = ()) -> EvaluationSet:
    return evaluation_set(rows, hamlet, Domain.fit(hamlet.houses, hamlet.contract), faults)


def test_sound_rows_come_with_their_prices(rows: pd.DataFrame, hamlet: Market):
    found = judged(rows, hamlet)
    pd.testing.assert_frame_equal(found.houses, hamlet.houses.head(6))
    assert found.prices.tolist() == hamlet.prices.head(6).tolist()
    assert (found.n_rows, found.n_errors, found.n_without_price) == (6, 0, 0)
    assert found.reason_counts == {}


def test_rows_that_cannot_be_scored_are_counted_with_the_reason(rows: pd.DataFrame, hamlet: Market):
    rows.loc[0, "quarter"] = "Z"
    rows.loc[1, "paid"] = ""
    rows.loc[2, "paid"] = "a lot"
    rows.loc[3, ["size", "paid"]] = ""
    found = judged(rows, hamlet)
    assert found.prices.index.tolist() == found.houses.index.tolist() == [0, 1]
    assert found.prices.tolist() == hamlet.prices[4:6].tolist()
    assert (found.n_rows, found.n_errors, found.n_without_price) == (6, 2, 2)
    assert found.reason_counts == {
        "required:paid": 2,
        "unknown_level:quarter": 1,
        "not_a_number:paid": 1,
        "required:size": 1,
    }


def test_a_row_that_could_not_be_read_is_an_error(rows: pd.DataFrame, hamlet: Market):
    fault = Problem(2, None, "cells", "error", "Too few cells.")
    found = judged(rows, hamlet, (fault,))
    assert found.n_errors == 1
    assert found.reason_counts == {"cells": 1}
    assert len(found.houses) == 5


def test_sales_that_the_model_has_learned_from_are_told(rows: pd.DataFrame, hamlet: Market):
    assert judged(rows, hamlet).n_in_training == 6
    rows.loc[0, "key"] = "somebody else's"
    rows.loc[1, "size"] = "77.5"
    rows.loc[2, "paid"] = ""
    rows.loc[3, "key"] = rows.loc[3, "key"] + " "
    assert judged(rows, hamlet).n_in_training == 3
    assert judged(rows.drop(columns="key"), hamlet).n_in_training == 0


def test_a_table_without_prices_is_refused(rows: pd.DataFrame, hamlet: Market):
    with pytest.raises(InputError, match=r"no column paid \(Price paid\)"):
        judged(rows.drop(columns="paid"), hamlet)


def test_a_table_without_a_row_to_score_is_refused_with_the_reason(
    rows: pd.DataFrame, hamlet: Market
):
    with pytest.raises(InputError, match=r"No row can be scored.*required:paid \(6\)"):
        judged(rows.assign(paid=""), hamlet)
