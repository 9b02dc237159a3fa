"""The pipelines run what a person runs, in the order that was told, and hold no secret."""

from __future__ import annotations

import re
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import pytest

from tests.release.pipelines.files import Job, circleci, environments, github, targets, workflows

ORDER = ("dist", "tox", "train", "gate", "publish", "deploy")
SERVICES = {"GitHub": github, "CircleCI": circleci}
FILES = (
    ("vendor.github-workflows", ".github/workflows/ci.yml"),
    ("vendor.github-workflows", ".github/workflows/release.yml"),
    ("vendor.dependabot", ".github/dependabot.yml"),
    ("vendor.circle-ci", ".circleci/config.yml"),
)
SECRETS = {"HEROKU_API_KEY"}


@pytest.fixture(params=SERVICES)
def jobs(request: pytest.FixtureRequest, root: Path) -> list[Job]:
    """The jobs of a release on a service."""
    return SERVICES[request.param](root)


@pytest.mark.parametrize(("schema", "file"), FILES)
def test_each_file_keeps_the_schema_of_its_service(schema: str, file: str, root: Path) -> None:
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", schema, file]
    checked = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stdout + checked.stderr


def test_every_command_is_a_target_of_the_makefile(jobs: list[Job], root: Path) -> None:
    commands = [command for job in jobs for command in job.commands]
    assert len(commands) > len(ORDER)
    for command in commands:
        found = re.fullmatch(r"make ([a-z-]+)((?: [A-Z]+=\w+)*)", command)
        assert found, command
        assert found[1] in targets(root), command


def test_the_tests_run_in_every_environment_of_tox_on_a_fitting_python(
    jobs: list[Job], root: Path
) -> None:
    run = {
        found[1]: str(job.image)
        for job in jobs
        for command in job.commands
        if (found := re.search(r"make tox ENV=(\w+) BUILT=1", command))
    }
    assert set(run) == environments(root)
    pythons = {"py312": "3.12", "py313": "3.13", "newest": "3.13"}
    for environment, image in run.items():
        assert image.startswith(f"python:{pythons.get(environment, '3.11')}."), environment


def test_each_step_waits_for_the_one_before_it(jobs: list[Job]) -> None:
    named = {job.name: job for job in jobs}

    def before(job: Job) -> list[str]:
        """All commands that have passed when this job starts."""
        passed: list[str] = []
        for need in job.needs:
            passed += [*before(named[need]), *named[need].commands]
        return passed

    for earlier, later in pairwise(ORDER):
        waiting = [job for job in jobs if any(_makes(later, text) for text in job.commands)]
        assert waiting, later
        for job in waiting:
            place = next(n for n, text in enumerate(job.commands) if _makes(later, text))
            passed = [*before(job), *job.commands[:place]]
            assert any(_makes(earlier, text) for text in passed), (earlier, job.name)
    audited = [job for job in jobs if any(_makes("publish", text) for text in job.commands)]
    assert all(any(_makes("audit", text) for text in before(job)) for job in audited)


def test_both_services_run_the_same(root: Path) -> None:
    first, second = (
        {command.removesuffix(" OPTIONAL=1") for job in read(root) for command in job.commands}
        for read in SERVICES.values()
    )
    assert first == second


def test_only_the_tag_of_a_version_is_published_and_deployed(root: Path) -> None:
    release = workflows(root)["release.yml"]
    # YAML 1.1 reads the key "on" as a truth value.
    assert release[True] == {"push": {"tags": ["v[0-9]+.[0-9]+.[0-9]+*"]}}
    ci = [step for job in workflows(root)["ci.yml"]["jobs"].values() for step in job["steps"]]
    assert not any(re.search(r"publish|deploy", str(step)) for step in ci)
    for job in circleci(root):
        if job.name in {"publish", "deploy"}:
            only = {"branches": {"ignore": "/.*/"}, "tags": {"only": r"/^v\d+\.\d+\.\d+.*$/"}}
            assert job.full["filters"] == only


def test_every_action_is_pinned_by_its_commit_with_its_version_beside(root: Path) -> None:
    for name in workflows(root):
        text = (root / ".github" / "workflows" / name).read_text("utf-8")
        for use in re.findall(r"uses: (.*)", text):
            assert use == "./.github/workflows/ci.yml" or re.fullmatch(
                r"[\w./-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+", use
            ), use


def test_every_image_has_an_exact_tag(jobs: list[Job]) -> None:
    images = {job.image for job in jobs if job.image}
    assert images
    assert all(re.fullmatch(r"python:3\.\d+\.\d+-bookworm", image) for image in images)


def test_a_workflow_may_do_no_more_than_its_jobs_say(root: Path) -> None:
    for file, workflow in workflows(root).items():
        assert workflow["permissions"] == {}, file
        for name, job in workflow["jobs"].items():
            least = {"id-token": "write"} if name == "publish" else {"contents": "read"}
            assert job["permissions"] == least, (file, name)
            for step in job.get("steps", []):
                if "actions/checkout@" in step.get("uses", ""):
                    assert step["with"]["persist-credentials"] is False, (file, name)


def test_secrets_stand_in_no_file_but_by_name(root: Path) -> None:
    for _, file in FILES:
        text = (root / file).read_text("utf-8")
        named = dict(
            re.findall(r"^\s*(\w*(?:KEY|TOKEN|PASSWORD|SECRET)\w*):\s*(.+)$", text, re.MULTILINE)
        )
        assert set(named) <= SECRETS, file
        assert all(value == f"${{{{ secrets.{name} }}}}" for name, value in named.items()), file
        assert set(re.findall(r"secrets\.(\w+)", text)) <= SECRETS, file
        assert not re.search(r"https?://[^\s/]*:[^\s/]*@", text), file


def test_nothing_from_outside_is_put_into_a_command(jobs: list[Job]) -> None:
    assert not any("${{" in text or "<<" in text for job in jobs for text in job.commands)


def _makes(target: str, command: str) -> bool:
    return command.split()[1] == target
