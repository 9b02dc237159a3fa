"""Every error that houseprice raises on purpose.

::

    HousePriceError
    ├── SettingsError          a variable of the environment makes no sense
    ├── MarketError            a market's contract or sales can't be used
    ├── FetchError             a market's files can't be had from where they are given out
    ├── InputError             what the user gave can't be read as a whole
    ├── ModelError             a model can't be trained or asked
    │   └── StoreError         a stored model can't be trusted, found or written
    └── BackendError           whoever answers valuations could not
        ├── BackendTimeout     it did not answer in time
        ├── BackendUnavailable it can't be reached or is too busy
        ├── BackendRejected    it answered that it will not
        ├── BackendInvalidResponse     what it answered can't be used
        └── NotSupported         it has no such answer to give

A fault in one row of a table is not an error of this tree: it is a
:class:`houseprice.market.problems.Problem`, and costs that row alone.
"""

from __future__ import annotations

from pathlib import Path

__all__ = [
    "BackendError",
    "BackendInvalidResponse",
    "BackendRejected",
    "BackendTimeout",
    "BackendUnavailable",
    "FetchError",
    "HousePriceError",
    "InputError",
    "MarketError",
    "ModelError",
    "NotSupported",
    "SettingsError",
    "StoreError",
]


class HousePriceError(Exception):
    """The one class to catch: its text is a sentence for the user."""


class SettingsError(HousePriceError):
    """A ``HOUSEPRICE_*`` variable holds what it can't."""


class MarketError(HousePriceError):
    """A market folder breaks its contract.

    Parameters
    ----------
    file : Path
        The file at fault.
    key : str
        Where in the file, as a dotted path ("fields.size.range"); empty for the whole file.
    reason : str
        What is wrong and what would be right.
    """

    def __init__(self, file: Path, key: str, reason: str) -> None:
        place = f"{file}: {key}" if key else str(file)
        super().__init__(f"{place}: {reason}")
        self.file = file
        self.key = key
        self.reason = reason

    def __reduce__(self) -> tuple[type[MarketError], tuple[Path, str, str]]:
        return type(self), (self.file, self.key, self.reason)


class FetchError(HousePriceError):
    """A market's files can't be downloaded, or are not what its contract says."""


class InputError(HousePriceError):
    """What the user gave can't be read at all (empty file, wrong format, over a limit)."""


class ModelError(HousePriceError):
    """A model can't be trained, or can't answer what was asked."""


class StoreError(ModelError):
    """A stored model is missing, damaged, or made by other versions."""


class BackendError(HousePriceError):
    """The backend that values houses failed.

    Parameters
    ----------
    message : str
        What happened and what to do, for the user.
    reason : str
        A stable name of what happened, for programs and logs ("tls", "busy").
    retry_after : float, optional
        Seconds after which to try again, where the backend said so.
    """

    def __init__(
        self, message: str, *, reason: str = "failed", retry_after: float | None = None
    ) -> None:
        super().__init__(message)
        self.reason = reason
        self.retry_after = retry_after


class BackendTimeout(BackendError):
    """The backend did not answer in time."""


class BackendUnavailable(BackendError):
    """The backend can't be reached, or is too busy."""


class BackendRejected(BackendError):
    """The backend answered that it will not value these houses."""


class BackendInvalidResponse(BackendError):
    """The backend answered what can't be used: no JSON, rows missing, a price that is none."""


class NotSupported(BackendError):
    """The backend has no such answer to give; another one may."""
