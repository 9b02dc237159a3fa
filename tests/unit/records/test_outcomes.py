"""Later prices: matched with valuations, corrected, decided about."""

from datetime import UTC, date, datetime

import pandas as pd
import pytest

from houseprice.errors import InputError, RecordsError
from houseprice.records import outcomes
from houseprice.records.ledger import Author, verify
from houseprice.records.valuations import OwnTexts
from tests.unit.records.conftest import ANNE, BEN, houses

SPRING, SUMMER = datetime(2021, 3, 1, tzinfo=UTC), datetime(2021, 6, 1, tzinfo=UTC)
SOLD = date(2021, 7, 1)
NO_KEY = pd.Series({"key": None})


def sales(*rows: dict) -> pd.DataFrame:
    """Return sales of one day at one price, where nothing else is given."""
    return pd.DataFrame([{"sold_on": SOLD, "price": 1e5, **row} for row in rows])


@pytest.fixture
def save_texts(save_prices):
    """Save valuations with texts and keys, given in spring if nothing else is said."""

    def save_texts(*texts: OwnTexts, keys=None, valued_at=SPRING, **options) -> list[int]:
        rows = houses(len(texts)).assign(key=keys or [""] * len(texts))
        return save_prices(
            [1e5] * len(texts), rows=rows, texts=texts, valued_at=valued_at, **options
        )

    return save_texts


@pytest.mark.parametrize(
    ("sale", "method"),
    [
        ({"reference": "file 7"}, "reference"),
        ({"property_key": "p7"}, "property_key"),
        ({"address": "7, MAIN street"}, "address"),
        ({"address": "7 Main Streeet"}, "address"),
        ({"reference": "no such", "property_key": "nor this", "address": None}, None),
        ({"address": "8 Main Street"}, None),
        ({}, None),
    ],
)
def test_a_sale_is_matched_by_what_it_has(database, save_texts, sale, method):
    others = [OwnTexts(f"file 7{i}", "", f"{i}7 Other Street") for i in range(2)]
    saved = save_texts(*others, OwnTexts("file 7", "", "7 Main Street"), keys=["a", "b", "p7"])
    added = outcomes.add(database, ANNE, sales(sale))
    row = added.rows.iloc[0]
    assert row["state"] == ("accepted" if method else "unmatched")
    assert outcomes.pairs(database, "hamlet")["valuation"].tolist() == saved[-1:] * bool(method)


def test_the_latest_value_before_the_sale_counts_and_never_a_later_one(database, save_texts):
    own = OwnTexts("file 7")
    save_texts(own, valued_at=SPRING)
    (latest,) = save_texts(own, valued_at=SUMMER)
    save_texts(own, valued_at=datetime(2021, 7, 1, tzinfo=UTC))
    save_texts(own, valued_at=datetime(2021, 8, 1, tzinfo=UTC))
    outcomes.add(database, ANNE, sales({"reference": "file 7"}))
    (pair,) = outcomes.pairs(database, "hamlet").to_dict("records")
    assert pair["valuation"] == latest
    assert (pair["valued_at"], pair["sold_on"]) == (SUMMER, SOLD)
    assert (pair["predicted_price"], pair["price"], pair["fsd"]) == (1e5, 1e5, 0.1)
    assert (pair["person"], pair["source"], pair["area"]) == ("anne", "form", "North bank")


def test_a_value_counts_before_an_attempt_without_one(database, save_prices):
    options = {"texts": [OwnTexts("file 7")], "valued_at": SPRING}
    (with_value,) = save_prices([1e5], **options)
    save_prices([float("nan")], **options)
    added = outcomes.add(database, ANNE, sales({"reference": "file 7"}))
    assert added.rows["valuation"].tolist() == [with_value]


def test_another_market_has_other_houses(database, save_texts):
    save_texts(OwnTexts("file 7", "", "7 Main Street"), keys=["p7"])
    elsewhere = Author("anne", "elsewhere", "table")
    sale = {"reference": "file 7", "property_key": "p7", "address": "7 Main Street"}
    assert outcomes.add(database, elsewhere, sales(sale)).counts["unmatched"] == 1
    assert outcomes.pairs(database, "elsewhere").empty
    assert outcomes.listing(database, "hamlet").empty


