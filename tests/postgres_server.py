"""A PostgreSQL server for tests: Debian's binaries, a folder of its own, on loopback."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.loopback import free_port

__all__ = ["PostgresServer", "is_installed", "postgres_server"]


@dataclass
class PostgresServer:
    """A running server; each database is created by name."""

    folder: Path
    port: int

    def url(self, database: str) -> str:
        """Create an empty database, and return its URL."""
        self.run("createdb", "--host=127.0.0.1", f"--port={self.port}", database)
        return f"postgresql://tests@127.0.0.1:{self.port}/{database}"

    def start(self) -> None:
        """Start it and wait until it accepts connections."""
        options = f"-p {self.port} -c listen_addresses=127.0.0.1 -c unix_socket_directories='' "
        options += "-c fsync=off -c max_connections=60"
        log = self.folder / "log"
        self.run("pg_ctl", "-D", self.folder / "data", "-w", "-l", log, "-o", options, "start")

    def stop(self, mode: str = "fast") -> None:
        """Stop it; "immediate" is like a crash."""
        self.run("pg_ctl", "-D", self.folder / "data", "-w", "-m", mode, "stop")

    def run(self, program: str, *arguments: object) -> None:
        """Run one of its programs."""
        environment = {**os.environ, "PGUSER": "tests", "LC_ALL": "C"}
        user = "postgres" if os.getuid() == 0 else None
        subprocess.run(
            [_binary(program), *map(str, arguments)],
            check=True,
            stdout=subprocess.DEVNULL,
            cwd="/",
            env=environment,
            user=user,
        )


@contextmanager
def postgres_server() -> Iterator[PostgresServer]:
    """Run a server whose data are in a new folder; as root, as the user that Debian creates."""
    with tempfile.TemporaryDirectory(prefix="postgres-") as name:
        folder = Path(name)
        if os.getuid() == 0:
            shutil.chown(folder, "postgres")
        server = PostgresServer(folder, free_port())
        server.run(
            "initdb", "-D", folder / "data", "-U", "tests", "-A", "trust", "-E", "UTF8", "--no-sync"
        )
        server.start()
        try:
            yield server
        finally:
            server.stop("immediate")


def _binary(program: str) -> str:
    found = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{program}"))
    return str(found[-1]) if found else program


def is_installed() -> bool:
    """Whether this machine has the programs of a server."""
    return shutil.which(_binary("initdb")) is not None
