"""Packages that come with an extra only: looked for before they are needed, asked for in words."""

from __future__ import annotations

from importlib.util import find_spec

from houseprice.errors import HousePriceError

__all__ = ["is_installed", "require", "required_packages"]

_PACKAGES = {
    "api": ("fastapi", "httptools", "prometheus_client", "uvicorn"),
    "cluster": ("dask", "distributed"),
    "kaggle": ("kagglehub",),
    "sign": ("cryptography",),
}


def required_packages(extra: str) -> tuple[str, ...]:
    """The packages, by the names that they are imported under, that tell an extra's presence."""
    return _PACKAGES[extra]


def is_installed(extra: str) -> bool:
    """Whether all packages of an extra can be imported."""
    return not _missing(extra)


def require(extra: str, what: str) -> None:
    """Refuse to go on without the packages of an extra.

    Parameters
    ----------
    extra : str
        As in ``pip install 'houseprice[extra]'``.
    what : str
        What they are for, at the start of the sentence: "The service".

    Raises
    ------
    HousePriceError
    """
    missing = _missing(extra)
    if missing:
        raise HousePriceError(
            f"{what} needs more packages ({', '.join(missing)} not found). Install them with "
            f"pip install 'houseprice[{extra}]'."
        )


def _missing(extra: str) -> list[str]:
    return [name for name in required_packages(extra) if not _is_installed(name)]


def _is_installed(name: str) -> bool:
    try:
        return find_spec(name) is not None
    except (ImportError, ValueError):
        return False
