"""What compose.yaml starts, as processes of this computer: two apps, two services, one Caddy.

One process of a pair is at 127.0.0.1 and one at ::1, and the name of the pair has both addresses,
as the name of a service has those of all of its containers.
"""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import os
import signal
import socket
import subprocess
from pathlib import Path

from houseprice.api.access import new_key
from tests.browser.conftest import body_of, start, stop
from tests.loopback import free_port, wait_until
from tests.release.deploy.names import both_addresses

__all__ = ["ADDRESSES", "COOKIE", "UPLOAD_MB", "House"]

ADDRESSES = ("127.0.0.1", "[::1]")
COOKIE = "houseprice_replica"
UPLOAD_MB = 2


class House:
    """Starts and ends the processes; what was killed is started again by :meth:`start`.

    Attributes
    ----------
    url : str
        Where people come in, by a name that the apps can't know.
    local_url : str
        The same by the name that comes with a computer.
    api_url : str
        Where the services are asked, with ``key``.
    """

    def __init__(self, caddy: str, root: Path, model_dir: Path, folder: Path) -> None:
        self._caddy, self._root, self._folder = caddy, root, folder
        self.app_port, self.api_port = free_pair(), free_pair()
        self.http_port, self._https_port, self._inner_port = (free_port() for _ in range(3))
        self.url = f"https://houses.localhost:{self._https_port}"
        self.local_url = f"https://localhost:{self._https_port}"
        self.api_url = f"http://127.0.0.1:{self._inner_port}"
        self.key, entry = new_key("compose")
        self._settings = {
            "HOUSEPRICE_MODEL_DIR": str(model_dir),
            "HOUSEPRICE_SERVE_KEYS": entry,
            "HOUSEPRICE_API_KEY": self.key,
            "HOUSEPRICE_MAX_UPLOAD_MB": str(UPLOAD_MB),
            "OMP_NUM_THREADS": "1",
        }
        self._running: dict[tuple[str, str], subprocess.Popen[bytes]] = {}
        self._names = contextlib.ExitStack()
        self._name_server = self._names.enter_context(both_addresses())

    def start(self) -> None:
        """Start what does not run, and wait until all of it answers."""
        for address in ADDRESSES:
            self._start("serve", address, self.api_port)
        self._start_proxy()
        for address in ADDRESSES:
            self._start("app", address, self.app_port, HOUSEPRICE_API_URL=self.api_url)
        for address in ADDRESSES:
            self._wait("serve", address, f"http://{address}:{self.api_port}/ready")
            self._wait("app", address, f"http://{address}:{self.app_port}/_stcore/health")
        self._wait("caddy", "", f"{self.api_url}/ready")

    def kill(self, command: str, address: str) -> None:
        """End one process in the middle of whatever it does."""
        process = self._running.pop((command, address))
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()

    def stop(self) -> None:
        """End all of it."""
        for process in self._running.values():
            stop(process)
        self._names.close()

    def log(self, command: str, address: str) -> str:
        """What a process has said."""
        return self._log(command, address).read_text("utf-8")

    @property
    def authority(self) -> Path:
        """The certificate of the authority that the proxy made for itself."""
        return self._folder / "data" / "caddy" / "pki" / "authorities" / "local" / "root.crt"

    def dials(self) -> dict[str, str]:
        """The address of each app, by what the proxy's cookie has for it."""
        return {
            hmac.new(b"", f"{address}:{self.app_port}".encode(), hashlib.sha256).hexdigest(): (
                address
            )
            for address in ADDRESSES
        }

    def _start(self, command: str, address: str, port: int, **more: str) -> None:
        if (command, address) not in self._running:
            self._running[command, address] = start(
                [command, "--port", str(port), "--address", address.strip("[]")],
                self._root,
                self._log(command, address),
                **self._settings,
                **more,
            )

    def _start_proxy(self) -> None:
        if ("caddy", "") in self._running:
            return
        settings = {
            "HOME": str(self._folder),
            "XDG_CONFIG_HOME": str(self._folder / "config"),
            "XDG_DATA_HOME": str(self._folder / "data"),
            "HOUSEPRICE_PROXY_ADDRESS": "127.0.0.1",
            "HOUSEPRICE_HTTP_PORT": str(self.http_port),
            "HOUSEPRICE_HTTPS_PORT": str(self._https_port),
            "HOUSEPRICE_SITE": "https://localhost, https://houses.localhost",
            "HOUSEPRICE_API_SITE": self.api_url,
            "HOUSEPRICE_DNS": f"resolvers udp/{self._name_server}",
            "HOUSEPRICE_APP_PORT": str(self.app_port),
            "HOUSEPRICE_API_PORT": str(self.api_port),
            "HOUSEPRICE_MAX_UPLOAD_MB": str(UPLOAD_MB),
        }
        file = self._root / "deploy" / "caddy" / "Caddyfile"
        with self._log("caddy", "").open("ab") as log:
            self._running["caddy", ""] = subprocess.Popen(
                [self._caddy, "run", "--config", str(file), "--adapter", "caddyfile"],
                env=os.environ | settings,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def _wait(self, command: str, address: str, url: str) -> None:
        def ready() -> bool:
            assert self._running[command, address].poll() is None, self.log(command, address)
            return body_of(url) is not None

        wait_until(ready)

    def _log(self, command: str, address: str) -> Path:
        return self._folder / f"{command}{address}.log"


def free_pair() -> int:
    """A port that is free at both addresses."""
    while True:
        port = free_port()
        with contextlib.suppress(OSError), socket.socket(socket.AF_INET6) as probe:
            probe.bind(("::1", port))
            return port
