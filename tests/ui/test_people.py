"""What people see by their role, once they have signed in."""

from __future__ import annotations

from collections.abc import Callable

import pandas as pd
import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from houseprice.records.database import Database, parse_url
from houseprice.records.ledger import Author
from houseprice.records.people import access_log, people, role_of, set_role
from houseprice.ui.records.people import logged_export

SHELL = Author("root", "ames", "command")


@pytest.fixture
def database(model_dir, monkeypatch, tmp_path):
    """The database of an app where people sign in."""
    del model_dir  # in the environment
    url = f"sqlite:///{tmp_path / 'records.sqlite'}"
    monkeypatch.setenv("HOUSEPRICE_DATABASE_URL", url)
    st.cache_resource.clear()
    opened = Database.at(parse_url(url))
    yield opened
    opened.engine.dispose()
    st.cache_resource.clear()


@pytest.fixture
def signed_in(root) -> Callable[[str], AppTest]:
    """Opens the home page as a person who has signed in."""

    def signed_in(name: str) -> AppTest:
        app = AppTest.from_file(str(root / "streamlit_app.py"), default_timeout=60)
        app.secrets["auth"] = {"client_id": "id"}
        app.user = {"is_logged_in": True, "email": name, "email_verified": True}
        app.run()
        assert not app.exception
        return app

    return signed_in


def test_an_owner_gives_roles_and_sees_it_in_the_log(database, signed_in):
    set_role(database, SHELL, "anne@example.org", "owner")
    page = signed_in("anne@example.org").switch_page("pages/records/people.py").run()
    page.text_input(key="role_person").input("Ben@Example.org")
    button = next(each for each in page.button if each.label == "Give the role")
    page = button.click().run()
    assert not page.exception
    assert role_of(database, "ben@example.org") == "valuer"
    assert page.dataframe[0].value["Person"].tolist() == ["anne@example.org", "ben@example.org"]
    newest = page.dataframe[1].value.iloc[0]
    assert newest[["Person", "Action", "Subject", "Detail"]].tolist() == [
        "anne@example.org",
        "role",
        "ben@example.org",
        "role valuer",
    ]


def test_a_role_without_a_name_is_refused(database, signed_in):
    set_role(database, SHELL, "anne@example.org", "owner")
    page = signed_in("anne@example.org").switch_page("pages/records/people.py").run()
    page = next(each for each in page.button if each.label == "Give the role").click().run()
    assert "A person has a name" in page.error[0].value
    assert len(people(database)) == 1


@pytest.mark.parametrize(
    ("role", "saved", "is_owner"),
    [
        (None, False, False),
        ("reader", False, False),
        ("valuer", True, False),
        ("owner", True, True),
    ],
)
def test_the_pages_are_those_of_the_role(database, signed_in, role, saved, is_owner):
    set_role(database, SHELL, "anne@example.org", role)
    app = signed_in("anne@example.org")
    assert any(role or "without a role" in each.value for each in app.sidebar.caption)
    for path, exists in (
        ("pages/records/saved.py", saved),
        ("pages/records/people.py", is_owner),
        ("pages/market/yours.py", is_owner),
    ):
        if exists:
            assert not app.switch_page(path).run().exception
        else:
            with pytest.raises(ValueError, match="Could not find a navigation page"):
                app.switch_page(path)


@pytest.mark.parametrize(
    ("role", "is_owner"), [("reader", False), ("valuer", False), ("owner", True)]
)
def test_the_track_record_has_fairness_for_owners_only(database, signed_in, role, is_owner):
    set_role(database, SHELL, "anne@example.org", role)
    page = signed_in("anne@example.org").switch_page("pages/records/track_record.py").run()
    assert not page.exception
    assert ("Fairness" in [tab.label for tab in page.tabs]) == is_owner


def test_a_download_is_an_export_in_the_log(database):
    export = logged_export(SHELL, "Later prices", lambda: pd.DataFrame({"price": [1.0, 2.0]}))
    assert "export" not in set(access_log(database)["action"])
    assert len(export()) == 2
    event = access_log(database).iloc[0]
    assert (event["action"], event["subject"], event["detail"]) == (
        "export",
        "Later prices",
        {"rows": 2},
    )
