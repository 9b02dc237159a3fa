"""Files of a competition, through Kaggle's own client.

The client (``kagglehub``, of the optional extra ``kaggle``) knows the credentials, the addresses
and the retries. It runs in a process of its own, so that it can be stopped when it waits too long
or gets too much, and so that nothing it prints can show a key.
"""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from time import monotonic
from typing import Any

from houseprice.errors import FetchError
from houseprice.extras import need
from houseprice.market.fetching.kaggle_failures import Failure, explain
from houseprice.market.source import KaggleSource

__all__ = ["PATIENCE_S", "download"]

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
    need("kaggle", "Fetching from Kaggle")
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
    failure = Failure(
        kinds=tuple(outcome["kinds"]),
        errno=outcome.get("errno"),
        status=outcome.get("status"),
        tunnel=outcome.get("tunnel"),
        at=tuple(outcome.get("at", ())),
    )
    logger.debug("the client failed with %s at %s", failure.kinds[0], ", ".join(failure.at))
    raise FetchError(explain(failure, source))
