"""Values compared with the prices in the same table."""

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
from tests.unit.tables.conftest import LinearBackend


@pytest.fixture(scope="module")
def hamlet(tmp_path_factory):
    return load_market(write_hamlet(tmp_path_factory.mktemp("comparison")))


def priced(n: int, seed: int = 11) -> pd.DataFrame:
    """Houses sold at about the value of the backend: 1,000.125 for a square metre."""
    sales = hamlet_sales(n, seed=seed)
    share = np.random.default_rng(seed).uniform(0.9, 1.15, n)
    return sales.assign(
        key=[f"n{i}" for i in range(n)], paid=(sales["size"] * 1000 * share).round()
    )


def table_of(frame: pd.DataFrame, market: Market) -> Table:
    text = frame.to_csv(index=False).encode()
    return read_table(text, "houses.csv", Settings(), market.contract)


def compared(frame: pd.DataFrame, market: Market) -> PriceComparison | None:
    backend, table = LinearBackend(market.contract), table_of(frame, market)
    return compare_prices(table, value_table(table, backend), market, backend)


def test_the_figures_equal_those_of_an_evaluation(hamlet):
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


def test_rows_without_a_value_or_a_price_are_omitted_and_the_others_keep_their_number(hamlet):
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


def test_training_sales_are_reported_as_too_accurate(hamlet):
    found = compared(hamlet_sales(240).head(40), hamlet)
    assert found is not None
    assert found.learned == 40
    assert "better than they are" in found.sentences[1]


def test_a_few_houses_have_figures_and_a_warning_but_no_report(hamlet):
    found = compared(priced(10), hamlet)
    assert found is not None
    assert found.compared == 10
    assert found.report is None
    assert found.equity.empty
    assert "unreliable" in found.sentences[-1]


@pytest.mark.parametrize("change", [{"paid": ""}, {"size": "-1"}, None])
def test_without_values_or_prices_there_is_no_comparison(change, hamlet):
    frame = priced(40)
    assert (
        compared(frame.assign(**change) if change else frame.drop(columns="paid"), hamlet) is None
    )


def test_without_ranges_there_are_figures_and_no_report(hamlet):
    backend, table = LinearBackend(hamlet.contract), table_of(priced(60), hamlet)
    scored = value_table(table, backend)
    blank = scored.valuations.assign(price_low=np.nan, price_high=np.nan)
    n_calls = len(backend.calls)
    found = compare_prices(table, replace(scored, valuations=blank), hamlet, backend)
    assert found is not None
    assert found.report is None
    assert found.houses["inside"].isna().all()
    assert not found.equity.empty
    assert len(backend.calls) == n_calls


class RangelessBackend(LinearBackend):
    """A backend that returns no ranges."""

    def value(self, rows, **options):
        result = super().value(rows, **options)
        return replace(result, valuations=result.valuations.assign(price_low=np.nan))


def test_a_backend_that_stops_returning_ranges_is_reported(hamlet):
    table = table_of(priced(60), hamlet)
    scored = value_table(table, LinearBackend(hamlet.contract))
    with pytest.raises(BackendError, match="returned no ranges"):
        compare_prices(table, scored, hamlet, RangelessBackend(hamlet.contract))
