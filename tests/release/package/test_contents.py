"""What is in a release, and what is not."""

from __future__ import annotations

import email.policy
import re
import tarfile
import zipfile
from email.message import EmailMessage
from pathlib import Path

import pytest

import houseprice
from tests.release.package.alone import Release

NAME = f"houseprice-{houseprice.__version__}"
NOT_RELEASED = re.compile(
    r"tests?/|benchmarks|conftest|requirements-dev|Makefile|tox\.ini|__pycache__|\.pyc|secrets"
)


@pytest.fixture(scope="module")
def wheel(release: Release) -> dict[str, bytes]:
    """The wheel's files by name."""
    with zipfile.ZipFile(release.wheel) as packed:
        return {name: packed.read(name) for name in packed.namelist()}


@pytest.fixture(scope="module")
def sdist(release: Release) -> set[str]:
    """The names in the sdist, under its one folder."""
    with tarfile.open(release.sdist) as packed:
        names = [Path(name) for name in packed.getnames()]
    assert {name.parts[0] for name in names} == {NAME}
    return {name.relative_to(NAME).as_posix() for name in names}


@pytest.fixture(scope="module")
def metadata(wheel: dict[str, bytes]) -> EmailMessage:
    text = wheel[f"{NAME}.dist-info/METADATA"]
    return email.message_from_bytes(text, policy=email.policy.default.clone(utf8=True))


def files_under(folder: Path) -> dict[str, bytes]:
    paths = (path for path in folder.rglob("*") if path.is_file() and path.suffix != ".pyc")
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in paths}


def test_the_wheel_has_the_whole_package_with_its_market_and_its_types(
    wheel: dict[str, bytes], root: Path
) -> None:
    package = {f"houseprice/{name}": was for name, was in files_under(root / "houseprice").items()}
    assert {"houseprice/py.typed", "houseprice/market/ames/sales.csv"} <= set(package)
    assert package.items() <= wheel.items()


def test_the_pages_and_their_looks_travel_within_the_package(
    wheel: dict[str, bytes], root: Path
) -> None:
    web = {name.partition("/web/")[2]: was for name, was in wheel.items() if "/web/" in name}
    looks = ".streamlit/config.toml"
    entries = {name: (root / name).read_bytes() for name in ("streamlit_app.py", looks)}
    pages = {f"pages/{name}": was for name, was in files_under(root / "pages").items()}
    assert web == entries | pages


def test_the_wheel_has_nothing_else(wheel: dict[str, bytes]) -> None:
    assert {name.partition("/")[0] for name in wheel} == {"houseprice", f"{NAME}.dist-info"}
    assert [name for name in wheel if NOT_RELEASED.search(name)] == []


def test_the_sdist_has_what_the_wheel_is_made_of_and_what_people_read(
    sdist: set[str], root: Path
) -> None:
    sources = {
        f"{folder}/{name}"
        for folder in ("houseprice", "pages")
        for name in files_under(root / folder)
    }
    beside = {"streamlit_app.py", ".streamlit/config.toml", "pyproject.toml", "requirements.txt"}
    read = {"README.md", "CHANGELOG.md", "LICENSE", "docs/architecture.md"}
    assert sources | beside | read <= sdist
    assert [name for name in sorted(sdist) if NOT_RELEASED.search(name)] == []


def test_the_version_stands_in_one_place(metadata: EmailMessage, root: Path) -> None:
    assert metadata["Version"] == houseprice.__version__
    places = [
        path.relative_to(root).as_posix()
        for path in [root / "pyproject.toml", *(root / "houseprice").rglob("*.py")]
        if f'"{houseprice.__version__}"' in path.read_text("utf-8")
    ]
    assert places == ["houseprice/__init__.py"]


def test_the_release_says_what_it_needs_and_how_it_may_be_used(
    metadata: EmailMessage, wheel: dict[str, bytes]
) -> None:
    assert metadata["Requires-Python"] == ">=3.11"
    assert metadata["License-Expression"] == "MIT"
    assert f"{NAME}.dist-info/licenses/LICENSE" in wheel
    assert {"api", "kaggle", "sign"} <= set(metadata.get_all("Provides-Extra") or [])
    assert b"houseprice = houseprice.cli:main" in wheel[f"{NAME}.dist-info/entry_points.txt"]


def test_the_page_on_an_index_has_no_link_to_files_that_are_not_there(
    metadata: EmailMessage,
) -> None:
    page = metadata.get_content()
    assert page.startswith("# houseprice")
    assert re.findall(r"\]\((?!https?://|#)", page) == []
    assert "docs/scaling.md" in page
