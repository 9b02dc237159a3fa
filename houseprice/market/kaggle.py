"""Files of a competition, through Kaggle's own client.

The client (``kagglehub``, of the optional extra ``kaggle``) knows the credentials, the addresses
and the retries. It runs in a process of its own, so that it can be stopped when it waits too long
or gets too much, and so that nothing it prints can show a key.

What went wrong with a download from Kaggle, in a sentence that says what to do.
"""

from __future__ import annotations

import errno
import json
import logging
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from time import monotonic
from typing import Any
from urllib.parse import urlsplit

from houseprice.errors import FetchError
from houseprice.extras import require
from houseprice.market.contract import KaggleSource

__all__ = ["PATIENCE_S", "KaggleFailure", "download", "failure_message"]

_KEYS = "https://www.kaggle.com/settings"

# By the names of errors, the most telling first: this floor knows no network library, and
# kaggle_client.py sends the names of a whole chain of causes. Kaggle's client uses requests.
_SENTENCES = {
    (
        "UnauthenticatedError",
    ): "Kaggle gives its files to known users only: make a key on {keys} and set KAGGLE_USERNAME "
    "and KAGGLE_KEY, or put the kaggle.json that you get there into the folder .kaggle of "
    "your home.",
    ("InvalidProxyURL",): "{proxy} is no address of a proxy; it should look like http://host:3128.",
    (
        "ProxyError",
    ): "The proxy that {proxy} names can't be reached: correct it, or unset it if there is none.",
    (
        "SSLError",
    ): "The certificate that came for Kaggle is not trusted: if a proxy of yours opens what is "
    "encrypted, set REQUESTS_CA_BUNDLE to the file with its authority.",
    (
        "NameResolutionError",
        "gaierror",
    ): "The address of Kaggle was not found: is this computer connected to the network? Where "
    "only a proxy leads out, set HTTPS_PROXY.",
    (
        "DataCorruptionError",
        "BadZipFile",
        "IncompleteRead",
        "ChunkedEncodingError",
    ): "The download was broken off or came damaged: run this again.",
    (
        "Timeout",
    ): "Kaggle did not answer in time: try again, or set HTTPS_PROXY if only a proxy leads out.",
    (
        "NewConnectionError",
        "ConnectionError",
    ): "Kaggle can't be reached: is this computer connected to the network? Where only a proxy "
    "leads out, set HTTPS_PROXY.",
    (
        "InvalidHeader",
        "UnicodeEncodeError",
    ): "{credentials} hold what can't be sent: copy the key again from {keys}.",
    ("InvalidJSONError",): "Kaggle gave an answer that is none: run this again later.",
    ("ValueError",): "{credentials} can't be read: get a new file kaggle.json from {keys}.",
}

_STATUSES = {
    401: "Kaggle does not accept the credentials (401): check {credentials}, or make a new key on "
    "{keys}.",
    403: "Kaggle does not give you the files of this competition (403): sign in with a browser, "
    "accept the rules on {page}/rules, and run this again.",
    404: "Kaggle has no competition {competition}, or not the files {files} in it (404): correct "
    "market.kaggle in the contract.",
    407: "The proxy that {proxy} names wants a user and a password (407): write them into it, as "
    "http://user:password@host:3128.",
    429: "Kaggle was asked too often (429): wait a few minutes and run this again.",
}


@dataclass(frozen=True)
class KaggleFailure:
    """An error of Kaggle's client, by names and numbers alone.

    Attributes
    ----------
    kinds : tuple of str
        Names of the classes of the error, and of those that caused it.
    errno, status, tunnel : int, optional
        What the system, the server and the proxy called it.
    at : tuple of str
        The places in the client's code that it came through.
    """

    kinds: tuple[str, ...] = ()
    errno: int | None = None
    status: int | None = None
    tunnel: int | None = None
    at: tuple[str, ...] = ()


def failure_message(failure: KaggleFailure, source: KaggleSource) -> str:
    """Say what happened and what to do."""
    return _sentence(failure).format(
        competition=source.competition,
        credentials=_credentials(),
        files=f"{source.sales.file} and {source.sample.file}",
        keys=_KEYS,
        page=source.page,
        proxy=_proxy(),
    )


def _sentence(failure: KaggleFailure) -> str:
    if failure.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        return "The disk is full: make room and run this again."
    if failure.errno in (errno.EACCES, errno.EROFS):
        return "The download can't be written here: name a folder that you may write to with -o."
    if 407 in (failure.tunnel, failure.status):
        return _STATUSES[407]
    if failure.tunnel:
        return (
            f"The proxy that {{proxy}} names does not let us through to Kaggle ({failure.tunnel}): "
            "ask who runs it to allow api.kaggle.com and storage.googleapis.com."
        )
    if failure.status in _STATUSES:
        return _STATUSES[failure.status]
    if failure.status is not None and failure.status >= 400:
        return f"Kaggle could not answer ({failure.status}): try again later."
    known = (told for kinds, told in _SENTENCES.items() if set(kinds) & set(failure.kinds))
    kind = failure.kinds[0] if failure.kinds else "no reason given"
    return next(known, f"Kaggle's client failed ({kind}): run this again with --verbose.")


