"""The pipelines of both services in one representation."""

import re
from configparser import ConfigParser
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml


@dataclass(frozen=True)
class Job:
    """A job: its commands, the jobs that it needs, its image and its definition."""

    name: str
    commands: tuple[str, ...]
    needs: tuple[str, ...]
    image: str | None
    definition: dict[str, Any]


def targets(root):
    """The documented targets of the Makefile."""
    return set(
        re.findall(r"^([a-z-]+):.*## ", (root / "Makefile").read_text("utf-8"), re.MULTILINE)
    )


def environments(root):
    """The default tox environments."""
    config = ConfigParser(interpolation=None)
    config.read(root / "tox.ini", encoding="utf-8")
    return {name.strip() for name in config["tox"]["env_list"].split(",")}


def workflows(root):
    """The workflows of GitHub by file name."""
    folder = root / ".github" / "workflows"
    return {path.name: _load(path) for path in sorted(folder.glob("*.yml"))}


def github(root):
    """All jobs of a release on GitHub, including those of the called workflow."""
    files = workflows(root)
    jobs: list[Job] = []
    for name, job in files["release.yml"]["jobs"].items():
        called = Path(job.get("uses", "")).name
        if called:
            called_jobs = files[called]["jobs"]
            jobs += _github_jobs(called_jobs, default_needs=tuple(_needs(job)))
            # A job that needs the call needs all of its jobs.
            jobs.append(Job(name, (), tuple(called_jobs), None, job))
        else:
            jobs += _github_jobs({name: job})
    return jobs


def _github_jobs(jobs, default_needs=()):
    for name, job in jobs.items():
        needs = tuple(_needs(job)) or default_needs
        commands = [step["run"] for step in job["steps"] if "run" in step]
        commands += [
            "make publish" for step in job["steps"] if "pypi-publish" in step.get("uses", "")
        ]
        for values in job.get("strategy", {}).get("matrix", {}).get("include", [{}]):
            substituted = [
                _substitute(text, "matrix", values)
                for text in [*commands, job.get("container", "")]
            ]
            label = f"{name} {values['environment']}" if values else name
            yield Job(label, tuple(substituted[:-1]), needs, substituted[-1] or None, job)
        if "strategy" in job:
            labels = [
                f"{name} {values['environment']}" for values in job["strategy"]["matrix"]["include"]
            ]
            yield Job(name, (), tuple(labels), None, job)


def circleci(root):
    """All jobs of the workflow of CircleCI."""
    config = _load(root / ".circleci" / "config.yml")
    default = config["executors"]["debian"]["parameters"]["image"]["default"]
    (workflow,) = config["workflows"].values()
    jobs: list[Job] = []
    for entry in workflow["jobs"]:
        ((name, options),) = entry.items() if isinstance(entry, dict) else ((entry, {}),)
        job = config["jobs"][name]
        commands = [step["run"] for step in job["steps"] if "run" in step]
        matrix = options.get("matrix", {}).get("parameters", {})
        (image,) = matrix.get("image", [options.get("image", default)])
        environments_of_job = matrix.get(
            "environment", [options["environment"]] if "environment" in options else []
        )
        labels = []
        for environment in environments_of_job or [None]:
            values = {"environment": environment}
            substituted = tuple(_substitute(text, "parameters", values) for text in commands)
            label = f"{name} {environment}" if environment else name
            labels.append(label)
            jobs.append(
                Job(label, substituted, tuple(options.get("requires", ())), image, job | options)
            )
        alias = options.get("matrix", {}).get("alias", options.get("name", name))
        if alias not in labels:
            jobs.append(Job(alias, (), tuple(labels), None, options))
    return jobs


def _substitute(text, source, values):
    """Substitute ``${{ matrix.x }}`` or ``<< parameters.x >>``."""
    pattern = rf"(?:\$\{{\{{|<<) {source}\.(\w+) (?:\}}\}}|>>)"
    return re.sub(pattern, lambda match: str(values[match[1]]), text)


def _needs(job):
    needs = job.get("needs", [])
    return [needs] if isinstance(needs, str) else list(needs)


def _load(path):
    loaded: dict[str, Any] = yaml.safe_load(path.read_text("utf-8"))
    return loaded
