"""The packages of the extras, and the message where one is missing."""

import sys
import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from houseprice import extras
from houseprice.errors import HousePriceError


def test_installed_packages_are_not_requested():
    for extra in ("api", "auth", "cluster", "kaggle", "postgresql", "sign"):
        assert extras.is_installed(extra)
        extras.require(extra, "This")


def test_missing_packages_are_named_with_what_to_do(monkeypatch):
    monkeypatch.setitem(sys.modules, "uvicorn", None)
    assert not extras.is_installed("api")
    with pytest.raises(HousePriceError) as caught:
        extras.require("api", "The service")
    assert str(caught.value) == (
        "The service needs more packages (uvicorn not found). Install them with "
        "pip install 'houseprice[api]'."
    )


def test_an_extra_of_the_image_is_named_with_its_build_argument(monkeypatch):
    monkeypatch.setitem(sys.modules, "psycopg", None)
    with pytest.raises(HousePriceError, match=r"postgresql\]', or build .* EXTRAS=postgresql\.$"):
        extras.require("postgresql", "A PostgreSQL database")


@pytest.mark.parametrize("extra", ["api", "auth", "cluster", "kaggle", "postgresql", "sign"])
def test_the_packages_are_those_of_the_extra(extra):
    project = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text("utf-8"))
    lines = project["project"]["optional-dependencies"][extra]
    brought = {canonicalize_name(Requirement(line).name) for line in lines}
    whose = packages_distributions()
    for name in extras.required_packages(extra):
        assert brought & set(map(canonicalize_name, whose[name]))
