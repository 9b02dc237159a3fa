"""Alarms: when they ring, that they ring once, and what was done."""

import numpy as np
import pytest

from houseprice.errors import InputError, RecordsError
from houseprice.market.sales import load_market
from houseprice.records.alarms import (
    MIN_DRIFT_ROWS,
    accuracy_alarms,
    drift_alarm,
    known_alarms,
    record_alarms,
    respond,
)
from houseprice.records.track_record import ExpectedAccuracy
from tests.hamlet import hamlet_sales, write_hamlet
from tests.unit.records.conftest import ANNE, MEDIAN_Z, simulated_pairs

EXPECTATIONS = {"hamlet-1": ExpectedAccuracy(float(np.expm1(0.1 * MEDIAN_Z)), 0.68, 0.0, 5_000)}


@pytest.fixture(scope="module")
def hamlet(tmp_path_factory):
    return load_market(write_hamlet(tmp_path_factory.mktemp("alarms") / "hamlet"))


def kinds(pairs, expectations=EXPECTATIONS) -> list[str]:
    return [alarm.kind for alarm in accuracy_alarms(pairs, expectations)]


def test_a_model_as_accurate_as_expected_causes_no_alarm():
    assert [kinds(simulated_pairs(1_000, seed=seed)) for seed in range(100)] == [[]] * 100


def test_a_coverage_of_80_percent_causes_an_alarm():
    # 1.645 of the expected spread is 1.28 of this one: 80 % of the prices are inside.
    found = [kinds(simulated_pairs(800, sigma=0.1 * 1.2835, seed=seed)) for seed in range(20)]
    assert sum("coverage" in each for each in found) >= 19


def test_larger_errors_cause_both_alarms():
    found = [kinds(simulated_pairs(600, sigma=0.15, seed=seed)) for seed in range(10)]
    assert found == [["coverage", "median_ape"]] * 10


def test_the_range_sets_the_expected_coverage_and_the_training_the_expected_error():
    pairs = simulated_pairs(600, sigma=0.15)
    assert kinds(pairs, {}) == ["coverage"]
    pairs[["price_low", "price_high"]] = np.nan
    assert kinds(pairs) == ["median_ape"]


def test_an_expected_value_from_few_sales_is_tested_less_exactly():
    pairs = simulated_pairs(4_000, sigma=0.115)
    assert kinds(pairs) == ["coverage"]
    few = {"hamlet-1": ExpectedAccuracy(EXPECTATIONS["hamlet-1"].median_ape, 0.68, 0.0, 240)}
    assert kinds(pairs, few) == []


def test_each_version_answers_for_itself():
    pairs = simulated_pairs(1_200)
    pairs.loc[:599, "model_version"] = "hamlet-0"
    pairs.loc[600:, "price"] *= 1.25
    found = accuracy_alarms(pairs, EXPECTATIONS)
    assert {alarm.version for alarm in found} == {"hamlet-1"}
    assert all(alarm.evidence >= alarm.limit for alarm in found)


def test_the_advice_says_how_much_wider_and_where_to_look():
    pairs = simulated_pairs(1_000)
    south = pairs["area"] == "South bank"
    pairs.loc[south, "price"] *= np.exp(np.random.default_rng(1).normal(0.1, 0.2, south.sum()))
    coverage = accuracy_alarms(pairs, EXPECTATIONS)[0]
    text = " ".join(coverage.advice)
    assert "times as wide would have contained the expected share" in text
    assert "houseprice records retrain" in text
    assert "too low as a whole" in text
    assert "Look at these areas first: South bank (" in text
    assert "North bank" not in text


def test_an_alarm_is_an_event_once_and_what_was_done_is_another(database):
    found = accuracy_alarms(simulated_pairs(600, sigma=0.2), EXPECTATIONS)
    for _ in range(2):
        record_alarms(database, ANNE, found)
    known = known_alarms(database, "hamlet")
    assert known["kind"].tolist() == ["median_ape", "coverage"]
    number = int(known["entry"].iloc[0])
    respond(database, ANNE, number, "retrained")
    assert [each["what"] for each in known_alarms(database, "hamlet")["responses"].iloc[0]] == [
        "retrained"
    ]
    record_alarms(database, ANNE, found)
    assert len(known_alarms(database, "hamlet")) == 2
    assert known_alarms(database, "elsewhere").empty


def test_a_response_needs_an_alarm_and_words(database):
    with pytest.raises(RecordsError, match="There is no alarm 7"):
        respond(database, ANNE, 7, "retrained")
    with pytest.raises(InputError, match="Say what was done"):
        respond(database, ANNE, 7, " ")


def test_requests_unlike_the_sales_cause_an_alarm_that_names_the_fields(
    database, save_prices, hamlet
):
    rows = hamlet_sales(MIN_DRIFT_ROWS - 1, seed=5).drop(columns="paid").astype(str)
    prices = [1e5] * len(rows)
    save_prices(prices, rows=rows)
    assert drift_alarm(database, hamlet, "hamlet-1") is None
    save_prices(prices, rows=rows.assign(size="900"))
    alarm = drift_alarm(database, hamlet, "hamlet-1")
    assert "size" in alarm.fields
    assert "differ from the sales" in alarm.message
    for _ in range(2):
        record_alarms(database, ANNE, [alarm])
    assert len(known_alarms(database, "hamlet")) == 1
