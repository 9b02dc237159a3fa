"""``houseprice evaluate``: tables for people, JSON for programs, and files of priced houses."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest

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
def strangers(tmp_path: Path) -> Path:
    """Sales that no model has learned from."""
    path = tmp_path / "strangers.csv"
    sales = hamlet_sales(60, seed=99)
    sales.assign(key=[f"other {number}" for number in range(60)]).to_csv(path, index=False)
    return path


def test_the_figures_stand_beside_what_anybody_could_guess(run) -> None:
    code, out, _ = run(*QUICK, "--json")
    assert code == 0
    found = json.loads(out)
    assert (found["folds"], found["repeats"], found["seed"], found["rows"]) == (2, 1, 0, 150)
    assert 0 < found["metrics"]["rmsle"] < found["baselines"]["median_price"]["rmsle"]
    assert set(found["baselines"]) == {"median_price", "location_price_per_area", "plain_lasso"}
    assert {row["figure"] for row in found["ratio_study"]} == {
        *("median_ratio", "cod", "prd", "prb", "mki", "vei")
    }
    assert len(found["ranges_by_price"]) == 5
    assert found["out_of_time"]["year"] == 2020
    assert found["out_of_time"]["sales"] < 150
    assert found["out_of_time"]["metrics"]["coverage_90"] > 0.5


def test_the_report_is_laid_out_as_tables(run) -> None:
    code, out, err = run(*QUICK)
    assert code == 0
    for title in (
        "How close values come",
        "Ratio study of 150 sales, 90 % intervals",
        "of 2020 by a model of the years before",
        "Realised error by confidence",
        "Ranges and errors by fifth of the prices",
        "Ratio study by fifth of the prices",
        "Ranges and errors by quarter",
        "Ratio study by quarter",
    ):
        assert title in out
    assert "Error of the logarithm of the price (RMSLE)" in out
    assert "nan" not in out
    assert max(map(len, out.splitlines())) <= 120
    assert "150 sales in 2 folds" in err
    assert "The 90 % range held least often in" in err


def test_a_market_of_one_year_is_evaluated_without_foretelling(
    run, monkeypatch, tmp_path: Path
) -> None:
    folder = write_hamlet(tmp_path / "one year", n_sales=120)
    sales = read_rows(folder / "sales.csv").assign(sold="2020")
    sales.to_csv(folder / "sales.csv", index=False)
    monkeypatch.setenv("HOUSEPRICE_MARKET", str(folder))
    code, out, err = run(*QUICK, "--json")
    assert code == 0
    assert json.loads(out)["out_of_time"] is None
    assert "The last year was not foretold: all sales are of one year" in err


def test_a_priced_file_is_scored_by_the_model_in_use(run, strangers: Path) -> None:
    code, out, err = run("--data", strangers, "--json")
    assert code == 0
    found = json.loads(out)
    assert (found["rows"], found["scored"], found["errors"], found["learned_from"]) == (
        60,
        60,
        0,
        0,
    )
    assert found["hit_rate"] == 1.0
    assert found["model_version"].startswith("hamlet-")
    assert found["metrics"]["rmsle"] < 0.15
    assert "60 of 60 rows scored" in err
    assert "flatter" not in err

    code, out, err = run("--data", strangers)
    assert code == 0
    assert "Ratio study of 60 sales" in out
    assert "foretold" not in out


def test_rows_that_cannot_be_scored_are_counted_and_told(
    run, strangers: Path, tmp_path: Path
) -> None:
    rows = read_rows(strangers)
    rows.loc[0, "quarter"] = "Z"
    rows.loc[1, "paid"] = ""
    rows.to_csv(tmp_path / "holes.csv", index=False)
    code, out, err = run("--data", tmp_path / "holes.csv", "--json")
    found = json.loads(out)
    assert code == 0
    assert (found["scored"], found["errors"], found["without_price"]) == (58, 1, 1)
    assert found["left_out_by_code"] == {"unknown_level:quarter": 1, "required:paid": 1}
    assert "58 of 60 rows scored, 1 with an error, 1 without a price" in err
    assert "  required:paid: 1" in err


def test_sales_that_the_model_knows_are_told_even_to_the_quiet(
    run, strangers: Path, place: Path, tmp_path: Path
) -> None:
    known = read_rows(place / "hamlet" / "sales.csv").head(7)
    pd.concat([read_rows(strangers), known]).to_csv(tmp_path / "both.csv", index=False)
    code, out, err = run("--data", tmp_path / "both.csv", "--json", "--quiet")
    assert code == 0
    assert json.loads(out)["learned_from"] == 7
    assert "7 of the rows scored are sales that the model has learned from" in err


def test_a_file_without_prices_is_one_sentence(run, place: Path) -> None:
    code, out, err = run("--data", place / "hamlet" / "to_value.csv", "--quiet")
    assert (code, out) == (1, "")
    assert err.startswith("Error: There is no column paid (Price paid)")
    assert err.count("\n") == 1


def test_a_file_that_is_not_there_is_a_wrong_call(run, tmp_path: Path) -> None:
    assert run("--data", tmp_path / "none.csv")[0] == 2
