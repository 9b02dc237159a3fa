"""Other settings than the default ones are chosen only if they are clearly better."""

import numpy as np
import pytest

from houseprice.model import tuning
from houseprice.model.selection import default_settings


@pytest.fixture
def choose(market, monkeypatch):
    """Choose settings for the sales of the market as if the second of each kind had this error."""
    default = default_settings(len(market.houses), has_place=False)

    def choose(error):
        def errors(specs, settings, *_):
            if len(specs) > 1:
                return [1.0, error, 1.0]
            return [1.0 if settings.uses_index else error]

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


def test_a_clear_gain_is_taken(choose):
    default, chosen, _ = choose(0.95)
    assert not chosen.uses_index
    tried = [tuning.GRID[kind][1] for kind in ("additive", "kernel")]
    for before, after, setting in zip(
        default.members, chosen.members, [*tried, {}, {}], strict=True
    ):
        assert after.settings == before.settings | setting
