"""Packages of the optional extras: found before they are needed, missing ones named."""

from __future__ import annotations

from importlib.util import find_spec

from houseprice.errors import HousePriceError

_PACKAGES = {
    "api": ("fastapi", "httptools", "prometheus_client", "uvicorn"),
    "auth": ("authlib", "httpx"),
    "cluster": ("dask", "distributed"),
    "kaggle": ("kagglehub",),
    "postgresql": ("psycopg",),
    "sign": ("cryptography",),
}
_BUILD_ARGUMENTS = ("postgresql",)  # of the Dockerfile; the image has no pip


def required_packages(extra: str) -> tuple[str, ...]:
    """Return the packages of an extra, by their import names."""
    return _PACKAGES[extra]


def is_installed(extra: str) -> bool:
    """Whether all packages of an extra can be imported."""
    return not _missing(extra)


def require(extra: str, feature: str) -> None:
    """Raise :class:`HousePriceError` if a package that ``feature`` needs is missing."""
    missing = _missing(extra)
    if missing:
        built = f", or build the image with --build-arg EXTRAS={extra}"
        raise HousePriceError(
            f"{feature} needs more packages ({', '.join(missing)} not found). Install them with "
            f"pip install 'houseprice[{extra}]'{built if extra in _BUILD_ARGUMENTS else ''}."
        )


def _missing(extra: str) -> list[str]:
    return [name for name in required_packages(extra) if not _can_import(name)]


def _can_import(name: str) -> bool:
    try:
        return find_spec(name) is not None
    except (ImportError, ValueError):
        return False
