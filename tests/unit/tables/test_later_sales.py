"""Later prices of the records as sales of their market."""

from datetime import date

import pandas as pd
import pytest

from houseprice.errors import InputError
from houseprice.market.sales import read_rows
from houseprice.settings import Settings
from houseprice.tables.extension import set_market_key
from houseprice.tables.later_sales import extend_by_outcomes
from houseprice.tables.sales import load_market
from tests.hamlet import write_hamlet
from tests.towns import write_town

FACTS = {"size": "120", "quarter": "N", "grade": "Fine"}


def sold(*rows: dict) -> pd.DataFrame:
    """Return later prices as the records give them."""
    defaults = {"valuation": 1, "property_key": None, "sold_on": date(2020, 11, 30),
                "price": 90_000.0, "facts": FACTS, "model_version": "hamlet-1"}  # fmt: skip
    return pd.DataFrame([{**defaults, "outcome": i, **row} for i, row in enumerate(rows, 1)])


@pytest.fixture
def hamlet(tmp_path):
    return write_hamlet(tmp_path / "hamlet", n_sales=100)


def test_a_later_price_becomes_a_sale_on_its_day_with_its_facts(hamlet):
    extension = extend_by_outcomes(hamlet, sold({}, {"facts": {}}), Settings())
    assert extension.summary == "1 sale to add, 0 known already, 0 set aside."
    extension.write()
    (row,) = read_rows(hamlet / "sales-2.csv").tail(1).to_dict("records")
    assert {name: text for name, text in row.items() if text} == {
        **FACTS, "paid": "90000", "key": "outcome-1", "sold": "2020", "month": "4", "outcome": "1",
    }  # fmt: skip
    assert load_market(hamlet).prices.tolist()[-1] == 90_000.0


def test_later_prices_are_added_once_and_corrections_replace_them(hamlet):
    extend_by_outcomes(hamlet, sold({}, {}), Settings()).write()
    with pytest.raises(InputError, match="no later price that the market does not have"):
        extend_by_outcomes(hamlet, sold({}, {}), Settings())
    corrected = sold({}, {"outcome": 7, "price": 95_000.5}, {"outcome": 8})
    extension = extend_by_outcomes(hamlet, corrected, Settings())
    assert (extension.n_added, extension.n_known) == (2, 1)
    extension.write()
    assert read_rows(hamlet / "sales-3.csv")["paid"].tolist()[-3:] == ["90000", "95000.50", "90000"]
    assert len(load_market(hamlet).houses) == 103


def test_a_sale_that_does_not_count_is_set_aside_with_its_reason(hamlet):
    late = sold({"sold_on": date(2021, 3, 1)}, {"price": 10.0}, {})
    extension = extend_by_outcomes(hamlet, late, Settings())
    assert (extension.n_added, extension.set_aside["code"].tolist()) == (
        1,
        ["above_limit", "below_limit"],
    )


def test_a_sale_that_the_market_has_is_not_added(hamlet):
    sales = read_rows(hamlet / "sales.csv")
    sales.assign(parcel=sales["key"]).to_csv(hamlet / "sales.csv", index=False)
    set_market_key(hamlet, "property_id", "parcel")
    known = {"property_key": "h3", "price": float(sales["paid"][3])}
    extension = extend_by_outcomes(hamlet, sold(known, {"property_key": "h3"}), Settings())
    assert (extension.n_added, extension.n_known) == (1, 1)


def test_a_market_without_a_key_and_with_dates_takes_them_too(tmp_path):
    town = write_town(tmp_path / "town", ("sale_date", "area"))
    facts = {"area": "120", "rooms": "3", "garden": "yes"}
    extension = extend_by_outcomes(town, sold({"facts": facts}), Settings())
    assert extension.n_added == 1
    extension.write()
    assert load_market(town).sold[-1] == pytest.approx(2020.91, abs=0.01)
