"""What is said of failures that no server on this computer can play."""

from __future__ import annotations

import errno
import socket

import pytest
import requests
from urllib3.connection import HTTPSConnection
from urllib3.exceptions import MaxRetryError, NameResolutionError

from houseprice.market.contract import Contract, KaggleFile, KaggleSource
from houseprice.market.kaggle import KaggleFailure, failure_message
from houseprice.market.kaggle_client import described

SOURCE = KaggleSource(
    competition="hamlet-prices",
    sales=KaggleFile(file="train.csv", rows=2),
    sample=KaggleFile(file="test.csv", rows=1),
)


def told(error: Exception) -> str:
    """What is said of an error that Kaggle's client raises."""
    facts = {name: tuple(v) if isinstance(v, list) else v for name, v in described(error).items()}
    return failure_message(KaggleFailure(**facts), SOURCE)


def test_an_address_that_is_not_found_is_told() -> None:
    not_found = NameResolutionError(
        "api.kaggle.com",
        HTTPSConnection("api.kaggle.com"),
        socket.gaierror(socket.EAI_NONAME, "Name or service not known"),
    )
    error = requests.ConnectionError(MaxRetryError(None, "/v1", not_found))
    assert told(error).startswith("The address of Kaggle was not found")


@pytest.mark.parametrize("kind", [requests.ConnectTimeout, requests.ReadTimeout])
def test_a_timeout_of_the_client_is_told(kind: type[requests.Timeout]) -> None:
    assert told(kind("secret")).startswith("Kaggle did not answer in time")


@pytest.mark.parametrize(
    ("code", "words"),
    [
        (errno.ENOSPC, "The disk is full"),
        (errno.EDQUOT, "The disk is full"),
        (errno.EACCES, "The download can't be written here"),
    ],
)
def test_a_disk_that_takes_nothing_is_told(code: int, words: str) -> None:
    assert told(OSError(code, "secret")).startswith(words)


def test_an_answer_that_is_no_json_is_told() -> None:
    assert told(requests.JSONDecodeError("secret", "", 0)).startswith("Kaggle gave an answer")


def test_what_nobody_thought_of_is_told_by_its_name_alone() -> None:
    said = told(RuntimeError("secret"))
    assert said == "Kaggle's client failed (RuntimeError): run this again with --verbose."


def test_an_error_that_leads_back_to_itself_is_described() -> None:
    first, second = ValueError("secret"), KeyError("secret")
    first.__cause__, second.__cause__ = second, first
    assert "secret" not in str(described(first))


def test_a_client_that_was_stopped_is_told() -> None:
    assert "stopped" in failure_message(KaggleFailure(kinds=("stopped without a word",)), SOURCE)


@pytest.mark.parametrize("name", ["../train.csv", "a/b.csv", "C:\\b.csv", ".csv", "run.py", ""])
def test_only_a_plain_name_may_be_asked_for(name: str, market) -> None:
    source = {"competition": "a", "sales": {"file": name, "rows": 1}, "sample": SOURCE.sample}
    with pytest.raises(ValueError, match=r"sales\.file"):
        KaggleSource.model_validate(source)


@pytest.mark.parametrize("slug", ["a b", "../a", "", "A", "a?b"])
def test_only_the_end_of_an_address_is_a_competition(slug: str) -> None:
    source = {"competition": slug, "sales": SOURCE.sales, "sample": SOURCE.sample}
    with pytest.raises(ValueError, match="competition"):
        KaggleSource.model_validate(source)


def test_a_market_may_have_no_such_source(market) -> None:
    facts = market.contract.model_dump()
    del facts["market"]["kaggle"]
    assert Contract.model_validate(facts).market.kaggle is None