def _credentials() -> str:
    """Name the credentials that the client takes first, as they are told it."""
    if os.environ.get("KAGGLE_API_TOKEN"):
        return "KAGGLE_API_TOKEN"
    if os.environ.get("KAGGLE_USERNAME") and os.environ.get("KAGGLE_KEY"):
        return "KAGGLE_USERNAME and KAGGLE_KEY"
    return "the files in the folder .kaggle of your home"


def _proxy() -> str:
    """Name the variable of the proxy and its host, without the password that may stand in it."""
    for name in ("https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"):
        if address := os.environ.get(name):
            host = urlsplit(address).netloc.rpartition("@")[2]
            return f"{name} ({host})" if host else name
    return "HTTPS_PROXY"


PATIENCE_S = 60.0
"""How long a download may stand still, in seconds."""

_CLIENT = Path(__file__).with_name("kaggle_client.py")
_LOOK_S = 0.1
# Nothing goes to the user's home, and there is one way, inside a notebook of Kaggle's too.
_MANNERS = {
    "DISABLE_KAGGLE_CACHE": "true",
    "KAGGLE_LOGGING_ENABLED": "false",
    "KAGGLEHUB_VERBOSITY": "critical",
}

logger = logging.getLogger(__name__)


def download(
    source: KaggleSource,
    folder: Path,
    progress: Callable[[str], None],
    patience_s: float = PATIENCE_S,
) -> dict[str, Path]:
    """Download the market's two files to somewhere in a folder.

    Parameters
    ----------
    source : KaggleSource
    folder : Path
        An empty folder; the client keeps its cache there.
    progress : callable
        Told now and then, in words, how much has come.
    patience_s : float
        Seconds without a byte after which to give up.

    Returns
    -------
    dict of str to Path
        By the name at Kaggle, where the file is.

    Raises
    ------
    HousePriceError
        If Kaggle's client is not installed.
    FetchError
        With what to do, and never with a credential.
    """
    require("kaggle", "Fetching from Kaggle")
    names = [source.sales.file, source.sample.file]
    client = subprocess.Popen(  # noqa: S603 - our own program; the names are of the contract
        [sys.executable, "-P", _CLIENT, source.competition, *names],
        env={**os.environ, **_MANNERS, "KAGGLEHUB_CACHE": str(folder)},
        stdin=subprocess.PIPE,  # closed when we are gone, and then the client goes too
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    with client:
        try:
            _watch(client, source, folder, progress, patience_s)
        finally:
            client.kill()
        assert client.stdout is not None
        said = client.stdout.read()
    return _files(said, source)


def _watch(
    client: subprocess.Popen[bytes],
    source: KaggleSource,
    folder: Path,
    progress: Callable[[str], None],
    patience_s: float,
) -> None:
    """Wait for the client to end, for as long as something comes and it is not too much."""
    before, since = 0, monotonic()
    while True:
        try:
            client.wait(_LOOK_S)
            ended = True
        except subprocess.TimeoutExpired:
            ended = False
        size = _size(folder)
        if size > source.most_mb * 1_000_000:
            raise FetchError(
                f"The download is larger than {source.most_mb} MB and was given up: if that is "
                "right, raise market.kaggle.most_mb in the contract."
            )
        if ended:
            return
        if size != before:
            before, since = size, monotonic()
            progress(f"Downloading from Kaggle: {size / 1e6:.1f} MB")
        elif monotonic() - since > patience_s:
            raise FetchError(
                f"Nothing came from Kaggle for {patience_s:.0f} seconds: try again, wait longer "
                "with --timeout, or set HTTPS_PROXY if only a proxy leads out."
            )


def _size(folder: Path) -> int:
    """Bytes in a folder that somebody else writes to."""
    total = 0
    for place, _, names in os.walk(folder):
        for name in names:
            try:
                total += Path(place, name).lstat().st_size
            except FileNotFoundError:  # renamed or removed meanwhile
                continue
    return total


def _files(said: bytes, source: KaggleSource) -> dict[str, Path]:
    outcome: dict[str, Any] = json.loads(said or '{"kinds": ["stopped without a word"]}')
    if "files" in outcome:
        return {name: Path(path) for name, path in outcome["files"].items()}
    failure = KaggleFailure(
        kinds=tuple(outcome["kinds"]),
        errno=outcome.get("errno"),
        status=outcome.get("status"),
        tunnel=outcome.get("tunnel"),
        at=tuple(outcome.get("at", ())),
    )
    logger.debug("the client failed with %s at %s", failure.kinds[0], ", ".join(failure.at))
    raise FetchError(failure_message(failure, source))
