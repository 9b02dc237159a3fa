"""``houseprice fetch``: settings, options, processes, and the secrecy of the key."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from houseprice.market.contract import load_contract
from tests.fetching import COMMAND, FETCHABLE, elsewhere
from tests.full_disk import run_without_room
from tests.hamlet import write_hamlet
from tests.kaggle_server import KEY
from tests.loopback import wait_until

pytestmark = pytest.mark.usefixtures("fresh_logs")


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
    elsewhere(monkeypatch, proxy=site.address)
    result = run("--verbose", "fetch")
    (request,) = site.asked
    assert request.startswith("POST localhost:7777http://localhost:7777/api/v1/competitions.")
    assert result.code == 1
    assert KEY not in result.out + result.err
    assert "Basic" not in result.out + result.err


@pytest.mark.skipif(sys.platform != "linux", reason="looks for the process as Linux shows it")
def test_a_kill_ends_the_client_and_leaves_no_market(site, working_folder):
    site.silent = True
    process = subprocess.Popen([sys.executable, "-c", COMMAND, "fetch", "-o", "town"])
    with process:
        wait_until(lambda: bool(site.asked))
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
