"""Everything that houseprice reads from the environment, typed, in one place."""

from __future__ import annotations

import base64
import ipaddress
import re
from collections.abc import Container
from pathlib import Path
from typing import Literal

from pydantic import Field, SecretStr, ValidationError, field_validator
from pydantic_core import PydanticCustomError
from pydantic_settings import BaseSettings, SettingsConfigDict

from houseprice.errors import SettingsError
from houseprice.extras import is_installed

_KEY_BYTES = 32
_DATABASE_URL = r"sqlite:///[^?#]+|postgres(ql)?://[^/?#\s]+/[^/?#\s]+(\?\S*)?"


class Settings(BaseSettings):
    """Settings from ``HOUSEPRICE_*`` variables; each has a default that works on a laptop."""

    model_config = SettingsConfigDict(env_prefix="HOUSEPRICE_", frozen=True)

    market: str | None = Field(
        None,
        description="Market: the name of an embedded one or a folder; by default the embedded one",
    )
    markets: Path = Field(
        Path.home() / ".local" / "share" / "houseprice" / "markets",
        description="Folder of further markets, each a folder with its contract",
    )
    new_markets: bool | None = Field(
        None,
        description="Whether visitors may make markets; by default owners, and without sign-in "
        "only where the app listens to this computer alone, without a proxy",
    )
    model_dir: Path = Field(
        Path.home() / ".cache" / "houseprice" / "models",
        description="Folder of the trained model versions",
    )
    database_url: SecretStr = Field(
        SecretStr(f"sqlite:///{Path.home()}/.local/share/houseprice/records.sqlite"),
        description="Database of saved valuations and later prices: `sqlite:///FILE` or "
        "`postgresql://USER@HOST/NAME`",
    )
    signing_key: SecretStr | None = Field(
        None,
        description="Private key to sign trained models (`houseprice models new-key`); keep it "
        "secret",
    )
    trusted_keys: SecretStr | None = Field(
        None,
        description="Public keys, separated by commas; if set, only models signed with one of "
        "them are loaded",
    )
    address: str = Field(
        "127.0.0.1", description="Address that the app listens on; `0.0.0.0` is all interfaces"
    )
    port: int = Field(
        8501, ge=1, le=65_535, validation_alias="PORT", description="Port that the app listens on"
    )
    max_upload_mb: int = Field(
        20,
        ge=1,
        description="Maximum size of an uploaded file or of a JSON request, in MB; a decompressed "
        "request may have twice as much",
    )
    max_unpacked_mb: int = Field(
        2_000,
        ge=1,
        description="Maximum decompressed size of a file (.csv.gz, Excel, Parquet), in MB; also "
        "the size of a CSV file sent to the API",
    )
    max_rows: int = Field(100_000, ge=1, description="Maximum number of rows of an uploaded file")

    api_url: str | None = Field(
        None, description="Model server to use instead of this process, such as https://host:8000"
    )
    api_protocol: Literal["houseprice", "regression", "inputs", "mlflow", "oip", "json"] = Field(
        "houseprice",
        description="Protocol of that server: `houseprice`, `regression`, `inputs`, `mlflow`, "
        "`oip`, `json`",
    )
    api_map: Path | None = Field(
        None,
        description="File that maps columns, blanks, values and headers to those of that server; "
        "`houseprice check-server` drafts it",
    )
    api_key: SecretStr | None = Field(None, description="Key for that server")
    timeout_s: float = Field(
        20.0, gt=0, description="Maximum time for a whole response, in seconds"
    )

    serve_keys: SecretStr | None = Field(
        None, description="Keys that the API accepts, as printed by `houseprice serve --new-key`"
    )
    serve_without_key: bool = Field(
        False, description="Accept requests from other computers without a key"
    )
    serve_origins: str | None = Field(
        None,
        description="Origins of pages that may call the API, separated by commas, such as "
        "`https://homes.example.org`, or `*`; by default none",
    )
    serve_workers: int = Field(1, ge=1, description="Worker processes of the API")
    serve_rate: int = Field(
        600, ge=1, description="Maximum requests per minute, key and worker process"
    )
    serve_concurrency: int = Field(
        64, ge=1, description="Maximum concurrent requests per worker process"
    )
    serve_timeout_s: float = Field(
        30.0, gt=0, description="Maximum time for one request, in seconds"
    )
    serve_max_rows: int = Field(
        10_000, ge=1, description="Maximum number of rows of a JSON request"
    )

    @field_validator("api_url")
    @classmethod
    def _is_address(cls, value: str | None) -> str | None:
        if value is not None and not re.fullmatch(r"https?://[^/@?#\s]+(/[^?#\s]*)?", value):
            raise PydanticCustomError(
                "address",
                "it must be a URL such as http://host:8000, without a user name, a password or a "
                "query (put a key into HOUSEPRICE_API_KEY)",
            )
        return value

    @field_validator("database_url")
    @classmethod
    def _is_database(cls, value: SecretStr) -> SecretStr:
        if not re.fullmatch(_DATABASE_URL, value.get_secret_value()):
            raise PydanticCustomError(
                "database",
                "it must be a URL such as sqlite:////folder/records.sqlite or "
                "postgresql://user@host/name",
            )
        return value

    @field_validator("serve_origins")
    @classmethod
    def _are_origins(cls, value: str | None) -> str | None:
        for origin in split_list(value or ""):
            if origin != "*" and not re.fullmatch(r"https?://[^/@?#\s]+", origin):
                raise PydanticCustomError(
                    "origin", "each must be an origin such as https://homes.example.org, or *"
                )
        return value

    @field_validator("signing_key", "trusted_keys")
    @classmethod
    def _are_keys(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None:
            decode_keys(value)
            if not is_installed("sign"):
                raise PydanticCustomError(
                    "package", "signed models need another package: pip install 'houseprice[sign]'"
                )
        return value

    @field_validator("signing_key")
    @classmethod
    def _is_one_key(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None and len(decode_keys(value)) > 1:
            raise PydanticCustomError("key", "only one private key is allowed")
        return value


def decode_keys(text: SecretStr) -> tuple[bytes, ...]:
    """Decode keys separated by commas, each as printed by ``houseprice models new-key``.

    The PydanticCustomError for an invalid key has its position and not its text, which may be a
    secret. An empty text is an error, too: it must not disable the check of signatures.
    """
    if not text.get_secret_value().strip():
        raise PydanticCustomError("key", "it is empty; to use no key, unset the variable")
    keys = [_key_in(part.strip()) for part in text.get_secret_value().split(",")]
    for number, key in enumerate(keys, start=1):
        if len(key) != _KEY_BYTES:
            which = "it" if len(keys) == 1 else f"entry {number}"
            raise PydanticCustomError(
                "key",
                "{which} is not a key of 32 bytes in base64 from houseprice models new-key",
                {"which": which},
            )
    return tuple(keys)


def read_settings() -> Settings:
    """Read the environment; a SettingsError names an invalid variable and what is wrong."""
    try:
        return Settings()
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        name = "_".join(str(part) for part in first["loc"]).upper()
        variable = name if name == "PORT" else f"HOUSEPRICE_{name}"
        if name.lower() in _SECRET:
            raise SettingsError(f"{variable}: {first['msg']}.") from None
        raise SettingsError(f"{variable}: {first['msg']}, not {first['input']!r}.") from None


def split_list(text: str) -> tuple[str, ...]:
    """Split a setting with several values at its commas."""
    return tuple(filter(None, map(str.strip, text.split(","))))


def is_loopback(host: str) -> bool:
    """Whether a name or an address is that of this computer (RFC 6761, section 6.3)."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")


def is_forwarded(headers: Container[str]) -> bool:
    """Whether case-insensitive headers show that a proxy or a tunnel passed the request on."""
    return any(name in headers for name in _FORWARDING)


_FORWARDING = ("Forwarded", "Via", "X-Forwarded-For", "X-Forwarded-Host", "X-Real-IP")


_SECRET = {"api_url"} | {
    name for name, field in Settings.model_fields.items() if "SecretStr" in str(field.annotation)
}
"""Settings whose values never appear in messages: a rejected URL may contain a password."""


def _key_in(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except ValueError:
        return b""
