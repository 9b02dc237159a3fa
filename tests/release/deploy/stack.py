"""The services of compose.yaml as local processes: two apps, two APIs, one Caddy.

The processes of a pair listen at 127.0.0.1 and ::1, and the host name of the pair resolves to both
addresses, like the name of a Compose service.
"""

import contextlib
import hashlib
import hmac
import os
import signal
import socket
import struct
import subprocess
import threading
from contextlib import contextmanager

from houseprice.api.access import new_key
from tests.browser.conftest import body_of, start, stop
from tests.loopback import free_port, wait_until

_ADDRESSES = {
    1: socket.inet_pton(socket.AF_INET, "127.0.0.1"),  # A
    28: socket.inet_pton(socket.AF_INET6, "::1"),  # AAAA
}
_TTL_S = 1


@contextmanager
def dns_server():
    """Run a DNS server that resolves every name to 127.0.0.1 and ::1; yield its address."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind(("127.0.0.1", 0))
        thread = threading.Thread(target=_serve, args=[server])
        thread.start()
        host, port = server.getsockname()
        try:
            yield f"{host}:{port}"
        finally:
            server.sendto(b"", (host, port))  # an empty packet stops the thread
            thread.join()


def _serve(server):
    while True:
        query, client = server.recvfrom(4_096)
        if not query:
            return
        server.sendto(_respond(query), client)


def _respond(query):
    """Return the question and one address of the requested type (RFC 1035, section 4)."""
    end = query.index(b"\0", 12) + 5
    question = query[12:end]
    record_type = int.from_bytes(question[-4:-2])
    address = _ADDRESSES.get(record_type)
    head = query[:2] + struct.pack(">5H", 0x8180, 1, int(address is not None), 0, 0)
    if address is None:
        return head + question
    return (
        head
        + question
        + struct.pack(">3HIH", 0xC00C, record_type, 1, _TTL_S, len(address))
        + address
    )


ADDRESSES = ("127.0.0.1", "[::1]")
COOKIE = "houseprice_replica"
UPLOAD_MB = 2


class Stack:
    """The processes; :meth:`start` restarts those that were killed."""

    def __init__(self, caddy, root, model_dir, folder):
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
        self._exit_stack = contextlib.ExitStack()
        self._dns_server = self._exit_stack.enter_context(dns_server())

    def start(self):
        """Start the processes that are not running, and wait until all respond."""
        for address in ADDRESSES:
            self._start("serve", address, self.api_port)
        self._start_proxy()
        for address in ADDRESSES:
            self._start("app", address, self.app_port, HOUSEPRICE_API_URL=self.api_url)
        for address in ADDRESSES:
            self._wait("serve", address, f"http://{address}:{self.api_port}/ready")
            self._wait("app", address, f"http://{address}:{self.app_port}/_stcore/health")
        self._wait("caddy", "", f"{self.api_url}/ready")

    def kill(self, command, address):
        """Kill one process."""
        process = self._running.pop((command, address))
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()

    def stop(self):
        """Stop all processes."""
        for process in self._running.values():
            stop(process)
        self._exit_stack.close()

    def log(self, command, address):
        """Return the log of a process."""
        return self._log(command, address).read_text("utf-8")

    @property
    def certificate(self):
        """The path of the root certificate of the proxy."""
        return self._folder / "data" / "caddy" / "pki" / "authorities" / "local" / "root.crt"

    def addresses_by_cookie(self):
        """Return the address of each app by the value of the proxy's cookie."""
        return {
            hmac.new(b"", f"{address}:{self.app_port}".encode(), hashlib.sha256).hexdigest(): (
                address
            )
            for address in ADDRESSES
        }

    def _start(self, command, address, port, **settings):
        if (command, address) not in self._running:
            self._running[command, address] = start(
                [command, "--port", str(port), "--address", address.strip("[]")],
                self._root,
                self._log(command, address),
                **self._settings,
                **settings,
            )

    def _start_proxy(self):
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
            "HOUSEPRICE_DNS": f"resolvers udp/{self._dns_server}",
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

    def _wait(self, command, address, url):
        def ready():
            assert self._running[command, address].poll() is None, self.log(command, address)
            return body_of(url) is not None

        wait_until(ready)

    def _log(self, command, address):
        return self._folder / f"{command}{address}.log"


def free_pair():
    """Return a port that is free at both addresses."""
    while True:
        port = free_port()
        with contextlib.suppress(OSError), socket.socket(socket.AF_INET6) as probe:
            probe.bind(("::1", port))
            return port
