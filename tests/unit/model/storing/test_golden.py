"""A model says again what it said when it was saved, or is not opened."""

from __future__ import annotations

from dataclasses import replace

import pytest

from houseprice.errors import StoreError
from houseprice.market.sales import Market
from houseprice.model.store.artefact import NO_GOLDEN_ROWS, GoldenRows
from houseprice.model.valuation import ValuationModel


def test_golden_rows_are_raw_facts_without_key_or_price(
    hamlet: Market, valuer: ValuationModel
) -> None:
    golden = GoldenRows.from_model(valuer, hamlet)
    assert len(golden.rows) == len(golden.prices) == 3
    assert all(set(row) == set(hamlet.contract.columns) for row in golden.rows)
    assert all(isinstance(text, str) for row in golden.rows for text in row.values())


def test_golden_rows_come_back_from_their_file_and_pass(
    hamlet: Market, valuer: ValuationModel
) -> None:
    golden = GoldenRows.from_model(valuer, hamlet)
    again = GoldenRows.read(golden.to_json())
    assert again == golden
    again.check(valuer, "hamlet-1")
    NO_GOLDEN_ROWS.check(valuer, "hamlet-1")


def test_a_model_that_says_otherwise_is_refused(hamlet: Market, valuer: ValuationModel) -> None:
    golden = GoldenRows.from_model(valuer, hamlet)
    first, *others = golden.prices
    other = replace(golden, prices=(first * (1 + 1e-6), *others))
    with pytest.raises(StoreError, match="hamlet-1 gives other prices here"):
        other.check(valuer, "hamlet-1")
