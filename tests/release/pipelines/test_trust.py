"""What make audit, sbom, tagged and deploy say, and that each of them can say no."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from packaging.utils import canonicalize_name

import houseprice
from tests.loopback import free_port

Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def run(root: Path) -> Run:
    """Run a command in the tree."""

    def run(*command: object, **settings: str) -> subprocess.CompletedProcess[str]:
        ours = {name: text for name, text in os.environ.items() if not name.startswith("MAKE")}
        return subprocess.run(
            [str(word) for word in command],
            cwd=root,
            env=ours | settings,
            capture_output=True,
            text=True,
            check=False,
        )

    return run


@pytest.fixture
def make(run: Run) -> Run:
    """Run a target of the Makefile with the packages of these tests."""
    # What is installed is taken as it is, be .venv older or not there (tox).
    own = ("make", "-o", ".venv/.installed-test", f"BIN={Path(sys.executable).parent}")
    return lambda *words, **settings: run(*own, *words, **settings)


def test_bandit_finds_no_risky_call_in_the_package_and_would_find_one(
    run: Run, tmp_path: Path
) -> None:
    bandit = (sys.executable, "-m", "bandit", "--quiet", "--configfile", "audit/bandit.yaml")
    found = run(*bandit, "--recursive", "houseprice")
    assert found.returncode == 0, found.stdout
    risky = tmp_path / "risky.py"
    risky.write_text("import subprocess\nsubprocess.run(input(), shell=True)\n")
    found = run(*bandit, risky)
    assert found.returncode == 1
    assert "B602" in found.stdout


def test_what_is_installed_asks_for_no_more_than_its_text_beside_it(run: Run) -> None:
    base = run(sys.executable, "audit/licences.py")
    assert base.returncode == 0, base.stderr
    assert "are allowed; exceptions: certifi." in base.stdout
    extras = run(sys.executable, "audit/licences.py", "api", "cluster", "kaggle", "sign")
    assert extras.returncode == 0, extras.stderr


def test_a_licence_that_asks_for_more_is_refused_by_name(run: Run) -> None:
    judged = run(sys.executable, "audit/licences.py", "test")
    assert judged.returncode == 1
    assert "hypothesis: MPL-2.0: not in the list of audit/licences.py" in judged.stderr


@contextmanager
def advisories(faulty: str) -> Iterator[str]:
    """A server that speaks the protocol of the OSV database and knows one fault."""
    fault = {
        "id": "GHSA-0000-0000-0000",
        "published": "2026-01-01T00:00:00Z",
        "affected": [
            {
                "package": {"name": faulty, "ecosystem": "PyPI"},
                "ranges": [{"type": "ECOSYSTEM", "events": [{"introduced": "0"}, {"fixed": "9"}]}],
            }
        ],
    }

    class Answers(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            answer = {"vulns": [fault]} if asked["package"]["name"] == faulty else {}
            text = json.dumps(answer).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its own name
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Answers) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/v1/query"
        server.shutdown()
        thread.join()


@pytest.fixture
def pinned(tmp_path: Path) -> Path:
    """Two pinned packages."""
    file = tmp_path / "requirements.txt"
    file.write_text("joblib==1.5.0\nrequests==2.32.0\n")
    return file


def test_a_package_with_a_known_fault_fails_the_audit(run: Run, pinned: Path) -> None:
    ask = (sys.executable, "audit/advisories.py", pinned, "--osv-url")
    with advisories("joblib") as address:
        told = run(*ask, address)
    assert told.returncode == 1
    assert "joblib 1.5.0: GHSA-0000-0000-0000, fixed in 9" in told.stderr
    with advisories("pandas") as address:
        told = run(*ask, address)
    assert told.returncode == 0, told.stderr
    assert "2 packages checked, no known vulnerabilities." in told.stdout


def test_where_no_advisories_can_be_asked_nothing_is_passed(run: Run, pinned: Path) -> None:
    nobody = f"http://127.0.0.1:{free_port()}/v1/query"
    told = run(sys.executable, "audit/advisories.py", pinned, "--osv-url", nobody)
    assert told.returncode == 2
    assert "osv could not be queried" in told.stderr
    assert "No advisory database could be reached (osv), so no package was" in told.stderr


def test_the_bill_of_materials_lists_what_the_wheel_brings(
    make: Run, root: Path, tmp_path: Path
) -> None:
    built = make("dist", "sbom", f"DIST={tmp_path}")
    if built.returncode and "CI" not in os.environ and "error sending request" in built.stderr:
        pytest.skip("No package index can be reached from here, and a build asks one.")
    assert built.returncode == 0, built.stdout + built.stderr
    (file,) = tmp_path.glob("*.json")
    assert file.name == f"houseprice-{houseprice.__version__}.cdx.json"
    assert f"dependencies of houseprice {houseprice.__version__}" in built.stdout
    text = file.read_text("utf-8")
    bill = json.loads(text)
    assert (bill["bomFormat"], bill["specVersion"]) == ("CycloneDX", "1.6")
    ours = bill["metadata"]["component"]
    assert (ours["name"], ours["version"]) == ("houseprice", houseprice.__version__)
    assert len(ours["hashes"][0]["content"]) == 64
    brought = {each["name"]: each for each in bill["components"]}
    assert {"scikit-learn", "streamlit", "fastapi", "cryptography"} <= set(brought)
    assert not {"pytest", "ruff", "twine"} & set(brought)
    pins = (root / "requirements.txt").read_text("utf-8")
    for name, each in brought.items():
        assert f"\n{canonicalize_name(name)}=={each['version']}" in pins
    assert str(tmp_path) not in text


def test_a_wheel_that_is_not_there_is_a_sentence(make: Run, tmp_path: Path) -> None:
    told = make("sbom", f"DIST={tmp_path}")
    assert told.returncode == 2
    assert "There is no wheel in" in told.stderr


def test_the_tag_of_a_release_has_to_name_the_version(make: Run) -> None:
    assert make("tagged", f"TAG=v{houseprice.__version__}").returncode == 0
    by_service = make("tagged", CIRCLE_TAG=f"v{houseprice.__version__}")
    assert by_service.returncode == 0, by_service.stderr
    wrong = make("tagged", "TAG=v0.0.0")
    assert wrong.returncode == 2
    assert f"The tag is 'v0.0.0' and this is v{houseprice.__version__}" in wrong.stderr


def test_a_commit_is_sent_to_heroku_only_with_a_key(make: Run, run: Run, tmp_path: Path) -> None:
    nothing = make("deploy", HEROKU_APP="town", HEROKU_API_KEY="")
    assert nothing.returncode == 2
    assert "Nothing was deployed" in nothing.stderr
    assert "HEROKU_API_KEY is not set" in nothing.stderr
    optional = make("deploy", "OPTIONAL=1", HEROKU_APP="town", HEROKU_API_KEY="")
    assert optional.returncode == 0
    assert "Nothing was deployed" in optional.stderr


def test_the_commit_that_is_deployed_is_this_one(tmp_path: Path, root: Path, run: Run) -> None:
    far = tmp_path / "far" / "town.git"
    tree = tmp_path / "tree"
    assert run("git", "init", "--quiet", "--bare", far).returncode == 0
    assert run("git", "init", "--quiet", tree).returncode == 0
    (tree / "Makefile").write_bytes((root / "Makefile").read_bytes())
    name = ("-c", "user.name=x", "-c", "user.email=x@example.org")
    assert run("git", "-C", tree, "add", "Makefile").returncode == 0
    assert run("git", "-C", tree, *name, "commit", "--quiet", "-m", "One").returncode == 0
    sent = run(
        *("make", "-C", tree, "deploy", f"HEROKU_GIT=file://{tmp_path / 'far'}"),
        HEROKU_APP="town",
        HEROKU_API_KEY="a secret",
    )
    assert sent.returncode == 0, sent.stderr
    assert "a secret" not in sent.stdout + sent.stderr
    arrived = run("git", "-C", far, "rev-parse", "refs/heads/main").stdout
    assert arrived == run("git", "-C", tree, "rev-parse", "HEAD").stdout != ""
