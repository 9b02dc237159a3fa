"""The number of cases: fixed in every run, more and random ones with ``make fuzz``."""

import os

import hypothesis
import pytest

from houseprice.market.contract import load_contract
from tests.hamlet import write_hamlet

_CASES = os.environ.get("FUZZ_CASES")


@pytest.fixture(scope="session")
def contract(tmp_path_factory):
    return load_contract(write_hamlet(tmp_path_factory.mktemp("hamlet")))


def fuzz_settings(cases: int) -> hypothesis.settings:
    """Return settings for a number of cases, or for FUZZ_CASES random ones."""
    checks = hypothesis.HealthCheck
    suppressed = [checks.too_slow, checks.data_too_large, checks.function_scoped_fixture]
    if _CASES is None:
        return hypothesis.settings(max_examples=cases, suppress_health_check=suppressed)
    return hypothesis.settings(
        max_examples=int(_CASES),
        derandomize=False,
        print_blob=True,
        suppress_health_check=suppressed,
    )
