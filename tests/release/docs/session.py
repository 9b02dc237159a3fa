"""One page in one shell: its blocks in order, in a copy of the project that nobody else uses."""

import contextlib
import os
import re
import shlex
import shutil
import signal
import socket
import subprocess
import sys
from functools import partial
from pathlib import Path

from tests.release.docs.commands import logical_lines, server_of

_AROUND = Path(__file__).with_name("session.sh")
_LINES = 80  # of the output, which a message shows
_NOT_COPIED = shutil.ignore_patterns(
    ".git", ".venv", ".tox", ".*_cache", ".hypothesis", "__pycache__", "build", "dist", "htmlcov",
    "test-results", ".coverage*", "*.egg-info", "images",
)  # fmt: skip
_ASSIGNMENTS = re.compile(r"""^(?:\w+=(?:"[^"]*"|'[^']*'|\S*)\s+)*""")
_COMMENT = re.compile(r"\s+#[^'\"]*$")
_PORT = re.compile(
    r"(?P<before>(?:localhost|127\.0\.0\.1|\[::1\]|0\.0\.0\.0):|\bPORT=|--port[= ])"
    r"(?P<port>\d{4,5})\b"
)


def copy_of_the_project(root, folder):
    """Copy the project with the Python that runs now as its ``.venv``."""
    shutil.copytree(root, folder, symlinks=True, ignore=_NOT_COPIED)
    place = folder / ".venv"
    place.mkdir()
    for name in ("bin", "lib", "include", "pyvenv.cfg"):
        if (Path(sys.prefix) / name).exists():
            (place / name).symlink_to(Path(sys.prefix) / name)
    for stamp in (".installed", ".installed-test"):
        (place / stamp).touch()  # make has nothing to install
    return folder


class Session:
    """A shell for the blocks of one page.

    Parameters
    ----------
    project : Path
        A copy that the blocks may change.
    home : Path
        The user's own folder.
    """

    def __init__(self, project, home):
        self._project = project
        self._home = home
        self._ports: dict[int, int] = {}

    def run(self, blocks, seconds):
        """Run blocks in order; return what went wrong, with the end of what was printed.

        Parameters
        ----------
        blocks : sequence of Block
        seconds : float
            What they may take together.
        """
        output = self._home.parent / "output.txt"
        servers = self._home.parent / "servers"
        servers.mkdir()
        script = self._home.parent / "page.sh"
        script.write_text(self._script(blocks, servers), encoding="utf-8")
        with output.open("wb") as out:
            shell = subprocess.Popen(
                ["bash", script],
                cwd=self._project,
                env=self._environment(),
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
            try:
                status = shell.wait(seconds)
                wrong = f"exit status {status}" if status else None
            except subprocess.TimeoutExpired:
                wrong = f"not done after {seconds} s"
            finally:
                _end(shell, servers)
        if wrong is None:
            return None
        said = output.read_text(encoding="utf-8", errors="replace").splitlines()
        return "\n".join([wrong, *said[-_LINES:]])

    @property
    def ports(self):
        """The ports that stood in for those of the page."""
        return [*self._ports.values()]

    def _script(self, blocks, servers):
        parts = [f"servers={shlex.quote(str(servers))}", _AROUND.read_text(encoding="utf-8")]
        for block in blocks:
            parts += [f"block={shlex.quote(block.place)}", 'echo "--- $block"']
            parts += map(self._line, logical_lines(block.text))
        return "\n".join(parts) + "\n"

    def _line(self, line):
        """Put a logical line as it is run: at ports that are free, and with servers behind it."""
        line = _PORT.sub(lambda found: f"{found['before']}{self._free(int(found['port']))}", line)
        server = server_of(line)
        if server is None:
            return line
        command = _COMMENT.sub("", line).strip().removesuffix("&")
        named = re.search(r"(?:\bPORT=|--port[= ])(\d+)", command)
        port = named[1] if named else str(self._free(server.port))
        if named is None:
            command = f"{server.variable}={port} {command}"
        # In place of the shell, so that the shell that waits for it waits for the server itself.
        command = _ASSIGNMENTS.sub(r"\g<0>exec ", command, count=1)
        return f"start {port} {server.path} {shlex.quote(command)}"

    def _free(self, documented):
        """Return a port that is free, the same for the same documented one."""
        if documented not in self._ports:
            with socket.socket() as taken:
                taken.bind(("127.0.0.1", 0))
                self._ports[documented] = taken.getsockname()[1]
        return self._ports[documented]

    def _environment(self):
        """What a new user has, and no way out of this computer."""
        passed = ("LANG", "LC_ALL", "TZ", "OMP_NUM_THREADS", "CHROMIUM")
        return {
            **{name: os.environ[name] for name in passed if name in os.environ},
            "PATH": f"{self._project / '.venv' / 'bin'}:{os.environ['PATH']}",
            "PYTHONPATH": str(self._project),
            "HOME": str(self._home),
            "TMPDIR": str(self._home.parent),
            **dict.fromkeys(("http_proxy", "https_proxy"), "http://127.0.0.1:9"),
            **dict.fromkeys(("no_proxy", "NO_PROXY"), "localhost,127.0.0.1,::1"),
        }


def _end(shell, servers):
    """Stop the shell and its servers, with all that they have started."""
    groups = [int(path.read_text()) for path in servers.glob("*.pid")]
    kill = partial(_signal, [shell.pid, *groups])
    kill(signal.SIGTERM)
    with contextlib.suppress(subprocess.TimeoutExpired):
        shell.wait(5)
    kill(signal.SIGKILL)
    shell.wait()


def _signal(groups, number):
    for group in groups:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(group, number)
