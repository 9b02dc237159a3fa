"""Programs of our own in other processes of this computer, and the threads of this one."""

from __future__ import annotations

import multiprocessing
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from functools import cache

from threadpoolctl import ThreadpoolController

ONE_THREAD = dict.fromkeys(
    ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS"), "1"
)
"""The environment of a process that calculates in one thread: where several processes or requests
work at a time, more threads only wait for each other. Numeric libraries read it when imported."""

_MANY_ROWS = 20_000


def few_threads(n_rows: int) -> AbstractContextManager[object]:
    """Calculate in one thread unless there are many rows.

    Beside other work, threads that share a small calculation cost several times the calculation.
    """
    if n_rows >= _MANY_ROWS:
        return nullcontext()
    limited: AbstractContextManager[object] = _thread_pools().limit(limits=1)
    return limited


@cache
def _thread_pools() -> ThreadpoolController:
    return ThreadpoolController()


def start_python(
    arguments: Sequence[str],
    environment: Mapping[str, str],
    *,
    stdout: int = subprocess.DEVNULL,
    stderr: int | None = None,
) -> subprocess.Popen[bytes]:
    """Start Python with arguments and additions to the environment.

    The program's input stays open for as long as this process runs: see :func:`end_with_parent`.
    """
    return subprocess.Popen(  # noqa: S603 - our own programs
        [sys.executable, *arguments],
        env={**os.environ, **environment},
        stdin=subprocess.PIPE,
        stdout=stdout,
        stderr=stderr,
    )


def stop_with_parent() -> None:
    """Stop this process, which multiprocessing started, when its parent ends; others go on."""
    parent = multiprocessing.parent_process()
    if parent is None:
        return

    def wait() -> None:
        parent.join()
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=wait, name="parent", daemon=True).start()


def end_with_parent() -> None:
    """End this process, which :func:`start_python` started, when its parent ends."""

    def wait() -> None:
        os.read(sys.stdin.fileno(), 1)
        os._exit(1)

    threading.Thread(target=wait, name="parent", daemon=True).start()
