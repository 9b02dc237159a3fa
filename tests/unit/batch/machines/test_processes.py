"""New processes: loaded once, with one thread for numbers, and nothing changed around them."""

from __future__ import annotations

import multiprocessing
import os
from multiprocessing.connection import Connection

from houseprice.tables.parallel import new_process, prepare, processors


def tell(pipe: Connection, name: str) -> None:
    pipe.send(os.environ.get(name))


def asked(name: str) -> str | None:
    ours, theirs = multiprocessing.Pipe()
    process = new_process(tell, theirs, name)
    told: str | None = ours.recv()
    process.join()
    return told


def test_they_have_one_thread_and_this_one_keeps_what_it_had() -> None:
    before = dict(os.environ)
    prepare("houseprice.errors")
    assert asked("OPENBLAS_NUM_THREADS") == "1"
    assert dict(os.environ) == before


def test_there_is_at_least_one_processor() -> None:
    assert processors() >= 1
