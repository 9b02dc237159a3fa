"""The commands for later prices."""

import json

import pytest


@pytest.fixture
def later(saved, tmp_path):
    """A file of later prices: two that can be matched, one of another house, one without a date."""
    path = tmp_path / "later.csv"
    path.write_text(
        "reference,sale date,price,floor area\n"
        "file 7,2099-01-01,90000,\n"
        "file 7,tomorrow,90000,\n"
        "file 9,2021-05-04,80000,80\n"
    )
    return path


def test_later_prices_are_added_and_bad_rows_reported(run, later):
    result = run("records", "outcomes", later)
    assert result.code == 0
    assert result.out == "1 added, 1 without a valuation.\n"
    assert "Row 1: Date of sale: 2099-01-01 is in the future. Expected: a past date." in result.err
    assert "Row 2: Date of sale: «tomorrow» is not a date." in result.err
    found = json.loads(run("records", "outcomes", later, "--json").out)
    assert found["counts"]["known"] == 1
    assert [each["row"] for each in found["rows"]] == [3]
    assert [each["code"] for each in found["refused"]] == ["in_the_future", "not_a_date"]
    assert run("records", "outcomes").out == "1 known already, 1 without a valuation.\n"
    later.write_text("reference,sale date,price\nfile 7,tomorrow,90000\n")
    assert run("records", "outcomes", later).code == 1


def test_a_decision_needs_a_valuation_from_before_the_sale(run, later):
    run("records", "outcomes", later)
    result = run("records", "decide", 4, 1, "--accept")
    assert result.code == 1
    assert "not before the sale of 2021-05-04" in result.err
    assert run("records", "decide", 4, 1, "--reject").code == 0
    assert run("records", "unsure").out == "No match waits for a decision.\n"


def test_retraining_uses_later_prices_and_can_be_undone(run, later, place):
    before = (place / "hamlet" / "market.toml").read_text()
    later.write_text(
        "reference,sale date,price,floor area,quarter,grade,built\n"
        "file 1,2020-05-04,110000,80,N,Fine,1990\n"
    )
    assert run("records", "outcomes", later).code == 0
    result = run("records", "retrain", "--accept-worse", "--json")
    assert result.code == 0
    assert "Later prices: 1 sale to add" in result.err
    found = json.loads(result.out)
    assert (found["sales"], found["sales_file"], found["live"]["sales"]) == (151, "sales-2.csv", 1)
    again = run("records", "retrain")
    assert (again.code, "no later price that the market does not have" in again.err) == (1, True)
    assert found["champion"] in run("records", "restore", "--list").out
    back = run("records", "restore")
    assert back.out == f"{found['champion']} answers again, with the sales in sales.csv.\n"
    assert (place / "hamlet" / "market.toml").read_text() == before
    events = json.loads(run("records", "log", "--json").out)
    assert [(each["action"], each["detail"]["change"]) for each in events[:5]] == [
        ("model", "activated"), ("market", "restored"),
        ("model", "activated"), ("market", "retrained"), ("model", "trained"),
    ]  # fmt: skip
