"""What the columns of an unknown file of sales are taken for."""

import numpy as np
import pandas as pd
import pytest

from houseprice.errors import InputError
from houseprice.market.contract import load_contract
from houseprice.market.draft.contract import contract_text, market_name
from houseprice.market.draft.draft import draft_market


def sales(n_sales=300, scale=1.0, **columns):
    draw = np.random.default_rng(1)
    size, built = draw.integers(600, 4000, n_sales), draw.integers(1900, 2010, n_sales)
    year, lot = draw.integers(2010, 2015, n_sales), draw.integers(3000, 20000, n_sales)
    price = scale * (size * 150 * np.exp(0.003 * (built - 1950)) * draw.lognormal(0, 0.2, n_sales))
    rows = {"price": price.round(2), "sqft_living": size, "yr_built": built, "lot": lot}
    made = {name: make(draw, price, size, year) for name, make in columns.items()}
    return pd.DataFrame(rows | made).astype(str)


def uses(rows, **named):
    return {guess.column: (guess.use, guess.kind) for guess in draft_market(rows, named).guesses}


@pytest.mark.parametrize(
    ("name", "make", "use"),
    [
        ("log_price", lambda d, p, s, y: np.log(p), "left out"),
        ("lprice", lambda d, p, s, y: np.log(p), "left out"),
        ("rprice", lambda d, p, s, y: p / (1 + 0.1 * (y - 2010)), "left out"),
        ("price_per_sqft", lambda d, p, s, y: (p / s).round(2), "left out"),
        ("assessed_value", lambda d, p, s, y: p * d.lognormal(0, 0.3, len(p)), "left out"),
        ("list_price", lambda d, p, s, y: p * d.lognormal(0, 0.1, len(p)), "left out"),
        ("size_squared", lambda d, p, s, y: s**2, "left out"),
        ("lsize", lambda d, p, s, y: np.log(s), "left out"),
        ("size2", lambda d, p, s, y: s, "left out"),
        ("y2012", lambda d, p, s, y: (y == 2012).astype(int), "left out"),
        ("constant", lambda d, p, s, y: np.ones(len(p)), "left out"),
        ("blank", lambda d, p, s, y: [""] * len(p), "left out"),
        ("address", lambda d, p, s, y: [f"{i} High Street" for i in range(len(p))], "left out"),
        ("date", lambda d, p, s, y: [f"{v}0615T000000" for v in y], "sale_date"),
        (
            "sale date",
            lambda d, p, s, y: [f"6/{1 + i % 28}/{v}" for i, v in enumerate(y)],
            "sale_date",
        ),
        ("lat", lambda d, p, s, y: d.uniform(47, 48, len(p)).round(5), "field"),
        ("zipcode", lambda d, p, s, y: d.integers(98001, 98010, len(p)), "location"),
        ("id", lambda d, p, s, y: np.arange(len(p)) + 7_000_000, "id"),
        ("parcel", lambda d, p, s, y: np.arange(len(p)) // 1.1 // 1, "property_id"),
    ],
)
def test_a_column_is_taken_for_what_it_is(name, make, use):
    rows = sales(sale_year=lambda d, p, s, y: y, **{name: make})
    if use == "sale_date":
        rows = rows.drop(columns="sale_year")
    assert uses(rows)[name][0] == use


@pytest.mark.parametrize(
    ("cells", "kind"),
    [
        (["yes", "no"], "flag"),
        (["Y", "N"], "flag"),
        (["0", "1"], "flag"),
        (["TA", "Gd", "Ex"], "ordinal"),
        (["poor", "average", "good"], "ordinal"),
        (["brick", "wood", "stone"], "nominal"),
        (["1", "2", "3"], "count"),
        (["1", "1.5", "2"], "number"),
        (["1990", "2001", "0"], "year"),
    ],
)
def test_the_kind_of_a_field_follows_from_its_values(cells, kind):
    name = "yr_renovated" if kind == "year" else "feature"
    rows = sales(**{name: lambda d, p, s, y: d.choice(cells, len(p))})
    guess = next(each for each in draft_market(rows).guesses if each.column == name)
    assert (guess.use, guess.kind) == ("field", kind)
    if kind == "year":
        assert guess.options == {"none": [0]}
    if kind == "ordinal":
        assert guess.options["levels"] == cells


def test_degrees_become_a_pair_of_roles_and_projected_metres_another():
    degrees = sales(
        lat=lambda d, p, s, y: d.uniform(47, 48, len(p)),
        long=lambda d, p, s, y: d.uniform(-122, -121, len(p)),
    )
    assert {"latitude", "longitude"} <= set(draft_market(degrees).roles)
    metres = degrees.rename(columns={"lat": "y", "long": "x"})
    metres[["x", "y"]] = (metres[["x", "y"]].astype(float) * 1000 + 500_000).astype(str)
    assert {"x", "y"} <= set(draft_market(metres).roles)


def test_numbers_of_nines_far_beyond_the_others_are_not_known():
    rows = sales(garage_sqft=lambda d, p, s, y: d.choice([200, 420, 9999], len(p)))
    guess = next(each for each in draft_market(rows).guesses if each.column == "garage_sqft")
    assert guess.options["unknown"] == [9999]


def test_a_named_column_overrules_a_guess_and_an_unknown_one_is_an_error():
    rows = sales(paid_total=lambda d, p, s, y: p * 1.02)
    assert uses(rows, price="paid_total")["paid_total"][0] == "price"
    with pytest.raises(InputError, match="There is no column «cost»"):
        draft_market(rows, {"price": "cost"})
    with pytest.raises(InputError, match="Name the column of the price"):
        draft_market(rows.rename(columns={"price": "a", "paid_total": "b"}))


@pytest.mark.parametrize(
    "names",
    [
        ("lot size", 'lot "large"', "lot's"),
        ("Größe", "面积", "🏠 size"),
        ("lot_size", "LotSize", "lot size"),
        ("a.b", "a[b]", "a=b"),
        ("x\ty", "c\\d", "#"),
    ],
)
def test_a_drafted_contract_can_be_read_whatever_the_columns_are_called(tmp_path, names):
    columns = {name: lambda d, p, s, y: d.integers(0, 500, len(p)) for name in names}
    rows = sales(**columns)
    draft = draft_market(rows)
    (tmp_path / "market.toml").write_text(contract_text(draft, "Größe", "s.csv"), encoding="utf-8")
    contract = load_contract(tmp_path)
    assert set(names) <= set(contract.fields)
    assert len({field.label for field in contract.fields.values()}) == len(contract.fields)


def test_a_name_of_a_market_is_made_of_any_text():
    assert market_name("King County (2014)") == "king_county_2014"
    assert market_name("2014 sales") == "market_2014_sales"
    assert market_name("東京") == "market"
