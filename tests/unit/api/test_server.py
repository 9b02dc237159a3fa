"""``houseprice serve`` as real processes on this computer."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import requests
from fastapi import FastAPI
from prometheus_client.parser import text_string_to_metric_families

from houseprice.api.server import HeadLimitProtocol
from houseprice.files import MEGABYTE
from houseprice.market.sales import Market
from tests.loopback import PATIENCE_S, Program, get, post, program, raw, served, wait_until

HOUSE = {"size": 120, "grade": "B", "quarter": "N", "garden": "y", "built": 1990}
WITHOUT_EXTRA = """
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
def environment(
    town: Market, town_models: Path, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, str]:
    """Environment of a server with a small market, and models that a test may add to."""
    models = tmp_path_factory.mktemp("serve") / "models"
    shutil.copytree(town_models, models)
    return {"HOUSEPRICE_MARKET": str(town.folder), "HOUSEPRICE_MODEL_DIR": str(models)}


@pytest.fixture(scope="module")
def server(
    environment: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Program]:
    threads = {"OMP_NUM_THREADS": "2"}  # as a user may have set it
    with program(tmp_path_factory.mktemp("log"), **environment, **threads) as started:
        yield started


def csv_rows(n_rows: int) -> bytes:
    return b"size,quarter\n" + b"120,N\n" * n_rows


def test_it_listens_on_this_computer_only_and_calculates_in_one_thread(server: Program) -> None:
    response = post(f"{server.url}/v1/valuations", json={"rows": [HOUSE]})
    assert response.json()["valuations"][0]["predicted_price"] > 0
    assert "server" not in response.headers
    sockets = Path(f"/proc/{server.process.pid}/net/tcp").read_text().splitlines()
    listening = [line.split()[1] for line in sockets if line.split()[3] == "0A"]
    assert f"0100007F:{server.port:04X}" in listening
    variables = Path(f"/proc/{server.process.pid}/environ").read_bytes().split(b"\0")
    assert b"OMP_NUM_THREADS=1" in variables


def test_each_line_of_the_log_is_json_and_a_request_is_one_of_them(server: Program) -> None:
    get(f"{server.url}/health", headers={"X-Request-ID": "mine"})
    wait_until(lambda: any(line.get("request_id") == "mine" for line in server.log()))


def test_a_stop_lets_a_request_finish(environment: dict[str, str], tmp_path: Path) -> None:
    with program(tmp_path, **environment) as server:
        response = requests.post(
            f"{server.url}/v1/valuations.csv",
            data=csv_rows(30_000),
            headers={"Content-Type": "text/csv", "Accept-Encoding": "identity"},
            stream=True,
            timeout=PATIENCE_S,
        )
        chunks = response.iter_content(65_536)
        received = next(chunks)
        server.process.send_signal(signal.SIGTERM)
        wait_until(lambda: not is_listening(server.port))
        received += b"".join(chunks)
        assert received.count(b"\n") == 30_001
        assert server.process.wait(PATIENCE_S) in (0, -signal.SIGTERM)
        assert not any("exception" in line for line in server.log())


def test_a_stop_waits_no_longer_than_a_request_may_take(
    environment: dict[str, str], tmp_path: Path
) -> None:
    with (
        program(tmp_path, **environment, HOUSEPRICE_SERVE_TIMEOUT_S="1") as server,
        socket.create_connection(("127.0.0.1", server.port)) as connection,
    ):
        connection.sendall(
            b"POST /v1/valuations.csv HTTP/1.1\r\nHost: localhost\r\nContent-Type: text/csv\r\n"
            b"Content-Length: 1000000\r\n\r\nsize"
        )
        assert server.stop() in (0, -signal.SIGTERM)


