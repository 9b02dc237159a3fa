"""Retraining with later prices: compared, used if no worse, and undone."""

from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
import pandas as pd
import pytest

from houseprice.errors import InputError, MarketError, StoreError
from houseprice.market.sales import EMBEDDED
from houseprice.model.store.store import ModelStore
from houseprice.model.training import train
from houseprice.settings import Settings
from houseprice.tables.retraining import (
    check_can_change,
    data_versions,
    restore,
    retrain,
    use_challenger,
)
from houseprice.tables.sales import load_market
from tests.hamlet import hamlet_sales, write_hamlet


def later(n_sales: int, factor: float = 1.0) -> pd.DataFrame:
    """Return later prices of houses that the hamlet does not have, times a factor."""
    houses = hamlet_sales(n_sales, seed=11).astype({"paid": float})
    facts = houses.drop(columns=["key", "paid", "sold", "month"]).astype(str).to_dict("records")
    return pd.DataFrame(
        {"outcome": range(1, n_sales + 1), "valuation": 1, "property_key": None,
         "sold_on": datetime(2020, 6, 1, tzinfo=UTC).date(), "price": houses["paid"] * factor,
         "facts": facts, "model_version": "hamlet-1"}
    )  # fmt: skip


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    return ModelStore(tmp_path_factory.mktemp("models"))


@pytest.fixture(scope="module")
def hamlet(tmp_path_factory, store):
    """A market with a model."""
    folder = write_hamlet(tmp_path_factory.mktemp("town") / "hamlet", n_sales=120)
    train(load_market(folder), store)
    return folder


def test_later_prices_are_learned_and_the_way_back_is_kept(hamlet, store):
    before, first = (hamlet / "market.toml").read_bytes(), store.active("hamlet")
    result = retrain(load_market(hamlet), store, Settings(), later(30), accept_worse=True)
    assert result.summaries == ("Later prices: 30 sales to add, 0 known already, 0 set aside.",)
    assert (result.champion, result.challenger) == (first, store.active("hamlet"))
    assert (result.gate.comparison.sales, result.live.sales) == (120, 30)
    assert 0.0 < result.live.challenger < 0.2
    assert 0.0 < result.live.champion < 0.2
    assert "On 30 later prices, the median absolute error is" in result.live.sentence
    market = load_market(hamlet)
    store.load(contract=market.contract).manifest.check_data(market)
    assert (market.contract.market.sales, len(market.houses)) == ("sales-2.csv", 150)

    (kept,) = data_versions(hamlet)
    assert (kept.number, kept.sales_file, kept.model) == (1, "sales.csv", first)
    assert restore(hamlet, store) == kept
    market = load_market(hamlet)
    assert (hamlet / "market.toml").read_bytes() == before
    store.load(contract=market.contract).manifest.check_data(market)
    assert restore(hamlet, store).sales_file == "sales-2.csv"  # and forward again
    assert store.active("hamlet") == result.challenger
    with pytest.raises(MarketError, match=r"no such version of its data\. There are 1, 2"):
        restore(hamlet, store, 9)
    restore(hamlet, store, 1)


def test_a_model_that_fails_the_gate_changes_nothing(hamlet, store):
    market, active = load_market(hamlet), store.active("hamlet")
    draw = np.random.default_rng(0)
    sold = later(80)
    sold["price"] *= np.exp(draw.normal(0, 1.0, 80))
    result = retrain(market, store, Settings(), sold)
    assert not result.is_in_use
    assert not result.gate.passed
    assert store.active("hamlet") == active
    assert load_market(hamlet).contract.sha256 == market.contract.sha256
    with pytest.raises(StoreError):
        use_challenger(hamlet, store, replace(result, challenger="hamlet-2.0.0-99"))
    assert load_market(hamlet).contract.sha256 == market.contract.sha256
    # It can be used anyway, but not on top of another change of the market.
    assert use_challenger(hamlet, store, result).is_in_use
    assert store.active("hamlet") == result.challenger
    assert len(load_market(hamlet).houses) == 200
    with pytest.raises(MarketError, match="was changed meanwhile"):
        use_challenger(hamlet, store, result)
    assert restore(hamlet, store).model == active


def test_without_anything_new_nothing_is_trained(hamlet, store):
    n_versions = len(store.versions())
    with pytest.raises(InputError, match="no later price"):
        retrain(load_market(hamlet), store, Settings(), later(1).head(0))
    assert len(store.versions()) == n_versions


def test_a_market_of_the_package_is_not_changed():
    with pytest.raises(MarketError, match=r"Copy this folder, for example to \./my_ames"):
        check_can_change(EMBEDDED / "ames")
