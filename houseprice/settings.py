"""Everything that houseprice reads from the environment, typed, in one place."""

from __future__ import annotations

import base64
import re
from pathlib import Path
from typing import Literal

from pydantic import Field, SecretStr, ValidationError, field_validator
from pydantic_core import PydanticCustomError
from pydantic_settings import BaseSettings, SettingsConfigDict

from houseprice.errors import SettingsError
from houseprice.extras import is_installed

__all__ = ["Settings", "keys_in", "read_settings"]

_KEY_BYTES = 32


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
    signing_key: SecretStr | None = Field(
        None, description="Private key that trained models are signed with; keep it secret"
    )
    trusted_keys: SecretStr | None = Field(
        None, description="Public keys; if set, only models signed with one of them are opened"
    )
    address: str = Field("127.0.0.1", description="Where the app listens; 0.0.0.0 is everywhere")
    port: int = Field(
        8501, ge=1, le=65_535, validation_alias="PORT", description="Where the app is served"
    )
    max_upload_mb: int = Field(20, ge=1, description="Largest file to upload, in megabytes")
    max_unpacked_mb: int = Field(
        2_000, ge=1, description="Largest content of a packed file (.csv.gz), in megabytes"
    )
    max_rows: int = Field(100_000, ge=1, description="Most houses in one uploaded file")
    max_columns: int = Field(500, ge=1, description="Most columns in one uploaded file")
    max_upload_s: float = Field(
        300.0, gt=0, description="Longest work on one uploaded file, in seconds"
    )
    max_cell_chars: int = Field(
        32_767, ge=1, description="Longest cell of an uploaded file (a spreadsheet's own limit)"
    )

    api_url: str | None = Field(
        None,
        description="A server that answers in place of this computer, such as https://host:8000",
    )
    api_protocol: Literal["houseprice", "regression", "inputs", "mlflow", "oip"] = Field(
        "houseprice", description="What that server speaks"
    )
    api_key: SecretStr | None = Field(None, description="The key to that server")
    api_target: Literal["price", "log", "log1p"] = Field(
        "price", description="What a server of another protocol answers in"
    )
    api_model: str = Field("house", description="The model's name on a server that holds several")
    api_piece_rows: int = Field(2_000, ge=1, description="Most houses in one request to a server")
    connect_timeout_s: float = Field(3.0, gt=0, description="Longest wait for a connection")
    timeout_s: float = Field(20.0, gt=0, description="Longest wait for one answer as a whole")
    max_answer_mb: int = Field(50, ge=1, description="Largest answer that is read")

    serve_keys: SecretStr | None = Field(
        None, description="Keys that the API accepts, as houseprice serve --new-key prints them"
    )
    serve_without_key: bool = Field(
        False, description="Serve the API beyond this computer without a key"
    )
    serve_workers: int = Field(1, ge=1, description="Processes that answer")
    serve_rate: int = Field(
        600, ge=1, description="Requests a minute that one key may make of a process"
    )
    serve_concurrency: int = Field(64, ge=1, description="Requests that a process has at once")
    serve_timeout_s: float = Field(30.0, gt=0, description="Longest work on one request")
    serve_max_body_mb: int = Field(20, ge=1, description="Largest body of a JSON request")
    serve_max_unpacked_mb: int = Field(40, ge=1, description="The same, unpacked")
    serve_max_rows: int = Field(10_000, ge=1, description="Most houses in one JSON request")
    serve_max_told_rows: int = Field(
        200, ge=1, description="Most houses in one request that asks for reasons or comparables"
    )
    serve_max_csv_mb: int = Field(2_000, ge=1, description="Largest CSV file to value, unpacked")

    @field_validator("api_url")
    @classmethod
    def _is_address(cls, value: str | None) -> str | None:
        if value is not None and not re.fullmatch(r"https?://[^/@?#\s]+(/[^?#\s]*)?", value):
            raise PydanticCustomError(
                "address",
                "it has to be an address such as http://host:8000, without a name, a password or a "
                "question in it (a key goes into HOUSEPRICE_API_KEY)",
            )
        return value

    @field_validator("signing_key", "trusted_keys")
    @classmethod
    def _are_keys(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None:
            keys_in(value)
            if not is_installed("sign"):
                raise PydanticCustomError(
                    "package", "signed models need one more package: pip install 'houseprice[sign]'"
                )
        return value

    @field_validator("signing_key")
    @classmethod
    def _is_one_key(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None and len(keys_in(value)) > 1:
            raise PydanticCustomError("key", "there can be one private key only")
        return value


def keys_in(text: SecretStr) -> tuple[bytes, ...]:
    """Return the keys, as ``houseprice models new-key`` prints them, of a text with commas.

    Raises
    ------
    PydanticCustomError
        Naming the key by its number: what stands there may be a secret. An empty text is a slip of
        whoever set the variable, and no leave to trust everybody.
    """
    if not text.get_secret_value().strip():
        raise PydanticCustomError("key", "it is empty; without a key leave the variable out")
    keys = [_key_in(part.strip()) for part in text.get_secret_value().split(",")]
    for number, key in enumerate(keys, start=1):
        if len(key) != _KEY_BYTES:
            which = "it" if len(keys) == 1 else f"entry {number}"
            raise PydanticCustomError(
                "key",
                "{which} is no key of 32 bytes in base64, as houseprice models new-key prints it",
                {"which": which},
            )
    return tuple(keys)


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
        if name.lower() in _SECRET:
            raise SettingsError(f"{variable}: {first['msg']}.") from None
        raise SettingsError(f"{variable}: {first['msg']}, not {first['input']!r}.") from None


_SECRET = {"api_url"} | {
    name for name, field in Settings.model_fields.items() if "SecretStr" in str(field.annotation)
}
"""What stands in these is never told: a refused address may hold a password."""


def _key_in(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except ValueError:
        return b""
