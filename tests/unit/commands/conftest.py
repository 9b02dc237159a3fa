"""Records of the hamlet."""

import pandas as pd
import pytest

from houseprice.backend.factory import open_backend
from houseprice.records.database import Database
from houseprice.records.ledger import Author
from houseprice.records.valuations import OwnTexts, save
from houseprice.settings import read_settings
from houseprice.tables.sales import load_market


@pytest.fixture
def database(surroundings, monkeypatch, tmp_path):
    monkeypatch.setenv("HOUSEPRICE_DATABASE_URL", f"sqlite:///{tmp_path}/records.sqlite")
    return Database.open(read_settings())


@pytest.fixture
def saved(database):
    """Two saved valuations of the hamlet."""
    market = load_market(settings=read_settings())
    backend = open_backend(read_settings(), market)
    rows = pd.DataFrame({"size": ["120", "80"], "quarter": ["N", "S"]})
    author, texts = Author("anne", "hamlet", "form"), [OwnTexts("file 7"), OwnTexts("file 8")]
    result, info = backend.value(rows), backend.info()
    return save(database, author, rows, result, info, market.contract, texts=texts)
