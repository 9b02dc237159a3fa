"""The track record of simulated valuations with known errors."""

import json
from datetime import date

import numpy as np
import pandas as pd
import pytest

from houseprice.model.metrics import bias, coverage, median_ape, share_interval, share_within
from houseprice.records.track_record import (
    ExpectedAccuracy,
    Requests,
    TrackRecord,
    count_requests,
    track_record,
)
from tests.unit.records.conftest import BEN, simulated_pairs

EXPECTATION = ExpectedAccuracy(0.0675, 0.68, 0.0, 240)


def record(pairs: pd.DataFrame, expectation: ExpectedAccuracy | None = EXPECTATION) -> TrackRecord:
    requests = Requests(2 * len(pairs), len(pairs))
    return track_record(
        pairs, requests, {"hamlet-1": expectation} if expectation else {}, symbol="€"
    )


def figure(found: TrackRecord, name: str) -> pd.Series:
    return found.figures.set_index("figure").loc[name]


def test_figures_are_those_of_the_metrics_beside_the_expected_ones():
    pairs = simulated_pairs(600)
    found = record(pairs)
    price, value = pairs["price"], pairs["predicted_price"]
    expected = {
        "hit_rate": 0.5,
        "median_ape": median_ape(price, value),
        "within_10": share_within(0.1)(price, value),
        "bias": bias(price, value),
        "coverage_90": coverage(price, pairs["price_low"], pairs["price_high"]),
    }
    assert found.figures.set_index("figure")["value"].to_dict() == pytest.approx(expected)
    assert figure(found, "coverage_90")["expected"] == 0.9
    assert figure(found, "within_10")[["low", "high"]].tolist() == pytest.approx(
        [float(end) for end in share_interval(expected["within_10"], 600)]
    )
    assert (found.figures["low"] <= found.figures["value"]).all()
    assert set(found.figures["finding"]) == {"", "as expected"}
    assert found.sentence.endswith("(6.8 % expected): as expected.")
    assert set(found.equity["figure"]) >= {"cod", "prd", "prb"}
    json.dumps(found.to_dict(), allow_nan=False)


def test_worse_figures_are_named():
    found = record(simulated_pairs(600, sigma=0.2))
    worse = found.figures.loc[found.figures["finding"] == "worse", "figure"].tolist()
    assert worse == ["median_ape", "within_10", "coverage_90"]
    assert "worse than expected: median absolute error, within 10 %" in found.sentence


def test_each_level_of_intervals_has_its_own_coverage():
    pairs = simulated_pairs(400)
    pairs.loc[:99, "interval"] = 0.8
    pairs.loc[100:149, ["price_low", "price_high"]] = np.nan
    cases = record(pairs).figures.set_index("figure")["cases"]
    assert (cases["coverage_80"], cases["coverage_90"]) == (100, 250)


def test_groups_below_the_minimum_have_a_count_and_no_figures():
    pairs = simulated_pairs(90)
    pairs.loc[:19, "area"] = "Hill"
    groups = record(pairs).groups.query("by == 'area'").set_index("group")
    assert groups["cases"].to_dict() == {"Hill": 20, "North bank": 35, "South bank": 35}
    assert groups["median_ape"].isna().to_dict()["Hill"]
    assert groups.loc["North bank", "median_ape_low":"coverage_high"].notna().all()


def test_groups_are_in_their_order_and_complete():
    groups = record(simulated_pairs(2_000)).groups
    assert set(groups["by"]) == {"version", "month", "area", "price", "source"}
    assert groups.groupby("by")["cases"].sum().eq(2_000).all()
    months = groups.query("by == 'month'")["group"].tolist()
    assert (months[0], months[-1], months) == ("2021-01", "2022-12", sorted(months))
    assert groups.query("by == 'price'")["group"].str.startswith("€").all()


@pytest.mark.parametrize("n", [0, 1, 29])
def test_few_later_prices_give_a_hit_rate_only(n):
    found = record(simulated_pairs(n))
    assert found.figures["figure"].tolist() == ["hit_rate"]
    assert found.equity.empty
    assert found.sentence


def test_without_an_expected_accuracy_nothing_is_called_worse():
    found = record(simulated_pairs(100, sigma=0.3), expectation=None)
    assert figure(found, "median_ape")["finding"] == ""
    assert "not known" in found.sentence


def test_values_that_were_saved_after_the_sale_are_counted():
    pairs = simulated_pairs(40)
    pairs.loc[:4, "created_at"] = pd.Timestamp("2023-01-01", tz="UTC")
    assert record(pairs).n_added_later == 5


def test_requests_are_counted_by_person_and_period(database, save_prices):
    save_prices([1e5, np.nan, 2e5])
    save_prices([np.nan], author=BEN)
    assert count_requests(database, "hamlet") == Requests(4, 2)
    assert count_requests(database, "hamlet", person="ben") == Requests(1, 0)
    assert count_requests(database, "elsewhere") == Requests(0, 0)
    assert count_requests(database, "hamlet", until=date(2020, 1, 1)) == Requests(0, 0)
    assert count_requests(database, "hamlet", since=date(2020, 1, 1)) == Requests(4, 2)
