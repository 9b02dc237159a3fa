"""Houses that differ from the sales are reported, and houses like them are not."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from houseprice.market.profile.drift import (
    DRIFT_COLUMNS,
    MIN_HOUSES,
    DriftReport,
    blank_drift,
    detect_drift,
    level_drift,
    middle_drift,
)
from houseprice.market.sales import Market, load_market
from tests.hamlet import hamlet_sales, write_hamlet


@pytest.fixture(scope="module")
def hamlet(tmp_path_factory):
    return load_market(write_hamlet(tmp_path_factory.mktemp("drift")))


def texts(frame: pd.DataFrame) -> pd.DataFrame:
    return frame.fillna("").astype("str")


def sample(market: Market) -> pd.DataFrame:
    return pd.read_csv(market.sample_path, dtype="str", keep_default_na=False)


def houses(n: int = 120, **columns: object) -> pd.DataFrame:
    return hamlet_sales(n, seed=11).drop(columns="paid").assign(**columns)


def row(found: DriftReport, column: str) -> pd.Series:
    return found.fields.set_index("column").loc[column]


def test_other_houses_of_the_market_are_alike(hamlet):
    found = detect_drift(texts(houses()), hamlet)
    assert found.enough
    assert found.sentences == ()
    assert found.summary.startswith("The houses are like the sales of Hamlet in all 10 fields")
    assert tuple(found.fields.columns) == DRIFT_COLUMNS
    assert set(found.fields["verdict"]) == {"alike"}


def test_the_sample_of_the_embedded_market_is_alike(market):
    assert detect_drift(sample(market), market).sentences == ()


def test_a_size_in_another_unit_is_reported_with_both_medians(hamlet):
    feet = houses(size=hamlet_sales(120, seed=11)["size"] * 3)
    found = detect_drift(texts(feet), hamlet)
    assert [each.partition(":")[0] for each in found.sentences] == ["Floor area"]
    assert "sq m here and" in found.sentences[0]
    size = row(found, "size")
    assert size["verdict"] == "drifted"
    assert size["shift_iqr"] > 1.5
    assert size["median_here"] > 2 * size["median_sales"]
    assert found.fields["column"].iloc[0] == "size"
    assert "differ from the sales of Hamlet in 1 field of 10" in found.summary


def test_a_single_quarter_is_reported_with_its_shares(hamlet):
    found = detect_drift(texts(houses(quarter="H")), hamlet)
    assert found.sentences[0].startswith("Quarter: «Hill» are 100 % of the houses here and")
    quarter = row(found, "quarter")
    assert quarter["levels_apart"] > max(0.2, quarter["by_chance"])


def test_blanks_that_the_sales_do_not_have_are_reported(hamlet):
    found = detect_drift(texts(houses(grade="").astype({"grade": "str"})), hamlet)
    assert found.sentences == ("Grade: unknown for 100 % of the houses here and 0 % of the sales.",)


def test_a_blank_that_means_none_is_not_counted_as_missing(hamlet):
    frame = houses().astype({"beds": "str"})
    frame.loc[frame["garden"] == "n", "beds"] = ""
    found = detect_drift(texts(frame), hamlet)
    assert row(found, "beds")["blank_here"] == 0.0
    assert found.sentences == ()


def test_a_blank_that_is_imputed_is_counted_as_missing(hamlet):
    found = detect_drift(texts(houses(boiler="").astype({"boiler": "str"})), hamlet)
    assert row(found, "boiler")["blank_here"] == 1.0


def test_the_year_of_a_missing_garage_is_not_counted_as_missing(market):
    rows = sample(market)
    garage = row(detect_drift(rows, market), "GarageYrBlt")
    assert garage["blank_sales"] == 0.0
    built = rows["GarageYrBlt"].where(rows["GarageType"] == "NA", "")
    garage = row(detect_drift(rows.assign(GarageYrBlt=built), market), "GarageYrBlt")
    assert garage["blank_here"] == 1.0


def test_a_missing_column_is_not_compared(hamlet):
    found = detect_drift(texts(houses().drop(columns=["grade", "boiler"])), hamlet)
    assert found.sentences == ()
    verdicts = found.fields.set_index("column")["verdict"]
    assert verdicts["grade"] == verdicts["boiler"] == "not compared"
    assert "all 8 fields" in found.summary


def test_invalid_cells_are_not_counted_as_blank(hamlet):
    frame = houses().astype({"grade": "str"})
    frame.loc[:40, "grade"] = "nonsense"
    assert row(detect_drift(texts(frame), hamlet), "grade")["blank_here"] == 0.0


@pytest.mark.parametrize(("n", "enough"), [(0, False), (1, False), (29, False), (30, True)])
def test_too_few_houses_are_not_compared(n, enough, hamlet):
    found = detect_drift(texts(houses(MIN_HOUSES).head(n)), hamlet)
    assert (found.n_houses, found.enough) == (n, enough)
    assert found.fields.empty == (not enough)
    assert found.summary


def test_a_level_without_sales_is_named(tmp_path):
    folder = write_hamlet(tmp_path / "hamlet")
    sales = pd.read_csv(folder / "sales.csv", keep_default_na=False)
    sales[sales["quarter"] != "S"].to_csv(folder / "sales.csv", index=False)
    frame = houses(100, quarter=["S"] * 8 + ["N"] * 46 + ["H"] * 46)
    found = detect_drift(texts(frame), load_market(folder))
    assert "Quarter: 8 % are of a category that no sale had (South bank)." in found.sentences
    assert row(found, "quarter")["new_levels"] == "South bank"


@settings(max_examples=40)
@given(seed=st.integers(0, 10_000), n=st.integers(MIN_HOUSES, 200))
def test_random_samples_are_hardly_ever_reported(hamlet, seed, n):
    frame = hamlet_sales(n, seed=seed).drop(columns="paid")
    assert len(detect_drift(texts(frame), hamlet).sentences) <= 1


def test_measures_are_multiples_of_their_thresholds():
    assert blank_drift(0.30, 0.10, 10_000) == pytest.approx(2.0)
    assert blank_drift(0.0, 0.5, 100) < 0
    shift, weight = middle_drift(np.arange(101.0) + 150, np.arange(101.0))
    assert (shift, weight) == pytest.approx((3.0, 2.0))
    assert middle_drift(np.full(50, 7.0), np.full(50, 7.0)) == (0.0, 0.0)
    assert middle_drift(np.full(50, 8.0), np.full(50, 7.0)) == (np.inf, np.inf)
    apart, chance, weight = level_drift(np.array([1.0, 0.0]), np.array([0.5, 0.5]), 10**6, 10**6)
    assert (apart, weight) == pytest.approx((0.5, 2.5))
    assert chance < 0.01
