"""What every test stands on: a clean environment, no network, and one trained model to share."""

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

if TYPE_CHECKING:
    from collections.abc import Callable


ROOT = Path(__file__).parents[1]
LOOPBACK = ("127.0.0.1", "::1", "localhost")
SIDE_BY_SIDE = "PYTEST_XDIST_WORKER" in os.environ  # one of several processes that share the tests
MEMORY = 2_000_000_000  # bytes for a process of tests, its servers and its browser
MOST_PROCESSES = 8  # each starts servers and a browser of its own, which more would not make up for

if SIDE_BY_SIDE:
    # The cores are taken: threads that calculate side by side would only wait for each other.
    os.environ.setdefault("OMP_NUM_THREADS", "1")

# A script's shell lets what it starts in the background ignore Ctrl-C, and so what that starts.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# The same examples on every run, and no verdict that hangs on how busy the machine is.
hypothesis.settings.register_profile("steady", derandomize=True, deadline=None, database=None)
hypothesis.settings.load_profile("steady")


def refuse_the_network(connect: Callable[[socket.socket, Any], Any]) -> Callable[..., Any]:
    """Fail a test that reaches for another machine.

    An audit hook would see the same. But Python 3.11 lets no thread start to be traced (for the
    coverage) while another one is in a hook written in Python, and the thread ends with an error.
    """

    @functools.wraps(connect)
    def checked(own: socket.socket, address: Any) -> Any:
        if isinstance(address, tuple) and address[0] not in LOOPBACK:
            raise RuntimeError(f"A test tried to reach {address[0]}: tests use no network.")
        return connect(own, address)

    return checked


for name in ("connect", "connect_ex"):
    setattr(socket.socket, name, refuse_the_network(getattr(socket.socket, name)))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    """Answer ``-n auto``: a process a core that we may use, as far as the memory goes."""
    import joblib

    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return max(1, min(joblib.cpu_count(), memory // MEMORY, MOST_PROCESSES))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the files that drive a browser last, and those with the trained model before them.

    Playwright leaves an event loop in this thread. One file with the model goes first: its process
    trains while others do what needs no model, and nobody waits.
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


@pytest.fixture(scope="session")
def root():
    """The project's top folder."""
    return ROOT


@pytest.fixture(scope="session", autouse=True)
def clean_environment(tmp_path_factory):
    """Settings at their defaults, and a model folder that is not the user's own."""
    with pytest.MonkeyPatch.context() as patch:
        for name in [*os.environ]:
            if name.startswith("HOUSEPRICE_") or name == "PORT":
                patch.delenv(name)
        patch.setenv("HOUSEPRICE_MODEL_DIR", str(tmp_path_factory.mktemp("models")))
        yield


@pytest.fixture(scope="session")
def market():
    """The embedded market; nobody changes it."""
    from houseprice.market.sales import load_market

    return load_market()


@pytest.fixture(scope="session")
def model_dir(market, clean_environment, tmp_path_factory):
    """The model folder of this process, with one model trained on the embedded market in it.

    Processes that share the tests train it once, and each gets a copy that it may write to.
    """
    from houseprice.model.store.store import ModelStore
    from houseprice.model.training import ensure_model

    base = tmp_path_factory.getbasetemp()
    trained = (base.parent if SIDE_BY_SIDE else base) / "trained"
    ensure_model(market, ModelStore(trained))
    folder = Path(os.environ["HOUSEPRICE_MODEL_DIR"])
    shutil.copytree(trained, folder, dirs_exist_ok=True)
    return folder
