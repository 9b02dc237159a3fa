"""The command ``houseprice records``."""

import json

from houseprice.records.people import access_log


def test_a_model_that_a_command_trains_for_lack_of_one_is_in_the_log(run, database, place):
    # The first test of the file: the others use the model.
    assert run("evaluate", "--data", place / "hamlet" / "sales.csv", "--quiet").code == 0
    event = access_log(database).iloc[0]
    assert event[["person", "source", "action"]].tolist() == ["automatic", "command", "model"]


def test_saved_valuations_are_listed(run, saved):
    result = run("records")
    assert result.code == 0
    assert "file 7" in result.out
    found = json.loads(run("records", "--search", "file 8", "--json").out)
    assert [each["entry"] for each in found] == [2]
    assert json.loads(found[0]["facts"]) == {"quarter": "S", "size": "80"}


def test_an_empty_list_says_how_to_save(run, database):
    assert "houseprice predict --save" in run("records").out


def test_verify_prints_the_last_link_and_fails_where_a_record_was_changed(run, saved, database):
    first = json.loads(run("records", "verify", "--json").out)
    assert (first["n_entries"], first["faults"]) == (3, [])  # and the training
    assert run("records", "verify", "--link", first["link"]).code == 0
    with database.write() as connection:
        connection.exec_driver_sql("UPDATE valuations SET predicted_price = 1 WHERE entry = 1")
    result = run("records", "verify")
    assert result.code == 1
    assert "Entry 1 (valuations): it was changed." in result.out


def test_deleting_needs_a_reason_and_a_number_that_exists(run, saved):
    assert run("records", "delete", 1).code == 2
    result = run("records", "delete", 99, "--reason", "requested")
    assert (result.code, result.err) == (1, "Error: There is no saved valuation 99.\n")
    assert run("records", "delete", 1, "--reason", "requested").code == 0
    assert "file 7" not in run("records").out
    assert run("records", "verify").code == 0


def test_a_backup_is_made_once(run, saved, tmp_path):
    assert run("records", "backup", tmp_path / "copy.sqlite").code == 0
    assert (tmp_path / "copy.sqlite").is_file()
    assert "exists already" in run("records", "backup", tmp_path / "copy.sqlite").err


def test_valuations_expire(run, saved):
    assert run("records", "expire", "--days", 30).out == "0 valuations older than 30 days.\n"


def test_roles_are_given_listed_and_logged(run, database):
    assert "No one has a role yet" in run("records", "people").out
    assert run("records", "role", "Anne@Example.org", "owner").out == "Anne@Example.org is owner.\n"
    assert run("records", "role", "ben", "king").code == 2
    assert "anne@example.org owner" in run("records", "people").out
    assert run("records", "role", "anne@example.org", "none").code == 0
    assert json.loads(run("records", "people", "--json").out) == []
    events = json.loads(run("records", "log", "--json").out)
    roles = [each["detail"]["role"] for each in events if each["action"] == "role"]
    assert roles == [None, "owner"]
    assert run("records", "log", "--since", "2100-01-01").out == ""


def test_changes_of_the_model_are_in_the_log(run, saved, trained):
    version = json.loads(run("models", "--json").out)[-1]["model_version"]
    assert run("models", "activate", version).code == 0
    assert f"hamlet  model  {version}  change activated" in run("records", "log").out


def test_a_training_without_a_database_is_in_the_log_once_there_is_one(
    run, trained, monkeypatch, tmp_path
):
    monkeypatch.setenv("HOUSEPRICE_DATABASE_URL", f"sqlite:///{tmp_path}/later.sqlite")
    version = (trained / "active").read_text().split()[0]
    assert f"automatic  hamlet  model  {version}  change trained" in run("records", "log").out
