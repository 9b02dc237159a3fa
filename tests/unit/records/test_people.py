"""Roles, what they allow, and the log."""

from datetime import UTC, datetime, timedelta

import pytest

from houseprice.errors import AccessDenied, InputError, RecordsError
from houseprice.model.store.manifest import Manifest
from houseprice.records.ledger import verify
from houseprice.records.people import (
    access_log,
    log_change,
    log_training,
    log_view,
    open_records,
    people,
    require_permission,
    role_of,
    set_role,
)
from houseprice.records.roles import may
from houseprice.settings import Settings
from tests.unit.records.conftest import ANNE, BEN


def test_the_newest_role_of_a_person_counts(database):
    assert role_of(database, "ben@example.org") is None
    set_role(database, ANNE, " Ben@Example.org", "valuer")
    set_role(database, ANNE, "anne", "owner")
    set_role(database, ANNE, "ben@example.org", "reader")
    assert role_of(database, "ben@example.org") == "reader"
    set_role(database, ANNE, "ben@example.org", None)
    assert role_of(database, "ben@example.org") is None
    found = people(database)
    assert found[["person", "role", "given_by"]].to_numpy().tolist() == [["anne", "owner", "anne"]]
    assert verify(database).faults == ()


def test_each_role_may_do_more_than_the_one_before():
    allowed = {
        role: [may(role, each) for each in ("see track record", "save", "see all", "change roles")]
        for role in (None, "reader", "valuer", "owner")
    }
    assert allowed == {
        None: [False, False, False, False],
        "reader": [True, False, False, False],
        "valuer": [True, True, False, False],
        "owner": [True, True, True, True],
    }


def test_a_refusal_names_the_role_that_is_needed(database):
    with pytest.raises(AccessDenied, match="ben has no role, and this needs the role valuer"):
        require_permission(database, "ben", "save")
    set_role(database, ANNE, "ben", "valuer")
    assert require_permission(database, "ben", "save") == "valuer"
    with pytest.raises(AccessDenied, match="ben has the role valuer, and this needs the role own"):
        require_permission(database, "ben", "change roles")


def test_a_person_has_a_name(database):
    for name in (" ", "x" * 321):
        with pytest.raises(InputError, match="1 to 320 characters"):
            set_role(database, ANNE, name, "reader")


def test_a_view_is_logged_once_an_hour_for_each_person_and_page(database):
    now = datetime.now(UTC)
    for author, page in [(ANNE, "list"), (ANNE, "list"), (BEN, "list"), (ANNE, "track record")]:
        log_view(database, author, page)
    log_view(database, ANNE, "list", now=now + timedelta(minutes=61))
    views = access_log(database)
    assert views[["person", "subject"]].to_numpy().tolist() == [
        ["anne", "list"],
        ["anne", "track record"],
        ["ben", "list"],
        ["anne", "list"],
    ]
    assert access_log(database, since=now + timedelta(hours=1)).empty
    assert access_log(database, market="elsewhere").empty


@pytest.fixture
def settings(url, tmp_path):
    """Settings with the database of ``url`` and an empty folder of models."""
    plain = url.set(drivername=url.get_backend_name()).render_as_string(hide_password=False)
    return Settings(database_url=plain, model_dir=tmp_path / "models")


def store_version(settings: Settings, name: str = "hamlet-1.0-1", hours_ago: int = 0) -> None:
    """Write the manifest of a version that was trained so long ago."""
    manifest = Manifest(
        model_version=name, package_version="1.0", code_sha256="c", libraries={},
        market_name="hamlet", market_title="Hamlet", contract_sha256="m", data_sha256="d",
        as_of=None, rows=240, metrics={}, files={},
        created_at=datetime.now(UTC) - timedelta(hours=hours_ago),
    )  # fmt: skip
    path = settings.model_dir / name / "manifest.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(manifest.to_json())


def test_a_change_is_logged_where_there_is_a_database(database, settings, tmp_path):
    log_change(settings, ANNE, "model", "hamlet-1", "activated")
    event = access_log(database, until=datetime.now(UTC) + timedelta(hours=1)).iloc[0]
    assert (event["action"], event["subject"]) == ("model", "hamlet-1")
    assert event["detail"] == {"change": "activated"}
    absent = tmp_path / "absent.sqlite"
    log_change(Settings(database_url=f"sqlite:///{absent}"), ANNE, "model", "m", "activated")
    assert not absent.exists()


def test_a_training_before_there_was_a_database_is_in_its_log(settings):
    store_version(settings, "hamlet-1.0-2", hours_ago=1)
    store_version(settings, "hamlet-1.0-1", hours_ago=2)
    (settings.model_dir / "hamlet-1.0-3").mkdir()  # is being written, or damaged
    for _ in range(2):
        database = open_records(settings, "api")
        found = access_log(database)
        database.engine.dispose()
    assert found["subject"].tolist() == ["hamlet-1.0-2", "hamlet-1.0-1"]
    assert found.iloc[0][["person", "market", "source", "action"]].tolist() == [
        "automatic", "hamlet", "api", "model",
    ]  # fmt: skip
    detail = found.iloc[0]["detail"]
    assert (detail["change"], detail["sales"], detail["data_sha256"]) == ("trained", 240, "d")
    assert datetime.fromisoformat(detail["trained_at"]) < datetime.now(UTC) - timedelta(minutes=50)


def test_a_training_is_logged_once_and_again_for_a_new_version_of_the_same_name(database, settings):
    store_version(settings)
    log_change(settings, ANNE, "model", "hamlet-1.0-1", "trained")
    log_training(settings, "form")
    assert access_log(database)["person"].tolist() == ["anne"]
    store_version(settings)
    log_training(settings, "form")
    assert access_log(database)["person"].tolist() == ["automatic", "anne"]


def test_a_training_that_cannot_be_logged_is_no_error_and_makes_no_database(tmp_path, caplog):
    absent = Settings(database_url=f"sqlite:///{tmp_path / 'no.sqlite'}", model_dir=tmp_path)
    store_version(absent)
    log_training(absent, "api")
    assert not (tmp_path / "no.sqlite").exists()
    file = tmp_path / "broken.sqlite"
    file.write_text("not a database, but long enough to be taken for one" * 100)
    log_training(Settings(database_url=f"sqlite:///{file}", model_dir=tmp_path), "api")
    assert "A training is not in the log yet: The records can't be opened" in caplog.text


def test_a_change_that_cannot_be_logged_is_reported_as_made(tmp_path):
    file = tmp_path / "records.sqlite"
    file.write_text("not a database, but long enough to be taken for one" * 100)
    with pytest.raises(RecordsError, match=r"hamlet-1 is activated, but this is not in the log\."):
        log_change(Settings(database_url=f"sqlite:///{file}"), ANNE, "model", "hamlet-1",
                   "activated")  # fmt: skip
