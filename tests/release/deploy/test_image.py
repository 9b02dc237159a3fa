"""The Dockerfile: what a change must not take from the image."""

import re
import tomllib

import pytest

SECRET = re.compile(r"(KEY|TOKEN|PASSWORD|SECRET)", re.IGNORECASE)


@pytest.fixture
def steps(root):
    """The instructions with what follows them, lines joined and comments left out."""
    text = (root / "Dockerfile").read_text("utf-8")
    lines = [line for line in text.splitlines() if not line.lstrip().startswith("#")]
    joined = re.sub(r"\\\n\s*", "", "\n".join(lines))
    return [
        (word, rest)
        for word, _, rest in (line.partition(" ") for line in joined.splitlines() if line)
    ]


def stages(steps):
    """The instructions of each stage, from its FROM on."""
    cut = [number for number, (word, _) in enumerate(steps) if word == "FROM"]
    return [steps[start:end] for start, end in zip(cut, [*cut[1:], None], strict=True)]


def test_the_base_is_one_argument_with_version_and_digest(steps):
    word, base = steps[0]
    assert word == "ARG"
    assert re.fullmatch(r"PYTHON_IMAGE=python:3\.\d+-slim@sha256:[0-9a-f]{64}", base)
    names = {"${PYTHON_IMAGE}"}
    for word, rest in steps:
        if word == "FROM":
            image, _, name = rest.partition(" AS ")
            assert image in names
            names.add(name)


def test_the_base_is_a_python_that_the_package_allows(root, steps):
    project = tomllib.loads((root / "pyproject.toml").read_text("utf-8"))["project"]
    version = re.search(r"python:(3\.\d+)", steps[0][1])
    assert version
    assert f"Programming Language :: Python :: {version[1]}" in project["classifiers"]


def test_it_does_not_run_as_root(steps):
    users = [rest for word, rest in stages(steps)[-1] if word == "USER"]
    assert len(users) == 1
    assert re.fullmatch(r"[1-9]\d{3,}:[1-9]\d{3,}", users[0])


def test_it_has_a_health_check_and_starts_the_app(steps):
    last = dict(stages(steps)[-1])
    assert "/opt/healthy.py" in last["HEALTHCHECK"]
    assert last["CMD"] == '["houseprice", "app"]'


def test_packages_are_installed_before_the_code_is_copied(steps):
    first, *_ = stages(steps)
    copied = [name for word, rest in first if word == "COPY" for name in rest.split()[:-1]]
    assert copied == ["requirements.txt", "requirements-postgresql.txt"]


def test_a_package_is_installed_only_if_it_has_the_checksum_of_its_pin(root, steps):
    (install,) = [rest for word, rest in steps if word == "RUN" and "requirements.txt" in rest]
    assert "--require-hashes" in install
    for name, least in (
        ("requirements.txt", 50), ("requirements-dev.txt", 50), ("requirements-postgresql.txt", 2)
    ):  # fmt: skip
        pins = re.findall(
            r"^\w.*?(?=^\S|\Z)", (root / name).read_text("utf-8"), re.MULTILINE | re.DOTALL
        )
        assert len(pins) >= least
        assert [pin for pin in pins if "==" not in pin or "--hash=sha256:" not in pin] == []


def test_no_secret_goes_into_a_layer(steps):
    assert [rest for word, rest in steps if word in {"ARG", "ENV"} and SECRET.search(rest)] == []
    assert [rest for word, rest in steps if word == "ADD"] == []


def test_only_what_is_copied_goes_to_the_builder(root, steps):
    lines = (root / ".dockerignore").read_text("utf-8").splitlines()
    rules = [line for line in lines if line and not line.startswith("#")]
    assert rules[0] == "*"
    sent = {line.removeprefix("!") for line in rules if line.startswith("!")}
    copied = {
        path
        for word, rest in steps
        if word == "COPY" and "--from=" not in rest
        for path in [part for part in rest.split()[:-1] if not part.startswith("--")]
    }
    assert all((root / path).exists() for path in copied)
    assert all(any(path == s or path.startswith(f"{s}/") for s in sent) for path in copied)
    assert all(any(path == s or path.startswith(f"{s}/") for path in copied) for s in sent)


def test_the_driver_of_postgresql_is_the_tested_one_and_only_there_on_request(root, steps):
    assert ("ARG", "EXTRAS=") in stages(steps)[0]
    pins, tested, base = (
        set(
            re.findall(
                r"^[\w-]+(?:\[\w+\])?==[\w.]+", (root / name).read_text("utf-8"), re.MULTILINE
            )
        )
        for name in ("requirements-postgresql.txt", "requirements-dev.txt", "requirements.txt")
    )
    assert pins <= tested
    assert {each.partition("==")[0] for each in pins - base} == {
        "psycopg[binary]",
        "psycopg-binary",
    }
