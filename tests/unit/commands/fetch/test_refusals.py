"""``houseprice fetch``: what stands in the way is told in one sentence, and nothing is kept."""

from __future__ import annotations

import json
import socket
from pathlib import Path

import pytest

from tests.fetching import COMPETITION, elsewhere
from tests.kaggle_server import KEY, Kaggle, zipped
from tests.loopback import free_port

pytestmark = pytest.mark.usefixtures("fresh_logs")


# Who may not


def test_without_credentials_the_way_to_get_them_is_told(
    refused, site: Kaggle, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("KAGGLE_KEY")
    told = refused()
    assert "make a key on https://www.kaggle.com/settings and set KAGGLE_USERNAME" in told
    assert site.tunnels == []


def test_wrong_credentials_are_told(refused, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KAGGLE_USERNAME", "somebody else")
    assert "(401): check KAGGLE_USERNAME and KAGGLE_KEY" in refused()


def test_wrong_credentials_are_called_what_they_are(
    refused, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KAGGLE_API_TOKEN", "not a token")
    assert "(401): check KAGGLE_API_TOKEN" in refused()


def test_credentials_that_can_not_be_sent_are_told(
    refused, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KAGGLE_KEY", "…")
    assert "KAGGLE_USERNAME and KAGGLE_KEY hold what can't be sent" in refused()


def test_a_file_of_credentials_that_is_none_is_told(
    run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("KAGGLE_KEY")
    (tmp_path / "kaggle.json").write_text(f"key: {KEY}")
    monkeypatch.setenv("KAGGLE_CONFIG_DIR", str(tmp_path))
    result = run("fetch")
    assert result.code == 1
    assert "can't be read: get a new file kaggle.json" in result.err
    assert KEY not in result.err


@pytest.mark.parametrize("how", ["status", "body_code"])
def test_rules_that_were_not_accepted_are_told_with_their_page(
    refused, site: Kaggle, how: str
) -> None:
    setattr(site, how, 403)
    told = refused()
    assert f"accept the rules on https://www.kaggle.com/competitions/{COMPETITION}/rules" in told


def test_an_unknown_competition_is_told(refused, site: Kaggle) -> None:
    site.competition = "village-prices"
    assert "Kaggle has no competition hamlet-prices" in refused()


def test_too_many_questions_are_told(refused, site: Kaggle) -> None:
    site.status = 429
    assert "(429): wait a few minutes" in refused()


def test_a_server_that_is_out_of_order_is_told(refused, site: Kaggle) -> None:
    site.status = 503
    assert "Kaggle could not answer (503)" in refused()


# The way there


def test_a_proxy_that_refuses_is_told_without_its_password(
    refused, site: Kaggle, monkeypatch: pytest.MonkeyPatch
) -> None:
    site.tunnel = 403
    address = f"127.0.0.1:{site.port}"
    monkeypatch.setenv("HTTPS_PROXY", f"http://me:secret@{address}")
    told = refused()
    assert f"The proxy that HTTPS_PROXY ({address}) names does not let us through" in told
    assert "secret" not in told


def test_a_proxy_that_wants_a_password_is_told(refused, site: Kaggle) -> None:
    site.tunnel = 407
    assert "wants a user and a password (407)" in refused()


def test_a_proxy_that_is_not_there_is_told(refused, monkeypatch: pytest.MonkeyPatch) -> None:
    port = free_port()
    monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{port}")
    assert f"HTTPS_PROXY (127.0.0.1:{port}) names can't be reached" in refused()


def test_a_proxy_that_is_no_address_is_told(refused, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://")
    assert "HTTPS_PROXY is no address of a proxy" in refused()


def test_a_certificate_that_nobody_trusts_is_told(
    refused, site: Kaggle, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("REQUESTS_CA_BUNDLE")
    assert "set REQUESTS_CA_BUNDLE" in refused()
    assert site.asked == []


def test_a_computer_without_a_network_is_told(refused, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as probe:
        if probe.connect_ex(("localhost", 7777)) == 0:
            pytest.skip("something else answers on port 7777")
    elsewhere(monkeypatch, proxy=None)
    assert "Kaggle can't be reached: is this computer connected" in refused()


def test_an_answer_that_never_comes_is_given_up(refused, site: Kaggle) -> None:
    site.silent = True
    assert "Nothing came from Kaggle for 3 seconds" in refused("--timeout", 3)


# What came


def test_a_download_that_breaks_off_is_told(refused, site: Kaggle) -> None:
    site.cut = 1000
    assert "broken off or came damaged" in refused()


def test_a_download_with_another_checksum_is_told(refused, site: Kaggle) -> None:
    site.wrong_digest = True
    assert "broken off or came damaged" in refused()


def test_a_damaged_archive_is_told(refused, site: Kaggle) -> None:
    site.zips = True
    site.files["train.csv"] = zipped(**{"train.csv": site.files["train.csv"]})[:2000]
    assert "What came as train.csv is no CSV file, or a damaged one" in refused()


def test_an_archive_with_other_files_is_refused_and_none_is_unpacked(
    refused, site: Kaggle, tmp_path: Path
) -> None:
    site.zips = True
    site.files["train.csv"] = zipped(**{"../../../../evil.py": "print('here')"})
    assert "Kaggle's client failed (KeyError)" in refused()
    assert list(tmp_path.rglob("evil.py")) == []


@pytest.mark.parametrize("endless", [True, False])
def test_a_download_beyond_the_limit_is_given_up(refused, site: Kaggle, endless: bool) -> None:
    site.endless = endless
    site.zips = not endless
    site.files["train.csv"] = zipped(**{"train.csv": b"0" * 5_000_000})
    assert "The download is larger than 1 MB and was given up" in refused()


def test_a_missing_column_is_told(refused, site: Kaggle) -> None:
    site.files["train.csv"] = site.files["train.csv"].replace(b"quarter", b"corner", 1)
    assert "What came as train.csv lacks columns that the contract names: quarter." in refused()


def test_a_page_in_place_of_the_file_is_told(refused, site: Kaggle) -> None:
    site.files["train.csv"] = b"<html>Sign in to the hotel's network</html>"
    assert "What came as train.csv lacks columns" in refused()


@pytest.mark.parametrize("name", ["train.csv", "test.csv"])
def test_a_wrong_number_of_rows_is_told(refused, site: Kaggle, name: str) -> None:
    lines = site.files[name].splitlines(keepends=True)
    site.files[name] = b"".join(lines[:-1])
    told = refused()
    assert f"What came as {name} has {len(lines) - 2} rows and should have {len(lines) - 1}" in told


def test_a_sale_that_breaks_the_contract_is_told(refused, site: Kaggle) -> None:
    lines = site.files["train.csv"].splitlines(keepends=True)
    site.files["train.csv"] = b"".join([lines[0], lines[1].replace(b"h0,", b"h0,-", 1), *lines[2:]])
    assert "What came as train.csv breaks the contract (row 1): " in refused()


def test_a_column_that_nobody_knows_and_a_faulty_house_are_noted(run, site: Kaggle) -> None:
    header, *lines = site.files["test.csv"].decode().splitlines()
    lines[0] = lines[0].replace("h0,", "h0,-", 1)
    rows = [f"{header},colour", *(f"{line},red" for line in lines)]
    site.files["test.csv"] = "\n".join(rows).encode()
    result = run("fetch", "--json", "--quiet")
    assert result.code == 0
    notes = [
        "test.csv has columns that the contract does not name: colour.",
        "1 of the houses in test.csv have faults and can't be valued.",
    ]
    assert json.loads(result.out)["notes"] == notes
    assert result.err.splitlines() == [f"Warning: {note}" for note in notes]
