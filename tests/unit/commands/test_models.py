"""The commands around signed models."""

import sys

import pytest

pytestmark = pytest.mark.usefixtures("fresh_logs", "surroundings")


def new_key(run) -> dict[str, str]:
    """Create a key pair, and return its environment variables."""
    return dict(line.split("=", 1) for line in run("models", "new-key").out.splitlines())


def test_a_key_pair_is_printed_as_environment_variables(run):
    result = run("models", "new-key")
    pair = dict(line.split("=", 1) for line in result.out.splitlines())
    assert list(pair) == ["HOUSEPRICE_SIGNING_KEY", "HOUSEPRICE_TRUSTED_KEYS"]
    assert "Keep it secret" in result.err
    assert not any(key in result.err for key in pair.values())
    assert new_key(run) != pair


def test_a_key_pair_needs_the_extra_package(run, monkeypatch):
    for name in [name for name in sys.modules if name.split(".")[0] == "cryptography"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "cryptography", None)
    result = run("models", "new-key")
    assert (result.code, result.out) == (1, "")
    assert "pip install 'houseprice[sign]'" in result.err


def test_an_invalid_key_is_a_usage_error_that_does_not_show_it(run, monkeypatch):
    monkeypatch.setenv("HOUSEPRICE_SIGNING_KEY", "secret")
    result = run("models")
    assert result.code == 2
    assert "HOUSEPRICE_SIGNING_KEY" in result.err
    assert "secret" not in result.err


def test_a_missing_study_is_computed_once(run):
    assert run("train", "--quiet", "--no-study").code == 0
    first, second = run("models", "study"), run("models", "study")
    assert (first.code, second.code) == (0, 0)
    assert "The study is added" in first.err
    assert "Nothing to do" in second.err


def test_the_list_names_the_signing_key_and_unsigned_versions(run, monkeypatch, tmp_path):
    pair = new_key(run)
    monkeypatch.setenv("HOUSEPRICE_MODEL_DIR", str(tmp_path))
    assert run("train", "--quiet").code == 0
    for name, value in pair.items():
        monkeypatch.setenv(name, value)
    assert run("train", "--quiet").code == 0
    plain, signed = run("models").out.splitlines()
    assert "is not signed" in plain
    assert signed.startswith("* ")
    assert "signed with key " in signed
    assert run("models", "rollback").code == 1
    monkeypatch.delenv("HOUSEPRICE_SIGNING_KEY")
    refused = run("train")
    assert (refused.code, refused.out) == (1, "")
    assert "No model can be trained here" in refused.err
