"""Connections to a Dask cluster, and joblib's parallel work on it.

Dask is an extra (``pip install 'houseprice[cluster]'``) and imported only when a cluster is used.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, ParamSpec, TypeVar

from joblib import parallel_config

from houseprice.errors import HousePriceError
from houseprice.extras import require

if TYPE_CHECKING:
    from distributed import Client

P = ParamSpec("P")
R = TypeVar("R")


@contextmanager
def connect(address: str, timeout_s: float = 10.0) -> Iterator[Client]:
    """Connect to the scheduler of a cluster with at least one worker.

    The timeout applies to the scheduler, and then to the first worker. A HousePriceError if
    Dask is not installed, the scheduler does not answer, or there is no worker.
    """
    require("cluster", "A cluster")
    from distributed import Client

    try:
        client = Client(address, timeout=timeout_s, set_as_default=False)
    except (OSError, ValueError) as error:
        reason = str(error).strip().split("\n")[0].rstrip(".") or type(error).__name__
        raise HousePriceError(
            f"No scheduler of a Dask cluster answers at {address} ({reason}). Use the address that "
            "it prints at its start, such as tcp://scheduler:8786."
        ) from None
    with client:
        try:
            client.wait_for_workers(1, timeout=timeout_s)
        except TimeoutError:
            raise HousePriceError(
                f"The cluster at {address} has no workers. Start one with dask worker {address}."
            ) from None
        yield client


@contextmanager
def use_cluster(address: str | None) -> Iterator[None]:
    """Run joblib's parallel work on the cluster of a scheduler; None changes nothing.

    The results do not depend on it: each fit has its own seed.
    """
    if address is None:
        yield
        return
    with connect(address) as client, parallel_config("dask", client=client):
        yield


def run_sequentially(task: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
    """Run one of many parallel tasks without parallel tasks of its own, which could deadlock."""
    with parallel_config("sequential"):
        return task(*args, **kwargs)
