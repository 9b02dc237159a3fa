"""The commands for the track record, alarms, reviews and fairness."""

import json
from datetime import UTC, date, datetime

import numpy as np
import pandas as pd
import pytest

from houseprice.backend.factory import open_backend
from houseprice.records import outcomes
from houseprice.records.ledger import Author
from houseprice.records.valuations import OwnTexts, save
from houseprice.settings import read_settings
from houseprice.tables.sales import load_market

ANNE = Author("anne", "hamlet", "table")
N = 120


@pytest.fixture
def sold(database):
    """Saved valuations, all of whose houses were sold at twice the value."""
    market = load_market(settings=read_settings())
    backend = open_backend(read_settings(), market)
    rows = pd.DataFrame({"size": [str(60 + i) for i in range(N)], "quarter": ["N", "S"] * (N // 2)})
    result, texts = backend.value(rows), [OwnTexts(f"file {i}") for i in range(N)]
    given = datetime(2021, 1, 1, tzinfo=UTC)
    save(
        database, ANNE, rows, result, backend.info(), market.contract, texts=texts, valued_at=given
    )
    prices = result.valuations["predicted_price"].to_numpy(np.float64) * 2.0
    references = [own.reference for own in texts]
    sales = pd.DataFrame({"reference": references, "sold_on": date(2021, 6, 1), "price": prices})
    outcomes.add(database, ANNE, sales)


def test_the_report_sets_figures_beside_expected_ones_and_raises_alarms_once(run, sold):
    result = run("records", "report", "--by", "area", "--by", "month")
    assert result.code == 0
    assert "100.0 % of 120 saved requests got a value" in result.out
    assert "worse than expected: median absolute error" in result.out
    assert "120 were saved on the day of the sale or later" in result.out
    for text in ("By area", "North bank", "By month", "2021-06", "Ratio study of 120 later sales"):
        assert text in result.out
    found = json.loads(run("records", "report", "--json").out)
    assert [alarm["kind"] for alarm in found["alarms"]] == ["median_ape", "coverage"]
    number = found["alarms"][0]["entry"]
    assert run("records", "respond", number, "--what", "retrained").code == 0
    assert "anne" not in run("records", "report").out.split("Done (")[1]
    assert "retrained" in run("records", "report").out
    earlier = json.loads(run("records", "report", "--until", "2021-05-31", "--json").out)
    assert (earlier["saved"], earlier["sales"]) == (N, 0)


def test_without_its_server_the_report_has_the_rest_and_says_what_is_missing(
    run, database, monkeypatch
):
    monkeypatch.setenv("HOUSEPRICE_API_URL", "http://127.0.0.1:9")
    result = run("records", "report")
    assert (result.code, result.out.startswith("No valuation is saved yet.")) == (0, True)
    assert "The expected accuracy is not known: " in result.err


def test_without_records_the_report_says_so(run, database):
    result = run("records", "report")
    assert result.code == 0
    assert result.out.startswith("No valuation is saved yet.")
    assert "No alarm." in result.out


def test_a_sample_is_drawn_listed_and_reviewed(run, sold):
    drawn = json.loads(run("records", "sample", 3, "--seed", 5, "--json").out)
    assert len(drawn) == 3
    number, first = drawn[0]["sample"], drawn[0]["valuation"]
    assert run("records", "sample", "--verify", number).out == "The same valuations are drawn.\n"
    refused = run("records", "review", first, "too_high")
    assert (refused.code, "Give the reason" in refused.err) == (1, True)
    assert run("records", "review", first, "too_high", "--reason", "no roof").code == 0
    assert str(first) not in run("records", "sample").out.split()
    assert "too high" in run("records", "report").out


def test_fairness_compares_by_the_columns_of_a_table(run, sold, tmp_path):
    table = tmp_path / "areas.csv"
    table.write_text("quarter;income;renters\nN;low;10\nS;high;30\n")
    result = run("records", "fairness", table, "--column", "income")
    assert result.code == 0
    assert "By income" in result.out
    assert "Each group against all others" in result.out
    found = json.loads(run("records", "fairness", table, "--json").out)
    assert {group["by"] for group in found["groups"]} == {"income", "renters"}
    assert "has no column" in run("records", "fairness", table, "--column", "wealth").err


def test_the_evidence_pack_is_written_into_a_new_folder_and_logged(run, sold, tmp_path):
    period = ("--from", "2021-01-01", "--to", "2021-12-31")
    result = run("records", "evidence", *period, "-o", tmp_path / "pack")
    assert (result.code, result.out.strip()) == (0, str(tmp_path / "pack" / "evidence.html"))
    page = (tmp_path / "pack" / "evidence.html").read_text(encoding="utf-8")
    assert "Model card: Hamlet" in page
    assert "Median absolute error" in page
    assert (tmp_path / "pack" / "tables" / "pairs.csv").is_file()
    again = run("records", "evidence", *period, "-o", tmp_path / "pack")
    assert (again.code, "exists" in again.err) == (2, True)
    assert "evidence pack" in run("records", "log").out
    assert run("records", "evidence", "--from", "2021-02-01", "--to", "2021-01-01").code == 2
