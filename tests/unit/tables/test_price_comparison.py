"""Values beside the prices of the same table."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from houseprice.errors import BackendError
from houseprice.market.sales import Market, load_market
from houseprice.model.metrics import median_ape
from houseprice.settings import Settings
from houseprice.tables.price_comparison import PriceComparison, compare_prices
from houseprice.tables.reader import read_table
from houseprice.tables.table import Table
from tests.hamlet import hamlet_sales, write_hamlet
from tests.tables import value_table
from tests.unit.tables.conftest import Surveyor


@pytest.fixture(scope="module")
def hamlet(tmp_path_factory: pytest.TempPathFactory) -> Market:
    return load_market(write_hamlet(tmp_path_factory.mktemp("against")))


def priced(n: int, seed: int = 11) -> pd.DataFrame:
    """Houses that sell for about what the surveyor says: 1,000.125 for each square metre."""
    sales = hamlet_sales(n, seed=seed)
    share = np.random.default_rng(seed).uniform(0.9, 1.15, n)
    return sales.assign(
        key=[f"n{i}" for i in range(n)], paid=(sales["size"] * 1000 * share).round()
    )


def table_of(frame: pd.DataFrame, market: Market) -> Table:
    text = frame.to_csv(index=False).encode()
    return read_table(text, "houses.csv", Settings(), market.contract)


def compared(frame: pd.DataFrame, market: Market) -> PriceComparison | None:
    surveyor, table = Surveyor(market.contract), table_of(frame, market)
    return compare_prices(table, value_table(table, surveyor), market, surveyor)


def test_the_figures_are_those_of_an_evaluation(hamlet: Market) -> None:
    frame = priced(80)
    found = compared(frame, hamlet)
    assert found is not None
    assert (found.compared, found.without_price, found.learned) == (80, 0, 0)
    off = median_ape(frame["paid"], frame["size"] * 1000.125)
    figures = found.figures.set_index("figure")["value"]
    assert figures["median_ape"] == pytest.approx(off, rel=1e-4)
    assert f"median absolute error is {100 * off:.1f} %" in found.sentences[0]
    assert found.report is not None
    assert found.report.metrics["median_ape"] == pytest.approx(off, rel=1e-4)
    assert set(found.report.baselines)
    assert set(found.equity["figure"]) >= {"cod", "prd"}
    assert found.houses["row"].tolist() == list(range(1, 81))


def test_rows_without_a_value_or_a_price_are_left_out_and_keep_their_number(hamlet: Market) -> None:
    frame = priced(50).astype({"paid": "str", "size": "str"})
    frame.loc[3, "size"] = "-1"
    frame.loc[5, "paid"] = ""
    frame.loc[7, "paid"] = "a lot"
    found = compared(frame, hamlet)
    assert found is not None
    assert (found.compared, found.without_price) == (47, 2)
    assert {4, 6, 8}.isdisjoint(found.houses["row"])
    assert "2 houses have a value and no valid price." in found.sentences
    first = found.houses.iloc[0]
    assert first["difference"] == pytest.approx(first["predicted_price"] - first["price"])
    assert first["inside"] == (first["price_low"] <= first["price"] <= first["price_high"])


def test_sales_that_values_are_learned_from_are_told_to_flatter(hamlet: Market) -> None:
    found = compared(hamlet_sales(240).head(40), hamlet)
    assert found is not None
    assert found.learned == 40
    assert "better than they are" in found.sentences[1]


def test_a_few_houses_have_figures_and_a_caution_but_no_report(hamlet: Market) -> None:
    found = compared(priced(10), hamlet)
    assert found is not None
    assert found.compared == 10
    assert found.report is None
    assert found.equity.empty
    assert "unreliable" in found.sentences[-1]


@pytest.mark.parametrize("change", [{"paid": ""}, {"size": "-1"}, None])
def test_without_both_there_is_nothing_to_compare(
    change: dict[str, str] | None, hamlet: Market
) -> None:
    frame = priced(40)
    assert (
        compared(frame.assign(**change) if change else frame.drop(columns="paid"), hamlet) is None
    )


def test_without_ranges_there_are_figures_and_no_report(hamlet: Market) -> None:
    surveyor, table = Surveyor(hamlet.contract), table_of(priced(60), hamlet)
    scored = value_table(table, surveyor)
    blank = scored.valuations.assign(price_low=np.nan, price_high=np.nan)
    asked = len(surveyor.asked)
    found = compare_prices(table, replace(scored, valuations=blank), hamlet, surveyor)
    assert found is not None
    assert found.report is None
    assert found.houses["inside"].isna().all()
    assert not found.equity.empty
    assert len(surveyor.asked) == asked


class Forgetful(Surveyor):
    """Gives no ranges when it is asked again."""

    def value(self, rows, **options):
        answer = super().value(rows, **options)
        return replace(answer, valuations=answer.valuations.assign(price_low=np.nan))


def test_a_backend_that_loses_ranges_on_the_way_is_told(hamlet: Market) -> None:
    table = table_of(priced(60), hamlet)
    scored = value_table(table, Surveyor(hamlet.contract))
    with pytest.raises(BackendError, match="returned no ranges"):
        compare_prices(table, scored, hamlet, Forgetful(hamlet.contract))
