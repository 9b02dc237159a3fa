"""Health check of the image: succeeds if the app or the API responds in this container.

Run as ``python -I -S healthy.py`` every few seconds, so it imports only the standard library.
``http.client`` ignores the proxies of the environment, unlike ``urllib``.
"""

import http.client
import os
import sys

PORTS = ("8501", "8000")
"""Default ports of the app and the API; ``PORT`` overrides them."""

PATHS = ("/_stcore/health", "/health")
"""Of the app and the API; the body is "ok". The app answers other paths with status 200, too."""


def is_healthy(port: str, path: str) -> bool:
    """Whether the server at this port responds with ok."""
    connection = http.client.HTTPConnection("127.0.0.1", int(port), timeout=2)
    try:
        connection.request("GET", path)
        return connection.getresponse().read(100) == b"ok"
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


if __name__ == "__main__":
    configured = os.environ.get("PORT")
    ports = [configured] if configured else PORTS
    sys.exit(not any(is_healthy(port, path) for port in ports for path in PATHS))
