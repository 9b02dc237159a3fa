"""What every test stands on: a clean environment, no network, and one trained model to share."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import hypothesis
import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from houseprice.market.sales import Market

ROOT = Path(__file__).parents[1]
LOOPBACK = ("127.0.0.1", "::1", "localhost")

# The same examples on every run, and no verdict that hangs on how busy the machine is.
hypothesis.settings.register_profile("steady", derandomize=True, deadline=None, database=None)
hypothesis.settings.load_profile("steady")


def refuse_the_network(event: str, args: tuple[object, ...]) -> None:
    """Fail a test that reaches for another machine (a hook that no library gets around)."""
    if event != "socket.connect":
        return
    address = args[1]
    if isinstance(address, tuple) and address[0] not in LOOPBACK:
        raise RuntimeError(f"A test tried to reach {address[0]}: tests use no network.")


sys.addaudithook(refuse_the_network)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the tests that drive a browser last: Playwright leaves an event loop in this thread."""
    items.sort(key=lambda item: "playwright" in getattr(item, "fixturenames", ()))


@pytest.fixture(scope="session")
def root() -> Path:
    """The project's top folder."""
    return ROOT


@pytest.fixture(scope="session", autouse=True)
def clean_environment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Settings at their defaults, and a model folder that is not the user's own."""
    with pytest.MonkeyPatch.context() as patch:
        for name in [*os.environ]:
            if name.startswith("HOUSEPRICE_") or name == "PORT":
                patch.delenv(name)
        patch.setenv("HOUSEPRICE_MODEL_DIR", str(tmp_path_factory.mktemp("models")))
        yield


@pytest.fixture(scope="session")
def market() -> Market:
    """The embedded market; nobody changes it."""
    from houseprice.market.sales import load_market

    return load_market()


@pytest.fixture(scope="session")
def model_dir(market: Market, clean_environment: None) -> Path:
    """The model folder of this test run, with one model trained on the embedded market in it."""
    from houseprice.model.storing.store import ModelStore
    from houseprice.model.training import train

    folder = Path(os.environ["HOUSEPRICE_MODEL_DIR"])
    train(market, ModelStore(folder))
    return folder
