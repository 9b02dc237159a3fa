"""Who a visitor is, with and without sign-in."""

from __future__ import annotations

from typing import Any

import pytest
import streamlit as st
from streamlit.runtime.secrets import Secrets
from streamlit.testing.v1 import AppTest

from houseprice.errors import SettingsError
from houseprice.ui import visitor

PROVIDER = {"client_id": "id", "client_secret": "secret", "server_metadata_url": "https://p"}
AUTH = {"redirect_uri": "https://a/oauth2callback", "cookie_secret": "c" * 40}
CLAIMS = {"is_logged_in": True, "iss": "https://p", "sub": "7", "email": "Anne@Example.org"}


def run(function: Any, auth: dict[str, Any], user: dict[str, Any] | None = None) -> AppTest:
    app = AppTest.from_function(function)
    app.secrets["auth"] = auth
    app.user = user or {}
    return app.run()


def script() -> None:
    import streamlit as st

    from houseprice.errors import HousePriceError
    from houseprice.ui.visitor import check_sign_in, sign_in_providers, visitor

    st.text(str(visitor()))
    st.text(" ".join(sign_in_providers()))
    try:
        check_sign_in()
    except HousePriceError as error:
        st.text(str(error))


@pytest.mark.parametrize(
    ("claims", "person"),
    [
        ({}, "None"),
        ({"is_logged_in": False, "email": "anne@example.org", "email_verified": True}, "None"),
        ({**CLAIMS, "email_verified": True}, "anne@example.org"),
        ({**CLAIMS, "email_verified": "true"}, "anne@example.org"),
        ({**CLAIMS, "email_verified": False}, "https://p|7"),
        (CLAIMS, "https://p|7"),
        ({"is_logged_in": True, "email": "anne@example.org"}, "None"),
    ],
)
def test_a_person_is_a_verified_address_or_the_key_of_the_provider(claims, person):
    assert run(script, AUTH | PROVIDER, claims).text[0].value == person


def test_providers_are_named_or_the_only_one():
    assert run(script, AUTH | PROVIDER).text[1].value == "default"
    assert run(script, AUTH | {"google": PROVIDER, "okta": PROVIDER}).text[1].value == "google okta"


def test_an_incomplete_configuration_is_reported_by_its_keys():
    assert len(run(script, AUTH | PROVIDER).text) == 2
    message = run(script, {"cookie_secret": "c", "okta": {"client_id": "id"}}).text[2].value
    assert message.startswith(
        ".streamlit/secrets.toml lacks auth.redirect_uri, auth.okta.client_secret, "
        "auth.okta.server_metadata_url:"
    )


def test_without_sign_in_a_visitor_has_a_name_only_on_this_computer(monkeypatch):
    monkeypatch.setattr("streamlit.get_option", {"server.address": "127.0.0.1"}.get)
    monkeypatch.setenv("LOGNAME", "anne")
    assert visitor.visitor() == "anne"
    monkeypatch.setattr("streamlit.get_option", {"server.address": "0.0.0.0"}.get)
    assert visitor.visitor() is None


def test_secrets_that_cannot_be_read_do_not_turn_sign_in_off(monkeypatch, tmp_path):
    file = tmp_path / "secrets.toml"
    monkeypatch.setattr("streamlit.get_option", {"secrets.files": [str(file)]}.get)
    monkeypatch.setattr("streamlit.runtime.secrets.config.get_option", st.get_option)
    monkeypatch.setattr(st, "secrets", Secrets())
    assert not visitor.has_sign_in()
    file.write_text("[auth\n")
    with pytest.raises(SettingsError, match="not valid TOML"):
        visitor.has_sign_in()
