"""A made-up market, and one model of it to share."""

from pathlib import Path

import pytest

from houseprice.market.sales import load_market
from houseprice.model.valuation import ValuationModel
from tests.hamlet import write_hamlet


@pytest.fixture(scope="session")
def hamlet(tmp_path_factory):
    """A made-up market whose prices follow a known rule; read-only."""
    folder: Path = write_hamlet(tmp_path_factory.mktemp("markets") / "hamlet", n_sales=400)
    return load_market(folder)


@pytest.fixture(scope="session")
def learned(hamlet):
    """The positions of the sales that the shared model has seen; the rest is held out."""
    return range(250)


@pytest.fixture(scope="session")
def valuer(hamlet, learned):
    """A model fitted on the first sales of the hamlet; read-only."""
    rows = list(learned)
    return ValuationModel(hamlet.contract).fit(hamlet.houses.iloc[rows], hamlet.prices.iloc[rows])
