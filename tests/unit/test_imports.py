"""Import rules, light imports, and no name of a market in the code."""

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

# A page calls a backend and shows the result: it uses no learner and draws no chart itself.
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


def market_names() -> set[str]:
    """The columns of the embedded markets."""
    names: set[str] = set()
    for path in (PACKAGE / "market").glob("*/market.toml"):
        contract = tomllib.loads(path.read_text(encoding="utf-8"))
        names |= {contract["market"]["price"]["column"], *contract["fields"]}
    return names


def named_columns(source: str, columns: set[str]) -> list[str]:
    """Return where a source names a column of a market, or the market itself, as "line: word".

    A column with an inner capital or a digit counts anywhere, also in comments. A plain word
    ("Street") counts as a name or a whole string, where code could mean the column.
    """
    found = []
    unusual = {name for name in columns if re.search(r"[a-z][A-Z]|\d|[A-Z]{2}", name)}
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        words = set(re.findall(r"\w+", token.string))
        exact = token.string.strip("\"'")
        market = {word for word in words if word.casefold() == "ames"}
        hits = (words & unusual) | ({exact} & columns) | market
        found += [f"{token.start[0]}: {word}" for word in sorted(hits)]
    return found


def test_the_import_contracts_hold():
    # In a separate process, because the linter configures logging globally.
    lint = Path(sys.executable).with_name("lint-imports")
    result = subprocess.run(
        [lint, "--no-cache"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stdout


def test_pages_import_no_learner_no_chart_library_and_no_command():
    prefixes = tuple(f"{name}." for name in NOT_FOR_PAGES)
    forbidden = {
        f"{name_of(script)}: {name}"
        for script in SCRIPTS
        for name in imported_by(script.read_text(encoding="utf-8"))
        if f"{name}.".startswith(prefixes)
    }
    assert forbidden == set()


def test_imports_inside_functions_are_found():
    source = (
        "import streamlit\ndef draw():\n    from plotly import express\n    import sklearn.base\n"
    )
    assert imported_by(source) == {"streamlit", "plotly.express", "sklearn.base"}


def test_pages_are_in_subfolders_because_streamlit_runs_others_without_the_entry():
    assert list((ROOT / "pages").glob("*.py")) == []


def test_importing_houseprice_loads_nothing_heavy():
    code = "import sys, houseprice; print(*{name.partition('.')[0] for name in sys.modules})"
    loaded = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.split()
    assert set(loaded) & HEAVY == set()


def test_every_public_name_can_be_imported():
    assert [name for name in houseprice.__all__ if getattr(houseprice, name, None) is None] == []
    assert dir(houseprice) == sorted(houseprice.__all__)


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'cheaper_house'"):
        _ = houseprice.cheaper_house


def test_no_code_names_a_market_or_a_column_of_one():
    columns = market_names()
    found = {
        name_of(path): named
        for path in CODE
        if (named := named_columns(path.read_text(encoding="utf-8"), columns))
    }
    assert found == {}


def test_columns_are_found_in_code_and_comments_but_not_plain_words_in_prose():
    columns = {"GrLivArea", "Street"}
    source = 'x = row["Street"]  # then GrLivArea\ny = "Street by street"\nStreet = 1\n'
    assert named_columns(source, columns) == ["1: Street", "1: GrLivArea", "3: Street"]


def test_every_file_in_the_architecture_page_exists():
    page = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    named = set(re.findall(r"`([\w./-]+/[\w./-]*|\w+\.(?:py|toml|txt|md))`", page))
    assert named
    own = {f"/{path.relative_to(PACKAGE).as_posix()}" for path in PACKAGE.rglob("*")}
    missing = {
        name
        for name in named
        if not (ROOT / name).exists()
        and not (PACKAGE.parent / name).exists()
        and not any(path.endswith(f"/{name.rstrip('/')}") for path in own)
    }
    assert missing == set()
