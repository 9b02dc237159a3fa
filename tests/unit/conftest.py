"""What the tests of single modules share."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest

from houseprice import logs


@pytest.fixture
def fresh_logs() -> Iterator[None]:
    """Let a test set up logging, and put things back as they were."""
    loggers = [logging.getLogger(name) for name in ("houseprice", "py.warnings", logs.SPOKEN)]
    before = [(logger, logger.handlers[:], logger.level) for logger in loggers]
    yield
    logging.captureWarnings(False)
    for logger, handlers, level in before:
        logger.handlers[:] = handlers
        logger.setLevel(level)
