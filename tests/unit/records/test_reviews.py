"""Samples of saved valuations, and what reviewers say."""

import numpy as np
import pytest

from houseprice.errors import InputError, RecordsError
from houseprice.records.reviews import (
    add_review,
    draw_sample,
    open_reviews,
    repeat_draw,
    review_results,
)
from houseprice.records.valuations import delete
from tests.unit.records.conftest import ANNE, BEN, houses


@pytest.fixture
def saved(save_prices):
    """Two hundred saved valuations of two areas, and one without a value."""
    rows = houses(201)
    rows.loc[:49, "quarter"] = "S"
    return save_prices([*np.linspace(1e5, 5e5, 200), np.nan], rows=rows)


def test_a_sample_represents_prices_and_areas_and_can_be_repeated(database, saved):
    sample = draw_sample(database, ANNE, 20, seed=7)
    assert (len(set(sample.valuations)), sample.n_eligible) == (20, 200)
    waiting = open_reviews(database, "hamlet")
    assert waiting["valuation"].tolist() == list(sample.valuations)
    assert waiting["area"].value_counts().to_dict() == {"North bank": 15, "South bank": 5}
    fifths = np.histogram(waiting["predicted_price"], np.linspace(1e5, 5e5, 6))[0]
    assert fifths.tolist() == [4] * 5
    assert draw_sample(database, ANNE, 20, seed=7).valuations == sample.valuations
    assert draw_sample(database, ANNE, 20, seed=8).valuations != sample.valuations


def test_a_draw_can_be_repeated_after_more_was_saved_and_some_deleted(database, saved, save_prices):
    sample = draw_sample(database, ANNE, 10)
    save_prices([1e5] * 9)
    delete(database, ANNE, saved[:50], "requested")
    assert repeat_draw(database, "hamlet", sample.number)


def test_a_review_closes_a_valuation_and_the_newest_counts(database, saved):
    sample = draw_sample(database, ANNE, 3)
    first, second, third = sample.valuations
    add_review(database, BEN, first, "too_high", "the roof leaks")
    add_review(database, BEN, first, "agree")
    add_review(database, ANNE, second, "too_low", "a larger plot", sample=sample.number)
    assert open_reviews(database, "hamlet")["valuation"].tolist() == [third]
    assert len(open_reviews(database, "hamlet", reviewer="ben")) == 2
    found = review_results(database, "hamlet")
    assert found.n_reviews == 2
    assert found.shares.set_index("verdict")["share"].to_dict() == {
        "agree": 0.5, "too_high": 0.0, "too_low": 0.5,
    }  # fmt: skip
    assert found.reviewers.set_index("reviewer")["own"].to_dict() == {"anne": 1, "ben": 0}


def test_without_reviews_there_are_no_shares(database):
    found = review_results(database, "hamlet")
    assert (found.n_reviews, found.reviewers.empty) == (0, True)
    assert found.to_dict()["verdicts"][0]["share"] is None
    assert open_reviews(database, "hamlet").empty


@pytest.mark.parametrize(
    ("verdict", "reason", "message"),
    [
        ("fine", "", "A verdict is agree, too_high or too_low"),
        ("too_high", " ", "Give the reason"),
        ("agree", "x" * 2_001, "at most 2,000"),
    ],
)
def test_a_wrong_review_is_refused(database, saved, verdict, reason, message):
    with pytest.raises(InputError, match=message):
        add_review(database, ANNE, saved[0], verdict, reason)


def test_what_does_not_exist_is_refused(database, save_prices):
    with pytest.raises(RecordsError, match="no saved valuations with a value"):
        draw_sample(database, ANNE, 5)
    save_prices([1e5, 2e5])
    with pytest.raises(InputError, match="1 to 1,000"):
        draw_sample(database, ANNE, 0)
    with pytest.raises(RecordsError, match="no sample 9"):
        open_reviews(database, "hamlet", sample=9)
    drawn = draw_sample(database, ANNE, 1)
    (other,) = {1, 2} - set(drawn.valuations)
    with pytest.raises(RecordsError, match="is not part of sample"):
        add_review(database, ANNE, other, "agree", sample=drawn.number)
    with pytest.raises(RecordsError, match="no saved valuation 99"):
        add_review(database, ANNE, 99, "agree")
