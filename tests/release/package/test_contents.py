"""The contents of wheel and sdist."""

import email.policy
import re
import tarfile
import zipfile
from pathlib import Path

import pytest

import houseprice

NAME = f"houseprice-{houseprice.__version__}"
NOT_RELEASED = re.compile(
    r"tests?/|benchmarks|conftest|requirements-dev|Makefile|tox\.ini|__pycache__|\.pyc|secrets"
)


@pytest.fixture(scope="module")
def wheel(release):
    """The wheel's files by name."""
    with zipfile.ZipFile(release.wheel) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


@pytest.fixture(scope="module")
def sdist(release):
    """The names in the sdist, under its one folder."""
    with tarfile.open(release.sdist) as archive:
        names = [Path(name) for name in archive.getnames()]
    assert {name.parts[0] for name in names} == {NAME}
    return {name.relative_to(NAME).as_posix() for name in names}


@pytest.fixture(scope="module")
def metadata(wheel):
    text = wheel[f"{NAME}.dist-info/METADATA"]
    return email.message_from_bytes(text, policy=email.policy.default.clone(utf8=True))


def files_under(folder):
    paths = (path for path in folder.rglob("*") if path.is_file() and path.suffix != ".pyc")
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in paths}


def test_the_wheel_contains_the_package_its_market_and_type_marker(wheel, root):
    package = {
        f"houseprice/{name}": content for name, content in files_under(root / "houseprice").items()
    }
    assert {"houseprice/py.typed", "houseprice/market/ames/sales.csv"} <= set(package)
    assert package.items() <= wheel.items()


def test_the_wheel_contains_the_pages_and_their_theme(wheel, root):
    web = {
        name.partition("/web/")[2]: content for name, content in wheel.items() if "/web/" in name
    }
    names = ("streamlit_app.py", ".streamlit/config.toml", "docs/privacy.md")
    entries = {name: (root / name).read_bytes() for name in names}
    pages = {f"pages/{name}": content for name, content in files_under(root / "pages").items()}
    assert web == entries | pages


def test_the_wheel_contains_nothing_else(wheel):
    assert {name.partition("/")[0] for name in wheel} == {"houseprice", f"{NAME}.dist-info"}
    assert [name for name in wheel if NOT_RELEASED.search(name)] == []


def test_the_sdist_contains_the_sources_and_the_documentation(sdist, root):
    sources = {
        f"{folder}/{name}"
        for folder in ("houseprice", "pages")
        for name in files_under(root / folder)
    }
    other = {"streamlit_app.py", ".streamlit/config.toml", "pyproject.toml", "requirements.txt"}
    documents = {"README.md", "CHANGELOG.md", "LICENSE", "docs/architecture.md"}
    assert sources | other | documents <= sdist
    assert [name for name in sorted(sdist) if NOT_RELEASED.search(name)] == []


def test_the_version_is_defined_in_one_file(metadata, root):
    assert metadata["Version"] == houseprice.__version__
    matches = [
        path.relative_to(root).as_posix()
        for path in [root / "pyproject.toml", *(root / "houseprice").rglob("*.py")]
        if f'"{houseprice.__version__}"' in path.read_text("utf-8")
    ]
    assert matches == ["houseprice/__init__.py"]


def test_the_metadata_names_python_licence_extras_and_command(metadata, wheel):
    assert metadata["Requires-Python"] == ">=3.11"
    assert metadata["License-Expression"] == "MIT"
    assert f"{NAME}.dist-info/licenses/LICENSE" in wheel
    assert {"api", "auth", "kaggle", "sign"} <= set(metadata.get_all("Provides-Extra") or [])
    assert b"houseprice = houseprice.cli:main" in wheel[f"{NAME}.dist-info/entry_points.txt"]


def test_the_description_has_no_relative_links(metadata):
    page = metadata.get_content()
    assert page.startswith("# houseprice")
    assert re.findall(r"\]\((?!https?://|#)", page) == []
    assert "docs/scaling.md" in page
