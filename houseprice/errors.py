"""Every error that houseprice raises on purpose.

::

    HousePriceError
    ├── SettingsError               an environment variable has an invalid value
    ├── MarketError                 a market's contract or sales can't be used
    ├── FetchError                  a market's files can't be downloaded
    ├── RecordsError                the database of the records can't be used
    │   └── RecordNotFound          there is no record of a number
    ├── AccessDenied                the role of a person does not allow something
    ├── InputError                  the user's input can't be read as a whole
    │   ├── PriceNotFound           no column of a file of sales looks like the price
    │   └── UnknownColumns          a table has no column that a valuation uses
    ├── ModelError                  a model can't be trained or used
    │   └── StoreError              a stored model can't be found, verified or written
    └── BackendError                the backend could not value houses
        ├── BackendTimeout          it did not answer in time
        ├── BackendUnavailable      it can't be reached or is too busy
        ├── BackendRejected         it refused the request
        ├── BackendInvalidResponse  its response can't be used
        └── NotSupported            it lacks the requested ability

An error in one row of a table is not in this tree: it is a
:class:`houseprice.market.problems.Problem`, and costs that row alone.
"""

from __future__ import annotations

from pathlib import Path


class HousePriceError(Exception):
    """Base class of all errors below; its text is a sentence for the user."""


class SettingsError(HousePriceError):
    """A ``HOUSEPRICE_*`` variable has an invalid value."""


class MarketError(HousePriceError):
    """A market folder can't be used.

    ``key`` is where in the file the error is, as a dotted path ("fields.size.range"); empty for the
    whole file. ``reason`` says what is wrong and what is expected.
    """

    def __init__(self, file: Path, key: str, reason: str) -> None:
        where = f"{file}: {key}" if key else str(file)
        super().__init__(f"{where}: {reason}")
        self.file = file
        self.key = key
        self.reason = reason

    def __reduce__(self) -> tuple[type[MarketError], tuple[Path, str, str]]:
        return type(self), (self.file, self.key, self.reason)


class FetchError(HousePriceError):
    """A market's files can't be downloaded, or do not match its contract."""


class InputError(HousePriceError):
    """The user's input can't be read at all (empty file, wrong format, over a limit)."""


class PriceNotFound(InputError):
    """No column of a file of sales looks like the price."""


class UnknownColumns(InputError):
    """A table has no column that a valuation uses; its columns can be mapped by hand."""


class RecordsError(HousePriceError):
    """The database of the records can't be opened, read or written."""


class RecordNotFound(RecordsError):
    """There is no record of this number, or it is that of another person."""


class AccessDenied(HousePriceError):
    """The role of a person does not allow what they want to do."""


class ModelError(HousePriceError):
    """A model can't be trained, or can't do what was requested."""


class StoreError(ModelError):
    """A stored model is missing, damaged, or was made by other versions."""


class BackendError(HousePriceError):
    """The backend that values houses failed.

    ``message`` says what happened and what to do, ``reason`` is a stable name of the cause for
    programs and logs ("tls", "busy"), and ``retry_after`` is in seconds, if the backend gave them.
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
    """The backend refused to value these houses."""


class BackendInvalidResponse(BackendError):
    """The response of the backend can't be used: invalid JSON, missing rows, an illegal price."""


class NotSupported(BackendError):
    """The backend lacks this ability; another one may have it."""