def is_listening(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


# ---------------------------------------------------------------------------------- request heads


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    """The port of a small app that is served as the service is."""
    app = FastAPI()

    @app.post("/")
    async def root() -> str:
        return "ok"

    class ImpatientProtocol(HeadLimitProtocol):
        max_head_s = 0.3

    with served(app, ImpatientProtocol) as port:
        yield port


@pytest.mark.parametrize(
    ("start", "endless"),
    [
        (b"GET / HTTP/1.1\r\nX: ", b"x" * (4 * MEGABYTE)),
        (b"GET / HTTP/1.1\r\n", b"".join(b"X-%d: y\r\n" % n for n in range(100_000))),
    ],
)
def test_a_head_without_an_end_is_refused(port: int, start: bytes, endless: bytes) -> None:
    response = raw(port, start, endless)
    assert not response.received or response.status == 431


def test_a_large_head_that_arrives_at_once_is_refused(port: int) -> None:
    fields = b"".join(b"X-%d: %s\r\n" % (n, b"y" * 1_000) for n in range(70))
    for start in (b"GET / HTTP/1.1\r\n", b"POST / HTTP/1.1\r\nContent-Length: 1\r\n"):
        response = raw(port, start + b"Host: localhost\r\n" + fields + b"\r\nx")
        assert response.status == 431
        assert response.received.count(b"HTTP/1.1") == 1


def test_trailers_without_an_end_close_the_connection(port: int) -> None:
    start = (
        b"POST / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n"
    )
    response = raw(port, start, b"".join(b"X-%d: y\r\n" % n for n in range(100_000)))
    assert b" 500 " not in response.received[:20]


@pytest.mark.parametrize("start", [b"", b"POST / HT", b"POST / HTTP/1.1\r\nHost: localhost\r\n"])
def test_a_head_that_does_not_arrive_closes_the_connection(port: int, start: bytes) -> None:
    # raw() reads until the server closes, and fails if it does not.
    assert raw(port, start).received == b""


def test_a_second_head_on_a_connection_has_the_same_time(port: int) -> None:
    first = b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n"
    assert raw(port, first, b"POST / HT").received.count(b"HTTP/1.1 200 OK") == 1


# -------------------------------------------------------------------------------------- processes


@pytest.fixture(scope="module")
def pair(
    environment: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Program]:
    """A server of two processes."""
    with program(tmp_path_factory.mktemp("log"), "--workers", "2", **environment) as started:
        wait_until(lambda: len(started_processes(started)) == 2)
        yield started


def started_processes(server: Program) -> list[int]:
    text = server.log_file.read_text("utf-8")
    return [pid for pid in server.children() if f"Started server process [{pid}]" in text]


def count_requests(server: Program) -> float:
    page = get(f"{server.url}/metrics").text
    return sum(
        sample.value
        for family in text_string_to_metric_families(page)
        for sample in family.samples
        if sample.name == "houseprice_requests_total" and sample.labels["route"] == "/v1/valuations"
    )


def test_the_metrics_of_two_processes_are_added_up_and_outlive_a_process(pair: Program) -> None:
    before = count_requests(pair)
    for _ in range(40):  # a connection each, so that both processes get some
        assert post(f"{pair.url}/v1/valuations", json={"rows": [HOUSE]}).ok
    assert {count_requests(pair) - before for _ in range(10)} == {40}
    old = pair.children()
    os.kill(old[0], signal.SIGKILL)
    wait_until(lambda: len(started_processes(pair)) == 2 and old[0] not in pair.children())
    pair.wait_until_ready()
    assert count_requests(pair) - before == 40


def test_several_processes_stop_together_and_leave_no_folder(
    environment: dict[str, str], tmp_path: Path
) -> None:
    with program(tmp_path, "--workers", "2", **environment, TMPDIR=str(tmp_path)) as server:
        assert any(tmp_path.glob("houseprice-*"))
        children = server.children()
        assert server.stop() == 0
    assert not any(tmp_path.glob("houseprice-*"))
    assert not any(Path(f"/proc/{pid}").exists() for pid in children)


def test_processes_stop_when_the_one_that_started_them_is_killed(pair: Program) -> None:
    assert is_listening(pair.port)
    pair.process.kill()
    wait_until(lambda: not is_listening(pair.port))


# ------------------------------------------------------------------------------- keys and addresses


@pytest.mark.parametrize(
    ("arguments", "environment", "code", "message"),
    [
        (["-m", "houseprice", "serve", "--host", "::"], {}, 2, "--new-key"),
        (["-m", "houseprice", "serve", "--host", "example.org"], {}, 2, "--new-key"),
        (["-m", "houseprice.api.server"], {"HOUSEPRICE_ADDRESS": "0.0.0.0"}, 1, "--new-key"),
        (["-m", "houseprice", "serve"], {"HOUSEPRICE_SERVE_KEYS": "alice:secret"}, 2, "entry 1"),
        (["-c", WITHOUT_EXTRA], {}, 1, "pip install 'houseprice[api]'"),
    ],
    ids=["any address", "another host", "the program itself", "broken key", "without the extra"],
)
def test_it_does_not_start_without_what_it_needs(
    arguments: list[str], environment: dict[str, str], code: int, message: str
) -> None:
    result = subprocess.run(
        [sys.executable, *arguments],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE_S,
    )
    assert result.returncode == code
    assert message in result.stderr
    assert "secret" not in result.stderr
    assert "Traceback" not in result.stderr


def test_a_new_key_is_printed_with_its_entry_and_opens_an_open_address(
    run: Callable[..., object], environment: dict[str, str], tmp_path: Path
) -> None:
    result = run("serve", "--new-key", "alice")
    key, line = result.out.splitlines()
    assert result.code == 0
    assert key.startswith("hp_")
    assert line.startswith("HOUSEPRICE_SERVE_KEYS=alice:")
    assert key not in line
    name, _, value = line.partition("=")
    with program(tmp_path, "--address", "0.0.0.0", **environment, **{name: value}) as server:
        assert get(f"{server.url}/v1/model").status_code == 401
        assert get(f"{server.url}/v1/model", headers={"X-API-Key": key}).ok
        assert key not in server.log_file.read_text("utf-8")


def test_a_key_needs_a_valid_name(run: Callable[..., object]) -> None:
    assert run("serve", "--new-key", "a:b").code == 2


def test_an_unusable_market_ends_the_service_with_a_message(tmp_path: Path) -> None:
    with program(tmp_path, ready=False, HOUSEPRICE_MARKET="nowhere") as server:
        assert server.process.wait(PATIENCE_S) == 3
        text = server.log_file.read_text("utf-8")
    assert "nowhere" in text
    assert "Traceback" not in text
