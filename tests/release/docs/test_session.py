"""A page that does not work is told, and nothing that it started stays behind."""

import shutil
import socket
import sys

import pytest

from tests.release.docs.pages import Block
from tests.release.docs.session import Session

pytestmark = pytest.mark.skipif(
    not (shutil.which("bash") and shutil.which("curl")), reason="needs bash and curl"
)

SECONDS = 60
SERVER = f"""#!{sys.executable}
import http.server, os, signal, sys, threading
if "--fail" in sys.argv:
    sys.exit("no model")
class Ready(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write((self.path + " " + " ".join(sys.argv[1:])).encode())
server = http.server.ThreadingHTTPServer(("127.0.0.1", int(os.environ["PORT"])), Ready)
# As a real one does, it answers a little longer than it is asked to.
signal.signal(signal.SIGTERM, lambda *_: threading.Timer(0.5, server.shutdown).start())
server.serve_forever()
"""


@pytest.fixture
def project(tmp_path):
    """A project whose ``houseprice`` is a server that answers with what it was asked."""
    command = tmp_path / "project" / ".venv" / "bin" / "houseprice"
    command.parent.mkdir(parents=True)
    command.write_text(SERVER, encoding="utf-8")
    command.chmod(0o755)
    return tmp_path / "project"


@pytest.fixture
def session(project, tmp_path):
    (tmp_path / "home").mkdir()
    return Session(project, tmp_path / "home")


def page(*texts):
    return [Block("a.md", 3 + 10 * i, "sh", text, None) for i, text in enumerate(texts)]


def test_blocks_of_a_page_run_in_order_in_one_shell(session, project):
    assert session.run(page("x=1\nmkdir sub\ncd sub", 'echo "$x" > "y"\n'), SECONDS) is None
    assert (project / "sub" / "y").read_text() == "1\n"


def test_the_command_that_failed_is_told_with_its_output(session):
    wrong = session.run(page("echo fine", "echo before\nls /nowhere\necho after"), SECONDS)
    assert wrong is not None
    assert "in the block at a.md:13: ls /nowhere" in wrong
    assert "before" in wrong
    assert "after" not in wrong


def test_a_page_that_takes_too_long_is_stopped(session):
    wrong = session.run(page("echo here; sleep 600"), 0.5)
    assert wrong is not None
    assert wrong.startswith("not done after 0.5 s")


def test_a_server_is_waited_for_asked_replaced_and_stopped(session, project):
    text = """
        houseprice serve   # on port 8000
        curl -s localhost:8000/first > first
        curl -s http://127.0.0.1:8000/same > same
        PORT=9000 .venv/bin/houseprice app &
        curl -s localhost:9000/app > app
        curl -s localhost:8000/still > still
        houseprice serve --workers 2
        curl -s localhost:8000/second > second
        env | grep -i _proxy > proxies
    """
    assert session.run(page(text), SECONDS) is None
    said = {path.name: path.read_text() for path in project.iterdir() if path.is_file()}
    assert said.pop("proxies").count("127.0.0.1:9") == 2
    assert said == {
        "first": "/first serve",
        "same": "/same serve",
        "app": "/app app",
        "still": "/still serve",
        "second": "/second serve --workers 2",
    }
    for port in session.ports:
        with socket.socket() as asked:
            assert asked.connect_ex(("127.0.0.1", port)) != 0


def test_a_server_that_ends_is_told_with_its_last_words(session):
    wrong = session.run(page("houseprice serve --fail"), SECONDS)
    assert wrong is not None
    assert "a.md:3: the server ended" in wrong
    assert "no model" in wrong
