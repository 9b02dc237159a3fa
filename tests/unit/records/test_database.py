"""Opening, migrating and backing up a database; many writers, kills, full disks, lost servers."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pandas as pd
import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import create_engine, select, text

from houseprice.errors import RecordsError
from houseprice.records import outcomes
from houseprice.records.database import Database, migrate, parse_url
from houseprice.records.ledger import Verification, log_event, verify
from houseprice.records.reviews import add_review
from houseprice.records.schema import REVISION, metadata
from houseprice.records.valuations import count, delete, save
from tests.full_disk import run_without_room
from tests.unit.records.conftest import ANNE, INFO, houses, valued

SAVES = """
import sys
from houseprice.records.database import Database, parse_url
from houseprice.records.ledger import Author, append
from houseprice.records.schema import events

database = Database.at(parse_url(sys.argv[1]))
rows = [{"action": "test", "subject": "x" * 500, "detail": "{}"}] * int(sys.argv[2])
print("ready", flush=True)
while True:
    append(database, Author("ann", "hamlet", "command"), events, rows)
    print("saved", flush=True)
"""


def shown(url) -> str:
    return url.render_as_string(hide_password=False)


def test_the_migrations_make_the_tables_that_the_program_knows(database):
    with database.engine.connect() as connection:
        context = MigrationContext.configure(connection)
        assert compare_metadata(context, metadata) == []
        assert context.get_current_revision() == REVISION
    folder = Path(sys.modules["houseprice.records"].__path__[0]) / "migrations"
    assert ScriptDirectory(str(folder)).get_heads() == [REVISION]


@pytest.mark.parametrize("revision", ["0001"])
def test_records_of_an_earlier_revision_are_migrated_and_stay_as_they_are(revision, url, contract):
    before = Database(create_engine(url))
    with before.write() as connection:
        migrate(connection, revision)
    number, last = save(before, ANNE, houses(2), valued([1e5, 2e5]), INFO, contract)
    add_review(before, ANNE, number, "agree")
    sold_on = datetime.now(UTC).date() + timedelta(days=1)
    sale = pd.DataFrame({"property_key": ["h0"], "price": 1e5, "sold_on": [sold_on]})
    outcomes.add(before, ANNE, sale)
    delete(before, ANNE, [last], "on request")
    kept, link = rows_of(before), verify(before).link
    before.engine.dispose()

    migrated = Database.at(url)
    with migrated.engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), metadata) == []
    assert {name: len(rows) for name, rows in kept.items()} == {
        "entries": 6, "head": 1, "valuations": 2, "outcomes": 1, "matches": 1, "reviews": 1,
        "events": 1,
    }  # fmt: skip
    assert rows_of(migrated) == kept
    assert verify(migrated) == Verification(6, link)
    assert outcomes.pairs(migrated, "hamlet")["valuation"].tolist() == [number]
    save(migrated, ANNE, houses(1), valued([1e5]), INFO, contract)
    assert verify(migrated, known_link=link).faults == ()
    migrated.engine.dispose()


def rows_of(database: Database) -> dict[str, list[tuple[object, ...]]]:
    """Return the rows of each table."""
    with database.read() as connection:
        return {
            table.name: sorted(map(tuple, connection.execute(select(table))), key=str)
            for table in metadata.sorted_tables
        }


def test_many_programs_can_create_a_database_at_the_same_time(url):
    with ThreadPoolExecutor(8) as pool:
        opened = [*pool.map(lambda _: Database.at(url), range(8))]
    assert verify(opened[0]).faults == ()
    for database in opened:
        database.engine.dispose()


def test_a_database_of_a_newer_program_is_refused(database, url):
    with database.engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(RecordsError, match=r"revision 9999.*Install a newer houseprice"):
        Database.at(url)


def test_twenty_writers_at_once_lose_nothing_and_keep_the_chain(database):
    def write(writer: int) -> None:
        for number in range(5):
            log_event(database, ANNE, "test", f"{writer}.{number}")

    with ThreadPoolExecutor(20) as pool:
        list(pool.map(write, range(20)))
    found = verify(database)
    assert (found.n_entries, found.faults) == (100, ())


def test_a_kill_in_the_middle_of_a_save_leaves_whole_saves_only(database, url):
    size = 2_000
    process = subprocess.Popen(
        [sys.executable, "-c", SAVES, shown(url), str(size)], stdout=subprocess.PIPE, text=True
    )
    for _ in range(3):  # ready, and two whole saves; the next one has begun
        process.stdout.readline()
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    process.stdout.close()
    found = verify(database)
    assert found.faults == ()
    assert found.n_entries >= 2 * size
    assert found.n_entries % size == 0
    log_event(database, ANNE, "test", "after the kill")


def test_a_full_disk_is_an_error_that_says_so_and_loses_nothing(tmp_path):
    path = tmp_path / "records.sqlite"
    database = Database.at(parse_url(f"sqlite:///{path}"))
    log_event(database, ANNE, "test", "before")
    database.engine.dispose()
    finished = run_without_room(SAVES, f"sqlite:///{path}", 5_000, max_bytes=1_000_000)
    assert "RecordsError: The records can't be written: the disk is full" in finished.stderr
    assert verify(Database.at(parse_url(f"sqlite:///{path}"))).faults == ()


def test_a_lost_connection_is_an_error_that_says_so_and_the_next_save_works(postgres):
    database = Database.at(parse_url(postgres.url("lost")))
    log_event(database, ANNE, "test", "before")
    postgres.stop("immediate")
    with pytest.raises(RecordsError, match="written: the database can't be reached"):
        log_event(database, ANNE, "test", "meanwhile")
    postgres.start()
    log_event(database, ANNE, "test", "after")
    assert verify(database).n_entries == 2
    database.engine.dispose()


def test_a_backup_is_one_file_that_can_be_opened(tmp_path, save_prices, database):
    save_prices([100_000.0] * 3)
    target = tmp_path / "backup.sqlite"
    if database.engine.dialect.name == "postgresql":
        with pytest.raises(RecordsError, match="use pg_dump"):
            database.backup(target)
        return
    database.backup(target)
    assert target.stat().st_mode & 0o777 == 0o600
    copy = Database.at(parse_url(f"sqlite:///{target}"))
    assert verify(copy).link == verify(database).link
    assert count(copy, "hamlet") == 3
    with pytest.raises(RecordsError, match="exists already"):
        database.backup(target)


def test_a_backup_that_can_not_be_written_leaves_no_file(tmp_path):
    database = Database.at(parse_url(f"sqlite:///{tmp_path / 'records.sqlite'}"))
    with pytest.raises(RecordsError, match="can't be written"):
        database.backup(tmp_path / "records.sqlite" / "backup")


def test_a_file_that_is_no_database_is_refused(tmp_path):
    path = tmp_path / "records.sqlite"
    path.write_text("town,price\n" * 1_000)
    with pytest.raises(RecordsError, match="the file is not a database of SQLite"):
        Database.at(parse_url(f"sqlite:///{path}"))
    assert path.read_text().startswith("town,price")


def test_a_server_without_its_driver_is_refused_with_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "psycopg", None)
    with pytest.raises(RecordsError, match=r"psycopg not found.*pip install.*--build-arg EXTRAS"):
        Database.at(parse_url("postgresql://anne@127.0.0.1/records"))


def test_the_password_of_a_server_is_never_shown(postgres):
    url = parse_url(postgres.url("secrets").replace("tests@", "tests:hunter2@")).set(port=1)
    with pytest.raises(RecordsError) as caught:
        Database.at(url)
    assert "hunter2" not in str(caught.value)
