"""Logging on the standard error stream: for people, or a JSON object a line for programs.

Counts, durations, file names and model versions are logged, never what a house is or is worth: a
log is kept longer and read by more people than the table that it is about.
"""

from __future__ import annotations

import json
import logging
import sys
from datetime import UTC, datetime

__all__ = ["COMMAND_LOGGER", "JsonFormatter", "configure"]

COMMAND_LOGGER = "houseprice.commands"
"""Logger of what a command says to its user: sentences, shown without time or origin."""

_HEARD = ("houseprice", "py.warnings")
_ORDINARY = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}


def configure(*, verbose: bool = False, as_json: bool = False) -> None:
    """Send the log of this package, and Python's warnings, to the standard error stream.

    Parameters
    ----------
    verbose : bool
        Everything; by default only warnings, errors and what a command says to its user.
    as_json : bool
        A JSON object a line: time, level, logger, message, and the fields given as ``extra``.
    """
    handler = _StandardError()
    handler.setFormatter(JsonFormatter() if as_json else _HumanFormatter())
    for name in _HEARD:
        logger = logging.getLogger(name)
        for old in [each for each in logger.handlers if isinstance(each, _StandardError)]:
            logger.removeHandler(old)
        logger.addHandler(handler)
    logging.getLogger("houseprice").setLevel(logging.DEBUG if verbose else logging.WARNING)
    logging.getLogger(COMMAND_LOGGER).setLevel(logging.DEBUG if verbose else logging.INFO)
    logging.captureWarnings(as_json)


class JsonFormatter(logging.Formatter):
    """One JSON object a line."""

    def format(self, record: logging.LogRecord) -> str:
        """Write a record; whatever is no JSON is written as text."""
        line = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        line |= {name: value for name, value in vars(record).items() if name not in _ORDINARY}
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line, default=str, ensure_ascii=False)


class _HumanFormatter(logging.Formatter):
    """A sentence where a command speaks, else time, level and origin too."""

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)s %(name)s: %(message)s", "%H:%M:%S")
        self._spoken = {
            logging.INFO: logging.Formatter("%(message)s"),
            logging.WARNING: logging.Formatter("Warning: %(message)s"),
            logging.ERROR: logging.Formatter("Error: %(message)s"),
        }

    def format(self, record: logging.LogRecord) -> str:
        if record.name == COMMAND_LOGGER and record.levelno in self._spoken:
            return self._spoken[record.levelno].format(record)
        return super().format(record)


class _StandardError(logging.Handler):
    """Writes to what ``sys.stderr`` is at that moment: progress bars put themselves in front."""

    def emit(self, record: logging.LogRecord) -> None:
        try:
            sys.stderr.write(f"{self.format(record)}\n")
        except (OSError, ValueError):  # nobody reads any more, or the stream is closed
            self.handleError(record)
