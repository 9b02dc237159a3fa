"""Fixtures of the unit tests."""

import logging
from dataclasses import dataclass

import pytest

from houseprice import logs
from houseprice.cli import main
from tests.hamlet import write_hamlet


@pytest.fixture
def fresh_logs():
    """Let a test configure logging, and restore it afterwards."""
    loggers = [
        logging.getLogger(name) for name in ("houseprice", "py.warnings", logs.COMMAND_LOGGER)
    ]
    before = [(logger, logger.handlers[:], logger.level) for logger in loggers]
    yield
    logging.captureWarnings(False)
    for logger, handlers, level in before:
        logger.handlers[:] = handlers
        logger.setLevel(level)


@dataclass
class Result:
    """The exit status, results and messages of a command."""

    code: int
    out: str
    err: str


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A folder with a small market in ``hamlet`` and its models in ``models``."""
    folder = tmp_path_factory.mktemp("place")
    write_hamlet(folder / "hamlet", n_sales=150)
    return folder


@pytest.fixture
def surroundings(monkeypatch, place):
    """Settings for the market and the models of `place`."""
    monkeypatch.setenv("HOUSEPRICE_MARKET", str(place / "hamlet"))
    monkeypatch.setenv("HOUSEPRICE_MODEL_DIR", str(place / "models"))


@pytest.fixture
def run(capsys):
    """Run the command in this process."""

    def run(*arguments: object) -> Result:
        with pytest.raises(SystemExit) as left:
            main([str(argument) for argument in arguments])
        out, err = capsys.readouterr()
        return Result(int(left.value.code or 0), out, err)

    return run


@pytest.fixture
def trained(run, surroundings, place):
    """The folder of the models, with an active model of the market of `place`."""
    if not (place / "models" / "active").exists():
        assert run("train", "--quiet").code == 0
    return place / "models"
