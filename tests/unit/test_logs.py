"""Logs go to standard error, for people or for programs."""

import json
import logging
import warnings

import pytest

from houseprice import logs

pytestmark = pytest.mark.usefixtures("fresh_logs")


def test_people_see_messages_of_commands_and_warnings_only(capsys):
    logs.configure()
    logging.getLogger(logs.COMMAND_LOGGER).info("3 rows: all ok.")
    logging.getLogger(logs.COMMAND_LOGGER).warning("A row is odd.")
    logging.getLogger(logs.COMMAND_LOGGER).error("It failed.")
    logging.getLogger("houseprice.model.store.store").info("saved")
    logging.getLogger("houseprice.model.store.store").warning("others may write")
    out, err = capsys.readouterr()
    assert out == ""
    *spoken, warning = err.splitlines()
    assert spoken == ["3 rows: all ok.", "Warning: A row is odd.", "Error: It failed."]
    assert warning.endswith(" WARNING houseprice.model.store.store: others may write")


def test_verbose_logs_every_step(capsys):
    logs.configure(verbose=True)
    logging.getLogger("houseprice.model.store.store").debug("looked")
    assert capsys.readouterr().err.endswith(" DEBUG houseprice.model.store.store: looked\n")


def test_json_is_one_object_per_line_with_the_extra_fields(capsys):
    logs.configure(as_json=True)
    logger = logging.getLogger(logs.COMMAND_LOGGER)
    logger.info("%d rows\nread", 3, extra={"rows": 3, "place": logs})
    try:
        int("odd")
    except ValueError:
        logger.exception("It failed.")
    first, second = map(json.loads, capsys.readouterr().err.splitlines())
    assert first.pop("time").endswith("+00:00")
    assert "houseprice.logs" in first.pop("place")
    assert first == {
        "level": "info",
        "logger": logs.COMMAND_LOGGER,
        "message": "3 rows\nread",
        "rows": 3,
    }
    assert second["level"] == "error"
    assert second["exception"].endswith("with base 10: 'odd'")


def test_python_warnings_are_json_too(capsys):
    logs.configure(as_json=True)
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        logging.captureWarnings(False)  # catch_warnings put the plain way back
        logging.captureWarnings(True)
        warnings.warn("getting old", FutureWarning, stacklevel=1)
    (line,) = capsys.readouterr().err.splitlines()
    assert "getting old" in json.loads(line)["message"]


def test_configuring_twice_does_not_log_twice(capsys):
    logs.configure()
    logs.configure()
    logging.getLogger(logs.COMMAND_LOGGER).info("once")
    assert capsys.readouterr().err == "once\n"


def test_a_closed_stream_is_no_error(monkeypatch, capsys):
    class Closed:
        def write(self, _: str) -> None:
            raise BrokenPipeError

    logs.configure()
    monkeypatch.setattr(logging, "raiseExceptions", False)
    with monkeypatch.context() as patch:
        patch.setattr("sys.stderr", Closed())
        logging.getLogger(logs.COMMAND_LOGGER).info("lost")
    assert capsys.readouterr().err == ""
