"""``houseprice serve`` as real processes on this computer."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import requests
from prometheus_client.parser import text_string_to_metric_families

from houseprice.market.sales import Market
from houseprice.model.store.store import ModelStore
from houseprice.model.training import train
from tests.loopback import PATIENCE_S, Program, get, post, program, wait_until

HOUSE = {"size": 120, "grade": "B", "quarter": "N", "garden": "y", "built": 1990}
NO_EXTRA = """
import sys

class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in ("fastapi", "uvicorn"):
            raise ModuleNotFoundError(name)

sys.meta_path.insert(0, Absent())
from houseprice.cli import main
main(["serve"])
"""


@pytest.fixture(scope="module")
def surroundings(
    town: Market, town_models: Path, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, str]:
    """A small market and models that a test may add to, as environment of a server."""
    models = tmp_path_factory.mktemp("serve") / "models"
    shutil.copytree(town_models, models)
    return {"HOUSEPRICE_MARKET": str(town.folder), "HOUSEPRICE_MODEL_DIR": str(models)}


@pytest.fixture(scope="module")
def server(
    surroundings: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Program]:
    several = {"OMP_NUM_THREADS": "2"}  # what a person may have in the environment
    with program(tmp_path_factory.mktemp("log"), **surroundings, **several) as started:
        yield started


def a_csv(n_rows: int) -> bytes:
    return b"size,quarter\n" + b"120,N\n" * n_rows


def test_it_answers_on_this_computer_alone(server: Program) -> None:
    answer = post(f"{server.url}/v1/valuations", json={"rows": [HOUSE]})
    assert answer.json()["valuations"][0]["predicted_price"] > 0
    assert "server" not in answer.headers
    addresses = Path(f"/proc/{server.process.pid}/net/tcp").read_text().splitlines()
    listening = [line.split()[1] for line in addresses if line.split()[3] == "0A"]
    assert f"0100007F:{server.port:04X}" in listening


def test_each_process_calculates_in_one_thread(server: Program) -> None:
    environment = Path(f"/proc/{server.process.pid}/environ").read_bytes().split(b"\0")
    assert b"OMP_NUM_THREADS=1" in environment


def test_each_line_of_the_log_is_json_and_a_request_is_one_of_them(server: Program) -> None:
    get(f"{server.url}/health", headers={"X-Request-ID": "mine"})
    wait_until(lambda: any(line.get("request_id") == "mine" for line in server.log()))


def test_a_stop_lets_a_request_finish(surroundings: dict[str, str], tmp_path: Path) -> None:
    with program(tmp_path, **surroundings) as server:
        answer = requests.post(
            f"{server.url}/v1/valuations.csv",
            data=a_csv(30_000),
            headers={"Content-Type": "text/csv", "Accept-Encoding": "identity"},
            stream=True,
            timeout=PATIENCE_S,
        )
        parts = answer.iter_content(65_536)
        received = next(parts)
        server.process.send_signal(signal.SIGTERM)
        wait_until(lambda: not listens(server.port))
        received += b"".join(parts)
        assert received.count(b"\n") == 30_001
        assert server.process.wait(PATIENCE_S) in (0, -signal.SIGTERM)
        assert not any("exception" in line for line in server.log())


def test_a_stop_waits_no_longer_than_a_request_may_take(
    surroundings: dict[str, str], tmp_path: Path
) -> None:
    environment = surroundings | {"HOUSEPRICE_SERVE_TIMEOUT_S": "1"}
    with (
        program(tmp_path, **environment) as server,
        socket.create_connection(("127.0.0.1", server.port)) as line,
    ):
        line.sendall(b"POST /v1/valuations.csv HTTP/1.1\r\nHost: x\r\nContent-Type: text/csv\r\n")
        line.sendall(b"Content-Length: 1000000\r\n\r\nsize")
        assert server.stop() in (0, -signal.SIGTERM)


def listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@pytest.fixture(scope="module")
def pair(
    surroundings: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Program]:
    """A server of two processes."""
    with program(tmp_path_factory.mktemp("log"), "--workers", "2", **surroundings) as started:
        wait_until(lambda: len(answering(started)) == 2)
        yield started


def answering(server: Program) -> list[int]:
    """The processes that have started to serve."""
    text = server.log_file.read_text("utf-8")
    return [pid for pid in server.children() if f"Started server process [{pid}]" in text]


def requests_counted(server: Program) -> float:
    page = get(f"{server.url}/metrics").text
    return sum(
        sample.value
        for family in text_string_to_metric_families(page)
        for sample in family.samples
        if sample.name == "houseprice_requests_total" and sample.labels["route"] == "/v1/valuations"
    )


def test_the_figures_of_two_processes_are_added_up(pair: Program) -> None:
    before = requests_counted(pair)
    for _ in range(40):  # a connection each, so that both processes get some
        assert post(f"{pair.url}/v1/valuations", json={"rows": [HOUSE]}).ok
    assert {requests_counted(pair) - before for _ in range(10)} == {40}


def test_a_process_that_dies_is_replaced_and_what_it_counted_stays(pair: Program) -> None:
    post(f"{pair.url}/v1/valuations", json={"rows": [HOUSE]})
    before, old = requests_counted(pair), pair.children()
    os.kill(old[0], signal.SIGKILL)
    wait_until(lambda: len(answering(pair)) == 2 and old[0] not in pair.children())
    pair.wait_until_ready()
    assert requests_counted(pair) == before


def test_a_new_version_takes_over_without_a_lost_request(
    town: Market, surroundings: dict[str, str], pair: Program
) -> None:
    statuses: list[int] = []
    versions: list[str] = []
    enough = threading.Event()

    def ask() -> None:
        while not enough.is_set():
            answer = post(f"{pair.url}/v1/valuations", json={"rows": [HOUSE]})
            statuses.append(answer.status_code)
            versions.append(answer.json()["model_version"])

    threads = [threading.Thread(target=ask) for _ in range(3)]
    for thread in threads:
        thread.start()
    try:
        wait_until(lambda: len(statuses) > 10)
        store = ModelStore(Path(surroundings["HOUSEPRICE_MODEL_DIR"]))
        manifest = train(town, store).manifest
        wait_until(lambda: versions[-20:] == [manifest.model_version] * 20)
    finally:
        enough.set()
        for thread in threads:
            thread.join()
    assert set(statuses) == {200}
    assert len(set(versions)) == 2


def test_several_processes_stop_together_and_leave_no_folder(
    surroundings: dict[str, str], tmp_path: Path
) -> None:
    environment = surroundings | {"TMPDIR": str(tmp_path)}
    with program(tmp_path, "--workers", "2", **environment) as server:
        assert any(tmp_path.glob("houseprice-*"))
        children = server.children()
        assert server.stop() == 0
    assert not any(tmp_path.glob("houseprice-*"))
    assert not any(Path(f"/proc/{pid}").exists() for pid in children)


def serve(*options: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "houseprice", "serve", *options],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE_S,
    )


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "example.org"])
def test_an_open_address_without_a_key_is_refused(host: str) -> None:
    result = serve("--host", host)
    assert result.returncode == 2
    assert "--new-key" in result.stderr
    assert "HOUSEPRICE_SERVE_WITHOUT_KEY=true" in " ".join(result.stderr.split())


def test_the_program_itself_refuses_an_open_address_too() -> None:
    result = subprocess.run(
        [sys.executable, "-m", "houseprice.api.server"],
        env={**os.environ, "HOUSEPRICE_ADDRESS": "0.0.0.0"},
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE_S,
    )
    assert result.returncode == 1
    assert "--new-key" in result.stderr


def test_a_broken_key_is_a_wrong_call_and_is_not_shown() -> None:
    result = serve(HOUSEPRICE_SERVE_KEYS="alice:very-secret")
    assert result.returncode == 2
    assert "entry 1" in result.stderr
    assert "secret" not in result.stderr


def test_an_open_address_with_a_key_is_served_to_who_has_it(
    surroundings: dict[str, str], tmp_path: Path
) -> None:
    made = serve("--new-key", "alice").stdout.splitlines()
    key, line = made
    name, _, value = line.partition("=")
    with program(tmp_path, "--address", "0.0.0.0", **surroundings, **{name: value}) as server:
        assert get(f"{server.url}/v1/model").status_code == 401
        assert get(f"{server.url}/v1/model", headers={"X-API-Key": key}).ok
        assert key not in server.log_file.read_text("utf-8")


def test_a_new_key_is_printed_once_with_the_line_for_the_server(run: Callable[..., object]) -> None:
    result = run("serve", "--new-key", "alice")
    key, line = result.out.splitlines()
    assert key.startswith("hp_")
    assert line.startswith("HOUSEPRICE_SERVE_KEYS=alice:")
    assert key not in line
    assert result.code == 0


def test_a_key_needs_a_name_that_fits(run: Callable[..., object]) -> None:
    assert run("serve", "--new-key", "a:b").code == 2


def test_without_the_extra_a_sentence_says_what_to_install() -> None:
    result = subprocess.run(
        [sys.executable, "-c", NO_EXTRA], capture_output=True, text=True, check=False
    )
    assert result.returncode == 1
    assert "pip install 'houseprice[api]'" in result.stderr
    assert "Traceback" not in result.stderr


def test_a_market_that_can_not_be_used_ends_the_service_with_a_sentence(tmp_path: Path) -> None:
    with program(tmp_path, ready=False, HOUSEPRICE_MARKET="nowhere") as server:
        assert server.process.wait(PATIENCE_S) == 3
        text = server.log_file.read_text("utf-8")
    assert "nowhere" in text
    assert "Traceback" not in text
