"""The floors of the house: who may know whom, and what no code may know."""

from __future__ import annotations

import ast
import io
import re
import subprocess
import sys
import tokenize
import tomllib
from pathlib import Path

import pytest

import houseprice

ROOT = Path(__file__).parents[2]
PACKAGE = Path(houseprice.__file__).parent  # in the tree, or installed
SCRIPTS = [ROOT / "streamlit_app.py", *sorted((ROOT / "pages").rglob("*.py"))]
CODE = [*sorted(PACKAGE.rglob("*.py")), *SCRIPTS]

# A page asks a backend and shows the answer: it sees no learner, and draws nothing itself.
NOT_FOR_PAGES = (
    "houseprice.api",
    "houseprice.backend.local",
    "houseprice.backend.factory",
    "houseprice.cli",
    "houseprice.model",
    "joblib",
    "plotly",
    "requests",
    "sklearn",
)
HEAVY = {"fastapi", "joblib", "numpy", "pandas", "plotly", "pydantic", "sklearn", "starlette"} | {
    "streamlit",
    "typer",
    "uvicorn",
}


def name_of(path: Path) -> str:
    home = ROOT if path.is_relative_to(ROOT) else PACKAGE.parent
    return path.relative_to(home).as_posix()


def imported_by(source: str) -> set[str]:
    """Every module that a script imports, anywhere in it, by its full name."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            names.update(f"{node.module}.{alias.name}" for alias in node.names)
    return names


def market_words() -> set[str]:
    """The names of every column of the embedded markets."""
    words: set[str] = set()
    for path in (PACKAGE / "market").glob("*/market.toml"):
        contract = tomllib.loads(path.read_text(encoding="utf-8"))
        words |= {contract["market"]["price"]["column"], *contract["fields"]}
    return words


def market_talk(source: str, columns: set[str]) -> list[str]:
    """Where a source names a column of a market, or the market itself, as "line: word".

    A column with an inner capital or a digit counts anywhere, comments included. One that is
    a plain word ("Street") counts where code could mean the column: as a name or a whole string.
    """
    found = []
    odd = {name for name in columns if re.search(r"[a-z][A-Z]|\d|[A-Z]{2}", name)}
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        words = set(re.findall(r"\w+", token.string))
        exact = token.string.strip("\"'")
        market = {word for word in words if word.casefold() == "ames"}
        hits = (words & odd) | ({exact} & columns) | market
        found += [f"{token.start[0]}: {word}" for word in sorted(hits)]
    return found


def test_every_import_goes_down_the_floors() -> None:
    # In a process of its own: the linter sets up logging for all, and disables what it finds there.
    lint = Path(sys.executable).with_name("lint-imports")
    result = subprocess.run(
        [lint, "--no-cache"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stdout


@pytest.mark.parametrize("script", SCRIPTS, ids=name_of)
def test_a_page_reaches_for_no_learner_no_chart_library_and_no_command(script: Path) -> None:
    imported = imported_by(script.read_text(encoding="utf-8"))
    forbidden = {
        name for name in imported if f"{name}.".startswith(tuple(f"{n}." for n in NOT_FOR_PAGES))
    }
    assert forbidden == set()


def test_a_forbidden_import_is_seen_wherever_a_page_hides_it() -> None:
    source = (
        "import streamlit\ndef draw():\n    from plotly import express\n    import sklearn.base\n"
    )
    assert imported_by(source) == {"streamlit", "plotly.express", "sklearn.base"}


def test_pages_stand_one_folder_down_because_streamlit_runs_loose_ones_without_the_entry() -> None:
    assert list((ROOT / "pages").glob("*.py")) == []


def test_importing_houseprice_loads_nothing_heavy() -> None:
    code = "import sys, houseprice; print(*{name.partition('.')[0] for name in sys.modules})"
    loaded = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.split()
    assert set(loaded) & HEAVY == set()


def test_every_public_name_of_houseprice_can_be_had() -> None:
    assert [name for name in houseprice.__all__ if getattr(houseprice, name, None) is None] == []
    assert dir(houseprice) == sorted(houseprice.__all__)


def test_a_name_that_houseprice_lacks_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'cheaper_house'"):
        _ = houseprice.cheaper_house


@pytest.mark.parametrize("path", CODE, ids=name_of)
def test_no_code_names_a_market_or_a_column_of_one(path: Path) -> None:
    assert market_talk(path.read_text(encoding="utf-8"), market_words()) == []


def test_a_column_is_found_in_code_and_in_comments_and_a_plain_word_in_prose_is_not() -> None:
    columns = {"GrLivArea", "Street"}
    source = 'x = row["Street"]  # then GrLivArea\ny = "Street by street"\nStreet = 1\n'
    assert market_talk(source, columns) == ["1: Street", "1: GrLivArea", "3: Street"]


def test_every_file_that_the_architecture_page_names_exists() -> None:
    page = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    named = set(re.findall(r"`([\w./-]+/[\w./-]*|\w+\.(?:py|toml|txt|md))`", page))
    assert named
    homes = (ROOT, PACKAGE.parent)
    missing = {name for name in named if not any((home / name).exists() for home in homes)}
    assert missing == set()
