"""Who the visitor is: signed in by OpenID Connect, or the user of this computer.

Streamlit signs people in (``st.login``) if its secrets have a section ``[auth]``. A request says
nothing else about who sent it: no header is trusted.
"""

from __future__ import annotations

import getpass
from collections.abc import Mapping
from pathlib import Path

import streamlit as st
from streamlit.errors import StreamlitAuthError

from houseprice.errors import SettingsError
from houseprice.extras import require
from houseprice.records.roles import normalize_person
from houseprice.settings import is_forwarded, is_loopback

_SHARED_KEYS = ("redirect_uri", "cookie_secret")
_PROVIDER_KEYS = ("client_id", "client_secret", "server_metadata_url")


def headers() -> Mapping[str, str]:
    """Return the headers of the visitor's request."""
    return st.context.headers


def is_alone() -> bool:
    """Whether only this computer reaches the app.

    Plain ``streamlit run`` listens to all computers unless it has an address. A proxy or a tunnel
    on this computer may let others in; it shows in the headers, or in the host that they asked for.
    """
    address, given = st.get_option("server.address"), headers()
    host = given.get("Host", "localhost")
    name = host[1:].partition("]")[0] if host.startswith("[") else host.partition(":")[0]
    is_direct = is_loopback(name) and not is_forwarded(given)
    return bool(address) and is_loopback(address) and is_direct


def has_sign_in() -> bool:
    """Whether people can sign in: Streamlit's secrets have a section ``[auth]``.

    Raises SettingsError if there are secrets that can't be read: they may have one.
    """
    if st.secrets.load_if_toml_exists():
        return "auth" in st.secrets
    present = [file for file in st.get_option("secrets.files") or () if Path(file).exists()]
    if present:
        raise SettingsError(f"Streamlit's secrets are not valid TOML: {', '.join(present)}.")
    return False


def visitor() -> str | None:
    """Return the person who signed in, or the user of this computer; None for all others."""
    if has_sign_in():
        return _signed_in()
    return getpass.getuser() if is_alone() else None


def _signed_in() -> str | None:
    """Return the e-mail address that the provider has verified, else its own key of the person."""
    claims = st.user.to_dict()
    if not claims.get("is_logged_in"):
        return None
    email, issuer, subject = (claims.get(name) for name in ("email", "iss", "sub"))
    if email and str(claims.get("email_verified")).lower() == "true":
        return normalize_person(str(email))
    return f"{issuer}|{subject}" if issuer and subject else None


def sign_in_providers() -> tuple[str, ...]:
    """Return the names of the providers in ``[auth]``; one without a name is "default"."""
    section = st.secrets["auth"]
    named = tuple(name for name, value in section.items() if "client_id" in _keys(value))
    return named or ("default",)


def check_sign_in() -> None:
    """Raise an error of houseprice if people can't sign in although there is ``[auth]``."""
    if not has_sign_in():
        return
    require("auth", "Signing in ([auth] in .streamlit/secrets.toml)")
    section = st.secrets["auth"]
    missing = [f"auth.{name}" for name in _SHARED_KEYS if not section.get(name)]
    for provider in sign_in_providers():
        given, path = (section, "auth") if provider == "default" else (
            section[provider], f"auth.{provider}")  # fmt: skip
        missing += [f"{path}.{name}" for name in _PROVIDER_KEYS if not given.get(name)]
    if missing:
        raise SettingsError(
            f".streamlit/secrets.toml lacks {', '.join(missing)}: without them no one can sign in."
        )


def sign_in(provider: str) -> None:
    """Send the visitor to a provider."""
    check_sign_in()
    try:
        st.login(None if provider == "default" else provider)
    except StreamlitAuthError as error:
        raise SettingsError(str(error)) from error


def _keys(value: object) -> frozenset[object]:
    return frozenset(value) if isinstance(value, Mapping) else frozenset()
