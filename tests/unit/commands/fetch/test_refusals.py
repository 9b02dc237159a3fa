"""``houseprice fetch``: each failure is one sentence that says what to do, and nothing is kept."""

from __future__ import annotations

import json
import socket
from collections.abc import Callable

import pytest

from tests.fetching import COMPETITION, elsewhere
from tests.kaggle_server import KEY, Kaggle, zipped
from tests.loopback import free_port

pytestmark = pytest.mark.usefixtures("fresh_logs")

Prepare = Callable[[Kaggle, pytest.MonkeyPatch], object]
PORT = free_port()
TRAIN = "The downloaded train.csv"


def set_site(**attributes: object) -> Prepare:
    """Make the server behave differently."""
    return lambda site, _: [setattr(site, name, value) for name, value in attributes.items()]


def set_env(name: str, value: str | None) -> Prepare:
    return lambda _, env: env.setenv(name, value) if value is not None else env.delenv(name)


def change(name: str, edit: Callable[[bytes], bytes], **attributes: object) -> Prepare:
    """Make the server send another content of a file."""

    def prepare(site: Kaggle, env: pytest.MonkeyPatch) -> None:
        site.files[name] = edit(site.files[name])
        set_site(**attributes)(site, env)

    return prepare


def without_last_row(data: bytes) -> bytes:
    return b"".join(data.splitlines(keepends=True)[:-1])


FAILURES: dict[str, tuple[Prepare, str]] = {
    # credentials
    "no key": (set_env("KAGGLE_KEY", None), "create one on https://www.kaggle.com/settings"),
    "wrong user": (
        set_env("KAGGLE_USERNAME", "somebody else"),
        "(401): check KAGGLE_USERNAME and KAGGLE_KEY",
    ),
    "wrong token": (set_env("KAGGLE_API_TOKEN", "not a token"), "(401): check KAGGLE_API_TOKEN"),
    "invalid key": (set_env("KAGGLE_KEY", "…"), "KAGGLE_USERNAME and KAGGLE_KEY can't be sent"),
    # answers of Kaggle
    "rules": (set_site(status=403), f"competitions/{COMPETITION}/rules"),
    "rules in the body": (set_site(body_code=403), f"competitions/{COMPETITION}/rules"),
    "unknown competition": (
        set_site(competition="village-prices"),
        "Kaggle has no competition hamlet-prices",
    ),
    "too many requests": (set_site(status=429), "(429): wait a few minutes"),
    "server error": (set_site(status=503), "Kaggle could not answer (503)"),
    # the network
    "proxy password": (set_site(tunnel=407), "requires a user name and a password (407)"),
    "no proxy": (
        set_env("HTTPS_PROXY", f"http://127.0.0.1:{PORT}"),
        f"The proxy in HTTPS_PROXY (127.0.0.1:{PORT}) can't be reached",
    ),
    "invalid proxy": (set_env("HTTPS_PROXY", "http://"), "is not the URL of a proxy"),
    "unknown authority": (
        set_env("REQUESTS_CA_BUNDLE", None),
        "The certificate of Kaggle is not trusted",
    ),
    # downloads
    "cut off": (set_site(cut=1000), "interrupted or is damaged"),
    "wrong checksum": (set_site(wrong_digest=True), "interrupted or is damaged"),
    "damaged archive": (
        change("train.csv", lambda data: zipped(**{"train.csv": data})[:2000], zips=True),
        f"{TRAIN} is not a CSV file, or is damaged",
    ),
    "endless": (set_site(endless=True), "The download is larger than 1 MB and was aborted"),
    "large archive": (
        change("train.csv", lambda _: zipped(**{"train.csv": b"0" * 5_000_000}), zips=True),
        "The download is larger than 1 MB and was aborted",
    ),
    # contents
    "missing column": (
        change("train.csv", lambda data: data.replace(b"quarter", b"corner", 1)),
        f"{TRAIN} lacks columns of the contract: quarter.",
    ),
    "a web page": (
        change("train.csv", lambda _: b"<html>Sign in to the hotel's network</html>"),
        f"{TRAIN} lacks columns",
    ),
    "too few sales": (
        change("train.csv", without_last_row),
        f"{TRAIN} has 149 rows instead of 150",
    ),
    "too few houses": (
        change("test.csv", without_last_row),
        "The downloaded test.csv has 19 rows instead of 20",
    ),
    "invalid sale": (
        change("train.csv", lambda data: data.replace(b"h0,", b"h0,-", 1)),
        f"{TRAIN} breaks the contract (row 1): ",
    ),
}


@pytest.mark.parametrize("name", FAILURES)
def test_a_failure_is_one_sentence_with_what_to_do(refused, site, monkeypatch, name):
    prepare, sentence = FAILURES[name]
    prepare(site, monkeypatch)
    assert sentence in refused()


@pytest.mark.parametrize("name", ["KAGGLE_KEY", "REQUESTS_CA_BUNDLE"])
def test_without_a_key_or_a_trusted_certificate_nothing_is_requested(
    refused, site, monkeypatch, name
):
    monkeypatch.delenv(name)
    refused()
    assert site.asked == []


def test_an_invalid_file_of_credentials_is_not_shown(run, tmp_path, monkeypatch):
    monkeypatch.delenv("KAGGLE_KEY")
    (tmp_path / "kaggle.json").write_text(f"key: {KEY}")
    monkeypatch.setenv("KAGGLE_CONFIG_DIR", str(tmp_path))
    result = run("fetch")
    assert result.code == 1
    assert "can't be read: download a new kaggle.json" in result.err
    assert KEY not in result.err


def test_the_password_of_a_proxy_is_not_shown(refused, site, monkeypatch):
    site.tunnel = 403
    proxy = f"127.0.0.1:{site.port}"
    monkeypatch.setenv("HTTPS_PROXY", f"http://me:secret@{proxy}")
    message = refused()
    assert f"The proxy in HTTPS_PROXY ({proxy}) does not allow connections" in message
    assert "secret" not in message


def test_no_network_is_a_failure(refused, monkeypatch):
    with socket.socket() as probe:
        if probe.connect_ex(("localhost", 7777)) == 0:
            pytest.skip("something else answers on port 7777")
    elsewhere(monkeypatch, proxy=None)
    assert "Kaggle can't be reached: is this computer connected" in refused()


def test_a_stalled_download_is_aborted(refused, site):
    site.silent = True
    assert "Nothing came from Kaggle for 3 seconds" in refused("--timeout", 3)


def test_an_archive_with_other_files_is_refused_and_none_is_extracted(refused, site, tmp_path):
    site.zips = True
    site.files["train.csv"] = zipped(**{"../../../../evil.py": "print('here')"})
    assert "Kaggle's client failed (KeyError)" in refused()
    assert list(tmp_path.rglob("evil.py")) == []


def test_unknown_columns_and_invalid_houses_are_noted(run, site):
    header, *lines = site.files["test.csv"].decode().splitlines()
    lines[0] = lines[0].replace("h0,", "h0,-", 1)
    rows = [f"{header},colour", *(f"{line},red" for line in lines)]
    site.files["test.csv"] = "\n".join(rows).encode()
    result = run("fetch", "--json", "--quiet")
    assert result.code == 0
    notes = [
        "test.csv has columns that the contract does not name: colour.",
        "1 of the houses in test.csv have errors and can't be valued.",
    ]
    assert json.loads(result.out)["notes"] == notes
    assert result.err.splitlines() == [f"Warning: {note}" for note in notes]
