"""The image's health check: succeeds when the app or the API answers in this container.

Run as ``python -I -S healthy.py``, with Python's own library and nothing else: it is started every
few seconds. ``http.client`` and not ``urllib``, which would send the question through a proxy that
the container's environment may name.
"""

import http.client
import os
import sys

PORTS = ("8501", "8000")
"""Where the app and the API are, unless ``PORT`` says where."""

PATHS = ("/_stcore/health", "/health")
"""Of the app and the API; both say ok. The body counts: the app has its page for any other path."""


def well(port: str, path: str) -> bool:
    """Whether what listens there says ok."""
    line = http.client.HTTPConnection("127.0.0.1", int(port), timeout=2)
    try:
        line.request("GET", path)
        return line.getresponse().read(100) == b"ok"
    except (OSError, http.client.HTTPException):
        return False
    finally:
        line.close()


if __name__ == "__main__":
    named = os.environ.get("PORT")
    ports = [named] if named else PORTS
    sys.exit(not any(well(port, path) for port in ports for path in PATHS))
