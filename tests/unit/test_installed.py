"""Which houseprice is tested, and that it is whole wherever it lies."""

import sysconfig
from pathlib import Path

import houseprice


def test_the_package_tested_is_the_tree_s_own_or_else_the_installed_one(root):
    # tox runs these tests in a copy of the tree without the package (tests/apart.py).
    in_the_tree = (root / "houseprice").is_dir()
    home = root if in_the_tree else Path(sysconfig.get_path("purelib"))
    assert Path(houseprice.__file__).parents[1] == home


def test_the_pages_and_their_looks_lie_where_the_app_starts_them():
    from houseprice.ui.server import SCRIPT

    assert SCRIPT.is_file()
    assert (SCRIPT.parent / ".streamlit" / "config.toml").is_file()
    assert sorted(SCRIPT.parent.glob("pages/*/*.py"))
