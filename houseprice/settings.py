"""Everything that houseprice reads from the environment, typed, in one place."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from houseprice.errors import SettingsError

__all__ = ["Settings", "read_settings"]


class Settings(BaseSettings):
    """Settings from ``HOUSEPRICE_*`` variables; each has a default that works on a laptop."""

    model_config = SettingsConfigDict(env_prefix="HOUSEPRICE_", frozen=True)

    market: str | None = Field(
        None, description="Name of an embedded market, or path of a folder; empty: the embedded one"
    )
    model_dir: Path = Field(
        Path.home() / ".cache" / "houseprice" / "models",
        description="Folder of the trained model versions",
    )
    address: str = Field("127.0.0.1", description="Where the app listens; 0.0.0.0 is everywhere")
    port: int = Field(
        8501, ge=1, le=65_535, validation_alias="PORT", description="Where the app is served"
    )
    max_upload_mb: int = Field(20, ge=1, description="Largest file to upload, in megabytes")
    max_rows: int = Field(100_000, ge=1, description="Most houses in one uploaded file")
    max_columns: int = Field(500, ge=1, description="Most columns in one uploaded file")
    max_cell_chars: int = Field(
        32_767, ge=1, description="Longest cell of an uploaded file (a spreadsheet's own limit)"
    )


def read_settings() -> Settings:
    """Read the environment.

    Raises
    ------
    SettingsError
        Naming the variable and what is wrong with it.
    """
    try:
        return Settings()
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        name = "_".join(str(part) for part in first["loc"]).upper()
        variable = name if name == "PORT" else f"HOUSEPRICE_{name}"
        raise SettingsError(f"{variable}: {first['msg']}, not {first['input']!r}.") from None
