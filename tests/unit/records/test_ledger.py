"""The chain of hashes."""

import pytest
from sqlalchemy import delete, update

from houseprice.errors import RecordsError
from houseprice.records.ledger import FIRST_LINK, append_in, delete_personal, log_event, verify
from houseprice.records.schema import entries, events, head, valuations
from houseprice.records.valuations import OwnTexts
from tests.unit.records.conftest import ANNE


def test_an_empty_database_is_in_order(database):
    assert verify(database).faults == ()
    assert verify(database).link == FIRST_LINK


def test_what_was_saved_is_in_order_and_numbered_from_1(database, save_prices):
    assert save_prices([100_000.0, float("nan"), 1 / 3 * 1e6]) == [1, 2, 3]
    assert log_event(database, ANNE, "role", "ben", {"role": "reader"}) == 4
    found = verify(database)
    assert (found.n_entries, found.faults) == (4, ())
    assert verify(database, known_link=found.link).faults == ()


@pytest.mark.parametrize(
    "values",
    [{"predicted_price": 90_000.0}, {"facts": "{}"}, {"note": "altered"}, {"area": None}],
)
def test_a_changed_record_is_found(database, save_prices, values):
    save_prices([100_000.0] * 3)
    with database.write() as connection:
        connection.execute(update(valuations).where(valuations.c.entry == 2).values(values))
    assert verify(database).faults == ("Entry 2 (valuations): it was changed.",)


@pytest.mark.parametrize("values", [{"person": "ben"}, {"market": "elsewhere"}, {"source": "api"}])
def test_a_changed_entry_is_found(database, save_prices, values):
    save_prices([100_000.0] * 3)
    with database.write() as connection:
        connection.execute(update(entries).where(entries.c.id == 2).values(values))
    (fault,) = verify(database).faults
    assert fault.startswith("Entry 2 (valuations): it was changed")


@pytest.mark.parametrize(
    ("number", "fault"),
    [(1, "Entry 1: missing."), (2, "Entry 2: missing."), (3, "Entry 3: missing at the end.")],
)
def test_a_missing_entry_is_found(database, save_prices, number, fault):
    save_prices([100_000.0] * 3)
    with database.write() as connection:
        connection.execute(delete(valuations).where(valuations.c.entry == number))
        connection.execute(delete(entries).where(entries.c.id == number))
    assert verify(database).faults == (fault,)


def test_a_missing_record_is_found(database, save_prices):
    save_prices([100_000.0] * 2)
    with database.write() as connection:
        connection.execute(delete(valuations).where(valuations.c.entry == 1))
    assert verify(database).faults == ("Entry 1 (valuations): its record is missing.",)


def test_a_chain_that_was_written_anew_lacks_the_link_that_was_noted(database, save_prices):
    save_prices([100_000.0] * 2)
    noted = verify(database).link
    with database.write() as connection:
        for table in (valuations, entries):
            connection.execute(delete(table))
        connection.execute(update(head).values(n_entries=0, chain=FIRST_LINK))
    save_prices([120_000.0] * 2)
    assert verify(database).faults == ()
    assert verify(database, known_link=noted).faults == (
        "The link that was noted earlier is not part of the chain.",
    )


def test_deleting_on_request_removes_what_is_personal_and_keeps_the_chain(database, save_prices):
    own = [OwnTexts("file 7", "leaks", "1 Main Street")] * 2
    save_prices([100_000.0] * 2, texts=own)
    delete_personal(database, ANNE, [1], "requested by the owner")
    with database.read() as connection:
        first, second = connection.execute(
            valuations.select().order_by(valuations.c.entry)
        ).mappings()
    personal = ("reference", "note", "facts", "property_key", "address")
    assert [first[name] for name in personal] == [None] * 5
    assert first["predicted_price"] == 100_000.0
    assert second["reference"] == "file 7"
    assert verify(database).faults == ()


def test_a_deletion_without_its_event_is_found(database, save_prices):
    save_prices([100_000.0])
    delete_personal(database, ANNE, [1], "requested")
    with database.write() as connection:
        connection.execute(update(events).values(detail='{"entries":[]}'))
    assert verify(database).faults == (
        "Entry 1 (valuations): it was changed.",
        "Entry 2 (events): it was changed.",
    )


def test_a_transaction_that_fails_adds_nothing(database, save_prices):
    save_prices([100_000.0])
    row = {"action": "role", "subject": "ben", "detail": "{}"}
    with pytest.raises(RecordsError), database.write() as connection:
        append_in(connection, ANNE, events, [row, {**row, "subject": None}])
    assert verify(database).n_entries == 1
