"""``houseprice fetch`` against a local Kaggle: the market folder, and one sentence per failure."""

import json
import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable
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


def use_test_environment(monkeypatch: pytest.MonkeyPatch, proxy: str | None) -> None:
    """Let the client use the address of Kaggle's own developers, http://localhost:7777."""
    monkeypatch.setenv("KAGGLE_API_ENVIRONMENT", "TEST")
    monkeypatch.delenv("HTTPS_PROXY")
    if proxy:
        monkeypatch.setenv("HTTP_PROXY", proxy)


@pytest.fixture(scope="module")
def pem(tmp_path_factory):
    return certificate(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="module")
def hamlet(tmp_path_factory):
    """A market whose contract names Kaggle as its source."""
    return write_hamlet(tmp_path_factory.mktemp("hamlet"), FETCHABLE, n_sales=150)


@pytest.fixture
def site(hamlet, pem):
    """A Kaggle server with the files of the hamlet."""
    files = {
        "train.csv": (hamlet / "sales.csv").read_bytes(),
        "test.csv": (hamlet / "to_value.csv").read_bytes(),
    }
    with kaggle(Kaggle(files, COMPETITION), pem) as served:
        yield served


@pytest.fixture
def working_folder(tmp_path):
    folder = tmp_path / "work"
    folder.mkdir()
    return folder


@pytest.fixture(autouse=True)
def surroundings(monkeypatch, tmp_path, working_folder, hamlet, site, pem):
    """A user with a key and an empty home, behind a proxy; the market has no sales yet."""
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
def refused(run, tmp_path, working_folder):
    """Run the command; expect an error of one sentence, and no new file anywhere."""

    def refused(*options: object) -> str:
        result = run("fetch", "--quiet", *options)  # a slow machine would show progress
        assert (result.code, result.out) == (1, "")
        assert result.err.startswith("Error: ")
        assert len(result.err.splitlines()) == 1
        assert KEY not in result.err
        assert list(working_folder.iterdir()) == []
        assert list((tmp_path / "home").iterdir()) == []
        return result.err.removeprefix("Error: ")

    return refused


# The market folder


def test_a_market_is_fetched_into_a_folder_of_its_name_and_nowhere_else(
    run, working_folder, tmp_path, site, hamlet, monkeypatch
):
    monkeypatch.setenv("KAGGLE_LOGGING_ENABLED", "true")
    monkeypatch.setenv("KAGGLEHUB_CACHE", str(tmp_path / "home" / "cache"))
    result = run("fetch")
    folder = working_folder / "hamlet-kaggle"
    assert result.code == 0
    assert result.out == f"{folder}: Hamlet, 150 sales and 20 houses to value\n"
    assert result.err.splitlines()[-2:] == [
        "Now train on them:",
        f"    HOUSEPRICE_MARKET={folder} houseprice train",
    ]
    names = {"market.toml", "sales.csv", "to_value.csv"}
    for name in names:
        assert (folder / name).read_bytes() == (hamlet / name).read_bytes()
    assert len(load_market(folder).houses) == 150
    assert {path.name for path in working_folder.rglob("*")} == {"hamlet-kaggle", *names}
    assert list((tmp_path / "home").iterdir()) == []
    assert set(site.tunnels) == {"api.kaggle.com:443", "storage.googleapis.com:443"}
    api = "POST api.kaggle.com/v1/competitions.CompetitionApiService/DownloadDataFile"
    storage = "GET storage.googleapis.com/kaggle-competitions"
    assert site.requests == [api, f"{storage}/train.csv", api, f"{storage}/test.csv"]


def test_a_fetched_market_can_be_trained_on(run, working_folder, tmp_path, monkeypatch):
    fetched = run("fetch", "-o", "town", "--quiet")
    assert (fetched.code, fetched.err, fetched.out.count("\n")) == (0, "", 1)
    monkeypatch.setenv("HOUSEPRICE_MARKET", str(working_folder / "town"))
    monkeypatch.setenv("HOUSEPRICE_MODEL_DIR", str(tmp_path / "models"))
    trained = run("train", "--quiet", "--json")
    assert trained.code == 0
    assert json.loads(trained.out)["rows"] == 150


def test_the_fetched_embedded_market_equals_the_packaged_one(
    run, working_folder, site, market, monkeypatch
):
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


def test_the_result_can_be_printed_as_json(run, working_folder):
    result = json.loads(run("fetch", "-o", "my town", "--json").out)
    assert result["folder"] == str(working_folder / "my town")
    assert (result["market"], result["competition"]) == ("hamlet", COMPETITION)
    sales, sample = result["files"]
    assert (sales["name"], sales["came_as"], sales["rows"]) == ("sales.csv", "train.csv", 150)
    assert (sample["name"], sample["came_as"], sample["rows"]) == ("to_value.csv", "test.csv", 20)
    assert len(sales["sha256"]) == 64
    assert result["next"] == f"HOUSEPRICE_MARKET='{working_folder / 'my town'}' houseprice train"


