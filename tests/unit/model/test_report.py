"""The report has for each group and band what a count by hand gives."""

import json

import numpy as np
import pandas as pd
import pytest

from houseprice.model.evaluation import LEVELS, Evaluation
from houseprice.model.ratio_study import MIN_GROUP_SIZE, ratio_statistics
from houseprice.model.report import build_report


def random_evaluation(houses: int, repeats: int = 2, seed: int = 0) -> Evaluation:
    """Values with errors of about 10 %; every second interval is twice as wide as the others."""
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
def evaluation(hamlet):
    return random_evaluation(len(hamlet.houses))


@pytest.fixture(scope="module")
def report(evaluation, hamlet):
    return build_report(evaluation, hamlet.houses, hamlet.contract, n_resamples=50)


def test_price_quintiles_are_equal_in_size_and_labelled_by_their_limits(report, evaluation):
    assert report.by_price["sales"].tolist() == [80] * 5
    prices = np.sort(evaluation.frame()["price"].unique())
    first = report.by_price["group"].iloc[0]
    assert first == f"€{prices[0]:,.0f} to €{prices[79]:,.0f}"
    values = evaluation.frame()
    cheap = values[values["price"] <= prices[79]]
    inside = (cheap["low_90"] <= cheap["price"]) & (cheap["price"] <= cheap["high_90"])
    assert report.by_price["coverage_90"].iloc[0] == inside.mean()
    assert report.equity_by_price["group"].unique().tolist() == report.by_price["group"].tolist()


def test_locations_are_in_the_order_of_their_coverage(report, hamlet):
    assert set(report.by_location["group"]) == {"North bank", "South bank", "Hill"}
    assert report.by_location["coverage_90"].is_monotonic_increasing
    count = (hamlet.labelled_sales["quarter"] == "Hill").sum()
    hill = report.by_location.set_index("group").loc["Hill"]
    assert hill["sales"] == count
    study = report.equity_by_location
    assert (study.loc[study["group"] == "Hill", "sales"] == count).all()


def test_the_ratio_study_of_a_location_is_that_of_its_sales(report, evaluation, hamlet):
    values = evaluation.frame()
    quarter = hamlet.labelled_sales["quarter"].to_numpy()[values["row"]]
    hill = values[quarter == "Hill"].pivot_table(
        index="repeat", columns="row", values="predicted_price"
    )
    prices = values.groupby("row")["price"].first().loc[hill.columns]
    study = report.equity_by_location
    values_by_statistic = study[study["group"] == "Hill"].set_index("figure")["value"]
    assert values_by_statistic.to_dict() == pytest.approx(ratio_statistics(prices, hill))


def test_locations_with_few_sales_are_omitted(hamlet):
    few = hamlet.houses.index[hamlet.houses["quarter"] == 2.0][: MIN_GROUP_SIZE - 1]
    rest = hamlet.houses.index[hamlet.houses["quarter"] != 2.0]
    houses = hamlet.houses.loc[[*few, *rest]].reset_index(drop=True)
    evaluation = random_evaluation(len(houses))
    report = build_report(evaluation, houses, hamlet.contract, n_resamples=5)
    assert set(report.by_location["group"]) == {"North bank", "South bank"}

    tiny = build_report(random_evaluation(3), hamlet.houses.head(3), hamlet.contract, n_resamples=5)
    assert len(tiny.by_location) == len(tiny.equity_by_location) == 0
    assert tiny.n_sales == 3
    assert json.loads(json.dumps(tiny.to_dict(), allow_nan=False))["ratio_study_by_location"] == []


def test_confidence_bands_have_the_accuracy_of_their_values(report, evaluation):
    # Half the 68 % interval is 10 % of the value for every second house, 20 % for the others.
    assert report.bands["band"].tolist() == ["low", "medium"]
    assert report.bands["share"].tolist() == [0.5, 0.5]
    assert report.fine_bands["values"].sum() == 800
    assert set(report.fine_bands["band"]) <= {"80 to 85", "75 to 80", "88 to 90", "90 to 92"}
    assert report.bands["values"].tolist() == [400, 400]
    assert report.bands["confidence"].tolist() == pytest.approx([80.0, 90.0])
    assert (report.bands["coverage_68"].diff().dropna() < 0).all()
    frame = evaluation.frame()
    errors = frame.loc[frame["row"] % 2 == 1, "error"].abs()
    assert report.bands["median_ape"].iloc[1] == pytest.approx(errors.median())
    assert report.bands["within_10"].iloc[1] == (errors <= 0.1).mean()


def test_the_report_has_the_metrics_of_the_evaluation_also_as_json(report, evaluation):
    assert report.metrics == evaluation.metrics
    assert report.baselines == evaluation.baselines
    data = json.loads(json.dumps(report.to_dict(), allow_nan=False))
    assert data["metrics"]["rmsle"] == report.metrics["rmsle"]
    assert [row["figure"] for row in data["ratio_study"]] == report.equity["figure"].tolist()
    assert data["ratio_study"][0]["met"] in (True, False)
    assert data["ranges_by_price"][0]["sales"] == 80
