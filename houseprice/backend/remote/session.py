"""The one session with a server: who it is, how it is reached, with which key."""

from __future__ import annotations

import ipaddress
from http.cookiejar import DefaultCookiePolicy
from typing import NamedTuple
from urllib.parse import urlsplit

import requests
from requests.auth import AuthBase
from requests.cookies import RequestsCookieJar

from houseprice import __version__
from houseprice.backend.remote.deadline import DeadlineAdapter
from houseprice.errors import SettingsError
from houseprice.settings import Settings

__all__ = ["Address", "address_of", "key_of", "session_for"]

CONNECTIONS = 32


class Address(NamedTuple):
    """Where a server is.

    Attributes
    ----------
    url : str
        Without a slash at its end.
    place : str
        Host and port, for sentences.
    is_here : bool
        Whether it is this computer.
    is_secure : bool
        Whether nobody on the way can read what is sent.
    """

    url: str
    place: str
    is_here: bool
    is_secure: bool


def address_of(settings: Settings) -> Address:
    """Read the address of the server.

    Raises
    ------
    SettingsError
        If it can't be one.
    """
    url = (settings.api_url or "").rstrip("/")
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        host, port, parts = None, None, urlsplit("")
    if not host or parts.scheme not in ("http", "https"):
        raise SettingsError("HOUSEPRICE_API_URL must be an address such as https://host:8000.")
    is_tls, is_here = parts.scheme == "https", _is_loopback(host)
    port = port or (443 if is_tls else 80)
    place = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    return Address(url, place, is_here, is_tls or is_here)


def key_of(settings: Settings) -> str | None:
    """Read the key.

    Raises
    ------
    SettingsError
        If it can't be one; without saying what it is.
    """
    key = settings.api_key.get_secret_value().strip() if settings.api_key else ""
    if not (key.isascii() and key.isprintable()):
        raise SettingsError("HOUSEPRICE_API_KEY holds characters that no key has.")
    return key or None


def session_for(address: Address, key: str | None) -> requests.Session:
    """Make a session that all threads may use: nothing in it changes any more.

    It keeps no cookies, and its connections are lent under a lock. Proxies and certificates of the
    environment (``HTTPS_PROXY``, ``NO_PROXY``, ``REQUESTS_CA_BUNDLE``) are those of a company's
    network and are used, except to this computer itself. A password in ``.netrc`` never is.
    """
    session = _Session()
    session.trust_env = not address.is_here
    session.auth = _Key(key)
    session.headers["User-Agent"] = f"houseprice/{__version__}"
    session.headers["Accept-Encoding"] = "gzip"
    session.cookies = RequestsCookieJar(DefaultCookiePolicy(allowed_domains=[]))
    adapter = DeadlineAdapter(pool_maxsize=CONNECTIONS)
    session.mount("http://", adapter)
    session.mount("https://", adapter)
    return session


class _Session(requests.Session):
    def get_redirect_target(self, resp: requests.Response) -> None:
        """None, ever: else the body of a redirect would be read to its end, however long it is."""


class _Key(AuthBase):
    """Sends the key with each request; being there, it keeps .netrc out."""

    def __init__(self, key: str | None) -> None:
        self._key = key

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        if self._key is not None:
            request.headers["X-API-Key"] = self._key
        return request


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")