def test_archives_are_extracted(run, working_folder, site, hamlet):
    site.zips = True
    site.files = {name: zipped(**{name: data}) for name, data in site.files.items()}
    assert run("fetch").code == 0
    sales = working_folder / "hamlet-kaggle" / "sales.csv"
    assert sales.read_bytes() == (hamlet / "sales.csv").read_bytes()


@pytest.mark.parametrize("where", ["variable", "file"])
def test_credentials_may_be_a_token_or_a_file(run, where, tmp_path, site, monkeypatch):
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


def test_an_existing_folder_is_replaced_only_with_force_and_valid_files(
    run, working_folder, site, hamlet
):
    assert run("fetch").code == 0
    sales = working_folder / "hamlet-kaggle" / "sales.csv"
    sales.write_text("mine")
    n_requests = len(site.requests)
    again = run("fetch")
    assert (again.code, len(site.requests)) == (1, n_requests)
    assert "hamlet-kaggle exists already" in again.err
    complete, site.files["train.csv"] = site.files["train.csv"], b"half"
    assert run("fetch", "--force").code == 1
    assert sales.read_text() == "mine"
    site.files["train.csv"] = complete
    assert run("fetch", "--force").code == 0
    assert sales.read_bytes() == complete
    assert [path.name for path in working_folder.iterdir()] == ["hamlet-kaggle"]


# Failures

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
    assert site.requests == [] or name not in {"no key", "unknown authority"}


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
    use_test_environment(monkeypatch, proxy=None)
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


# Processes, and the secrecy of the key


@pytest.mark.skipif(sys.platform == "win32", reason="no such limit there")
def test_a_full_disk_is_a_failure(working_folder):
    done = run_without_room(COMMAND, "fetch", "--quiet", max_bytes=1000)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == "Error: The disk is full: free some space and run this again.\n"
    assert list(working_folder.iterdir()) == []


def test_a_market_without_a_source_is_a_failure(run, tmp_path, monkeypatch):
    monkeypatch.setenv("HOUSEPRICE_MARKET", str(write_hamlet(tmp_path / "plain")))
    result = run("fetch")
    assert result.code == 1
    assert "The market Hamlet can't be fetched: its contract names no source" in result.err


def test_a_path_as_the_name_of_a_file_is_refused(run, tmp_path, monkeypatch):
    contract = FETCHABLE.replace('sample = "to_value.csv"', 'sample = "../to_value.csv"')
    monkeypatch.setenv("HOUSEPRICE_MARKET", str(write_hamlet(tmp_path / "path", contract)))
    result = run("fetch")
    assert result.code == 1
    assert "sales and sample must be names of two files" in result.err


def test_a_missing_package_is_named(refused, monkeypatch):
    monkeypatch.setitem(sys.modules, "kagglehub", None)
    assert "pip install 'houseprice[kaggle]'" in refused()


def test_a_timeout_below_a_second_is_a_usage_error(run):
    assert run("fetch", "--timeout", "0").code == 2


@pytest.mark.parametrize("options", [["--verbose"], ["--verbose", "--log-json"]])
def test_the_key_is_not_in_the_messages_of_a_verbose_run(run, site, options):
    site.status = 403
    result = run(*options, "fetch")
    assert result.code == 1
    assert "Traceback" in result.err
    assert KEY not in result.out + result.err


def test_the_key_is_not_shown_even_if_the_client_prints_it(run, site, monkeypatch):
    use_test_environment(monkeypatch, proxy=site.address)
    result = run("--verbose", "fetch")
    (request,) = site.requests
    assert request.startswith("POST localhost:7777http://localhost:7777/api/v1/competitions.")
    assert result.code == 1
    assert KEY not in result.out + result.err
    assert "Basic" not in result.out + result.err


@pytest.mark.skipif(sys.platform != "linux", reason="looks for the process as Linux shows it")
def test_a_kill_ends_the_client_and_leaves_no_market(site, working_folder):
    site.silent = True
    process = subprocess.Popen([sys.executable, "-c", COMMAND, "fetch", "-o", "town"])
    with process:
        wait_until(lambda: bool(site.requests))
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
        assert children
        process.kill()

    def has_ended(pid: str) -> bool:
        status = Path(f"/proc/{pid}/status")
        try:
            return "State:\tZ" in status.read_text()
        except (FileNotFoundError, ProcessLookupError):
            return True

    wait_until(lambda: all(map(has_ended, children)))
    assert not (working_folder / "town").exists()


def test_the_embedded_market_names_its_source(market):
    source = load_contract(market.folder).market.kaggle
    assert source is not None
    assert (source.sales.rows, source.sample.rows) == (len(market.houses), 1459)
