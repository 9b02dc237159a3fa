"""A local Kaggle: a proxy that answers in the place of Kaggle's hosts.

Kaggle's own client reaches it by HTTPS_PROXY and REQUESTS_CA_BUNDLE alone and behaves as always: it
requests a tunnel to api.kaggle.com, verifies the certificate, sends the key, and follows the
redirect to the storage. A request to any other host would arrive here too.
"""

from __future__ import annotations

import base64
import datetime as dt
import hashlib
import io
import ipaddress
import json
import ssl
import threading
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

__all__ = ["KEY", "USER", "Kaggle", "certificate", "kaggle", "zipped"]

USER, KEY = "somebody", "0123456789abcdef-not-to-be-shown"
API, STORAGE = "api.kaggle.com", "storage.googleapis.com"
SERVICE = "/v1/competitions.CompetitionApiService/DownloadDataFile"


@dataclass
class Kaggle:
    """The content and the behaviour of the server; a test changes it before the request.

    Attributes
    ----------
    files : dict
        The content of each file by name.
    tokens : set of str
        Accepted bearer tokens, besides the user and the key.
    status, body_code : int, optional
        Refuse with this status, or with a status of 200 and this code in the body.
    tunnel : int
        The proxy's status for a tunnel.
    zips : bool
        Whether the storage has archives of the files, as Kaggle does for large ones.
    cut : int, optional
        Close the connection after so many bytes.
    wrong_digest : bool
        Whether the storage sends a wrong checksum.
    endless, silent : bool
        Send without an end; never answer.
    """

    files: dict[str, bytes]
    competition: str
    tokens: set[str] = field(default_factory=set)
    status: int | None = None
    body_code: int | None = None
    tunnel: int = 200
    zips: bool = False
    cut: int | None = None
    wrong_digest: bool = False
    endless: bool = False
    silent: bool = False
    tunnels: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)
    stopped: threading.Event = field(default_factory=threading.Event)
    port: int = 0

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def accepts(self, authorization: str) -> bool:
        basic = base64.b64encode(f"{USER}:{KEY}".encode()).decode()
        return authorization in {f"Basic {basic}", *(f"Bearer {token}" for token in self.tokens)}


def zipped(**files: bytes | str) -> bytes:
    """Return an archive of these files."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return buffer.getvalue()


def certificate(folder: Path) -> Path:
    """Write a self-signed certificate for Kaggle's hosts, with its key, to a file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "not Kaggle")])
    now = dt.datetime.now(dt.UTC)
    hosts = [
        *(x509.DNSName(host) for host in (API, STORAGE, "localhost")),
        x509.IPAddress(ipaddress.ip_address("127.0.0.1")),
    ]
    own = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName(hosts), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = folder / "not-kaggle.pem"
    path.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        + own.public_bytes(serialization.Encoding.PEM)
    )
    return path


@contextmanager
def kaggle(behaviour: Kaggle, pem: Path) -> Iterator[Kaggle]:
    """Serve it from a thread."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem)

    class Handler(_Handler):
        site = behaviour
        tls = context

    server = _Server(("127.0.0.1", 0), Handler)
    behaviour.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    try:
        yield behaviour
    finally:
        behaviour.stopped.set()
        server.shutdown()
        thread.join()
        server.server_close()


class _Server(ThreadingHTTPServer):
    daemon_threads = False  # closing waits for open requests


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    site: Kaggle
    tls: ssl.SSLContext

    def do_CONNECT(self) -> None:
        """Answer as the proxy, then as the requested host."""
        self.site.tunnels.append(self.path)
        if self.site.tunnel != 200:
            self._answer(self.site.tunnel, b"")
            return
        self.send_response(200)
        self.end_headers()
        self.rfile.close()
        self.wfile.close()
        self.close_connection = False
        try:
            self.connection = self.tls.wrap_socket(self.connection, server_side=True)
        except (ssl.SSLError, OSError):  # the client rejects the certificate
            self.close_connection = True
        self.rfile = self.connection.makefile("rb")
        self.wfile = self.connection.makefile("wb", 0)

    def finish(self) -> None:
        """Close the connection of the tunnel too."""
        super().finish()
        self.connection.close()

    def do_POST(self) -> None:
        """Answer as the API: redirect to the file."""
        request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.site.requests.append(f"POST {self.headers['Host']}{self.path}")
        refusal = self._refusal(request)
        if self.site.silent:
            self.site.stopped.wait()
            self.close_connection = True
        elif self.site.body_code:
            body = {"code": self.site.body_code, "message": f"no, {KEY}"}
            self._answer(200, json.dumps(body).encode(), {"Content-Type": "application/json"})
        elif refusal:
            body = {"code": refusal, "message": f"You sent {self.headers['Authorization']}, {KEY}"}
            self._answer(refusal, json.dumps(body).encode(), {"Content-Type": "application/json"})
        else:
            name = request["fileName"] + (".zip" if self.site.zips else "")
            newer = {"X-Kaggle-HubVersion": "99.0.0"}  # the client prints a message about it
            location = f"https://{STORAGE}/kaggle-competitions/{name}?signed=yes"
            self._answer(302, b"", {"Location": location, **newer})

    def do_GET(self) -> None:
        """Answer as the storage: send the file."""
        self.site.requests.append(f"GET {self.headers['Host']}{self.path.partition('?')[0]}")
        if "Authorization" in self.headers:
            self._answer(400, b"The key was sent to the storage.")
            return
        if self.site.endless:
            self._send_endlessly()
            return
        name = self.path.partition("?")[0].rpartition("/")[2]
        content = self.site.files[name.removesuffix(".zip")]
        digest = base64.b64encode(hashlib.md5(content[self.site.wrong_digest :]).digest())  # noqa: S324
        headers = {"x-goog-hash": f"crc32c=AAAAAA==,md5={digest.decode()}"}
        self._answer(200, content, headers, cut=self.site.cut)

    def _refusal(self, request: dict[str, str]) -> int | None:
        if self.site.status:
            return self.site.status
        if self.path != SERVICE or self.headers["Host"] != API:
            return 400
        if not self.site.accepts(self.headers.get("Authorization", "")):
            return 401
        known = request["competitionName"] == self.site.competition
        return None if known and request["fileName"] in self.site.files else 404

    def _answer(
        self, status: int, body: bytes, more: dict[str, str] | None = None, cut: int | None = None
    ) -> None:
        self.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **(more or {})}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body[:cut])
        if cut is not None:
            self.close_connection = True

    def _send_endlessly(self) -> None:
        self.send_response(200)
        self.end_headers()
        self.close_connection = True
        try:
            while not self.site.stopped.is_set():
                self.wfile.write(b"x" * 1_000_000)
        except OSError:  # the client has closed the connection
            return

    def log_message(self, *_: object) -> None:
        """Log nothing."""
