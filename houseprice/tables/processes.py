"""New processes of this computer, each with one numeric thread, that start quickly.

They are forked from a server process that imports the packages once, so they share its memory. The
server takes as long to start as this process: call :func:`start_server` early, and it starts while
this process imports its own packages. This module imports nothing heavy.
"""

from __future__ import annotations

import logging
import multiprocessing.util
import os
import signal
import sys
import tempfile
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import ExitStack, contextmanager
from functools import cache
from itertools import islice
from typing import TypeVar

from houseprice.files import temporary_folder
from houseprice.programs import ONE_THREAD, stop_with_parent

T = TypeVar("T")
R = TypeVar("R")

_MAX_FOLDER_CHARS = 40
"""Of the folder for temporary files: the path of a socket may have about a hundred characters."""


def n_processors() -> int:
    """Return how many processors this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def start_server(module: str) -> None:
    """Start the server, which imports a module for the processes to come; return at once."""
    if sys.platform == "win32":
        return
    from multiprocessing import forkserver  # not on Windows

    _place_sockets()
    multiprocessing.get_context("forkserver").set_forkserver_preload([module])
    with _one_numeric_thread():
        forkserver.ensure_running()


def run_in_processes(function: Callable[[T], R], items: Iterable[T], n_jobs: int) -> Iterator[R]:
    """Call a function for each item in new processes, and yield the results in order.

    At most two items per process are taken in advance. The processes end with the iteration.

    Raises BrokenProcessPool if a process is killed, and what the function raises.
    """
    method = "spawn" if sys.platform == "win32" else "forkserver"
    others = set(multiprocessing.active_children())
    executor = ProcessPoolExecutor(n_jobs, multiprocessing.get_context(method), _start_worker)
    try:
        remaining, pending = iter(items), deque[Future[R]]()
        while True:
            with _one_numeric_thread():
                for item in islice(remaining, 2 * n_jobs - len(pending)):
                    try:
                        pending.append(executor.submit(function, item))
                    except OSError as error:
                        # The pool closes its pipes when a process is killed, also while it starts
                        # another one.
                        raise BrokenProcessPool("a process could not be started") from error
            if not pending:
                return
            yield pending.popleft().result()
    finally:
        # Don't wait for results that are not needed any more, for example after Ctrl-C.
        for process in set(multiprocessing.active_children()) - others:
            process.terminate()
        executor.shutdown(cancel_futures=True)


@cache
def _place_sockets() -> None:
    """Let multiprocessing make its folder of sockets in one that is removed after a kill, too."""
    if len(before := tempfile.gettempdir()) > _MAX_FOLDER_CHARS:
        return
    folder = ExitStack()
    tempfile.tempdir = str(folder.enter_context(temporary_folder()))
    try:
        multiprocessing.util.get_temp_dir()
    finally:
        tempfile.tempdir = before
    # After multiprocessing has removed its own folder, with the priority -100.
    multiprocessing.util.Finalize(None, folder.close, exitpriority=-200)


@contextmanager
def _one_numeric_thread() -> Iterator[None]:
    """Set the environment of new processes to :data:`ONE_THREAD`."""
    before = {name: os.environ.get(name) for name in ONE_THREAD}
    os.environ.update(ONE_THREAD)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def _start_worker() -> None:
    # Ctrl-C reaches all processes of a terminal: the parent stops the workers.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # The parent logs the same warnings.
    logging.disable(logging.WARNING)
    stop_with_parent()
