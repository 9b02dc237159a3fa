"""A built release, and an environment in which it is installed."""

import subprocess
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import requests

from tests.loopback import PATIENCE_S, free_port, wait_until


@dataclass(frozen=True)
class Release:
    """The files of ``make dist``."""

    folder: Path

    @property
    def wheel(self):
        (path,) = self.folder.glob("*.whl")
        return path

    @property
    def sdist(self):
        (path,) = self.folder.glob("*.tar.gz")
        return path


@dataclass(frozen=True)
class Installation:
    """An environment with only the package, and a working folder outside the source tree."""

    folder: Path

    @property
    def python(self):
        return self.folder / "env" / "bin" / "python"

    @property
    def working_folder(self):
        path = self.folder / "working_folder"
        path.mkdir(exist_ok=True)
        return path

    def embedded_houses(self, n_rows):
        """Write the first houses of the installed market to a file."""
        (sample,) = self.folder.glob("env/lib/*/site-packages/houseprice/market/*/to_value.csv")
        path = self.working_folder / "houses.csv"
        path.write_text("".join(sample.read_text("utf-8").splitlines(True)[: n_rows + 1]))
        return path

    def environment(self, **settings):
        """Return an environment without a path to the source tree, with only these settings."""
        home = {"HOME": str(self.folder), "PATH": "/usr/bin:/bin", "OMP_NUM_THREADS": "1"}
        return home | {name: str(value) for name, value in settings.items()}

    def run(self, *command, **settings):
        """Run a program of the environment."""
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
    def serving(self, *command, healthy, **settings):
        """Run a server of the environment and wait until it responds."""
        port, log = free_port(), self.folder / f"{command[0]}.log"
        with log.open("wb") as output:
            process = subprocess.Popen(
                [self.python.with_name("houseprice"), *command],
                cwd=self.working_folder,
                env=self.environment(PORT=port, **settings),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
            )
        server = RunningServer(process, f"127.0.0.1:{port}", log)
        try:
            wait_until(lambda: server.answers(healthy))
            yield server
        finally:
            process.terminate()
            process.wait(PATIENCE_S)


@dataclass(frozen=True)
class RunningServer:
    """A running server."""

    process: subprocess.Popen[bytes]
    address: str
    log: Path

    @property
    def output(self):
        return self.log.read_text("utf-8")

    def answers(self, path):
        assert self.process.poll() is None, self.output
        try:
            return requests.get(f"http://{self.address}{path}", timeout=PATIENCE_S).ok
        except requests.ConnectionError:
            return False
