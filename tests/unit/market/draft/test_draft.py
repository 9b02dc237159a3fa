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
        ("rownames", lambda d, p, s, y: np.arange(len(p)) + 9, "id"),
        ("station", lambda d, p, s, y: d.permutation(len(p)) + 1, "id"),
        ("rank", lambda d, p, s, y: d.permutation(len(p)) + 60, "field"),
        ("tract", lambda d, p, s, y: [f"{7 * i:04}" for i in range(len(p))], "left out"),
        ("assess", lambda d, p, s, y: p * d.lognormal(0, 0.3, len(p)), "left out"),
        ("OrigPrice", lambda d, p, s, y: p * d.lognormal(0, 0.3, len(p)), "left out"),
        ("Price2007", lambda d, p, s, y: p * d.lognormal(0, 0.3, len(p)), "left out"),
        ("serial", lambda d, p, s, y: 365.25 * (y - 1960) // 1, "left out"),
        ("nbh", lambda d, p, s, y: d.integers(0, 7, len(p)), "location"),
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
        (["0.0", "1.0"], "flag"),
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


@pytest.mark.parametrize(
    "form",
    [
        lambda price, listed: 100 * price / listed,
        lambda price, listed: listed / price,
        lambda price, listed: listed - price,
        lambda price, listed: 100 * (price / listed - 1),
        lambda price, listed: 1 - price / listed,
    ],
    ids=["share", "ratio", "difference", "change", "discount"],
)
def test_what_gives_the_price_with_another_price_is_left_out(form):
    rows = sales(list_price=lambda d, p, s, y: (p * d.lognormal(0, 0.2, len(p))).round(-2))
    price, listed = rows["price"].astype(float), rows["list_price"].astype(float)
    rows = rows.assign(x=form(price, listed).round(4), adjusted=1.3 * listed).astype(str)
    guesses = {guess.column: guess for guess in draft_market(rows).guesses}
    assert guesses["x"].reason == "the price follows from it and list_price"
    assert guesses["adjusted"].reason == "a copy of list_price"
    assert guesses["sqft_living"].use == "area"


def test_a_size_stays_beside_a_price_per_area():
    rows = sales(price_per_sqft=lambda d, p, s, y: (p / s).round(2))
    assert uses(rows)["sqft_living"][0] == "area"


@pytest.mark.parametrize(
    ("name", "scale", "unit"),
    [
        ("sqft", 1, "sq ft"),
        ("sqrft", 0.01, "hundred sq ft"),
        ("SQFT", 0.001, "thousand sq ft"),
        ("Size", 0.001, "thousand sq ft"),
        ("superf_m2", 0.1, "sq m"),
        ("AreaM2", 0.1, "sq m"),
    ],
)
def test_the_unit_of_the_area_follows_from_its_name_and_size(name, scale, unit):
    rows = sales().rename(columns={"sqft_living": name})
    rows[name] = (rows[name].astype(int) * scale).round(3).astype(str)
    guess = next(guess for guess in draft_market(rows).guesses if guess.column == name)
    assert (guess.use, guess.options["unit"]) == ("area", unit)


@pytest.mark.parametrize(
    ("names", "price"),
    [
        (["rent", "rnthsg"], "rent"),
        (["HOVAL", "INC"], "HOVAL"),
        (["valeur_fonciere", "nombre"], "valeur_fonciere"),
        (["price", "rent"], "price"),
        (["Price1998", "Price2014"], "Price2014"),
        (["m2_price", "price"], "price"),
    ],
)
def test_the_price_is_found_by_its_name(names, price):
    rows = sales(other=lambda d, p, s, y: p * d.lognormal(0, 0.5, len(p)))
    draft = draft_market(rows.rename(columns=dict(zip(["price", "other"], names, strict=True))))
    assert draft.roles["price"] == price


def test_a_logarithm_is_no_price_of_a_town():
    rows = sales().rename(columns={"price": "mv"})
    rows["mv"] = np.log(rows["mv"].astype(float)).astype(str)
    with pytest.raises(InputError, match="«mv» looks like the logarithm of a price"):
        draft_market(rows)


def test_numbers_for_the_texts_of_another_column_are_left_out():
    rows = sales(town=lambda d, p, s, y: [f"town {i % 20}" for i in range(len(p))])
    rows["town_no"] = rows["town"].str.removeprefix("town ")
    assert uses(rows)["town"][0] == "location"
    assert uses(rows)["town_no"][0] == "left out"


@pytest.mark.parametrize("sales_of_year", [1, 2])
def test_few_sales_a_year_are_not_taken_for_a_deflated_price(sales_of_year):
    rows = sales(60, year=lambda d, p, s, y: 1900 + np.arange(len(p)) // sales_of_year)
    assert uses(rows)["lot"] == ("field", "number")


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
