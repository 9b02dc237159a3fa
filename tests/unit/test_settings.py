"""What is read from the environment."""

from __future__ import annotations

import pytest

from houseprice.errors import SettingsError
from houseprice.settings import Settings, read_settings


def test_every_setting_has_a_default_and_a_description() -> None:
    assert read_settings().max_upload_mb == 20
    assert all(field.description for field in Settings.model_fields.values())


@pytest.mark.parametrize(("name", "value"), [("HOUSEPRICE_MAX_ROWS", "abc"), ("PORT", "99999")])
def test_a_variable_that_makes_no_sense_is_named(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(SettingsError, match=f"{name}: .*{value}"):
        read_settings()


def test_the_readme_lists_every_setting() -> None:
    from pathlib import Path

    readme = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")
    for name in Settings.model_fields:
        variable = "PORT" if name == "port" else f"HOUSEPRICE_{name.upper()}"
        assert f"`{variable}`" in readme
