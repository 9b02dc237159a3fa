"""The report says of each group and band what a hand count would say."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest

from houseprice.market.sales import Market
from houseprice.model.evaluation import LEVELS, Evaluation
from houseprice.model.ratio_study import MIN_GROUP_SIZE, ratio_statistics
from houseprice.model.report import Report, build_report


def made_up(houses: int, repeats: int = 2, seed: int = 0) -> Evaluation:
    """Values that stray by a tenth, with ranges half of which are twice as wide as the others."""
    random = np.random.default_rng(seed)
    price = random.lognormal(12, 0.4, houses)
    parts = []
    for repeat in range(repeats):
        values = pd.DataFrame({"row": range(houses), "price": price})
        values["predicted_price"] = price * random.lognormal(0, 0.1, houses)
        for level in LEVELS:
            half = np.where(values["row"] % 2, 0.1, 0.2) * level / 0.68
            values[f"low_{level * 100:.0f}"] = values["predicted_price"] * (1 - half)
            values[f"high_{level * 100:.0f}"] = values["predicted_price"] * (1 + half)
        values["baseline_median_price"] = np.median(price)
        parts.append(values.assign(repeat=repeat, fold=values["row"] % 5))
    return Evaluation.from_folds(parts)


@pytest.fixture(scope="module")
def evaluation(hamlet: Market) -> Evaluation:
    return made_up(len(hamlet.houses))


@pytest.fixture(scope="module")
def report(evaluation: Evaluation, hamlet: Market) -> Report:
    return build_report(evaluation, hamlet.houses, hamlet.contract, n_resamples=50)


def test_the_metrics_are_those_of_the_evaluation(report: Report, evaluation: Evaluation):
    assert report.metrics == evaluation.metrics
    assert report.baselines == evaluation.baselines
    assert report.n_sales == 400


def test_each_fifth_by_price_has_a_fifth_of_the_sales_and_is_named_by_its_limits(
    report: Report, evaluation: Evaluation
):
    assert report.by_price["sales"].tolist() == [80] * 5
    prices = np.sort(evaluation.frame()["price"].unique())
    first = report.by_price["group"].iloc[0]
    assert first == f"€{prices[0]:,.0f} to €{prices[79]:,.0f}"
    values = evaluation.frame()
    cheap = values[values["price"] <= prices[79]]
    inside = (cheap["low_90"] <= cheap["price"]) & (cheap["price"] <= cheap["high_90"])
    assert report.by_price["coverage_90"].iloc[0] == inside.mean()
    assert report.equity_by_price["group"].unique().tolist() == report.by_price["group"].tolist()


def test_places_come_with_the_lowest_coverage_first(report: Report, hamlet: Market):
    assert set(report.by_location["group"]) == {"North bank", "South bank", "Hill"}
    assert report.by_location["coverage_90"].is_monotonic_increasing
    count = (hamlet.labelled_sales["quarter"] == "Hill").sum()
    hill = report.by_location.set_index("group").loc["Hill"]
    assert hill["sales"] == count
    study = report.equity_by_location
    assert (study.loc[study["group"] == "Hill", "sales"] == count).all()


def test_the_study_of_a_place_is_of_the_sales_there(
    report: Report, evaluation: Evaluation, hamlet: Market
):
    values = evaluation.frame()
    quarter = hamlet.labelled_sales["quarter"].to_numpy()[values["row"]]
    hill = values[quarter == "Hill"].pivot_table(
        index="repeat", columns="row", values="predicted_price"
    )
    prices = values.groupby("row")["price"].first().loc[hill.columns]
    study = report.equity_by_location
    found = study[study["group"] == "Hill"].set_index("figure")["value"]
    assert found.to_dict() == pytest.approx(ratio_statistics(prices, hill))


def test_a_place_with_too_few_sales_is_not_named(hamlet: Market):
    few = hamlet.houses.index[hamlet.houses["quarter"] == 2.0][: MIN_GROUP_SIZE - 1]
    rest = hamlet.houses.index[hamlet.houses["quarter"] != 2.0]
    houses = hamlet.houses.loc[[*few, *rest]].reset_index(drop=True)
    found = build_report(made_up(len(houses)), houses, hamlet.contract, n_resamples=5)
    assert set(found.by_location["group"]) == {"North bank", "South bank"}


def test_a_handful_of_houses_has_a_report_without_places(hamlet: Market):
    found = build_report(made_up(3), hamlet.houses.head(3), hamlet.contract, n_resamples=5)
    assert len(found.by_location) == len(found.equity_by_location) == 0
    assert found.n_sales == 3
    assert json.loads(json.dumps(found.to_dict(), allow_nan=False))["ratio_study_by_location"] == []


def test_bands_of_confidence_tell_how_far_their_values_were_off(
    report: Report, evaluation: Evaluation
):
    # Half the 68 % range is 10 % of the value in every second house, 20 % in the others.
    assert report.bands["band"].tolist() == ["low", "medium"]
    assert report.bands["share"].tolist() == [0.5, 0.5]
    assert report.bands["values"].tolist() == [400, 400]
    assert report.bands["confidence"].tolist() == pytest.approx([80.0, 90.0])
    assert (report.bands["coverage_68"].diff().dropna() < 0).all()
    frame = evaluation.frame()
    off = frame.loc[frame["row"] % 2 == 1, "error"].abs()
    assert report.bands["median_ape"].iloc[1] == pytest.approx(off.median())
    assert report.bands["within_10"].iloc[1] == (off <= 0.1).mean()


def test_fine_bands_divide_the_three(report: Report):
    fine = report.fine_bands
    assert fine["values"].sum() == 800
    assert set(fine["band"]) <= {"80 to 85", "75 to 80", "88 to 90", "90 to 92"}


def test_the_report_is_plain_data_for_programs(report: Report):
    data = json.loads(json.dumps(report.to_dict(), allow_nan=False))
    assert data["metrics"]["rmsle"] == report.metrics["rmsle"]
    assert [row["figure"] for row in data["ratio_study"]] == report.equity["figure"].tolist()
    assert data["ratio_study"][0]["met"] in (True, False)
    assert data["ranges_by_price"][0]["sales"] == 80
