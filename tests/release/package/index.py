"""A package index that asks everybody for name and password: ``python index.py PORT FOLDER``.

It is pypiserver, as a program of its own: what it imports warns, and a warning would fail a test.
Name and password come from the environment, as twine's do.
"""

from __future__ import annotations

import os
import sys
from socketserver import ThreadingMixIn
from wsgiref.simple_server import WSGIServer, make_server

import pypiserver

KNOWN = (os.environ["TWINE_USERNAME"], os.environ["TWINE_PASSWORD"])


class Threaded(ThreadingMixIn, WSGIServer):
    """Answers several at once, as the installer asks."""

    daemon_threads = True


if __name__ == "__main__":
    app = pypiserver.app(
        roots=[sys.argv[2]],
        authenticate=["update", "download", "list"],
        auther=lambda name, password: (name, password) == KNOWN,
        disable_fallback=True,
    )
    with make_server("127.0.0.1", int(sys.argv[1]), app, Threaded) as server:
        server.serve_forever()
