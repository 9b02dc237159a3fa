"""Messages for failures of Kaggle's client that a local server can't produce."""

import errno
import socket

import pytest
import requests
from urllib3.connection import HTTPSConnection
from urllib3.exceptions import MaxRetryError, NameResolutionError

from houseprice.market.contract import Contract
from houseprice.market.kaggle import KaggleFailure, failure_message
from houseprice.market.kaggle_client import describe
from houseprice.market.metadata import KaggleFile, KaggleSource

SOURCE = KaggleSource(
    competition="hamlet-prices",
    sales=KaggleFile(file="train.csv", rows=2),
    sample=KaggleFile(file="test.csv", rows=1),
)


def message(error: Exception) -> str:
    """The message for an error that Kaggle's client raises."""
    return failure_message(KaggleFailure(**describe(error)), SOURCE)


NOT_FOUND = NameResolutionError(
    "api.kaggle.com",
    HTTPSConnection("api.kaggle.com"),
    socket.gaierror(socket.EAI_NONAME, "Name or service not known"),
)


@pytest.mark.parametrize(
    ("error", "start"),
    [
        (
            requests.ConnectionError(MaxRetryError(None, "/v1", NOT_FOUND)),
            "The address of Kaggle was not found",
        ),
        (requests.ConnectTimeout("secret"), "Kaggle did not answer in time"),
        (requests.ReadTimeout("secret"), "Kaggle did not answer in time"),
        (OSError(errno.ENOSPC, "secret"), "The disk is full"),
        (OSError(errno.EDQUOT, "secret"), "The disk is full"),
        (OSError(errno.EACCES, "secret"), "The download can't be written here"),
        (requests.JSONDecodeError("secret", "", 0), "The answer of Kaggle can't be read"),
        (RuntimeError("secret"), "Kaggle's client failed (RuntimeError): run this again"),
    ],
    ids=lambda value: str(getattr(value, "errno", "") or "") + type(value).__name__,
)
def test_an_error_of_the_client_has_a_message_without_its_text(error, start):
    assert message(error).startswith(start)
    assert "secret" not in message(error)


def test_a_cycle_of_causes_is_described():
    first, second = ValueError("secret"), KeyError("secret")
    first.__cause__, second.__cause__ = second, first
    assert "secret" not in str(describe(first))


@pytest.mark.parametrize("name", ["../train.csv", "a/b.csv", "C:\\b.csv", ".csv", "run.py", ""])
def test_only_a_plain_file_name_is_valid(name):
    source = {"competition": "a", "sales": {"file": name, "rows": 1}, "sample": SOURCE.sample}
    with pytest.raises(ValueError, match=r"sales\.file"):
        KaggleSource.model_validate(source)


@pytest.mark.parametrize("slug", ["a b", "../a", "", "A", "a?b"])
def test_only_the_last_part_of_a_url_is_a_competition(slug):
    source = {"competition": slug, "sales": SOURCE.sales, "sample": SOURCE.sample}
    with pytest.raises(ValueError, match="competition"):
        KaggleSource.model_validate(source)


def test_the_source_is_optional(market):
    data = market.contract.model_dump()
    del data["market"]["kaggle"]
    assert Contract.model_validate(data).market.kaggle is None
