"""Saving valuations, listing them, and deleting what is personal."""

import math
from datetime import UTC, date, datetime, timedelta

import pytest

from houseprice.errors import RecordsError
from houseprice.records.ledger import verify
from houseprice.records.valuations import (
    OwnTexts,
    count,
    delete,
    delete_old,
    facts_of,
    get,
    listing,
    normalize_address,
    text_problems,
)
from tests.unit.records.conftest import ANNE, BEN, houses


def test_a_saved_valuation_has_what_was_given_and_what_was_answered(database, save_prices):
    own = OwnTexts("file 7", "leaks", "1, Main  Street")
    (number,) = save_prices([250_000.0], texts=[own])
    saved = get(database, "hamlet", number)
    assert saved["facts"] == {"size": "120", "grade": "Fine", "quarter": "N"}
    assert saved[["reference", "note", "address", "property_key"]].tolist() == [
        "file 7", "leaks", "1 main street", "h0",
    ]  # fmt: skip
    assert saved[["predicted_price", "price_low", "fsd"]].tolist() == [250_000.0, 212_500.0, 0.1]
    assert saved[["area", "model_version", "status", "facts_given"]].tolist() == [
        "North bank", "hamlet-1", "ok", 3,
    ]  # fmt: skip
    assert (saved["person"], saved["source"]) == ("anne", "form")
    assert saved["as_of"] == date(2020, 12, 31)
    assert datetime.now(UTC) - saved["created_at"] < timedelta(minutes=1)


def test_a_row_without_a_value_is_saved_too(database, save_prices):
    (number,) = save_prices([math.nan])
    saved = get(database, "hamlet", number)
    assert saved["status"] == "error"
    assert math.isnan(saved["predicted_price"])
    assert saved["model_version"] == "hamlet-1"


def test_the_list_has_the_newest_first_page_by_page(database, save_prices):
    numbers = save_prices([1e5 + i for i in range(7)])
    first = listing(database, "hamlet", limit=3)
    assert first["entry"].tolist() == numbers[:-4:-1]
    following = listing(database, "hamlet", limit=3, before=int(first["entry"].iloc[-1]))
    assert following["entry"].tolist() == numbers[3:0:-1]
    assert count(database, "hamlet") == 7
    assert count(database, "elsewhere") == 0


def test_people_see_their_own_valuations(database, save_prices):
    (mine,) = save_prices([1e5])
    (other,) = save_prices([2e5], author=BEN)
    assert listing(database, "hamlet", person="anne")["entry"].tolist() == [mine]
    assert count(database, "hamlet", person="ben") == 1
    with pytest.raises(RecordsError, match=f"no saved valuation {other}"):
        get(database, "hamlet", other, person="anne")
    with pytest.raises(RecordsError, match="no saved valuation"):
        delete(database, ANNE, [other], "mine", person="anne")


@pytest.mark.parametrize("search", ["FILE 7", "leak", "main st", "2", "50%"])
def test_the_list_can_be_searched(database, save_prices, search):
    texts = [OwnTexts(), OwnTexts("file 7", "Leaks. 50% sold", "1 Main St."), OwnTexts("other")]
    save_prices([1e5] * 3, texts=texts)
    assert listing(database, "hamlet", search=search)["entry"].tolist() == [2]


@pytest.mark.parametrize("search", ["FILE 7", "file", "h1", "1 MAIN", "2"])
def test_entries_that_are_not_among_the_newest_are_found_by_their_beginning(
    database, save_prices, search
):
    texts = [OwnTexts("other"), OwnTexts("file 7", "note", "1 Main St."), OwnTexts(), OwnTexts()]
    save_prices([1e5] * 4, texts=texts)
    assert listing(database, "hamlet", search=search, n_searched=2)["entry"].tolist() == [2]
    assert listing(database, "hamlet", search="note", n_searched=2).empty
    assert listing(database, "hamlet", search=search, person="ben").empty


def test_a_search_takes_wildcards_literally(database, save_prices):
    save_prices([1e5], texts=[OwnTexts("file 7")])
    assert listing(database, "hamlet", search="%").empty
    assert listing(database, "hamlet", search="_").empty


def test_a_deletion_is_logged_and_keeps_the_value(database, save_prices):
    (number,) = save_prices([1e5], texts=[OwnTexts("file 7")])
    delete(database, ANNE, [number], "requested by the owner", person="anne")
    saved = get(database, "hamlet", number)
    assert saved["reference"] is None
    assert saved["facts"] == {}
    assert saved["predicted_price"] == 1e5
    assert verify(database).faults == ()


def test_old_valuations_lose_what_is_personal_once(database, save_prices):
    save_prices([1e5] * 2)
    assert delete_old(database, ANNE, 1) == 0
    assert delete_old(database, BEN, -1) == 2
    assert delete_old(database, BEN, -1) == 0
    assert listing(database, "hamlet")["facts"].tolist() == [None, None]


def test_a_text_that_cannot_be_saved_is_named_with_its_row_and_costs_only_itself(
    database, save_prices, contract
):
    long = "x" * 501
    texts = [OwnTexts("file 1"), OwnTexts(long, "n" * 2_001, long), OwnTexts("a\0b", "", " 7 Elm ")]
    rows = houses(3).assign(key=["h1", "h2", long])
    problems = text_problems(rows, texts, contract)
    assert [(each.row, each.field, each.message) for each in problems] == [
        (2, "reference", "The reference has 501 characters; at most 500 are saved."),
        (2, "note", "The note has 2,001 characters; at most 2,000 are saved."),
        (2, "address", "The address has 501 characters; at most 500 are saved."),
        (3, "reference", "The reference has a character that can't be saved."),
        (3, "key", "The property key has 501 characters; at most 500 are saved."),
    ]
    save_prices([1e5] * 3, texts=texts, rows=rows)
    saved = listing(database, "hamlet").iloc[::-1].fillna("")
    assert saved["reference"].tolist() == ["file 1", "", ""]
    assert saved["property_key"].tolist() == ["h1", "h2", ""]
    assert saved["address"].tolist() == ["", "", "7 elm"]
    assert saved["note"].tolist() == [""] * 3
    assert saved["predicted_price"].tolist() == [1e5] * 3


def test_the_longest_texts_of_any_script_can_be_saved(database, save_prices):
    longest = "".join(chr(0x20000 + i) for i in range(500))
    (number,) = save_prices([1e5], texts=[OwnTexts(longest, "", longest)])
    assert get(database, "hamlet", number)["reference"] == longest


def test_a_value_that_is_added_later_keeps_both_times(database, save_prices):
    given = datetime(2010, 1, 2, tzinfo=UTC)
    (number,) = save_prices([1e5], valued_at=given)
    saved = get(database, "hamlet", number)
    assert saved["valued_at"] == given
    assert saved["created_at"] > given


def test_addresses_are_compared_by_their_words():
    assert normalize_address(" 12-B, Rue de l'Église ") == "12 b rue de l église"
    assert normalize_address("") == ""


def test_facts_are_kept_as_given(database, save_prices):
    rows = houses(1).assign(size=["1.200,50"], grade=[" Fine "])
    (number,) = save_prices([1e5], rows=rows)
    assert get(database, "hamlet", number)["facts"]["size"] == "1.200,50"


def test_a_text_for_blank_that_is_a_level_is_a_fact(market):
    cells = {"Alley": "NA", "Fence": " ", "LotArea": math.nan, "Street": None, "other": "x"}
    assert facts_of(cells, market.contract) == {"Alley": "NA"}
