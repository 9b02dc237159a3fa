"""A market is drafted, or refused in a sentence, whatever the file of sales is like."""

import contextlib

import numpy as np
import pandas as pd
import pytest

from houseprice.errors import HousePriceError, MarketError
from houseprice.market.check import contract_faults
from houseprice.market.contract import CONTRACT_FILE
from houseprice.market.draft.contract import write_market
from houseprice.market.draft.draft import draft_market
from houseprice.market.validation import validate
from houseprice.settings import Settings
from houseprice.tables.sales import load_market, read_sales
from tests.towns import town_sales

HEADERS = (
    "price", "Sale Price", "Größe (m²)", "面积", "🏠", 'a "quoted" name', "it's", "a.b[c]", "x=y",
    "id", "row", "status", "price_low", "date", "year", "lat", "lon", "zip", "None", "true", "1",
)  # fmt: skip


def cells(draw, kind, n_rows):
    match kind:
        case "text":
            return draw.choice(
                ["a", "b b", "«c»", "=1+1", "0x10", "1e5", "∞", "NaN", "none"], n_rows
            )
        case "levels":
            return [f"level {number}" for number in draw.integers(0, n_rows, n_rows)]
        case "constant":
            return ["same"] * n_rows
        case "blank":
            return [""] * n_rows
        case "flag":
            return draw.choice(["yes", "no", ""], n_rows)
        case "date":
            return draw.choice(["2014-02-30", "13/13/2013", "960423", "2014-05-06", ""], n_rows)
        case "huge":
            return draw.choice([1e300, -1e300, 1e-300, 0, np.inf], n_rows)
        case "negative":
            return -draw.lognormal(10, 1, n_rows)
    return draw.lognormal(12, 0.5, n_rows).round(2)


KINDS = ("text", "levels", "constant", "blank", "flag", "date", "huge", "negative", "amounts")


@pytest.mark.parametrize("seed", range(30))
def test_a_strange_file_becomes_a_market_or_is_refused(tmp_path, seed):
    draw = np.random.default_rng(seed)
    n_rows = int(draw.choice([0, 1, 120], p=[0.1, 0.1, 0.8]))
    headers = ["price", *draw.choice(HEADERS[1:], draw.integers(1, 12), replace=False)]
    columns = {header: cells(draw, draw.choice(KINDS), n_rows) for header in headers[1:]}
    prices = cells(draw, "amounts" if seed % 3 else draw.choice(KINDS), n_rows)
    rows = pd.DataFrame({"price": prices, **columns}).astype(str)
    if draw.random() < 0.3:
        rows = rows.sort_values("price")
    file = tmp_path / "sales.csv"
    rows.to_csv(file, index=False, sep=draw.choice([",", ";", "\t"]))
    with contextlib.suppress(HousePriceError):
        found, unread = read_sales(file, None, Settings())
        draft = draft_market(found)
        folder = tmp_path / "town"
        market = write_market(draft, found, unread, file, folder, title="Town")
        again = load_market(folder, Settings())
        assert len(market.houses) + len(market.set_aside) == len(found)
        assert again.contract == market.contract
        assert again.set_aside.equals(market.set_aside)
        checked = validate(found.head(5), market.contract)
        assert len(checked.houses) == 5


@pytest.mark.parametrize("ends", [(2.5, 25), (2.5e8, 2.5e9), (2.5, 2.5e9)])
def test_prices_of_any_size_are_prices(tmp_path, ends):
    price = np.geomspace(*ends, 80)
    file = tmp_path / "sales.csv"
    size = np.random.default_rng(0).permutation(np.arange(60, 140))
    rows = pd.DataFrame({"price": price, "size": size, "remark": "", "town": "here"})
    rows.to_csv(file, index=False)
    found, unread = read_sales(file, None, Settings())
    market = write_market(draft_market(found), found, unread, file, tmp_path / "town", title="Town")
    assert len(market.set_aside) == 0
    assert market.prices.to_numpy() == pytest.approx(price)
    assert market.contract.columns == ("size",)


@pytest.mark.parametrize("n_sales", [60, 25_000])
def test_any_number_of_sales_is_a_market(tmp_path, n_sales):
    file, town = tmp_path / "sales.csv", tmp_path / "town"
    town_sales(n_sales).to_csv(file, index=False)
    found, unread = read_sales(file, None, Settings())
    market = write_market(draft_market(found), found, unread, file, town, title="Town")
    assert (len(market.houses), len(market.set_aside)) == (n_sales, 0)
    assert contract_faults(town / CONTRACT_FILE) == ()
    assert {"sale_date", "latitude", "longitude", "area", "built"} <= set(
        market.contract.market.roles.named
    )


