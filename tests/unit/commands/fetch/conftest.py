"""A local Kaggle server, and the environment of a user who downloads from it."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

import houseprice
from tests.fetching import COMPETITION, FETCHABLE
from tests.hamlet import write_hamlet
from tests.kaggle_server import KEY, USER, Kaggle, certificate, kaggle


@pytest.fixture(scope="module")
def pem(tmp_path_factory):
    return certificate(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="module")
def hamlet(tmp_path_factory):
    """A market whose contract names Kaggle as its source."""
    return write_hamlet(tmp_path_factory.mktemp("hamlet"), FETCHABLE, n_sales=150)


@pytest.fixture
def site(hamlet, pem):
    """A Kaggle server with the files of the hamlet."""
    files = {
        "train.csv": (hamlet / "sales.csv").read_bytes(),
        "test.csv": (hamlet / "to_value.csv").read_bytes(),
    }
    with kaggle(Kaggle(files, COMPETITION), pem) as served:
        yield served


@pytest.fixture
def working_folder(tmp_path):
    folder = tmp_path / "work"
    folder.mkdir()
    return folder


@pytest.fixture(autouse=True)
def surroundings(monkeypatch, tmp_path, working_folder, hamlet, site, pem):
    """A user with a key and an empty home, behind a proxy; the market has no sales yet."""
    for name in [*os.environ]:
        if name.upper().endswith("_PROXY") or name.startswith("KAGGLE"):
            monkeypatch.delenv(name)
    bare = tmp_path / "hamlet without sales"
    bare.mkdir()
    shutil.copy(hamlet / "market.toml", bare)
    (tmp_path / "home").mkdir()
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("HTTPS_PROXY", site.address)
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(pem))
    monkeypatch.setenv("KAGGLE_USERNAME", USER)
    monkeypatch.setenv("KAGGLE_KEY", KEY)
    monkeypatch.setenv("HOUSEPRICE_MARKET", str(bare))
    monkeypatch.setenv("PYTHONPATH", str(Path(houseprice.__file__).parents[1]))
    monkeypatch.chdir(working_folder)


@pytest.fixture
def refused(run, tmp_path, working_folder):
    """Run the command; expect an error of one sentence, and no new file anywhere."""

    def refused(*options: object) -> str:
        result = run("fetch", "--quiet", *options)  # a slow machine would show progress
        assert (result.code, result.out) == (1, "")
        assert result.err.startswith("Error: ")
        assert len(result.err.splitlines()) == 1
        assert KEY not in result.err
        assert list(working_folder.iterdir()) == []
        assert list((tmp_path / "home").iterdir()) == []
        return result.err.removeprefix("Error: ")

    return refused
