"""A package index that requires a password: ``python index.py PORT FOLDER``.

pypiserver runs as a process, because its imports emit warnings, which fail a test.
Name and password come from the environment variables of twine.
"""

import os
import sys
from socketserver import ThreadingMixIn
from wsgiref.simple_server import WSGIServer, make_server

import pypiserver

CREDENTIALS = (os.environ["TWINE_USERNAME"], os.environ["TWINE_PASSWORD"])


class Threaded(ThreadingMixIn, WSGIServer):
    """Handles concurrent requests of the installer."""

    daemon_threads = True


if __name__ == "__main__":
    app = pypiserver.app(
        roots=[sys.argv[2]],
        authenticate=["update", "download", "list"],
        auther=lambda name, password: (name, password) == CREDENTIALS,
        disable_fallback=True,
    )
    with make_server("127.0.0.1", int(sys.argv[1]), app, Threaded) as server:
        server.serve_forever()
