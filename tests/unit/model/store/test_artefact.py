"""Golden rows: a model predicts the same prices as when it was saved, or is refused."""

from dataclasses import replace

import pytest

from houseprice.errors import StoreError
from houseprice.model.store.artefact import NO_GOLDEN_ROWS, GoldenRows


@pytest.fixture
def golden(hamlet, valuer):
    return GoldenRows.from_model(valuer, hamlet)


def test_golden_rows_are_raw_text_without_key_and_price(golden, hamlet):
    assert len(golden.rows) == len(golden.prices) == 3
    assert all(set(row) == set(hamlet.contract.columns) for row in golden.rows)
    assert all(isinstance(text, str) for row in golden.rows for text in row.values())


def test_golden_rows_read_back_from_json_pass(golden, valuer):
    again = GoldenRows.from_json(golden.to_json())
    assert again == golden
    again.check(valuer, "hamlet-1")
    NO_GOLDEN_ROWS.check(valuer, "hamlet-1")


def test_a_model_that_predicts_other_prices_is_refused(golden, valuer):
    first, *others = golden.prices
    changed = replace(golden, prices=(first * (1 + 1e-6), *others))
    with pytest.raises(StoreError, match="hamlet-1 predicts other prices"):
        changed.check(valuer, "hamlet-1")
