"""Download the files of a competition with Kaggle's own client.

The client (``kagglehub``, of the optional extra ``kaggle``) knows the credentials, the URLs and the
retries. It runs in a process of its own (:mod:`houseprice.market.kaggle_client`), so that it can be
killed when it stalls or downloads too much, and so that nothing it prints can reveal a key.
"""

from __future__ import annotations

import errno
import json
import logging
import os
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from time import monotonic
from typing import Any
from urllib.parse import urlsplit

from houseprice.errors import FetchError
from houseprice.extras import require
from houseprice.files import MEGABYTE
from houseprice.market.metadata import KaggleSource
from houseprice.programs import start_python

STALL_TIMEOUT_S = 60.0
"""Seconds without a byte after which a download is aborted."""

_CLIENT = Path(__file__).with_name("kaggle_client.py")
_POLL_S = 0.1
# Write nothing to the user's home, and behave alike inside and outside of Kaggle's notebooks.
_ENVIRONMENT = {
    "DISABLE_KAGGLE_CACHE": "true",
    "KAGGLE_LOGGING_ENABLED": "false",
    "KAGGLEHUB_VERBOSITY": "critical",
}

logger = logging.getLogger(__name__)


def download(
    source: KaggleSource,
    folder: Path,
    progress: Callable[[str], None],
    stall_timeout_s: float = STALL_TIMEOUT_S,
) -> dict[str, Path]:
    """Download the market's two files into an empty folder, and return their paths by name.

    A HousePriceError if Kaggle's client is not installed, else a FetchError that says what to
    do and never contains a credential.
    """
    require("kaggle", "Fetching from Kaggle")
    names = [source.sales.file, source.sample.file]
    client = start_python(
        ["-P", str(_CLIENT), source.competition, *names],
        {**_ENVIRONMENT, "KAGGLEHUB_CACHE": str(folder)},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    with client:
        try:
            _wait(client, source, folder, progress, stall_timeout_s)
        finally:
            client.kill()
        assert client.stdout is not None
        output = client.stdout.read()
    outcome: dict[str, Any] = json.loads(output or '{"kinds": ["ended without an outcome"]}')
    if "files" in outcome:
        return {name: Path(path) for name, path in outcome["files"].items()}
    failure = KaggleFailure(**{**outcome, "kinds": tuple(outcome["kinds"])})
    logger.debug("the client failed with %s at %s", failure.kinds[0], ", ".join(failure.at))
    raise FetchError(failure_message(failure, source))


def _wait(
    client: subprocess.Popen[bytes],
    source: KaggleSource,
    folder: Path,
    progress: Callable[[str], None],
    stall_timeout_s: float,
) -> None:
    """Wait for the client to end; raise if it stalls or downloads too much."""
    last_size, since = 0, monotonic()
    while True:
        try:
            client.wait(_POLL_S)
            ended = True
        except subprocess.TimeoutExpired:
            ended = False
        size = _folder_size(folder)
        if size > source.most_mb * MEGABYTE:
            raise FetchError(
                f"The download is larger than {source.most_mb} MB and was aborted. If that is "
                "right, raise market.kaggle.most_mb in the contract."
            )
        if ended:
            return
        if size != last_size:
            last_size, since = size, monotonic()
            progress(f"Downloading from Kaggle: {size / MEGABYTE:.1f} MB")
        elif monotonic() - since > stall_timeout_s:
            raise FetchError(
                f"Nothing came from Kaggle for {stall_timeout_s:.0f} seconds: try again, wait "
                "longer with --timeout, or set HTTPS_PROXY if you are behind a proxy."
            )


def _folder_size(folder: Path) -> int:
    """Bytes in a folder that another process writes to."""
    total = 0
    for parent, _, names in os.walk(folder):
        for name in names:
            try:
                total += Path(parent, name).lstat().st_size
            except FileNotFoundError:  # renamed or removed in the meantime
                continue
    return total


# ----------------------------------------------------------------------------------------- failures


@dataclass(frozen=True)
class KaggleFailure:
    """An error of Kaggle's client, by names and numbers alone.

    ``kinds`` are the class names of the error and its causes; ``errno``, ``status`` and ``tunnel``
    are the codes of the system, the server and the proxy; ``at`` are lines of the client's code.
    """

    kinds: tuple[str, ...] = ()
    errno: int | None = None
    status: int | None = None
    tunnel: int | None = None
    at: tuple[str, ...] | list[str] = ()


def failure_message(failure: KaggleFailure, source: KaggleSource) -> str:
    """Say what happened and what to do."""
    return _template(failure).format(
        competition=source.competition,
        credentials=_credentials(),
        files=f"{source.sales.file} and {source.sample.file}",
        keys=_KEYS_URL,
        page=source.page,
        proxy=_proxy(),
    )


_KEYS_URL = "https://www.kaggle.com/settings"

# By the class names of errors, the most specific first. The market wing imports no network library,
# so kaggle_client.py sends the names of the whole chain of causes. Kaggle's client uses requests.
_BY_KIND = {
    ("UnauthenticatedError",): "Kaggle requires a key: create one on {keys} and set "
    "KAGGLE_USERNAME and KAGGLE_KEY, or put the downloaded kaggle.json into the folder .kaggle of "
    "your home.",
    ("InvalidProxyURL",): "{proxy} is not the URL of a proxy; expected is, for example, "
    "http://host:3128.",
    ("ProxyError",): "The proxy in {proxy} can't be reached: correct it, or unset it if there is "
    "none.",
    ("SSLError",): "The certificate of Kaggle is not trusted: if your proxy decrypts traffic, set "
    "REQUESTS_CA_BUNDLE to the file with its authority.",
    ("NameResolutionError", "gaierror"): "The address of Kaggle was not found: is this computer "
    "connected to the network? Behind a proxy, set HTTPS_PROXY.",
    ("DataCorruptionError", "BadZipFile", "IncompleteRead", "ChunkedEncodingError"): "The download "
    "was interrupted or is damaged: run this again.",
    ("Timeout",): "Kaggle did not answer in time: try again, or set HTTPS_PROXY if you are behind "
    "a proxy.",
    ("NewConnectionError", "ConnectionError"): "Kaggle can't be reached: is this computer "
    "connected to the network? Behind a proxy, set HTTPS_PROXY.",
    ("InvalidHeader", "UnicodeEncodeError"): "{credentials} can't be sent: copy the key again from "
    "{keys}.",
    ("InvalidJSONError",): "The answer of Kaggle can't be read: run this again later.",
    ("ValueError",): "{credentials} can't be read: download a new kaggle.json from {keys}.",
}

_BY_STATUS = {
    401: "Kaggle does not accept the credentials (401): check {credentials}, or create a new key "
    "on {keys}.",
    403: "Kaggle does not give you the files of this competition (403): sign in with a browser, "
    "accept the rules on {page}/rules, and run this again.",
    404: "Kaggle has no competition {competition}, or not the files {files} in it (404): correct "
    "market.kaggle in the contract.",
    407: "The proxy in {proxy} requires a user name and a password (407): write them into it, as "
    "in http://user:password@host:3128.",
    429: "Kaggle got too many requests (429): wait a few minutes and run this again.",
}


def _template(failure: KaggleFailure) -> str:
    if failure.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        return "The disk is full: free some space and run this again."
    if failure.errno in (errno.EACCES, errno.EROFS):
        return "The download can't be written here: choose a writable folder with -o."
    if 407 in (failure.tunnel, failure.status):
        return _BY_STATUS[407]
    if failure.tunnel:
        return (
            f"The proxy in {{proxy}} does not allow connections to Kaggle ({failure.tunnel}): ask "
            "its operator to allow api.kaggle.com and storage.googleapis.com."
        )
    if failure.status in _BY_STATUS:
        return _BY_STATUS[failure.status]
    if failure.status is not None and failure.status >= 400:
        return f"Kaggle could not answer ({failure.status}): try again later."
    kind = failure.kinds[0] if failure.kinds else "no reason given"
    return next(
        (text for kinds, text in _BY_KIND.items() if set(kinds) & set(failure.kinds)),
        f"Kaggle's client failed ({kind}): run this again with --verbose.",
    )


def _credentials() -> str:
    """Name the credentials that the client uses first."""
    if os.environ.get("KAGGLE_API_TOKEN"):
        return "KAGGLE_API_TOKEN"
    if os.environ.get("KAGGLE_USERNAME") and os.environ.get("KAGGLE_KEY"):
        return "KAGGLE_USERNAME and KAGGLE_KEY"
    return "the files in the folder .kaggle of your home"


def _proxy() -> str:
    """Name the variable of the proxy and its host, without the password that it may contain."""
    for name in ("https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"):
        if url := os.environ.get(name):
            host = urlsplit(url).netloc.rpartition("@")[2]
            return f"{name} ({host})" if host else name
    return "HTTPS_PROXY"