def test_only_the_valuations_of_the_person_are_matched(database, save_texts):
    save_texts(OwnTexts("file 7"))
    added = outcomes.add(database, BEN, sales({"reference": "file 7"}), person="ben")
    assert added.counts["unmatched"] == 1
    assert outcomes.match_again(database, ANNE).counts["accepted"] == 1
    assert outcomes.pairs(database, "hamlet", person="ben").empty


def test_the_references_of_the_uploader_come_first(database, save_texts):
    (own,) = save_texts(OwnTexts("file 7"), author=BEN)
    save_texts(OwnTexts("file 7"), valued_at=SUMMER)
    added = outcomes.add(database, BEN, sales({"reference": "file 7"}))
    assert added.rows["valuation"].tolist() == [own]


@pytest.mark.parametrize(
    ("texts", "keys", "sale"),
    [
        ([OwnTexts("file 7")], ["p7"], {"reference": "file 7", "property_key": "p8"}),
        ([OwnTexts("file 7")] * 2, ["p7", "p8"], {"reference": "file 7"}),
        ([OwnTexts("", "", "7 Main Street Flat 3")], None, {"address": "7 Main Street Flat 4"}),
        ([OwnTexts("", "", "7 Main Street")], None, {"address": "7 Main St"}),
        (
            [OwnTexts("", "", "7 Main Street West"), OwnTexts("", "", "7 Main Street East")],
            None,
            {"address": "7 Main Street"},
        ),
    ],
)
def test_an_unsure_match_waits_for_a_decision(database, save_texts, texts, keys, sale):
    saved = save_texts(*texts, keys=keys)
    added = outcomes.add(database, ANNE, sales(sale))
    assert (added.counts["unsure"], added.counts["accepted"]) == (1, 0)
    assert outcomes.pairs(database, "hamlet").empty
    waiting = outcomes.unsure(database, "hamlet")
    assert sorted(waiting["valuation"]) == saved
    assert outcomes.unsure(database, "hamlet", person="ben").empty
    number = int(waiting["outcome"].iloc[0])
    outcomes.decide(database, ANNE, number, saved[0], accept=True)
    assert outcomes.pairs(database, "hamlet")["valuation"].tolist() == saved[:1]
    assert outcomes.unsure(database, "hamlet").empty
    assert outcomes.listing(database, "hamlet")["state"].tolist() == ["accepted"]


def test_a_rejected_match_is_not_made_again(database, save_texts):
    (first,) = save_texts(OwnTexts("file 7"))
    (number,) = outcomes.add(database, ANNE, sales({"reference": "file 7"})).rows["outcome"]
    outcomes.decide(database, ANNE, number, first, accept=False)
    assert outcomes.pairs(database, "hamlet").empty
    assert outcomes.match_again(database, ANNE).counts["unmatched"] == 1
    (second,) = save_texts(OwnTexts("file 7"), valued_at=SUMMER)
    assert outcomes.match_again(database, ANNE).rows["valuation"].tolist() == [second]
    outcomes.decide(database, ANNE, number, first, accept=True)
    assert outcomes.pairs(database, "hamlet")["valuation"].tolist() == [first]


def test_a_decision_keeps_to_what_was_valued_before_the_sale(database, save_texts):
    (late,) = save_texts(OwnTexts(), valued_at=datetime(2022, 1, 1, tzinfo=UTC))
    (number,) = outcomes.add(database, ANNE, sales({"reference": "file 7"})).rows["outcome"]
    with pytest.raises(RecordsError, match="given on 2022-01-01, not before the sale"):
        outcomes.decide(database, ANNE, number, late, accept=True)
    with pytest.raises(RecordsError, match="no later price 99"):
        outcomes.decide(database, ANNE, 99, late, accept=True)
    with pytest.raises(RecordsError, match=f"no saved valuation {late}"):
        outcomes.decide(database, BEN, number, late, accept=False, person="ben")


