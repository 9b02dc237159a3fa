"""A Dask cluster: how it is reached, and what its failures are called.

Dask is an extra (``pip install 'houseprice[cluster]'``): nothing here needs it before a cluster is
asked for.

Independent fits spread over a Dask cluster, by joblib's own backend for it.
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

__all__ = ["connect", "run_sequentially", "use_cluster"]


@contextmanager
def connect(address: str, patience_s: float = 10.0) -> Iterator[Client]:
    """Connect to the scheduler of a cluster that has a worker at least.

    Parameters
    ----------
    address : str
        Of the scheduler, such as ``tcp://scheduler:8786``.
    patience_s : float
        Seconds to wait for the scheduler, and then for the first worker.

    Raises
    ------
    HousePriceError
        If Dask is not installed, nobody answers at that address, or no worker is there.
    """
    require("cluster", "A cluster")
    from distributed import Client

    try:
        client = Client(address, timeout=patience_s, set_as_default=False)
    except (OSError, ValueError) as error:
        raise HousePriceError(
            f"No scheduler of a Dask cluster answers at {address} ({_reason(error)}). Give its "
            "address as it says at its start, such as tcp://scheduler:8786."
        ) from None
    with client:
        try:
            client.wait_for_workers(1, timeout=patience_s)
        except TimeoutError:
            raise HousePriceError(
                f"The cluster at {address} has no workers. Start one with dask worker {address}."
            ) from None
        yield client


def _reason(error: Exception) -> str:
    return str(error).strip().split("\n")[0].rstrip(".") or type(error).__name__


P = ParamSpec("P")
R = TypeVar("R")


@contextmanager
def use_cluster(address: str | None) -> Iterator[None]:
    """Let the cluster of a scheduler do what joblib runs in parallel; None changes nothing.

    The figures are the same wherever they come from: each fit starts from its own seed.

    Raises
    ------
    HousePriceError
        If the cluster can't be used.
    """
    if address is None:
        yield
        return
    with connect(address) as client, parallel_config("dask", client=client):
        yield


def run_sequentially(task: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
    """Do a task that is one of many, all of it here: tasks of tasks would wait for each other."""
    with parallel_config("sequential"):
        return task(*args, **kwargs)
