"""Success and failure of make audit, sbom, tagged and deploy."""

import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from packaging.utils import canonicalize_name

import houseprice
from tests.loopback import free_port

Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def run(root):
    """Run a command in the tree."""

    def run(*command, **settings):
        environment = {
            name: value for name, value in os.environ.items() if not name.startswith("MAKE")
        }
        return subprocess.run(
            [str(word) for word in command],
            cwd=root,
            env=environment | settings,
            capture_output=True,
            text=True,
            check=False,
        )

    return run


@pytest.fixture
def make(run):
    """Run a target of the Makefile with the packages of these tests."""
    # Use the installed packages even if .venv is outdated or missing (tox).
    prefix = ("make", "-o", ".venv/.installed-test", f"BIN={Path(sys.executable).parent}")
    return lambda *words, **settings: run(*prefix, *words, **settings)


def test_bandit_finds_risky_calls_and_none_in_the_package(run, tmp_path):
    bandit = (sys.executable, "-m", "bandit", "--quiet", "--configfile", "audit/bandit.yaml")
    result = run(*bandit, "--recursive", "houseprice")
    assert result.returncode == 0, result.stdout
    risky = tmp_path / "risky.py"
    risky.write_text("import subprocess\nsubprocess.run(input(), shell=True)\n")
    result = run(*bandit, risky)
    assert result.returncode == 1
    assert "B602" in result.stdout


def test_the_licences_of_all_dependencies_are_allowed(run):
    base = run(sys.executable, "audit/licences.py")
    assert base.returncode == 0, base.stderr
    assert "are allowed; exceptions: certifi." in base.stdout
    extras = run(sys.executable, "audit/licences.py", "api", "auth", "cluster", "kaggle", "sign")
    assert extras.returncode == 0, extras.stderr


def test_a_licence_outside_the_list_is_refused(run):
    result = run(sys.executable, "audit/licences.py", "test")
    assert result.returncode == 1
    assert "hypothesis: MPL-2.0: not in the list of audit/licences.py" in result.stderr


@contextmanager
def advisories(package):
    """Serve the protocol of the OSV database, with one vulnerability."""
    vulnerability = {
        "id": "GHSA-0000-0000-0000",
        "published": "2026-01-01T00:00:00Z",
        "affected": [
            {
                "package": {"name": package, "ecosystem": "PyPI"},
                "ranges": [{"type": "ECOSYSTEM", "events": [{"introduced": "0"}, {"fixed": "9"}]}],
            }
        ],
    }

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            query = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            answer = {"vulns": [vulnerability]} if query["package"]["name"] == package else {}
            text = json.dumps(answer).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        def log_message(self, format, *args):  # noqa: A002 - its own name
            """Log nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/v1/query"
        server.shutdown()
        thread.join()


@pytest.fixture
def requirements(tmp_path):
    """A requirements file of two pinned packages."""
    file = tmp_path / "requirements.txt"
    file.write_text("joblib==1.5.0\nrequests==2.32.0\n")
    return file


def test_a_known_vulnerability_fails_the_audit(run, requirements):
    command = (sys.executable, "audit/advisories.py", requirements, "--osv-url")
    with advisories("joblib") as url:
        result = run(*command, url)
    assert result.returncode == 1
    assert "joblib 1.5.0: GHSA-0000-0000-0000, fixed in 9" in result.stderr
    with advisories("pandas") as url:
        result = run(*command, url)
    assert result.returncode == 0, result.stderr
    assert "2 packages checked, no known vulnerabilities." in result.stdout


def test_the_audit_fails_without_an_advisory_database(run, requirements):
    unreachable = f"http://127.0.0.1:{free_port()}/v1/query"
    result = run(sys.executable, "audit/advisories.py", requirements, "--osv-url", unreachable)
    assert result.returncode == 2
    assert "osv could not be queried" in result.stderr
    assert "No advisory database could be reached (osv), so no package was" in result.stderr


def test_the_bill_of_materials_lists_the_dependencies_of_the_wheel(make, root, tmp_path):
    result = make("dist", "sbom", f"DIST={tmp_path}")
    if result.returncode and "CI" not in os.environ and "error sending request" in result.stderr:
        pytest.skip("The build needs a package index, and none can be reached.")
    assert result.returncode == 0, result.stdout + result.stderr
    (file,) = tmp_path.glob("*.json")
    assert file.name == f"houseprice-{houseprice.__version__}.cdx.json"
    assert f"dependencies of houseprice {houseprice.__version__}" in result.stdout
    text = file.read_text("utf-8")
    bill = json.loads(text)
    assert (bill["bomFormat"], bill["specVersion"]) == ("CycloneDX", "1.6")
    component = bill["metadata"]["component"]
    assert (component["name"], component["version"]) == ("houseprice", houseprice.__version__)
    assert len(component["hashes"][0]["content"]) == 64
    components = {package["name"]: package for package in bill["components"]}
    assert {"scikit-learn", "streamlit", "fastapi", "cryptography"} <= set(components)
    assert not {"pytest", "ruff", "twine"} & set(components)
    pins = (root / "requirements.txt").read_text("utf-8")
    for name, package in components.items():
        assert f"\n{canonicalize_name(name)}=={package['version']}" in pins
    assert str(tmp_path) not in text


def test_sbom_reports_a_missing_wheel(make, tmp_path):
    result = make("sbom", f"DIST={tmp_path}")
    assert result.returncode == 2
    assert "There is no wheel in" in result.stderr


def test_the_release_tag_must_match_the_version(make):
    assert make("tagged", f"TAG=v{houseprice.__version__}").returncode == 0
    by_service = make("tagged", CIRCLE_TAG=f"v{houseprice.__version__}")
    assert by_service.returncode == 0, by_service.stderr
    wrong = make("tagged", "TAG=v0.0.0")
    assert wrong.returncode == 2
    assert f"The tag is 'v0.0.0' and this is v{houseprice.__version__}" in wrong.stderr


def test_deploy_requires_a_key(make, run, tmp_path):
    result = make("deploy", HEROKU_APP="town", HEROKU_API_KEY="")
    assert result.returncode == 2
    assert "Nothing was deployed" in result.stderr
    assert "HEROKU_API_KEY is not set" in result.stderr
    optional = make("deploy", "OPTIONAL=1", HEROKU_APP="town", HEROKU_API_KEY="")
    assert optional.returncode == 0
    assert "Nothing was deployed" in optional.stderr


def test_deploy_pushes_the_current_commit(tmp_path, root, run):
    remote = tmp_path / "remote" / "town.git"
    tree = tmp_path / "tree"
    assert run("git", "init", "--quiet", "--bare", remote).returncode == 0
    assert run("git", "init", "--quiet", tree).returncode == 0
    (tree / "Makefile").write_bytes((root / "Makefile").read_bytes())
    name = ("-c", "user.name=x", "-c", "user.email=x@example.org")
    assert run("git", "-C", tree, "add", "Makefile").returncode == 0
    assert run("git", "-C", tree, *name, "commit", "--quiet", "-m", "One").returncode == 0
    result = run(
        *("make", "-C", tree, "deploy", f"HEROKU_GIT=file://{tmp_path / 'remote'}"),
        HEROKU_APP="town",
        HEROKU_API_KEY="a secret",
    )
    assert result.returncode == 0, result.stderr
    assert "a secret" not in result.stdout + result.stderr
    pushed = run("git", "-C", remote, "rev-parse", "refs/heads/main").stdout
    assert pushed == run("git", "-C", tree, "rev-parse", "HEAD").stdout != ""
