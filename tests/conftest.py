"""Fixtures of all tests: a clean environment, no network, and one trained model."""

from __future__ import annotations

import functools
import os
import shutil
import signal
import socket
from pathlib import Path
from typing import TYPE_CHECKING, Any

import hypothesis
import pytest

from tests.postgres_server import is_installed, postgres_server

if TYPE_CHECKING:
    from collections.abc import Callable


ROOT = Path(__file__).parents[1]
LOOPBACK = ("127.0.0.1", "::1", "localhost")
IS_WORKER = "PYTEST_XDIST_WORKER" in os.environ  # one of several processes of pytest-xdist
MEMORY = 2_000_000_000  # bytes that one process needs with its servers and its browser
MAX_PROCESSES = 8  # each starts servers and a browser: more would be slower

if IS_WORKER:
    # The processes use all cores, so more threads would only wait for each other.
    os.environ.setdefault("OMP_NUM_THREADS", "1")

# Background jobs of a shell script ignore Ctrl-C, and so would the processes that tests start.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# Equal examples in every run, and no failure because the machine is busy.
hypothesis.settings.register_profile("steady", derandomize=True, deadline=None, database=None)
hypothesis.settings.load_profile("steady")


def refuse_the_network(connect: Callable[[socket.socket, Any], Any]) -> Callable[..., Any]:
    """Fail a test that connects to another machine.

    Not an audit hook: in Python 3.11 a thread fails to start under coverage while another thread is
    in a hook written in Python.
    """

    @functools.wraps(connect)
    def checked(own: socket.socket, address: Any) -> Any:
        if isinstance(address, tuple) and address[0] not in LOOPBACK:
            raise RuntimeError(f"A test connects to {address[0]}: tests use no network.")
        return connect(own, address)

    return checked


for name in ("connect", "connect_ex"):
    setattr(socket.socket, name, refuse_the_network(getattr(socket.socket, name)))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    """Set ``-n auto`` to one process per available core, as far as the memory suffices."""
    import joblib

    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return max(1, min(joblib.cpu_count(), memory // MEMORY, MAX_PROCESSES))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Sort the files: without a model, with the trained model, with a browser.

    Playwright leaves an event loop in its thread. One file with the model goes first, so that its
    process trains while others run tests without a model.
    """
    turns: dict[Path, int] = {}
    for item in items:
        fixtures = getattr(item, "fixturenames", ())
        turn = 3 if "playwright" in fixtures else 2 if "model_dir" in fixtures else 1
        turns[item.path] = max(turn, turns.get(item.path, 0))
    first = next((path for path, turn in turns.items() if turn == 2), None)
    if first is not None:
        turns[first] = 0
    items.sort(key=lambda item: turns[item.path])


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Any:
    """Train quickly: studies of a sample, none in the background, few folds for few sales.

    Dozens of tests need a model of a market of their own. Tests of the model itself have all folds.
    """
    from houseprice.model.selection import default_folds

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("houseprice.model.training.MAX_STUDY_SALES", 500)
        for module in ("houseprice.ui.session", "houseprice.api.active_model"):
            patch.setattr(f"{module}.start_finishing", lambda market, store: None)
        if not item.path.is_relative_to(ROOT / "tests" / "unit" / "model"):
            patch.setattr(
                "houseprice.model.valuation.default_folds",
                lambda n_sales: 3 if n_sales < 1_000 else default_folds(n_sales),
            )
        return (yield)


@pytest.fixture(scope="session")
def root():
    """The project's top folder."""
    return ROOT


@pytest.fixture(scope="session", autouse=True)
def clean_environment(tmp_path_factory):
    """Settings at their defaults, and a temporary model folder."""
    with pytest.MonkeyPatch.context() as patch:
        for name in [*os.environ]:
            if name.startswith("HOUSEPRICE_") or name == "PORT":
                patch.delenv(name)
        patch.setenv("HOUSEPRICE_MODEL_DIR", str(tmp_path_factory.mktemp("models")))
        patch.setenv("HOUSEPRICE_MARKETS", str(tmp_path_factory.mktemp("markets")))
        records = tmp_path_factory.mktemp("records") / "records.sqlite"
        patch.setenv("HOUSEPRICE_DATABASE_URL", f"sqlite:///{records}")
        yield


@pytest.fixture(scope="session")
def market():
    """The embedded market; read-only."""
    from houseprice.market.sales import load_market

    return load_market()


@pytest.fixture(scope="session")
def model_dir(market, clean_environment, tmp_path_factory):
    """The model folder of this process, with one model of the embedded market.

    The model is trained once, and each process has a copy that it can write to.
    """
    from houseprice.files import file_lock
    from houseprice.model.store.store import ModelStore
    from houseprice.model.training import train

    base = tmp_path_factory.getbasetemp()
    trained = (base.parent if IS_WORKER else base) / "trained"
    with file_lock(trained.with_suffix(".lock")):
        store = ModelStore(trained)
        if store.active(market.contract.market.name) is None:
            train(market, store, study=True)
    folder = Path(os.environ["HOUSEPRICE_MODEL_DIR"])
    shutil.copytree(trained, folder, dirs_exist_ok=True)
    return folder


@pytest.fixture(scope="session")
def postgres():
    """A server of PostgreSQL; without its programs these tests are skipped, in CI they fail."""
    if not is_installed() and not os.environ.get("CI"):
        pytest.skip("PostgreSQL is not installed: make machine")
    with postgres_server() as server:
        yield server
