"""What is read from the environment."""

import base64
import sys
from pathlib import Path

import pytest

from houseprice.errors import SettingsError
from houseprice.settings import Settings, decode_keys, read_settings

KEY = base64.b64encode(bytes(32)).decode()


@pytest.mark.parametrize(("name", "value"), [("HOUSEPRICE_MAX_ROWS", "abc"), ("PORT", "99999")])
def test_an_invalid_variable_is_named(monkeypatch, name, value):
    monkeypatch.setenv(name, value)
    with pytest.raises(SettingsError, match=f"{name}: .*{value}"):
        read_settings()


def variable(name: str) -> str:
    return "PORT" if name == "port" else f"HOUSEPRICE_{name.upper()}"


def default(name: str) -> str:
    value = Settings.model_fields[name].default
    if name == "database_url":
        return f"`{value.get_secret_value()}`".replace(str(Path.home()), "~")
    return {
        None: "none",
        False: "false",
        Settings.model_fields["model_dir"].default: "`~/.cache/houseprice/models`",
        Settings.model_fields["markets"].default: "`~/.local/share/houseprice/markets`",
    }.get(value, f"{value:g}" if isinstance(value, float) else str(value))


def test_settings_stay_few():
    assert len(Settings.model_fields.keys() - {"port"}) <= 24


def test_the_documentation_has_every_setting_with_its_default_and_meaning():
    page = (Path(__file__).parents[2] / "docs" / "settings.md").read_text(encoding="utf-8")
    table = [line for line in page.splitlines() if line.startswith("| `")]
    assert table == [
        f"| `{variable(name)}` | {default(name)} | {field.description} |"
        for name, field in Settings.model_fields.items()
    ]
    assert sum("HOUSEPRICE_" in line for line in table) <= 27


@pytest.mark.parametrize(
    ("value", "why"),
    [
        (" ", "it is empty"),
        ("c2VjcmV0", "it is not a key of 32 bytes"),
        ("se cret!", "it is not a key of 32 bytes"),
        (f"{KEY},c2VjcmV0", "entry 2 is not a key of 32 bytes"),
    ],
)
@pytest.mark.parametrize("name", ["HOUSEPRICE_SIGNING_KEY", "HOUSEPRICE_TRUSTED_KEYS"])
def test_a_malformed_key_is_an_error_that_does_not_show_it(monkeypatch, name, value, why):
    monkeypatch.setenv(name, value)
    with pytest.raises(SettingsError, match=f"^{name}: {why}") as caught:
        read_settings()
    assert value == " " or value not in str(caught.value)
    assert "c2VjcmV0" not in str(caught.value)


def test_there_is_one_private_key_and_any_number_of_public_ones(monkeypatch):
    monkeypatch.setenv("HOUSEPRICE_TRUSTED_KEYS", f"{KEY}, {KEY}")
    trusted = read_settings().trusted_keys
    assert trusted is not None
    assert decode_keys(trusted) == (bytes(32), bytes(32))
    monkeypatch.setenv("HOUSEPRICE_SIGNING_KEY", f"{KEY}, {KEY}")
    with pytest.raises(SettingsError, match="HOUSEPRICE_SIGNING_KEY: only one private key"):
        read_settings()


def test_a_key_without_its_package_is_an_error(monkeypatch):
    monkeypatch.setitem(sys.modules, "cryptography", None)
    assert read_settings().signing_key is None
    monkeypatch.setenv("HOUSEPRICE_TRUSTED_KEYS", KEY)
    with pytest.raises(SettingsError, match=r"pip install 'houseprice\[sign\]'"):
        read_settings()


@pytest.mark.parametrize(
    "address",
    ["elsewhere:8000", "ftp://elsewhere", "https://me:pa55word@host", "http://host/?key=pa55word"],
)
def test_a_rejected_url_is_not_shown(address, monkeypatch):
    monkeypatch.setenv("HOUSEPRICE_API_URL", address)
    with pytest.raises(SettingsError, match=r"HOUSEPRICE_API_URL.*such as http:") as caught:
        read_settings()
    assert address not in str(caught.value)
    assert "pa55word" not in str(caught.value)


@pytest.mark.parametrize(
    "given", ["", "records.db", "mysql://hunter2@h/x", "sqlite://", "postgresql://hunter2@h"]
)
def test_a_database_of_another_kind_is_refused_without_showing_its_url(monkeypatch, given):
    monkeypatch.setenv("HOUSEPRICE_DATABASE_URL", given)
    with pytest.raises(SettingsError, match="HOUSEPRICE_DATABASE_URL: it must be a URL") as caught:
        read_settings()
    assert "hunter2" not in str(caught.value)
