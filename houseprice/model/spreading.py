"""Independent fits spread over a Dask cluster, by joblib's own backend for it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import ParamSpec, TypeVar

from joblib import parallel_config

from houseprice.cluster import connected

__all__ = ["spread_over", "without_spreading"]

P = ParamSpec("P")
R = TypeVar("R")


@contextmanager
def spread_over(address: str | None) -> Iterator[None]:
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
    with connected(address) as client, parallel_config("dask", client=client):
        yield


def without_spreading(task: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
    """Do a task that is one of many, all of it here: tasks of tasks would wait for each other."""
    with parallel_config("sequential"):
        return task(*args, **kwargs)
