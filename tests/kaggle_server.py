"""Kaggle on this computer: a proxy that, asked for Kaggle's hosts, is Kaggle.

Kaggle's own client finds it by HTTPS_PROXY and REQUESTS_CA_BUNDLE alone, so that it does what
it does on any computer: it asks for a tunnel to api.kaggle.com, checks the certificate there, sends
the key, and follows to the storage that holds the file. What it would have sent anywhere else is
seen, because all of it comes here.
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
    """What the stand-in has and how it behaves; a test changes it before the client comes.

    Attributes
    ----------
    files : dict
        By the name of a file: its content, as the storage gives it.
    competition : str
    tokens : set of str
        Bearer tokens that are accepted, besides the user and the key.
    status, body_code : int, optional
        Refuse with this status; or with a status of 200 and this code in the body.
    tunnel : int
        What the proxy answers to one who wants through.
    zips : bool
        Whether the storage has the files packed, as Kaggle keeps large ones.
    cut : int, optional
        Break off after so many bytes.
    wrong_digest : bool
        Whether the checksum of the storage is wrong.
    endless, silent : bool
        Send without an end; take a question and never answer.
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
    asked: list[str] = field(default_factory=list)
    stopped: threading.Event = field(default_factory=threading.Event)
    port: int = 0

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def accepts(self, authorization: str) -> bool:
        basic = base64.b64encode(f"{USER}:{KEY}".encode()).decode()
        return authorization in {f"Basic {basic}", *(f"Bearer {token}" for token in self.tokens)}


def zipped(**files: bytes | str) -> bytes:
    """An archive with these files in it."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return packed.getvalue()


def certificate(folder: Path) -> Path:
    """Write a certificate for Kaggle's hosts, which signs itself, and its key, into one file."""
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
    """Serve it from a thread until the test is done."""
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
    daemon_threads = False  # closing waits for what is still being answered


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    site: Kaggle
    tls: ssl.SSLContext

    def do_CONNECT(self) -> None:
        """Be the proxy, and then be the host that was asked for."""
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
        except (ssl.SSLError, OSError):  # the client does not trust us
            self.close_connection = True
        self.rfile = self.connection.makefile("rb")
        self.wfile = self.connection.makefile("wb", 0)

    def finish(self) -> None:
        """Close the connection inside the tunnel too."""
        super().finish()
        self.connection.close()

    def do_POST(self) -> None:
        """The API: say where the file is."""
        question = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.site.asked.append(f"POST {self.headers['Host']}{self.path}")
        refusal = self._refusal(question)
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
            name = question["fileName"] + (".zip" if self.site.zips else "")
            newer = {"X-Kaggle-HubVersion": "99.0.0"}  # the client has words to say about that
            place = f"https://{STORAGE}/kaggle-competitions/{name}?signed=yes"
            self._answer(302, b"", {"Location": place, **newer})

    def do_GET(self) -> None:
        """The storage: give the file."""
        self.site.asked.append(f"GET {self.headers['Host']}{self.path.partition('?')[0]}")
        if "Authorization" in self.headers:
            self._answer(400, b"The key has no business here.")
            return
        if self.site.endless:
            self._send_on_and_on()
            return
        name = self.path.partition("?")[0].rpartition("/")[2]
        content = self.site.files[name.removesuffix(".zip")]
        digest = base64.b64encode(hashlib.md5(content[self.site.wrong_digest :]).digest())  # noqa: S324
        headers = {"x-goog-hash": f"crc32c=AAAAAA==,md5={digest.decode()}"}
        self._answer(200, content, headers, cut=self.site.cut)

    def _refusal(self, question: dict[str, str]) -> int | None:
        if self.site.status:
            return self.site.status
        if self.path != SERVICE or self.headers["Host"] != API:
            return 400
        if not self.site.accepts(self.headers.get("Authorization", "")):
            return 401
        known = question["competitionName"] == self.site.competition
        return None if known and question["fileName"] in self.site.files else 404

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

    def _send_on_and_on(self) -> None:
        self.send_response(200)
        self.end_headers()
        self.close_connection = True
        try:
            while not self.site.stopped.is_set():
                self.wfile.write(b"x" * 1_000_000)
        except OSError:  # the client has had enough
            return

    def log_message(self, *_: object) -> None:
        """Say nothing."""
