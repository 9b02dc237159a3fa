"""Other settings than the default ones are chosen only if they are clearly better."""

import numpy as np
import pytest

from houseprice.market.sales import load_market
from houseprice.model import tuning
from houseprice.model.selection import default_settings
from tests.towns import town_sales, write_town


@pytest.fixture
def choose(market, monkeypatch):
    """Choose settings for the sales of the market as if the second of each kind had this error."""
    default = default_settings(len(market.houses), has_place=False)

    def choose(error, taken="none"):
        def errors(specs, settings, *_):
            if len(specs) > 1:
                return [1.0, error, 1.0]
            return [1.0 if settings.index != taken else error]

        monkeypatch.setattr(tuning, "_held_out_errors", errors)
        prices = np.log(market.prices.to_numpy())
        return default, *tuning.choose_settings(default, market.houses, prices, market.contract)

    return choose


@pytest.mark.parametrize("error", [0.99, 1.01])
def test_a_small_gain_keeps_the_default_settings_and_the_price_index(choose, error):
    default, chosen, trials = choose(error)
    assert chosen == default
    chosen_settings = trials.loc[trials["chosen"], "setting"].tolist()
    assert chosen_settings == ["price index", "default", "default"]


@pytest.mark.parametrize("index", ["none", "area"])
def test_a_clear_gain_is_taken(choose, index):
    default, chosen, _ = choose(0.95, index)
    assert chosen.index == index
    tried = [tuning.GRID[kind][1] for kind in ("additive", "kernel")]
    for before, after, setting in zip(
        default.members, chosen.members, [*tried, {}, {}], strict=True
    ):
        assert after.settings == before.settings | setting


@pytest.mark.parametrize(("growth", "chosen"), [(0.15, "area"), (0.0, "market")])
def test_areas_whose_prices_part_get_an_index_each(tmp_path, growth, chosen):
    sales = town_sales(n_sales=900)
    years = sales["sale_year"] + (sales["sale_month"] - 0.5) / 12
    apart = sales["location"].map({"Nord": 1.0, "Süd": -1.0}).fillna(0.0)
    sales["price"] = (sales["price"] * np.exp(growth * apart * (years - 2014))).round()
    town = load_market(
        write_town(tmp_path, ("sale_year", "sale_month", "location", "area", "built"), sales)
    )
    settings = default_settings(len(town.houses), has_place=False)
    prices = np.log(town.prices.to_numpy(np.float64))
    settings, trials = tuning.choose_settings(settings, town.houses, prices, town.contract)
    assert settings.index == chosen
    assert set(trials["setting"]) >= set(tuning.INDICES.values())
