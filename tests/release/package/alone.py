"""A release, and what is installed from it alone: programs, and servers that run."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import requests

from tests.loopback import PATIENCE_S, free_port, wait_until

__all__ = ["Alone", "Release", "Serving"]


@dataclass(frozen=True)
class Release:
    """What `make dist` leaves."""

    folder: Path

    @property
    def wheel(self) -> Path:
        (path,) = self.folder.glob("*.whl")
        return path

    @property
    def sdist(self) -> Path:
        (path,) = self.folder.glob("*.tar.gz")
        return path


@dataclass(frozen=True)
class Alone:
    """An environment beside nothing else, and a working folder that is no project's."""

    folder: Path

    @property
    def python(self) -> Path:
        return self.folder / "env" / "bin" / "python"

    @property
    def working_folder(self) -> Path:
        path = self.folder / "elsewhere"
        path.mkdir(exist_ok=True)
        return path

    def embedded_houses(self, n_rows: int) -> Path:
        """The first houses of the file that the installed market brings."""
        (brought,) = self.folder.glob("env/lib/*/site-packages/houseprice/market/*/to_value.csv")
        path = self.working_folder / "houses.csv"
        path.write_text("".join(brought.read_text("utf-8").splitlines(True)[: n_rows + 1]))
        return path

    def environment(self, **settings: object) -> dict[str, str]:
        """Nothing of ours: no path to the tree, no settings but these."""
        home = {"HOME": str(self.folder), "PATH": "/usr/bin:/bin", "OMP_NUM_THREADS": "1"}
        return home | {name: str(value) for name, value in settings.items()}

    def run(self, *command: object, **settings: object) -> subprocess.CompletedProcess[str]:
        """Run a program of the environment to its end."""
        return subprocess.run(
            [self.python.with_name(str(command[0])), *map(str, command[1:])],
            cwd=self.working_folder,
            env=self.environment(**settings),
            capture_output=True,
            text=True,
            check=False,
            timeout=5 * PATIENCE_S,
        )

    @contextmanager
    def serving(self, *command: str, healthy: str, **settings: object) -> Iterator[Serving]:
        """Run a server of the environment, from when it answers until the end of the block."""
        port, log = free_port(), self.folder / f"{command[0]}.log"
        with log.open("wb") as written:
            process = subprocess.Popen(
                [self.python.with_name("houseprice"), *command],
                cwd=self.working_folder,
                env=self.environment(PORT=port, **settings),
                stdin=subprocess.DEVNULL,
                stdout=written,
                stderr=subprocess.STDOUT,
            )
        server = Serving(process, f"127.0.0.1:{port}", log)
        try:
            wait_until(lambda: server.answers(healthy))
            yield server
        finally:
            process.terminate()
            process.wait(PATIENCE_S)


@dataclass(frozen=True)
class Serving:
    """A server that runs."""

    process: subprocess.Popen[bytes]
    address: str
    log: Path

    @property
    def said(self) -> str:
        return self.log.read_text("utf-8")

    def answers(self, path: str) -> bool:
        assert self.process.poll() is None, self.said
        try:
            return requests.get(f"http://{self.address}{path}", timeout=PATIENCE_S).ok
        except requests.ConnectionError:
            return False
