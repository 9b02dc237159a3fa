"""The pipelines of both services, read into one form."""

from __future__ import annotations

import re
from collections.abc import Iterator
from configparser import ConfigParser
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

__all__ = ["Job", "circleci", "environments", "github", "targets", "workflows"]


@dataclass(frozen=True)
class Job:
    """A job: what it runs, which jobs it waits for, in which image, and what it is in full."""

    name: str
    commands: tuple[str, ...]
    needs: tuple[str, ...]
    image: str | None
    full: dict[str, Any]


def targets(root: Path) -> set[str]:
    """The targets of the Makefile that a person may type."""
    return set(
        re.findall(r"^([a-z-]+):.*## ", (root / "Makefile").read_text("utf-8"), re.MULTILINE)
    )


def environments(root: Path) -> set[str]:
    """The tox environments that run when none is named."""
    config = ConfigParser(interpolation=None)
    config.read(root / "tox.ini", encoding="utf-8")
    return {name.strip() for name in config["tox"]["env_list"].split(",")}


def workflows(root: Path) -> dict[str, dict[str, Any]]:
    """The workflows of GitHub by the name of their file."""
    folder = root / ".github" / "workflows"
    return {path.name: _loaded(path) for path in sorted(folder.glob("*.yml"))}


def github(root: Path) -> list[Job]:
    """Every job of a release on GitHub, those of the workflow that it calls in their place."""
    files = workflows(root)
    jobs: list[Job] = []
    for name, job in files["release.yml"]["jobs"].items():
        called = Path(job.get("uses", "")).name
        if called:
            inner = files[called]["jobs"]
            jobs += _github_jobs(inner, first=tuple(_needs(job)))
            # Who waits for the call waits for all of it.
            jobs.append(Job(name, (), tuple(inner), None, job))
        else:
            jobs += _github_jobs({name: job})
    return jobs


def _github_jobs(jobs: dict[str, Any], first: tuple[str, ...] = ()) -> Iterator[Job]:
    for name, job in jobs.items():
        needs = tuple(_needs(job)) or first
        commands = [step["run"] for step in job["steps"] if "run" in step]
        commands += [
            "make publish" for step in job["steps"] if "pypi-publish" in step.get("uses", "")
        ]
        for one in job.get("strategy", {}).get("matrix", {}).get("include", [{}]):
            filled = [
                _filled(text, "matrix", one) for text in [*commands, job.get("container", "")]
            ]
            label = f"{name} {one['environment']}" if one else name
            yield Job(label, tuple(filled[:-1]), needs, filled[-1] or None, job)
        if "strategy" in job:
            labels = [
                f"{name} {one['environment']}" for one in job["strategy"]["matrix"]["include"]
            ]
            yield Job(name, (), tuple(labels), None, job)


def circleci(root: Path) -> list[Job]:
    """Every job of the workflow of CircleCI."""
    config = _loaded(root / ".circleci" / "config.yml")
    default = config["executors"]["debian"]["parameters"]["image"]["default"]
    (workflow,) = config["workflows"].values()
    jobs: list[Job] = []
    for entry in workflow["jobs"]:
        ((name, how),) = entry.items() if isinstance(entry, dict) else ((entry, {}),)
        job = config["jobs"][name]
        commands = [step["run"] for step in job["steps"] if "run" in step]
        matrix = how.get("matrix", {}).get("parameters", {})
        (image,) = matrix.get("image", [how.get("image", default)])
        asked = matrix.get("environment", [how["environment"]] if "environment" in how else [])
        labels = []
        for environment in asked or [None]:
            values = {"environment": environment}
            filled = tuple(_filled(text, "parameters", values) for text in commands)
            label = f"{name} {environment}" if environment else name
            labels.append(label)
            jobs.append(Job(label, filled, tuple(how.get("requires", ())), image, job | how))
        alias = how.get("matrix", {}).get("alias", how.get("name", name))
        if alias not in labels:
            jobs.append(Job(alias, (), tuple(labels), None, how))
    return jobs


def _filled(text: str, source: str, values: dict[str, Any]) -> str:
    """Put values in the place of ``${{ matrix.x }}`` or ``<< parameters.x >>``."""
    pattern = rf"(?:\$\{{\{{|<<) {source}\.(\w+) (?:\}}\}}|>>)"
    return re.sub(pattern, lambda found: str(values[found[1]]), text)


def _needs(job: dict[str, Any]) -> list[str]:
    needs = job.get("needs", [])
    return [needs] if isinstance(needs, str) else list(needs)


def _loaded(path: Path) -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load(path.read_text("utf-8"))
    return loaded
