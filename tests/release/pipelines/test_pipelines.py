"""The pipelines run make targets in the required order, and contain no secret."""

import re
import subprocess
import sys
from itertools import pairwise

import pytest

from tests.release.pipelines.files import circleci, environments, github, targets, workflows

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
def jobs(request, root):
    """The jobs of a release on a service."""
    return SERVICES[request.param](root)


@pytest.mark.parametrize(("schema", "file"), FILES)
def test_each_file_matches_the_schema_of_its_service(schema, file, root):
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", schema, file]
    result = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout + result.stderr


def test_every_command_is_a_target_of_the_makefile(jobs, root):
    commands = [command for job in jobs for command in job.commands]
    assert len(commands) > len(ORDER)
    for command in commands:
        match = re.fullmatch(r"make ([a-z-]+)((?: [A-Z]+=\w+)*)", command)
        assert match, command
        assert match[1] in targets(root), command


def test_every_tox_environment_runs_on_its_python(jobs, root):
    run = {
        match[1]: str(job.image)
        for job in jobs
        for command in job.commands
        if (match := re.search(r"make tox ENV=(\w+) BUILT=1", command))
    }
    assert set(run) == environments(root)
    pythons = {"py312": "3.12", "py313": "3.13", "newest": "3.13"}
    for environment, image in run.items():
        assert image.startswith(f"python:{pythons.get(environment, '3.11')}."), environment


def test_each_step_runs_after_the_previous_one(jobs):
    by_name = {job.name: job for job in jobs}

    def commands_before(job):
        """Return the commands that completed before this job starts."""
        completed: list[str] = []
        for need in job.needs:
            completed += [*commands_before(by_name[need]), *by_name[need].commands]
        return completed

    for earlier, later in pairwise(ORDER):
        dependents = [job for job in jobs if any(_runs(later, text) for text in job.commands)]
        assert dependents, later
        for job in dependents:
            position = next(n for n, text in enumerate(job.commands) if _runs(later, text))
            completed = [*commands_before(job), *job.commands[:position]]
            assert any(_runs(earlier, text) for text in completed), (earlier, job.name)
    publishing = [job for job in jobs if any(_runs("publish", text) for text in job.commands)]
    assert all(any(_runs("audit", text) for text in commands_before(job)) for job in publishing)


def test_both_services_run_the_same_commands(root):
    first, second = (
        {command.removesuffix(" OPTIONAL=1") for job in read(root) for command in job.commands}
        for read in SERVICES.values()
    )
    assert first == second


def test_only_version_tags_are_published_and_deployed(root):
    release = workflows(root)["release.yml"]
    # YAML 1.1 parses the key "on" as true.
    assert release[True] == {"push": {"tags": ["v[0-9]+.[0-9]+.[0-9]+*"]}}
    ci = [step for job in workflows(root)["ci.yml"]["jobs"].values() for step in job["steps"]]
    assert not any(re.search(r"publish|deploy", str(step)) for step in ci)
    for job in circleci(root):
        if job.name in {"publish", "deploy"}:
            only = {"branches": {"ignore": "/.*/"}, "tags": {"only": r"/^v\d+\.\d+\.\d+.*$/"}}
            assert job.definition["filters"] == only


def test_every_action_is_pinned_by_commit_with_its_version_in_a_comment(root):
    for name in workflows(root):
        text = (root / ".github" / "workflows" / name).read_text("utf-8")
        for use in re.findall(r"uses: (.*)", text):
            assert use == "./.github/workflows/ci.yml" or re.fullmatch(
                r"[\w./-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+", use
            ), use


def test_every_image_has_an_exact_tag(jobs):
    images = {job.image for job in jobs if job.image}
    assert images
    assert all(re.fullmatch(r"python:3\.\d+\.\d+-bookworm", image) for image in images)


def test_jobs_have_minimal_permissions(root):
    for file, workflow in workflows(root).items():
        assert workflow["permissions"] == {}, file
        for name, job in workflow["jobs"].items():
            minimum = {"id-token": "write"} if name == "publish" else {"contents": "read"}
            assert job["permissions"] == minimum, (file, name)
            for step in job.get("steps", []):
                if "actions/checkout@" in step.get("uses", ""):
                    assert step["with"]["persist-credentials"] is False, (file, name)


def test_files_contain_secrets_by_name_only(root):
    for _, file in FILES:
        text = (root / file).read_text("utf-8")
        by_name = dict(
            re.findall(r"^\s*(\w*(?:KEY|TOKEN|PASSWORD|SECRET)\w*):\s*(.+)$", text, re.MULTILINE)
        )
        assert set(by_name) <= SECRETS, file
        assert all(value == f"${{{{ secrets.{name} }}}}" for name, value in by_name.items()), file
        assert set(re.findall(r"secrets\.(\w+)", text)) <= SECRETS, file
        assert not re.search(r"https?://[^\s/]*:[^\s/]*@", text), file


def test_commands_contain_no_expressions(jobs):
    assert not any("${{" in text or "<<" in text for job in jobs for text in job.commands)


def _runs(target, command):
    return command.split()[1] == target
