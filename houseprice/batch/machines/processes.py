"""New processes of this computer, each with one thread for numbers, and quick to start.

They come from a server that loads the packages once, and then only copies itself. It takes as long
to load as this process does, so whoever knows early that processes will be wanted says so early:
:func:`prepare` lets it load beside.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing import get_context
from multiprocessing.process import BaseProcess
from typing import TYPE_CHECKING, ParamSpec

if TYPE_CHECKING:
    from multiprocessing.context import ForkServerContext, SpawnContext

__all__ = ["new_process", "prepare", "processors"]

_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS")

P = ParamSpec("P")


def processors() -> int:
    """How many processors this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def prepare(module: str) -> None:
    """Begin to load a module for processes to come; return at once."""
    if sys.platform == "win32":
        return
    from multiprocessing import forkserver  # which Windows lacks

    _context().set_forkserver_preload([module])
    with _one_thread_each():
        forkserver.ensure_running()


def new_process(work: Callable[P, object], *given: P.args, **named: P.kwargs) -> BaseProcess:
    """Start a process, never a copy of this one as it is: its threads would be missing there.

    Parameters
    ----------
    work : callable
        A function of a module, loaded before it is called.
    *given, **named
        What it is called with.
    """
    prepare(work.__module__)
    process = _context().Process(target=work, args=given, kwargs=named, daemon=True)
    with _one_thread_each():
        process.start()
    return process


def _context() -> SpawnContext | ForkServerContext:
    return get_context("spawn") if sys.platform == "win32" else get_context("forkserver")


@contextmanager
def _one_thread_each() -> Iterator[None]:
    """The environment for new processes: numeric libraries read it when they are loaded."""
    before = {name: os.environ.get(name) for name in _THREADS}
    os.environ.update(dict.fromkeys(_THREADS, "1"))
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
