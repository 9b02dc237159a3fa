"""The units for a plain machine: right in the eyes of systemd, closed, and able to answer."""

import shutil
import subprocess
import sys
from collections.abc import Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from houseprice.api.access import new_key
from houseprice.settings import Settings
from tests.hamlet import write_hamlet
from tests.loopback import free_port, get
from tests.release.deploy.processes import running

COMMANDS = "/opt/houseprice/bin"
"""Where the units look for our command."""


@dataclass(frozen=True)
class Unit:
    """The lines of a section Service, by key, each key with all of its values in order."""

    values: Mapping[str, list[str]]

    def __getitem__(self, key):
        """The value that counts, where the last one does."""
        return self.values[key][-1]

    def environment(self, state):
        """What the unit sets, with the state folders in another place than usual."""
        pairs = (
            value.replace("%S", str(state)).split("=", 1) for value in self.values["Environment"]
        )
        return dict(pairs)


def read_unit(file):
    """Read the section Service."""
    values: dict[str, list[str]] = {}
    text = file.read_text("utf-8").partition("[Service]")[2].partition("[Install]")[0]
    for line in text.splitlines():
        if line and not line.startswith("#"):
            key, value = line.split("=", 1)
            values.setdefault(key, []).append(value)
    return Unit(values)


NAMES = ("app", "api")
MOST_EXPOSED = 15  # tenths, of a scale from 0 (nothing is open) to 100 (everything is)

# MemoryDenyWriteExecute=yes, as far as the kernel has it without systemd (PR_SET_MDWE, Linux 6.3).
COMMAND = """#!{python}
import ctypes

ctypes.CDLL(None).prctl(65, 1, 0, 0, 0)
from houseprice.cli import main

main()
"""


@pytest.fixture(scope="module")
def units(root):
    """The folder of the units."""
    return root / "deploy" / "systemd"


@pytest.fixture(scope="module")
def machine(root, tmp_path_factory):
    """A machine in a folder: a command, a state folder, a small market."""
    folder = tmp_path_factory.mktemp("machine")
    write_hamlet(folder / "hamlet", n_sales=150)
    (folder / "lib" / "houseprice").mkdir(parents=True)
    command = folder / "bin" / "houseprice"
    command.parent.mkdir()
    command.write_text(COMMAND.format(python=sys.executable), encoding="utf-8")
    command.chmod(0o755)
    return folder


@pytest.fixture(scope="module")
def analyze():
    """The path of ``systemd-analyze``, which needs no systemd at work."""
    return shutil.which("systemd-analyze") or pytest.skip("systemd-analyze is not on this machine")


@contextmanager
def started(units, machine, name, **settings):
    """Run the command of a unit in its environment, with what its EnvironmentFile would add."""
    unit = read_unit(units / f"houseprice-{name}.service")
    state = machine / "lib"
    port = free_port()
    environment = {
        "PATH": "/usr/bin:/bin",
        "HOME": str(state / "houseprice"),
        "PYTHONPATH": str(Path(__file__).parents[3]),
        **unit.environment(state),
        "HOUSEPRICE_MARKET": str(machine / "hamlet"),
        "PORT": str(port),
        **settings,
    }
    command = unit["ExecStart"].replace(COMMANDS, str(machine / "bin")).split()
    folder = Path(unit["WorkingDirectory"].replace("%S", str(state)))
    with running(command, folder, port, machine / f"{name}.log", environment) as server:
        yield server


def test_systemd_finds_nothing_wrong_with_them(units, tmp_path, analyze):
    copies = []
    for name in NAMES:
        text = (units / f"houseprice-{name}.service").read_text("utf-8")
        copies.append(tmp_path / f"houseprice-{name}.service")
        # The command is not installed here; another one that is stands in for it.
        copies[-1].write_text(text.replace(f"{COMMANDS}/houseprice", sys.executable), "utf-8")
    said = subprocess.run(
        [analyze, "verify", "--man=no", *copies], check=True, capture_output=True, text=True
    )
    assert said.stdout + said.stderr == ""


@pytest.mark.parametrize("name", NAMES)
def test_little_is_open_to_what_runs_there(units, name, analyze):
    file = units / f"houseprice-{name}.service"
    command = [analyze, "security", "--offline=true", f"--threshold={MOST_EXPOSED}", "--no-pager"]
    said = subprocess.run([*command, file], check=False, capture_output=True, text=True)
    assert said.returncode == 0, said.stdout


def test_there_is_a_user_for_them(units):
    declared = (units / "sysusers.conf").read_text("utf-8").splitlines()[-1].split()
    assert declared[:2] == ["u", "houseprice"]
    assert declared[-1] == "/var/lib/houseprice"
    for name in NAMES:
        unit = read_unit(units / f"houseprice-{name}.service")
        assert unit["User"] == "houseprice"
        assert unit["StateDirectory"] == "houseprice"


@pytest.mark.parametrize("name", NAMES)
def test_their_settings_exist_and_hold_no_secret(units, name):
    unit = read_unit(units / f"houseprice-{name}.service")
    ours = {key for key in unit.environment(Path()) if key.startswith("HOUSEPRICE_")}
    own = {"HOUSEPRICE_NEW_MARKETS"} if name == "app" else set()
    shared = {"HOUSEPRICE_ADDRESS", "HOUSEPRICE_DATABASE_URL", "HOUSEPRICE_MODEL_DIR"}
    assert ours == shared | own
    assert ours <= {f"HOUSEPRICE_{field.upper()}" for field in Settings.model_fields}
    assert unit["EnvironmentFile"] == f"-/etc/houseprice/{name}.env"


def test_a_request_is_given_its_time_before_the_service_is_killed(units):
    unit = read_unit(units / "houseprice-api.service")
    assert int(unit["TimeoutStopSec"]) > Settings().serve_timeout_s


def test_both_start_share_one_model_and_stop_when_asked(units, machine):
    key, entry = new_key("office")
    models = machine / "lib" / "houseprice" / "models"
    with started(units, machine, "app") as app:
        assert app.wait_for("/_stcore/health").text == "ok"
        with started(units, machine, "api", HOUSEPRICE_SERVE_KEYS=entry) as api:
            assert api.wait_for("/ready").json()["model_version"] == "hamlet-2.0.0-1"
            assert get(f"{api.url}/v1/model").status_code == 401
            assert get(f"{api.url}/v1/model", headers={"X-API-Key": key}).ok
            assert api.stop() in (0, -15)
        app.wait_for("/_stcore/script-health-check")
        assert app.stop() in (0, -15)
        assert "Traceback" not in app.log()
    assert [path.name for path in models.glob("hamlet-*")] == ["hamlet-2.0.0-1"]
