"""A made-up market, and one model of it to share."""

from pathlib import Path

import pytest

from houseprice.market.sales import load_market
from houseprice.model.store.store import ModelStore
from houseprice.model.valuation import ValuationModel
from tests.hamlet import write_hamlet


@pytest.fixture(scope="session")
def hamlet(tmp_path_factory):
    """A made-up market whose prices follow a known rule; read-only."""
    folder: Path = write_hamlet(tmp_path_factory.mktemp("markets") / "hamlet", n_sales=400)
    return load_market(folder)


@pytest.fixture(scope="session")
def learned(hamlet):
    """The positions of the sales that the shared model was fitted on; the others are unseen."""
    return range(250)


@pytest.fixture(scope="session")
def valuer(hamlet, training_sales):
    """A model fitted on the first sales of the hamlet; read-only."""
    return ValuationModel(hamlet.contract).fit(*training_sales)


@pytest.fixture(scope="session")
def training_sales(hamlet, learned):
    """The houses and prices that the shared model was fitted on."""
    return hamlet.houses.iloc[list(learned)], hamlet.prices.iloc[list(learned)]


@pytest.fixture(scope="session")
def trained(model_dir):
    """The trained model of the embedded market."""
    return ModelStore(model_dir).load()
