"""Any file of sales becomes a market, or is refused with a message."""

import numpy as np
import pandas as pd
from hypothesis import given
from hypothesis import strategies as st

from houseprice.errors import HousePriceError
from houseprice.market.check import contract_faults
from houseprice.market.contract import CONTRACT_FILE
from houseprice.market.draft.contract import write_market
from houseprice.market.draft.draft import USES, draft_market
from houseprice.market.fields import KINDS
from houseprice.market.validation import validate
from houseprice.settings import Settings
from houseprice.tables.sales import load_market, read_sales
from tests.fuzz.breaking import damaged
from tests.fuzz.conftest import fuzz_settings

WORDS = (
    "price", "Sale Price", "sale price", "price per m²", "list price", "Größe (m²)", "площадь",
    "面积", "🏠", 'a "quoted" name', "it's", "a.b[c]", "x=y", "id", "parcel id", "row", "status",
    "year", "sale date", "yr_built", "month", "lat", "lon", "x", "y", "zip", "suburb", "None",
    "true", "1", " ", "living area", "living_area", "two\nlines", "quality", "land value", "",
)  # fmt: skip
CELLS = (
    "", " ", "NA", "none", "unknown", "0", "-1", "9999", "1e5", "1e300", "0x10", "∞", "1,5", "3",
    "$ 1,234", "12 €", "1 200", "１２", "yes", "no", "Good", "Fair", "Ex", "2014-05-06", "6/5/2014",
    "960423", "20141013T000000", "2014-02-30", "2014.5", "a;b", 'say "no"', "two\nlines", "=1+1",
    "\x00", "é", "🏠", "-", "12 sqm", "48.137", "2014", "1879", "1.234,5",
)  # fmt: skip
NAMES = st.sampled_from(WORDS) | st.text(max_size=12)
TEXTS = st.sampled_from(CELLS) | st.text(max_size=8)
DIALECTS = st.tuples(st.sampled_from(",;\t|"), st.sampled_from(["utf-8", "utf-16", "cp1252"]))


@st.composite
def columns(draw, n_rows, random):
    """The cells of a column: amounts of any size, whole numbers, keys, dates, or any texts."""
    kind = draw(st.sampled_from(["amounts", "counts", "keys", "dates", "texts", "mixed"]))
    scale = 10.0 ** draw(st.integers(-3, 9))
    amounts = (scale * random.lognormal(0, 0.5, n_rows)).round(draw(st.integers(0, 3))).astype(str)
    texts = random.choice(
        np.array(draw(st.lists(TEXTS, min_size=1, max_size=8)), dtype=object), n_rows
    )
    match kind:
        case "amounts":
            return amounts
        case "counts":
            return random.integers(0, draw(st.integers(1, 3000)), n_rows).astype(str)
        case "keys":
            return [f"k {number}" for number in range(n_rows)]
        case "dates":
            return [f"{2010 + i % 5}-{1 + i % 12:02}-{1 + i % 31:02}" for i in range(n_rows)]
        case "texts":
            return texts
    return np.where(random.random(n_rows) < draw(st.floats(0, 1)), amounts, texts)


@st.composite
def sales_files(draw):
    """The bytes of a file of sales, most of them with a price, and some damaged."""
    random = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    n_rows = draw(st.sampled_from([60, 70, 80, 90, 1, 0]))
    table = [("price", (250_000 * random.lognormal(0, 0.4, n_rows)).round().astype(str))]
    table = table if draw(st.integers(0, 5)) else []
    table += [(draw(NAMES), draw(columns(n_rows, random))) for _ in range(draw(st.integers(0, 8)))]
    rows = pd.DataFrame({i: cells for i, (_, cells) in enumerate(table)}, dtype=str)
    rows.columns = [name for name, _ in table]
    if len(rows) and draw(st.booleans()):
        rows = rows.iloc[np.argsort(rows.iloc[:, 0].to_numpy(), kind="stable")]
    separator, encoding = draw(DIALECTS)
    content = rows.to_csv(index=False, sep=separator).encode(encoding, errors="replace")
    return content if draw(st.integers(0, 4)) else draw(damaged(content))


def write_or_refuse(draft, rows, unread, file, folder):
    """Return the market of a draft, or None and why there is none."""
    try:
        return write_market(draft, rows, unread, file, folder, title="Town"), ""
    except HousePriceError as error:
        return None, str(error)


@fuzz_settings(60)
@given(content=sales_files(), data=st.data())
def test_any_file_of_sales_becomes_a_market_or_is_refused(content, data, tmp_path_factory):
    folder = tmp_path_factory.mktemp("town")
    file = folder / "sales.csv"
    file.write_bytes(content)
    try:
        found, unread = read_sales(file, None, Settings())
        draft = draft_market(found)
    except HousePriceError:
        return
    is_edited = data.draw(st.booleans())  # as in the browser, where each guess can be changed
    if is_edited:
        names = st.sampled_from([guess.column for guess in draft.guesses])
        uses = data.draw(st.dictionaries(names, st.sampled_from(USES), max_size=3))
        kinds = data.draw(st.dictionaries(names, st.sampled_from(KINDS), max_size=3))
        draft = draft.edited(uses, kinds)
    town = folder / "town"
    market, refusal = write_or_refuse(draft, found, unread, file, town)
    assert market or is_edited or "sales can be used" in refusal, refusal
    if market is None:
        return
    assert contract_faults(town / CONTRACT_FILE) == ()
    again = load_market(town, Settings())
    assert len(market.houses) + len(market.set_aside) == len(found)
    assert again.contract == market.contract
    assert again.set_aside.equals(market.set_aside)
    assert len(validate(found.head(5), market.contract).houses) == 5
