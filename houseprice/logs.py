"""Logging to standard error, as text for people or as JSON lines for programs.

Counts, durations, file names and model versions are logged, but never the fields or the value of a
house: logs are kept longer and read by more people than the table that they are about.
"""

from __future__ import annotations

import json
import logging
import sys
from datetime import UTC, datetime

COMMAND_LOGGER = "houseprice.commands"
"""Logger of the messages of a command to its user, shown without time and origin."""

_LOGGERS = ("houseprice", "py.warnings")
_STANDARD_FIELDS = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}


def configure(*, verbose: bool = False, as_json: bool = False) -> None:
    """Log this package and Python's warnings to standard error, as text or as JSON lines.

    By default only warnings, errors and the messages of commands; everything if verbose.
    """
    handler = _StderrHandler()
    handler.setFormatter(JsonFormatter() if as_json else _HumanFormatter())
    for name in _LOGGERS:
        logger = logging.getLogger(name)
        for old in [each for each in logger.handlers if isinstance(each, _StderrHandler)]:
            logger.removeHandler(old)
        logger.addHandler(handler)
    logging.getLogger("houseprice").setLevel(logging.DEBUG if verbose else logging.WARNING)
    logging.getLogger(COMMAND_LOGGER).setLevel(logging.DEBUG if verbose else logging.INFO)
    logging.captureWarnings(as_json)


class JsonFormatter(logging.Formatter):
    """Formats a record as one line of JSON."""

    def format(self, record: logging.LogRecord) -> str:
        """Format a record; values that JSON lacks are written as text."""
        line = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        line |= {
            name: value for name, value in vars(record).items() if name not in _STANDARD_FIELDS
        }
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line, default=str, ensure_ascii=False)


class _HumanFormatter(logging.Formatter):
    """Formats messages of commands as sentences, others with time, level and origin."""

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)s %(name)s: %(message)s", "%H:%M:%S")
        self._command = {
            logging.INFO: logging.Formatter("%(message)s"),
            logging.WARNING: logging.Formatter("Warning: %(message)s"),
            logging.ERROR: logging.Formatter("Error: %(message)s"),
        }

    def format(self, record: logging.LogRecord) -> str:
        if record.name == COMMAND_LOGGER and record.levelno in self._command:
            return self._command[record.levelno].format(record)
        return super().format(record)


class _StderrHandler(logging.Handler):
    """Writes to the current ``sys.stderr``, which progress bars replace while they are shown."""

    def emit(self, record: logging.LogRecord) -> None:
        try:
            sys.stderr.write(f"{self.format(record)}\n")
        except (OSError, ValueError):  # the stream is closed, or its reader is gone
            self.handleError(record)