def test_a_correction_replaces_the_price_and_keeps_the_match(database, save_texts):
    (chosen, _) = save_texts(OwnTexts("file 7"), OwnTexts("file 7"), keys=["p7", "p8"])
    sale = {"reference": "file 7"}
    (number,) = outcomes.add(database, ANNE, sales(sale)).rows["outcome"]
    outcomes.decide(database, ANNE, number, chosen, accept=True)
    added = outcomes.add(database, BEN, sales({**sale, "price": 2e5}))
    assert (added.counts["correction"], added.counts["added"]) == (1, 0)
    (pair,) = outcomes.pairs(database, "hamlet").to_dict("records")
    assert (pair["price"], pair["valuation"]) == (2e5, chosen)
    (listed,) = outcomes.listing(database, "hamlet").to_dict("records")
    assert (listed["price"], listed["corrects"]) == (2e5, number)
    moved = {**sale, "sold_on": date(2021, 2, 1), "corrects": listed["entry"]}
    assert outcomes.add(database, BEN, sales(moved)).rows["state"].tolist() == ["unmatched"]
    assert outcomes.pairs(database, "hamlet").empty
    with pytest.raises(RecordsError, match="was corrected already"):
        outcomes.add(database, BEN, sales(moved))
    assert verify(database).faults == ()


def test_the_same_sales_again_add_nothing(database, save_texts):
    sale = {"reference": "file 7"}
    first = outcomes.add(database, ANNE, sales(sale, {"address": "1 Main Street"}, sale))
    assert first.rows["status"].tolist() == ["repeated", "added", "added"]
    (number,) = save_texts(OwnTexts("file 7"))
    second = outcomes.add(database, ANNE, sales(sale, {"address": "1 Main Street"}))
    assert second.rows["status"].tolist() == ["known", "known"]
    assert second.rows["valuation"].tolist() == [number, pd.NA]
    counts = "2 known already, 1 matched, 1 without a valuation."
    assert second.summary == counts
    assert len(outcomes.listing(database, "hamlet")) == 2


def test_pairs_are_limited_to_days_of_sale(database, save_texts):
    save_texts(*(OwnTexts(f"f{month}") for month in (4, 5, 6)))
    outcomes.add(
        database, ANNE,
        sales(*({"reference": f"f{m}", "sold_on": date(2021, m, 1)} for m in (4, 5, 6))),
    )  # fmt: skip
    found = outcomes.pairs(database, "hamlet", since=date(2021, 5, 1), until=date(2021, 5, 31))
    assert found["sold_on"].tolist() == [date(2021, 5, 1)]


def test_later_prices_are_listed_and_searched_page_by_page(database):
    outcomes.add(database, ANNE, sales(*({"reference": f"file {i}"} for i in range(5))))
    first = outcomes.listing(database, "hamlet", limit=2)
    following = outcomes.listing(database, "hamlet", limit=2, before=int(first["entry"].iloc[-1]))
    assert [*first["reference"], *following["reference"]] == [f"file {i}" for i in (4, 3, 2, 1)]
    assert outcomes.listing(database, "hamlet", search="FILE 3")["reference"].tolist() == ["file 3"]
    assert outcomes.listing(database, "hamlet", person="ben").empty


def test_a_sold_house_has_its_own_facts_over_those_of_its_valuation(database, save_texts):
    save_texts(OwnTexts("file 7"), keys=["p7"])
    outcomes.add(database, ANNE, sales({"reference": "file 7", "facts": {"size": "130"}}))
    (sold,) = outcomes.sold_houses(database, "hamlet").to_dict("records")
    assert sold["facts"] == {"size": "130", "grade": "Fine", "quarter": "N"}
    assert (sold["property_key"], sold["price"], sold["model_version"]) == ("p7", 1e5, "hamlet-1")


@pytest.mark.parametrize("sale", [{"price": 0.0}, {"price": None}, {"sold_on": None}])
def test_a_sale_without_a_price_or_a_date_is_refused(database, sale):
    with pytest.raises(InputError, match=r"Row 2 has no (price above 0|date of sale)"):
        outcomes.add(database, ANNE, sales({}, sale))
    assert outcomes.listing(database, "hamlet").empty


def test_a_text_that_is_too_long_is_refused_with_its_row(database):
    with pytest.raises(InputError, match="Row 2: The property key has 501 characters"):
        outcomes.add(database, ANNE, sales({}, {"property_key": "x" * 501}))
