"""``houseprice fetch`` through Kaggle's own client, with Kaggle on this computer."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import houseprice
from houseprice.market.contract import load_contract
from houseprice.market.sales import load_market
from tests.full_disk import run_without_room
from tests.hamlet import CONTRACT, write_hamlet
from tests.kaggle_server import KEY, USER, Kaggle, certificate, kaggle, zipped
from tests.loopback import free_port, wait_until

pytestmark = pytest.mark.usefixtures("fresh_logs")

COMPETITION = "hamlet-prices"
SOURCE = f"""
[market.kaggle]
competition = "{COMPETITION}"
sales = {{ file = "train.csv", rows = 150 }}
sample = {{ file = "test.csv", rows = 20 }}
most_mb = 1
"""
FETCHABLE = CONTRACT.replace("[[groups]]", f"{SOURCE}\n[[groups]]", 1)
COMMAND = "from houseprice.cli import main; main()"


@pytest.fixture(scope="module")
def pem(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return certificate(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="module")
def hamlet(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The files that Kaggle has, with a contract that says so."""
    return write_hamlet(tmp_path_factory.mktemp("hamlet"), FETCHABLE, n_sales=150)


@pytest.fixture
def site(hamlet: Path, pem: Path) -> Iterator[Kaggle]:
    """Kaggle, with the hamlet's files."""
    files = {
        "train.csv": (hamlet / "sales.csv").read_bytes(),
        "test.csv": (hamlet / "to_value.csv").read_bytes(),
    }
    with kaggle(Kaggle(files, COMPETITION), pem) as served:
        yield served


@pytest.fixture
def working_folder(tmp_path: Path) -> Path:
    folder = tmp_path / "work"
    folder.mkdir()
    return folder


@pytest.fixture(autouse=True)
def surroundings(
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    working_folder: Path,
    hamlet: Path,
    site: Kaggle,
    pem: Path,
) -> None:
    """A user with a key and an empty home, on a computer where only a proxy leads out.

    The market that is set has a contract and no sales: they are what is fetched.
    """
    for name in [*os.environ]:
        if name.upper().endswith("_PROXY") or name.startswith("KAGGLE"):
            monkeypatch.delenv(name)
    bare = tmp_path / "hamlet without sales"
    bare.mkdir()
    shutil.copy(hamlet / "market.toml", bare)
    (tmp_path / "home").mkdir()
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("HTTPS_PROXY", site.address)
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(pem))
    monkeypatch.setenv("KAGGLE_USERNAME", USER)
    monkeypatch.setenv("KAGGLE_KEY", KEY)
    monkeypatch.setenv("HOUSEPRICE_MARKET", str(bare))
    monkeypatch.setenv("PYTHONPATH", str(Path(houseprice.__file__).parents[1]))
    monkeypatch.chdir(working_folder)


@pytest.fixture
def refused(run, tmp_path: Path, working_folder: Path):
    """Run the command; expect one sentence, and no trace of it anywhere."""

    def refused(*options: object) -> str:
        result = run("fetch", "--quiet", *options)  # a slow machine would tell how far it is
        assert (result.code, result.out) == (1, "")
        assert result.err.startswith("Error: ")
        assert len(result.err.splitlines()) == 1
        assert KEY not in result.err
        assert list(working_folder.iterdir()) == []
        assert list((tmp_path / "home").iterdir()) == []
        return result.err.removeprefix("Error: ")

    return refused


# What comes, and what is made of it


def test_a_market_is_fetched_into_a_folder_of_its_name(
    run, working_folder: Path, site: Kaggle, hamlet: Path
) -> None:
    result = run("fetch")
    folder = working_folder / "hamlet-kaggle"
    assert result.code == 0
    assert result.out == f"{folder}: Hamlet, 150 sales and 20 houses to value\n"
    assert result.err.splitlines()[-2:] == [
        "Now train on them:",
        f"    HOUSEPRICE_MARKET={folder} houseprice train",
    ]
    for name in ("market.toml", "sales.csv", "to_value.csv"):
        assert (folder / name).read_bytes() == (hamlet / name).read_bytes()
    assert len(load_market(folder).houses) == 150
    assert [path.name for path in working_folder.rglob("*")] == [
        "hamlet-kaggle",
        *(path.name for path in folder.iterdir()),
    ]


