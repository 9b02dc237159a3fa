"""Errors and coverage by an attribute that the model does not use."""

import numpy as np
import pandas as pd
import pytest

from houseprice.errors import InputError
from houseprice.records.fairness import fairness, holm
from houseprice.records.valuations import OwnTexts
from tests.unit.records.conftest import simulated_pairs

AREAS = pd.DataFrame({"area": ["N", "South bank"], "income": ["low", "high"]})


def test_equal_treatment_is_found_equal_and_unequal_is_named(database, contract):
    pairs = simulated_pairs(400)
    found = fairness(database, pairs, AREAS, contract)
    assert found.sentence.startswith("No group differs from the others (of 6 comparisons")
    assert found.groups["group"].tolist() == ["high", "low"]
    assert found.groups["cases"].tolist() == [200, 200]
    pairs.loc[pairs["area"] == "North bank", "price"] *= 0.85
    found = fairness(database, pairs, AREAS, contract)
    assert found.sentence.startswith("These groups differ from the others")
    low = found.tests.query("group == 'low'").set_index("figure")
    assert low["differs"].all()
    level = found.equity.query("group == 'low' and figure == 'median_ratio'").iloc[0]
    assert not level["met"]
    assert level["by"] == "income"


def test_attributes_can_be_given_by_reference(database, contract, save_prices):
    saved = save_prices([1e5] * 80, texts=[OwnTexts(f"file {i}") for i in range(80)])
    pairs = simulated_pairs(80).assign(valuation=saved)
    pairs.loc[:39, ["price", "price_low"]] = 1.0
    table = pd.DataFrame({"Reference": [f"file {i}" for i in range(70)],
                          "owner": ["a"] * 40 + ["b"] * 30})  # fmt: skip
    found = fairness(database, pairs, table, contract)
    assert found.groups["cases"].tolist() == [40, 30]
    assert found.remarks == ("10 pairs of 80 have no row in the table.",)
    assert found.n_pairs == 70


def test_numbers_of_many_values_are_compared_by_fifths(database, contract, save_prices):
    saved = save_prices([1e5] * 200, texts=[OwnTexts(f"file {i}") for i in range(200)])
    pairs = simulated_pairs(200).assign(valuation=saved)
    table = pd.DataFrame({"reference": [f"file {i}" for i in range(200)],
                          "age": [str(i) for i in range(200)]})  # fmt: skip
    groups = fairness(database, pairs, table, contract).groups
    assert groups["group"].tolist()[:2] == ["0 to 39", "40 to 79"]
    assert groups["cases"].tolist() == [40] * 5


def test_small_groups_are_counted_and_not_compared(database, contract):
    found = fairness(database, simulated_pairs(50), AREAS, contract)
    assert found.groups["cases"].tolist() == [25, 25]
    assert found.groups["median_ape"].isna().all()
    assert found.equity.empty
    assert found.sentence.startswith("No group can be compared")


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ({"town": ["N"], "income": ["low"]}, "needs a column “area” or “reference”; it has town"),
        ({"area": ["Nowhere"], "income": ["low"]}, "Row 1: “Nowhere” is not an area"),
        ({"area": ["N", "North bank"], "income": ["a", "b"]}, "“North bank” has two rows"),
    ],
)
def test_a_table_that_does_not_fit_is_refused(database, contract, table, message):
    with pytest.raises(InputError, match=message):
        fairness(database, simulated_pairs(10), pd.DataFrame(table), contract)


def test_a_column_that_does_not_exist_is_refused_and_a_field_of_the_model_is_said(
    database, contract
):
    with pytest.raises(InputError, match="no column “wealth”"):
        fairness(database, simulated_pairs(10), AREAS, contract, ["wealth"])
    found = fairness(database, simulated_pairs(10), AREAS.assign(grade=["Fine", "Plain"]), contract)
    assert "The model uses grade" in found.remarks[0]


def test_p_values_are_adjusted_for_their_number():
    assert holm(np.array([0.01, 0.04, 0.03])) == pytest.approx([0.03, 0.06, 0.06])
    assert holm(np.array([0.6, 0.9])).tolist() == [1.0, 1.0]
    assert holm(np.array([])).tolist() == []
