"""Signing in with a provider of OpenID Connect, which runs on this computer."""

from __future__ import annotations

import json
import subprocess
import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest
import requests
from playwright.sync_api import expect

from houseprice.records.database import Database, parse_url
from houseprice.records.ledger import Author, append
from houseprice.records.people import access_log, set_role
from houseprice.records.schema import valuations
from tests.browser.conftest import free_port, running_app, stop
from tests.browser.test_access import find_violations, wait_until_idle
from tests.loopback import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from playwright.sync_api import Page

ANNE, BEN = "anne@example.org", "ben@example.org"
PEOPLE = (
    {"sub": "anne", "email": ANNE, "email_verified": True},
    {"sub": "ben", "email": BEN, "email_verified": True},
    {"sub": "eve", "email": ANNE, "email_verified": False},
)


@pytest.fixture(scope="module")
def provider() -> Iterator[str]:
    """The URL of a provider that knows three people, one with an address that is not hers."""
    port = free_port()
    users = [part for each in PEOPLE for part in ("--user-claims", json.dumps(each))]
    server = subprocess.Popen(
        [sys.executable, "-m", "oidc_provider_mock", "--port", str(port), *users],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    url = f"http://127.0.0.1:{port}"

    def answers() -> bool:
        try:
            return requests.get(f"{url}/.well-known/openid-configuration", timeout=1).ok
        except requests.ConnectionError:
            return False

    try:
        wait_until(answers)
        yield url
    finally:
        stop(server)


@pytest.fixture(scope="module")
def database(tmp_path_factory) -> Iterator[Database]:
    """The records of the app: Anne is a valuer, Ben an owner, and both have saved a value."""
    folder = tmp_path_factory.mktemp("records")
    opened = Database.at(parse_url(f"sqlite:///{folder}/records.sqlite"))
    shell = Author("root", "ames", "command")
    set_role(opened, shell, ANNE, "valuer")
    set_role(opened, shell, BEN, "owner")
    value = {"status": "ok", "predicted_price": 150_000.0, "reason_codes": "",
             "model_version": "m-1", "valued_at": datetime.now(UTC)}  # fmt: skip
    for person in (ANNE, BEN):
        append(opened, Author(person, "ames", "api"), valuations, [value])
    yield opened
    opened.engine.dispose()


@pytest.fixture(scope="module")
def url(root: Path, model_dir: Path, provider: str, database: Database, tmp_path_factory) -> str:
    """The URL of an app where people sign in with the provider."""
    home = tmp_path_factory.mktemp("home")
    (home / ".streamlit").mkdir()
    (home / ".streamlit" / "secrets.toml").write_text(
        f"""
        [auth]
        redirect_uri = "http://127.0.0.1:{{port}}/oauth2callback"
        cookie_secret = "{"s" * 40}"
        client_id = "houseprice"
        client_secret = "secret"
        server_metadata_url = "{provider}/.well-known/openid-configuration"
        """
    )
    settings = {
        "HOME": str(home),
        "HOUSEPRICE_MODEL_DIR": str(model_dir),
        "HOUSEPRICE_DATABASE_URL": str(database.engine.url),
    }
    with running_app(root, home / "server.log", **settings) as running:
        yield running


def sign_in(page: Page, url: str, name: str) -> None:
    page.goto(url)
    page.get_by_role("button", name="Sign in").click(timeout=60_000)  # the first visitor waits
    page.locator(f"button[value={name}]").click()
    expect(page.get_by_role("button", name="Sign out")).to_be_visible()


def test_people_see_their_own_values_and_owners_all_of_them(page, url, database):
    sign_in(page, url, "anne")
    expect(page.get_by_text(ANNE)).to_be_visible()
    expect(page.get_by_text("Signed in, valuer.")).to_be_visible()
    expect(page.get_by_role("link", name="People")).to_have_count(0)
    page.get_by_role("link", name="Saved valuations").click()
    expect(page.get_by_label("Search in 1 saved valuation")).to_be_visible()
    page.get_by_role("button", name="Sign out").click()
    page.get_by_role("button", name="End session").click()
    expect(page.get_by_role("button", name="Sign in")).to_be_visible()
    expect(page.get_by_role("link", name="Saved valuations")).to_have_count(0)

    sign_in(page, url, "ben")
    expect(page.get_by_text("Signed in, owner.")).to_be_visible()
    page.get_by_role("link", name="Saved valuations").click()
    expect(page.get_by_label("Search in 2 saved valuations")).to_be_visible()
    page.get_by_role("link", name="People").click()
    expect(page.get_by_text("Who saw values of others")).to_be_visible()
    wait_until_idle(page)
    page.emulate_media(reduced_motion="reduce")
    assert find_violations(page) == {}
    views = access_log(database)
    assert views[views["action"] == "view"]["person"].tolist() == [BEN]


def test_an_address_that_the_provider_has_not_verified_names_no_one(page, url, provider):
    sign_in(page, url, "eve")
    expect(page.get_by_text(f"{provider}|eve")).to_be_visible()
    expect(page.get_by_text("Signed in, without a role")).to_be_visible()