def test_a_fetched_market_is_learned_from_at_once(
    run, working_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fetched = run("fetch", "-o", "town", "--quiet")
    assert (fetched.code, fetched.err, fetched.out.count("\n")) == (0, "", 1)
    monkeypatch.setenv("HOUSEPRICE_MARKET", str(working_folder / "town"))
    monkeypatch.setenv("HOUSEPRICE_MODEL_DIR", str(tmp_path / "models"))
    trained = run("train", "--quiet", "--json")
    assert trained.code == 0
    assert json.loads(trained.out)["rows"] == 150


def test_the_embedded_market_is_fetched_as_it_lies_in_the_package(
    run, working_folder: Path, site: Kaggle, market, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("HOUSEPRICE_MARKET")
    site.competition = "house-prices-advanced-regression-techniques"
    site.files = {
        "train.csv": market.sales_path.read_bytes(),
        "test.csv": market.sample_path.read_bytes(),
    }
    assert run("fetch", "-o", "town").code == 0
    fetched = load_market(working_folder / "town")
    assert fetched.contract == market.contract
    assert fetched.houses.equals(market.houses)
    assert fetched.prices.equals(market.prices)


def test_nobody_is_asked_but_kaggle_and_its_storage(run, site: Kaggle) -> None:
    assert run("fetch").code == 0
    assert set(site.tunnels) == {"api.kaggle.com:443", "storage.googleapis.com:443"}
    api = "POST api.kaggle.com/v1/competitions.CompetitionApiService/DownloadDataFile"
    storage = "GET storage.googleapis.com/kaggle-competitions"
    assert site.asked == [api, f"{storage}/train.csv", api, f"{storage}/test.csv"]


def test_nothing_is_kept_in_the_home_even_if_the_client_is_told_to_log(
    run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KAGGLE_LOGGING_ENABLED", "true")
    monkeypatch.setenv("KAGGLEHUB_CACHE", str(tmp_path / "home" / "cache"))
    assert run("fetch").code == 0
    assert list((tmp_path / "home").iterdir()) == []


def test_the_result_can_be_had_as_json(run, working_folder: Path) -> None:
    told = json.loads(run("fetch", "-o", "my town", "--json").out)
    assert told["folder"] == str(working_folder / "my town")
    assert (told["market"], told["competition"]) == ("hamlet", COMPETITION)
    sales, sample = told["files"]
    assert (sales["name"], sales["came_as"], sales["rows"]) == ("sales.csv", "train.csv", 150)
    assert (sample["name"], sample["came_as"], sample["rows"]) == ("to_value.csv", "test.csv", 20)
    assert len(sales["sha256"]) == 64
    assert told["next"] == f"HOUSEPRICE_MARKET='{working_folder / 'my town'}' houseprice train"


def test_files_that_are_kept_packed_are_unpacked(
    run, working_folder: Path, site: Kaggle, hamlet: Path
) -> None:
    site.zips = True
    site.files = {name: zipped(**{name: data}) for name, data in site.files.items()}
    assert run("fetch").code == 0
    sales = working_folder / "hamlet-kaggle" / "sales.csv"
    assert sales.read_bytes() == (hamlet / "sales.csv").read_bytes()


@pytest.mark.parametrize("where", ["variable", "file"])
def test_credentials_may_be_a_token_or_a_file(
    run, where: str, tmp_path: Path, site: Kaggle, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("KAGGLE_USERNAME", "KAGGLE_KEY"):
        monkeypatch.delenv(name)
    if where == "variable":
        site.tokens.add("a-token")
        monkeypatch.setenv("KAGGLE_API_TOKEN", "a-token")
    else:
        (tmp_path / "home" / ".kaggle").mkdir()
        file = tmp_path / "home" / ".kaggle" / "kaggle.json"
        file.write_text(json.dumps({"username": USER, "key": KEY}))
    assert run("fetch").code == 0


# The folder


def test_a_folder_that_is_there_is_kept_and_force_replaces_it_when_all_is_well(
    run, working_folder: Path, site: Kaggle, hamlet: Path
) -> None:
    assert run("fetch").code == 0
    sales = working_folder / "hamlet-kaggle" / "sales.csv"
    sales.write_text("mine")
    asked_before = len(site.asked)
    again = run("fetch")
    assert (again.code, len(site.asked)) == (1, asked_before)
    assert "hamlet-kaggle is there already" in again.err
    whole, site.files["train.csv"] = site.files["train.csv"], b"half"
    assert run("fetch", "--force").code == 1
    assert sales.read_text() == "mine"
    site.files["train.csv"] = whole
    assert run("fetch", "--force").code == 0
    assert sales.read_bytes() == whole
    assert [path.name for path in working_folder.iterdir()] == ["hamlet-kaggle"]


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


def elsewhere(monkeypatch: pytest.MonkeyPatch, proxy: str | None) -> None:
    """Lead the client to where Kaggle's own developers test it: http://localhost:7777."""
    monkeypatch.setenv("KAGGLE_API_ENVIRONMENT", "TEST")
    monkeypatch.delenv("HTTPS_PROXY")
    if proxy:
        monkeypatch.setenv("HTTP_PROXY", proxy)


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


# The computer and the call


@pytest.mark.skipif(sys.platform == "win32", reason="no such limit there")
def test_a_full_disk_is_told(working_folder: Path) -> None:
    done = run_without_room(COMMAND, "fetch", "--quiet", most_bytes=1000)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == "Error: The disk is full: make room and run this again.\n"
    assert list(working_folder.iterdir()) == []


def test_a_market_that_is_not_at_kaggle_says_so(
    run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOUSEPRICE_MARKET", str(write_hamlet(tmp_path / "plain")))
    result = run("fetch")
    assert result.code == 1
    assert "The market Hamlet can't be fetched: its contract names no place" in result.err


def test_a_contract_with_a_path_for_a_file_is_refused(
    run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    contract = FETCHABLE.replace('sample = "to_value.csv"', 'sample = "../to_value.csv"')
    monkeypatch.setenv("HOUSEPRICE_MARKET", str(write_hamlet(tmp_path / "sly", contract)))
    result = run("fetch")
    assert result.code == 1
    assert "sales and sample must be names of two files" in result.err


def test_a_missing_package_is_told(refused, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "kagglehub", None)
    assert "pip install 'houseprice[kaggle]'" in refused()


def test_a_timeout_below_a_second_is_a_wrong_call(run) -> None:
    assert run("fetch", "--timeout", "0").code == 2


@pytest.mark.parametrize("options", [["--verbose"], ["--verbose", "--log-json"]])
def test_the_key_is_nowhere_in_the_messages_of_a_verbose_run(
    run, site: Kaggle, options: list[str]
) -> None:
    site.status = 403
    result = run(*options, "fetch")
    assert result.code == 1
    assert "Traceback" in result.err
    assert KEY not in result.out + result.err


def test_the_key_is_not_shown_where_the_client_prints_it(
    run, site: Kaggle, monkeypatch: pytest.MonkeyPatch
) -> None:
    elsewhere(monkeypatch, proxy=site.address)
    result = run("--verbose", "fetch")
    (asked,) = site.asked
    assert asked.startswith("POST localhost:7777http://localhost:7777/api/v1/competitions.")
    assert result.code == 1
    assert KEY not in result.out + result.err
    assert "Basic" not in result.out + result.err


@pytest.mark.skipif(sys.platform != "linux", reason="looks for the process as Linux shows it")
def test_a_kill_stops_the_download_too_and_leaves_no_market(
    site: Kaggle, working_folder: Path
) -> None:
    site.silent = True
    process = subprocess.Popen([sys.executable, "-c", COMMAND, "fetch", "-o", "town"])
    with process:
        wait_until(lambda: bool(site.asked))
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
        assert children
        process.kill()

    def gone(pid: str) -> bool:
        status = Path(f"/proc/{pid}/status")
        try:
            return "State:\tZ" in status.read_text()
        except (FileNotFoundError, ProcessLookupError):
            return True

    wait_until(lambda: all(map(gone, children)))
    assert not (working_folder / "town").exists()


def test_the_contract_says_where_the_embedded_market_is(market) -> None:
    source = load_contract(market.folder).market.kaggle
    assert source is not None
    assert (source.sales.rows, source.sample.rows) == (len(market.houses), 1459)