@pytest.mark.parametrize("n_levels", [3, 30_000])
def test_any_number_of_places_can_be_learned(tmp_path, n_levels):
    draw, n_sales = np.random.default_rng(0), 3 * n_levels + 1000
    size = draw.integers(60, 300, n_sales)
    place = np.concatenate([np.arange(n_levels), draw.integers(0, n_levels, n_sales - n_levels)])
    price = size * 2000 * draw.lognormal(0, 0.1, n_sales)
    rows = pd.DataFrame({"price": price, "size": size, "suburb": [f"suburb {i}" for i in place]})
    file = tmp_path / "sales.csv"
    rows.to_csv(file, index=False)
    found, unread = read_sales(file, None, Settings())
    market = write_market(draft_market(found), found, unread, file, tmp_path / "town", title="Town")
    assert len(market.contract.fields["suburb"].levels) == n_levels


@pytest.mark.parametrize("names", [("size", "size"), ("Size", "size"), ("size", "size (2)")])
def test_columns_with_one_name_are_numbered(tmp_path, names):
    draw = np.random.default_rng(0)
    sizes = draw.integers(60, 300, (2, 80))
    price = sizes[0] * 2000 * draw.lognormal(0, 0.3, 80)
    rows = pd.DataFrame(np.column_stack([price, *sizes, price * 2]))
    rows.columns = ["price", *names, "price"]
    file = tmp_path / "sales.csv"
    rows.to_csv(file, index=False)
    found, unread = read_sales(file, None, Settings())
    write_market(draft_market(found), found, unread, file, tmp_path / "town", title="Town")
    market = load_market(tmp_path / "town", Settings())
    assert market.prices.to_numpy() == pytest.approx(price)
    assert pytest.approx(sizes) == market.houses.to_numpy().T


def test_a_name_with_control_characters_is_left_out_in_one_line(tmp_path):
    draw = np.random.default_rng(0)
    size = draw.integers(60, 300, 80)
    rows = pd.DataFrame({"price": size * 2000 * draw.lognormal(0, 0.3, 80), "size": size})
    rows["two\nlines\x02"] = "con\x17stant"
    file = tmp_path / "sales.csv"
    rows.to_csv(file, index=False)
    found, unread = read_sales(file, None, Settings())
    market = write_market(draft_market(found), found, unread, file, tmp_path / "town", title="Town")
    assert market.contract.columns == ("size",)


def test_a_file_with_decimal_commas_and_words_of_another_language_is_read(tmp_path):
    draw = np.random.default_rng(0)
    size, built = draw.integers(400, 2500, 90) / 10, draw.integers(1900, 2010, 90)
    price = size * 3000 * draw.lognormal(0, 0.3, 90)
    rows = pd.DataFrame(
        {
            "Verkaufsdatum": [f"{1 + i % 28:02}.{1 + i % 12:02}.2019" for i in range(90)],
            "Kaufpreis (€)": [f"{amount:,.0f} €".replace(",", ".") for amount in price],
            "Wohnfläche (m²)": [f"{amount:.1f}".replace(".", ",") for amount in size],
            "Baujahr": built,
            "Balkon": draw.choice(["ja", "nein"], 90),
        }
    )
    file = tmp_path / "verkäufe.csv"
    rows.to_csv(file, index=False, sep=";", encoding="cp1252")
    found, unread = read_sales(file, None, Settings())
    draft = draft_market(found)
    assert set(draft.roles) == {"price", "sale_date", "area", "built"}
    write_market(draft, found, unread, file, tmp_path / "town", title="Stadt")
    market = load_market(tmp_path / "town", Settings())
    assert len(market.set_aside) == 0
    assert market.prices.median() == pytest.approx(np.median(price), rel=1e-4)
    assert market.houses["Wohnfläche (m²)"].tolist() == pytest.approx(size)
    assert market.contract.market.price.symbol == "€"


def test_a_file_of_too_few_sales_is_named_as_it_was_given(tmp_path):
    file = tmp_path / "sales.csv"
    town_sales(20).to_csv(file, index=False)
    found, unread = read_sales(file, None, Settings())
    with pytest.raises(MarketError) as refused:
        write_market(draft_market(found), found, unread, file, tmp_path / "town", title="Town")
    assert str(refused.value) == f"{file}: only 20 sales can be used, and a market needs 50."
