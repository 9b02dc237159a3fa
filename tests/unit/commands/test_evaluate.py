"""``houseprice evaluate``: tables for people, JSON for programs, and files with prices."""

import json

import pandas as pd
import pytest

from houseprice.commands.report_tables import metrics_text
from houseprice.market.sales import read_rows
from tests.hamlet import hamlet_sales, write_hamlet

pytestmark = pytest.mark.usefixtures("fresh_logs", "surroundings")

QUICK = ("--folds", "2", "--repeats", "1")


@pytest.fixture
def run(run):
    """Run ``houseprice evaluate`` in this process: exit status, results, messages."""

    def evaluate(*arguments: object) -> tuple[int, str, str]:
        result = run("evaluate", *arguments)
        return result.code, result.out, result.err

    return evaluate


@pytest.fixture
def new_sales(tmp_path):
    """Sales that no model was trained on."""
    path = tmp_path / "new_sales.csv"
    sales = hamlet_sales(60, seed=99)
    sales.assign(key=[f"other {number}" for number in range(60)]).to_csv(path, index=False)
    return path


def test_the_metrics_are_compared_with_baselines(run):
    code, out, _ = run(*QUICK, "--json")
    assert code == 0
    report = json.loads(out)
    assert (report["folds"], report["repeats"], report["seed"], report["rows"]) == (2, 1, 0, 150)
    assert 0 < report["metrics"]["rmsle"] < report["baselines"]["median_price"]["rmsle"]
    assert set(report["baselines"]) == {"median_price", "location_price_per_area", "plain_lasso"}
    assert {row["figure"] for row in report["ratio_study"]} == {
        *("median_ratio", "cod", "prd", "prb", "mki", "vei")
    }
    assert len(report["ranges_by_price"]) == 5
    assert report["out_of_time"]["year"] == 2020
    assert report["out_of_time"]["sales"] < 150
    assert report["out_of_time"]["metrics"]["coverage_90"] > 0.5


def test_the_report_is_laid_out_as_tables(run):
    code, out, err = run(*QUICK)
    assert code == 0
    for title in (
        "Accuracy",
        "Ratio study of 150 sales, 90 % intervals",
        "of 2020 by a model of the earlier years",
        "Errors by confidence, in fine bands",
        "Intervals and errors by fifth of the prices",
        "Ratio study by fifth of the prices",
        "Intervals and errors by quarter",
        "Ratio study by quarter",
        "(RMSLE)",
    ):
        assert title in out
    assert "nan" not in out
    assert max(map(len, out.splitlines())) <= 120
    assert "150 sales in 2 folds" in err
    assert "The 90 % interval has the lowest coverage in" in err


def test_a_market_of_one_year_has_no_out_of_time_evaluation(run, monkeypatch, tmp_path):
    folder = write_hamlet(tmp_path / "one year", n_sales=120)
    sales = read_rows(folder / "sales.csv").assign(sold="2020")
    sales.to_csv(folder / "sales.csv", index=False)
    monkeypatch.setenv("HOUSEPRICE_MARKET", str(folder))
    code, out, err = run(*QUICK, "--json")
    assert code == 0
    assert json.loads(out)["out_of_time"] is None
    assert "No out-of-time evaluation of the last year: all sales are of one year" in err


def test_a_file_with_prices_is_scored_by_the_active_model(run, new_sales):
    code, out, err = run("--data", new_sales, "--json")
    assert code == 0
    report = json.loads(out)
    counts = [report[name] for name in ("rows", "scored", "errors", "learned_from")]
    assert counts == [60, 60, 0, 0]
    assert report["hit_rate"] == 1.0
    assert report["model_version"].startswith("hamlet-")
    assert report["metrics"]["rmsle"] < 0.15
    assert "60 of 60 rows scored" in err
    assert "trained on" not in err

    code, out, err = run("--data", new_sales)
    assert code == 0
    assert "Ratio study of 60 sales" in out
    assert "out of time" not in out


def test_rows_that_cannot_be_scored_are_counted_by_code(run, new_sales, tmp_path):
    rows = read_rows(new_sales)
    rows.loc[0, "quarter"] = "Z"
    rows.loc[1, "paid"] = ""
    rows.to_csv(tmp_path / "holes.csv", index=False)
    code, out, err = run("--data", tmp_path / "holes.csv", "--json")
    report = json.loads(out)
    assert code == 0
    assert (report["scored"], report["errors"], report["without_price"]) == (58, 1, 1)
    assert report["left_out_by_code"] == {"unknown_level:quarter": 1, "required:paid": 1}
    assert "58 of 60 rows scored, 1 with an error, 1 without a price" in err
    assert "  required:paid: 1" in err


def test_training_sales_in_the_file_are_a_warning_even_if_quiet(run, new_sales, place, tmp_path):
    known = read_rows(place / "hamlet" / "sales.csv").head(7)
    pd.concat([read_rows(new_sales), known]).to_csv(tmp_path / "both.csv", index=False)
    code, out, err = run("--data", tmp_path / "both.csv", "--json", "--quiet")
    assert code == 0
    assert json.loads(out)["learned_from"] == 7
    assert "7 of the scored rows are sales that the model was trained on" in err


def test_a_file_without_prices_is_an_error_of_one_sentence(run, place):
    code, out, err = run("--data", place / "hamlet" / "to_value.csv", "--quiet")
    assert (code, out) == (1, "")
    assert err.startswith("Error: There is no column paid (Price paid)")
    assert err.count("\n") == 1


def test_metrics_are_aligned_with_their_units():
    shown = metrics_text("town-1", {"mae": 1234.6, "within_10": 0.5}, "€")
    assert shown.splitlines()[-2:] == [
        "  Mean absolute error (MAE)   €1,235",
        "  Within 10 % of the price    50.0 %",
    ]
